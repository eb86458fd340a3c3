import PacketInspect
import Testing

@testable import nfq_egressd

/// Against the kernel; see QueueLiveTests for how to run them.
@Suite("QueueLive: verdicts", .serialized, .enabled(if: Live.isEnabled), .timeLimit(.minutes(2)))
struct QueueVerdictLiveTests {
  init() throws { try Live.prepare() }

  /// Sends one datagram "held", then `count` others, and reports what a receiver on loopback got.
  private static func heldThenMany(port: Int, count: Int) -> String {
    """
    inbound = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    inbound.setsockopt(socket.SOL_SOCKET, 33, 64 << 20)
    inbound.bind(('127.0.0.1', \(port)))
    inbound.settimeout(20)
    def send():
        outbound = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        outbound.sendto(b'held', ('127.0.0.1', \(port)))
        # Another socket: what is held keeps counting against its own socket's send buffer.
        outbound = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        for number in range(\(count)):
            outbound.sendto(b'later', ('127.0.0.1', \(port)))
    threading.Thread(target=send).start()
    got = {b'held': 0, b'later': 0}
    while got[b'later'] < \(count):
        got[inbound.recv(100)] += 1
    print('before', got[b'held'], got[b'later'])
    got[inbound.recv(100)] += 1
    print('after', got[b'held'], got[b'later'])
    """
  }

  @Test("A held packet stays while 10,000 later ones leave, and arrives when released")
  func heldPacket() throws {
    let rule = try LiveRule("mangle", "OUTPUT -o lo -p udp --dport 9101 -j NFQUEUE --queue-num 31")
    var socket = try QueueSocket(QueueOptions(number: 31))
    let program = try LiveProcess.python(Self.heldThenMany(port: 9101, count: 10_000))
    var held: PacketID?
    var accepted = 0
    let deadline = WallClock.now().advanced(byNanoseconds: 25_000_000_000)
    while accepted < 10_000, WallClock.now() < deadline {
      guard case .messages = try socket.receive(waiting: true) else { continue }
      while let packet = socket.next() {
        if held == nil {
          held = packet.id
          let holds = socket.hold(packet.id)
          #expect(holds)
          continue
        }
        accepted += 1
        try socket.give(PacketVerdict(accepts: true, mark: nil), to: packet.id)
      }
      try socket.flush()
    }
    #expect(program.line() == "before 0 10000")
    let holding = socket.counters
    #expect(holding.held == 1)

    try socket.give(PacketVerdict(accepts: true, mark: nil), to: try #require(held))
    try socket.flush()
    #expect(program.line() == "after 1 10000")
    let counters = socket.counters
    #expect(counters.held == 0)
    #expect(counters.received == 10_001)
    #expect(counters.verdicts == 10_001)
    #expect(counters.missing == 0)
    // Nothing is left to read but refusals, if there were any.
    while case .messages = try socket.receive(waiting: true) { while socket.next() != nil {} }
    #expect(socket.counters.verdictErrors == 0)
    _ = consume rule
  }

  @Test("A verdict keeps foreign mark bits, with our bits and without")
  func marks() throws {
    let set = try LiveRule("mangle", "OUTPUT -o lo -p udp --dport 9103 -j MARK --set-mark 0x14001234")
    let queue = try LiveRule("mangle", "OUTPUT -o lo -p udp --dport 9103 -j NFQUEUE --queue-num 31")
    let passed = try LiveRule("filter", "OUTPUT -p udp --dport 9103 -m mark --mark 0x15001234")
    let denied = try LiveRule("filter", "OUTPUT -p udp --dport 9103 -m mark --mark 0x16001234")
    let plain = try LiveRule("filter", "OUTPUT -p udp --dport 9103 -m mark --mark 0x14001234")
    var socket = try QueueSocket(QueueOptions(number: 31))
    let program = try LiveProcess.python(
      """
      outbound = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
      for number in range(6): outbound.sendto(b'x', ('127.0.0.1', 9103))
      print('sent')
      """)
    let decisions = [
      Decision(Verdict(.accept, .allowed), mayPass: true),
      Decision(Verdict(.accept, .allowed), mayPass: true),
      Decision(Verdict(.reject, .deniedName)),
      Decision(Verdict(.accept, .allowed)), Decision(Verdict(.accept, .allowed)), Decision(Verdict(.accept, .allowed)),
    ]
    let layout = MarkLayout.standard
    var seen: [UInt32] = []
    let deadline = WallClock.now().advanced(byNanoseconds: 10_000_000_000)
    while seen.count < decisions.count, WallClock.now() < deadline {
      guard case .messages = try socket.receive(waiting: true) else { continue }
      while let packet = socket.next() {
        let mark = packet.meta.mark
        let decision = decisions[seen.count]
        seen.append(mark)
        try socket.give(layout.verdict(for: decision, received: mark), to: packet.id)
      }
      try socket.flush()
    }
    #expect(program.line() == "sent")
    #expect(seen == Array(repeating: 0x1400_1234, count: 6))
    #expect(seen.first.map { layout.slot(of: $0) } == 5)
    #expect(try Live.packets(table: "filter", chain: "OUTPUT", containing: "0x15001234") == 2)
    #expect(try Live.packets(table: "filter", chain: "OUTPUT", containing: "0x16001234") == 1)
    #expect(try Live.packets(table: "filter", chain: "OUTPUT", containing: "0x14001234") == 3)
    _ = consume set
    _ = consume queue
    _ = consume passed
    _ = consume denied
    _ = consume plain
  }

  @Test("Packets beyond the number that may be held are dropped and counted, those left unanswered are held")
  func holdCapacity() throws {
    let rule = try LiveRule("mangle", "OUTPUT -o lo -p udp --dport 9110 -j NFQUEUE --queue-num 31")
    var options = QueueOptions(number: 31)
    options.heldPackets = 3
    var socket = try QueueSocket(options)
    let program = try LiveProcess.python(
      """
      inbound = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
      inbound.bind(('127.0.0.1', 9110))
      outbound = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
      for number in range(5): outbound.sendto(b'%d' % number, ('127.0.0.1', 9110))
      print('sent')
      inbound.settimeout(2)
      got = []
      try:
          while True: got.append(inbound.recv(10).decode())
      except TimeoutError: pass
      print('got', *got)
      """)
    #expect(program.line() == "sent")
    _ = try socket.receive(waiting: true)
    var ids: [PacketID] = []
    while let packet = socket.next() { ids.append(packet.id) }
    #expect(ids.map(\.rawValue) == [1, 2, 3, 4, 5])
    // No answer to any: the next receive holds the first three and drops the others.
    _ = try socket.receive(waiting: false)
    try socket.flush()
    let counters = socket.counters
    #expect(counters.held == 3)
    #expect(counters.holdOverflows == 2)
    for id in ids.prefix(3) { try socket.give(PacketVerdict(accepts: true, mark: nil), to: id) }
    try socket.flush()
    #expect(program.line() == "got 0 1 2")
    #expect(socket.counters.held == 0)
    _ = consume rule
  }
}
