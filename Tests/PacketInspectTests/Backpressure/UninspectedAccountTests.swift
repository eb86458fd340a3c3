import Testing

@testable import nfq_egressd

@Suite("What was not inspected")
struct UninspectedAccountTests {
  private func queue(_ lastID: UInt32, full: UInt64 = 0, socket: UInt64 = 0) throws -> QueueStatistics {
    try #require(QueueStatistics(line: "0 1 0 2 65531 \(full) \(socket) \(lastID) 1"))
  }

  private func rules(_ queued: UInt64, bypass: Bool = false) -> RuleCounters {
    var counters = RuleCounters()
    counters.queued = queued
    counters.mayBypass = bypass
    return counters
  }

  private func socket(received: UInt64 = 0, missing: UInt64 = 0, cut: UInt64 = 0) -> QueueCounters {
    var counters = QueueCounters()
    counters.received = received
    counters.missing = missing
    counters.cut = cut
    return counters
  }

  /// An account after a quiet start: what the rules had counted before is not its business.
  private func account(failOpen: Bool, rules counted: UInt64 = 1_000) throws -> UninspectedAccount {
    var account = UninspectedAccount(failOpen: failOpen)
    account.take(try queue(10), rules(counted), try queue(10), socket(received: 10))
    #expect(account.figures.passed == 0 && account.figures.dropped == 0)
    return account
  }

  @Test("is nothing while every packet of the rules gets a number")
  func quiet() throws {
    var account = try account(failOpen: true)
    account.take(try queue(500), rules(1_490), try queue(500), socket(received: 500))
    #expect(account.figures.passed == 0 && account.figures.dropped == 0)
    #expect(account.figures.numbered == 500)
  }

  @Test("was dropped where a full queue is closed, and passed where it is open")
  func full() throws {
    var closed = try account(failOpen: false)
    closed.take(try queue(74, full: 436), rules(1_500), try queue(74, full: 436), socket(received: 74))
    #expect(closed.figures.dropped == 436 && closed.figures.passed == 0)
    // The kernel counts nothing here: only the rules tell.
    var open = try account(failOpen: true)
    open.take(try queue(74), rules(1_500), try queue(74), socket(received: 74))
    #expect(open.figures.passed == 436 && open.figures.dropped == 0)
  }

  @Test("counts packets that got a number and never came: passed where a full socket is open")
  func missing() throws {
    var open = try account(failOpen: true)
    open.take(try queue(110), rules(1_100), try queue(110), socket(received: 90, missing: 20))
    #expect(open.figures.passed == 20)
    var closed = try account(failOpen: false)
    closed.take(
      try queue(110, socket: 20), rules(1_100), try queue(110, socket: 20), socket(received: 90, missing: 20))
    #expect(closed.figures.passed == 0 && closed.figures.dropped == 20)
  }

  @Test("passed where the rules let packets by while nobody listens, and was dropped where they do not")
  func bypass() throws {
    for isOpen in [true, false] {
      var account = UninspectedAccount(failOpen: false)
      account.take(try queue(10), rules(1_000, bypass: isOpen), try queue(10), socket())
      account.take(try queue(10), rules(1_007, bypass: isOpen), try queue(10), socket())
      #expect(account.figures.passed == (isOpen ? 7 : 0))
      #expect(account.figures.dropped == (isOpen ? 0 : 7))
    }
  }

  @Test("is never told for packets that come while the counts are read, and found at the next look")
  func race() throws {
    var account = UninspectedAccount(failOpen: true)
    // Packets come between each two of the three reads.
    account.take(try queue(100), rules(150), try queue(180), socket())
    #expect(account.figures.passed == 0)
    account.take(try queue(400), rules(480), try queue(520), socket())
    #expect(account.figures.passed == 0)
    account.take(try queue(900), rules(1_000), try queue(900), socket())
    #expect(account.figures.passed == 50)
    account.take(try queue(900), rules(1_000), try queue(900), socket())
    #expect(account.figures.passed == 50)
  }

  @Test("goes on when the rules are made anew, and where they cannot be read for a while")
  func rulesMadeAnew() throws {
    var account = try account(failOpen: true)
    account.take(try queue(74), rules(1_500), try queue(74), socket())
    account.take(try queue(80), rules(3), try queue(80), socket())
    #expect(account.figures.passed == 436)
    account.take(try queue(90), nil, try queue(90), socket())
    account.take(try queue(100), rules(33), try queue(100), socket())
    #expect(account.figures.passed == 446)
  }

  @Test("is counted through the wrap of the kernel's counts")
  func wraps() throws {
    var account = UninspectedAccount(failOpen: false)
    account.take(
      try queue(.max - 4, full: UInt64(UInt32.max)), rules(5), try queue(.max - 4, full: UInt64(UInt32.max)), socket())
    account.take(try queue(5, full: 9), rules(25), try queue(5, full: 9), socket())
    #expect(account.figures.numbered == UInt64(UInt32.max) + 6)
    #expect(account.figures.droppedFull == UInt64(UInt32.max) + 10)
    #expect(account.figures.unnumbered == 0)
  }

  @Test("reads the rule's counter among whatever iptables lists")
  func listing() {
    var counters = RuleCounters()
    counters.add([
      "# Warning: iptables-legacy tables present", "-N NFQ-EGRESSD-QUEUE",
      "-A NFQ-EGRESSD-QUEUE -c 123 4567 -j NFQUEUE --queue-num 0", "-A OTHER -c 9 9 -j NFQUEUE --queue-num 0",
      "-A NFQ-EGRESSD-BACKSTOP -c 2 80 -j DROP", "-A NFQ-EGRESSD-QUEUE -c x 1 -j NFQUEUE", "-A",
      "-A NFQ-EGRESSD-QUEUE -c",
    ])
    #expect(counters.queued == 123 && counters.backstop == 2 && !counters.mayBypass)
    counters.add(["-A NFQ-EGRESSD-QUEUE -c 7 70 -j NFQUEUE --queue-balance 0:3 --queue-bypass"])
    #expect(counters.queued == 130 && counters.mayBypass)
  }
}
