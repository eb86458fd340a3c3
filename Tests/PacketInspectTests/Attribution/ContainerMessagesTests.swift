import PacketInspect
import Testing

@testable import nfq_egressd

@Suite("Answers of container runtimes")
struct ContainerMessagesTests {
  static let id = String(repeating: "ab12", count: 16)

  private func decoded(_ state: String, _ rest: String) -> Container? {
    let json = #"{"Id":"\#(Self.id)","Name":"/one","State":\#(state),\#(rest)}"#
    guard let inspected = ContainerMessages.decode(ContainerMessages.Inspected.self, from: json.utf8) else {
      Issue.record("not decoded: \(json)")
      return nil
    }
    let identity = ContainerIdentity(
      id: inspected.id, name: inspected.bareName, labels: inspected.config?.labels ?? [:], names: ContainerLabelNames())
    return inspected.container(identity) { $0.isIPv4 ? 4 : nil }
  }

  private static let running = #"{"Status":"running","Running":true,"Paused":false}"#
  private static let twoNetworks = #"""
    "Config":{"Labels":{"egress.session":"s1"}},"HostConfig":{"NetworkMode":"bridge"},"NetworkSettings":{"Networks":{
    "b":{"IPAddress":"10.91.0.50","GlobalIPv6Address":"fd91::50","MacAddress":"ae:01:f4:56:dd:b7"},
    "a":{"IPAddress":"10.88.0.2","GlobalIPv6Address":"","MacAddress":"","DriverOpts":null}, "c": null}}
    """#

  @Test("the addresses of all networks and both families are taken, with their hardware addresses")
  func addresses() throws {
    let container = try #require(decoded(Self.running, Self.twoNetworks))
    #expect(container.name == "one")
    #expect(container.session == "s1")
    #expect(container.addresses.map(\.network) == ["a", "b", "b"])
    #expect(container.addresses.map(\.leased.address.description) == ["10.88.0.2", "10.91.0.50", "fd91::50"])
    #expect(
      container.addresses.map(\.leased.hardwareAddress?.description) == [nil, "ae:01:f4:56:dd:b7", "ae:01:f4:56:dd:b7"])
    #expect(container.addresses.map(\.leased.interface) == [4, 4, nil])
  }

  @Test("a container that has ended is none, whatever addresses are still shown; one about to start is one")
  func states() {
    for state in ["exited", "dead", "stopped", "removing", ""] {
      #expect(decoded(#"{"Status":"\#(state)","Running":false}"#, Self.twoNetworks) == nil)
    }
    for state in ["created", "initialized"] {
      let known = #"{"Status":"\#(state)","Running":false}"#
      #expect(decoded(known, Self.twoNetworks) != nil)
      #expect(decoded(known, #""NetworkSettings":{"Networks":{"a":{"IPAddress":""}}}"#) == nil)
    }
    #expect(decoded(#"{"Status":"paused","Running":true,"Paused":true}"#, Self.twoNetworks) != nil)
  }

  @Test("a member of another's network has no address of its own")
  func shared() throws {
    let mode = Self.twoNetworks.replacing("\"bridge\"", with: "\"container:cd34cd34cd34\"")
    let container = try #require(decoded(Self.running, mode))
    #expect(container.sharesNetworkOf == "cd34cd34cd34")
    #expect(container.addresses.isEmpty)
  }

  @Test("what is null or absent is no error")
  func sparse() throws {
    let container = try #require(
      decoded(Self.running, #""Config":{"Labels":null},"HostConfig":null,"NetworkSettings":{"Networks":null}"#))
    #expect(container.addresses.isEmpty)
    #expect(container.session == "one-ab12ab12ab12")
  }

  @Test("networks give their subnets and gateways; those without subnets give none")
  func networks() throws {
    let json = #"""
      [{"Name":"bridge","IPAM":{"Config":[{"Subnet":"10.88.0.0/16","Gateway":"10.88.0.1"}]}},
       {"Name":"six","IPAM":{"Config":[{"Subnet":"fd91::/64","Gateway":"fd91::1"},{"Subnet":"nonsense"},{}]}},
       {"Name":"host","IPAM":{"Config":null}},{"Name":"none"}]
      """#
    let networks = try #require(ContainerMessages.decode([ContainerMessages.Network].self, from: json.utf8))
    #expect(networks.flatMap(\.networks).map(\.subnet.description) == ["10.88.0.0/16", "fd91::/64"])
    #expect(networks.flatMap(\.networks).map(\.gateway?.description) == ["10.88.0.1", "fd91::1"])
  }

  @Test("only hexadecimal ids go into a request's path")
  func ids() {
    #expect(ContainerMessages.isContainerID(Self.id))
    #expect(ContainerMessages.isContainerID("ab12ab12ab12"))
    for text in ["", "one", "../../images", "AB12AB12AB12", Self.id + "0", "ab12ab12ab1\n"] {
      #expect(!ContainerMessages.isContainerID(text), "\(text)")
    }
  }

  @Test("nothing that is no answer can crash the reader")
  func nonsense() {
    let deep = String(repeating: "[", count: 100_000)
    for text in ["", "{", "null", "[]", "[{}]", #"{"Id":7}"#, "\u{0}\u{ff}", deep, #"{"Id":"x","State":[]}"#] {
      #expect(ContainerMessages.decode(ContainerMessages.Inspected.self, from: text.utf8) == nil)
    }
  }

  @Test("lines are cut wherever the pieces end, and an overlong one is told without being kept")
  func lines() throws {
    var cutter = LineCutter()
    var lines: [String?] = []
    func feed(_ text: String) throws {
      try cutter.append(Array(text.utf8)) { line throws(ContainerAPIError) in
        lines.append(line.map { String(decoding: $0, as: UTF8.self) })
      }
    }
    try feed("a\nbc")
    try feed("d\n\ne")
    try feed("\n")
    #expect(lines == ["a", "bcd", "e"])
    lines = []
    for _ in 0..<20 { try feed(String(repeating: "x", count: 60_000)) }
    try feed("y\nz\n")
    #expect(lines == [nil, "z"])
  }

  @Test("waits double from a tenth of a second to five, jittered, and begin anew after success")
  func backOff() {
    var random = SystemRandomNumberGenerator()
    var backOff = BackOff()
    let waits = (0..<10).map { _ in backOff.next(using: &random) }
    for (wait, full) in zip(waits, [100, 200, 400, 800, 1600, 3200, 5000, 5000, 5000, 5000]) {
      #expect((full / 2...full).contains(wait))
    }
    for _ in 0..<1000 { #expect(backOff.next(using: &random) <= 5000) }
    backOff.reset()
    #expect(backOff.next(using: &random) <= 100)
  }
}
