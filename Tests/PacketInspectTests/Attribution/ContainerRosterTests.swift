import PacketInspect
import Testing

@testable import nfq_egressd

@Suite("What changed among containers")
struct ContainerRosterTests {
  private func container(_ id: String, _ address: String = "10.88.0.7", session: String = "s1") -> Container {
    let leased = LeasedAddress(IPAddress(address) ?? IPAddress(v4: 0))
    return Container(
      id: id, name: id, session: session, agentType: "t", isLabelled: true,
      addresses: [ContainerAddress(network: "n", leased: leased)], sharesNetworkOf: nil)
  }

  private func at(_ seconds: Int64) -> Timestamp { Timestamp(seconds: seconds) }

  @Test("a container is news once, and again when something of it changes")
  func news() {
    var roster = ContainerRoster()
    #expect(roster.observe("a", container("a"), asked: at(1)) == [.started(container("a"))])
    #expect(roster.observe("a", container("a"), asked: at(2)).isEmpty)
    let moved = container("a", "10.88.0.8")
    #expect(roster.observe("a", moved, asked: at(3)) == [.started(moved)])
    #expect(roster.observe("a", nil, asked: at(4)) == [.ended(id: "a", at: at(4))])
    #expect(roster.observe("a", nil, asked: at(5)).isEmpty)
  }

  @Test("an end from before the last answer is of an earlier life")
  func staleEnd() {
    var roster = ContainerRoster()
    _ = roster.observe("a", container("a"), asked: at(10))
    #expect(roster.end("a", at: at(9)).isEmpty)
    #expect(roster.contains("a"))
    #expect(roster.end("a", at: at(11)) == [.ended(id: "a", at: at(11))])
    #expect(roster.end("a", at: at(12)).isEmpty)
    #expect(roster.end("b", at: at(12)).isEmpty)
  }

  @Test("what a list does not have any more has ended unnoticed")
  func retain() {
    var roster = ContainerRoster()
    for id in ["a", "b", "c"] { _ = roster.observe(id, container(id), asked: at(1)) }
    #expect(roster.retain(["b"], asked: at(5)) == [.ended(id: "a", at: at(5)), .ended(id: "c", at: at(5))])
    #expect(roster.count == 1)
  }

  @Test("networks are told at first, even when there is none, and when they change, in whatever order they come")
  func networks() throws {
    var roster = ContainerRoster()
    #expect(roster.observe([]) == [.networks([])])
    #expect(roster.observe([]).isEmpty)
    let one = ContainerNetwork(
      name: "one", subnet: try #require(IPNetwork("10.88.0.0/16")), gateway: IPAddress("10.88.0.1"))
    let two = ContainerNetwork(name: "two", subnet: try #require(IPNetwork("fd91::/64")), gateway: nil)
    #expect(roster.observe([two, one]) == [.networks([one, two])])
    #expect(roster.observe([one, two]).isEmpty)
    #expect(roster.gateway(for: try #require(IPAddress("10.88.3.4"))) == one.gateway)
    #expect(roster.gateway(for: try #require(IPAddress("10.89.3.4"))) == nil)
    #expect(roster.knowsNetworks(of: container("a")))
    #expect(!roster.knowsNetworks(of: container("a", "10.99.0.1")))
  }
}
