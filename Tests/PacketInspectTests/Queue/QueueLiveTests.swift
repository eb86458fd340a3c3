import Foundation
import Glibc
import PacketInspect
import Synchronization
import Testing

@testable import nfq_egressd

/// Against the kernel. To run them, as root:
///
///     ip netns add door-test
///     ip netns exec door-test env NFQ_LIVE=1 swift test --no-parallel --filter QueueLive
///     ip netns del door-test
///
/// Not beside another live suite: when the last rule that asks for connection tracking leaves a namespace, the kernel
/// drops all its queued packets (nf_queue_nf_hook_drop in net/netfilter/nf_queue.c), and verdicts are refused.
@Suite("QueueLive: the door against the kernel", .serialized, .enabled(if: Live.isEnabled), .timeLimit(.minutes(2)))
struct QueueLiveTests {
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

  @Test("A held packet stays while 10,000 later ones leave, and arrives when released", arguments: [true, false])
  func heldPacket(byBatch: Bool) throws {
    let rule = try LiveRule("mangle", "OUTPUT -o lo -p udp --dport 9101 -j NFQUEUE --queue-num 31")
    var socket = try QueueSocket(QueueOptions(number: 31))
    let program = try LiveProcess.python(Self.heldThenMany(port: 9101, count: 10_000))
    var held: PacketID?
    var accepted = 0
    let deadline = WallClock.now().advanced(byNanoseconds: 25_000_000_000)
    while accepted < 10_000, WallClock.now() < deadline {
      guard case .messages = try socket.receive(waiting: true) else { continue }
      var last: PacketID?
      while let packet = socket.next() {
        if held == nil {
          held = packet.id
          let holds = socket.hold(packet.id)
          #expect(holds)
          continue
        }
        last = packet.id
        accepted += 1
        if !byBatch { try socket.give(PacketVerdict(accepts: true, mark: nil), to: packet.id) }
      }
      if byBatch, let last { try socket.acceptAll(through: last) }
      try socket.flush()
    }
    #expect(program.line() == "before 0 10000")
    let holding = socket.counters
    #expect(holding.held == 1)
    #expect(holding.batches == 0)
    #expect((holding.batchFallbacks > 0) == byBatch)

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

  @Test("With nothing held a batch is one message, and answers every packet")
  func batch() throws {
    let rule = try LiveRule("mangle", "OUTPUT -o lo -p udp --dport 9102 -j NFQUEUE --queue-num 31")
    var socket = try QueueSocket(QueueOptions(number: 31))
    let program = try LiveProcess.python(Self.heldThenMany(port: 9102, count: 999))
    var accepted = 0
    let deadline = WallClock.now().advanced(byNanoseconds: 25_000_000_000)
    while accepted < 1000, WallClock.now() < deadline {
      guard case .messages = try socket.receive(waiting: true) else { continue }
      var last: PacketID?
      while let packet = socket.next() {
        last = packet.id
        accepted += 1
      }
      if let last { try socket.acceptAll(through: last) }
      try socket.flush()
    }
    #expect(program.line() == "before 1 999")
    let counters = socket.counters
    #expect(counters.batches > 0 && counters.batches == counters.sendCalls)
    #expect(counters.batchFallbacks == 0)
    #expect(counters.verdicts == 1000)
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

  @Test("An overrun of the receive buffer is counted, and the queue goes on")
  func overrun() throws {
    let rule = try LiveRule("mangle", "OUTPUT -o lo -p udp --dport 9104 -j NFQUEUE --queue-num 31")
    var options = QueueOptions(number: 31)
    options.receiveBuffer = 32768
    var socket = try QueueSocket(options)
    let program = try LiveProcess.python(
      """
      outbound = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
      outbound.setsockopt(socket.SOL_SOCKET, 32, 64 << 20)
      def send(count):
          done = 0
          while done < count:
              try: outbound.sendto(b'x' * 900, ('127.0.0.1', 9104))
              except OSError: pass
              done += 1
          print('sent')
      send(3000)
      sys.stdin.readline()
      send(10)
      """)
    #expect(program.line() == "sent")
    func acceptAll() throws -> Int {
      var count = 0
      var idle = 0
      while idle < 2 {
        switch try socket.receive(waiting: true) {
        case .nothing: idle += 1
        case .overrun: continue
        case .messages:
          while let packet = socket.next() {
            try socket.give(PacketVerdict(accepts: true, mark: nil), to: packet.id)
            count += 1
          }
          try socket.flush()
        }
      }
      return count
    }
    let first = try acceptAll()
    #expect(first > 0 && first < 3000)
    #expect(socket.counters.overruns >= 1)
    let statistics = try #require(QueueStatistics.read()?.first { $0.queue == 31 })
    #expect(statistics.userDropped == 3000 - UInt64(first))
    #expect(statistics.waiting == 0)

    program.say("more")
    #expect(program.line() == "sent")
    #expect(try acceptAll() == 10)
    // The gap shows only when a later packet arrives: then it is exactly what the kernel dropped.
    #expect(socket.counters.missing == statistics.userDropped)
    _ = consume rule
  }

  @Test("A queue that is already owned says by whom")
  func alreadyOwned() throws {
    let first = try QueueSocket(QueueOptions(number: 32))
    let process = ProcessInfo.processInfo.processIdentifier
    var caught: QueueError?
    do throws(QueueError) { _ = try QueueSocket(QueueOptions(number: 32)) } catch { caught = error }
    guard case .taken(queue: 32, let owner) = caught else {
      Issue.record("not taken: \(String(describing: caught))")
      return
    }
    #expect(owner?.hasPrefix("process \(process) (") == true)
    #expect(QueueStatistics.read()?.first { $0.queue == 32 }?.copyMode == .packet)
    _ = consume first
    // Closed, it is free again.
    _ = try QueueSocket(QueueOptions(number: 32))
  }

  @Test("Without CAP_NET_ADMIN the error names the privilege")
  func unprivileged() async {
    await #expect(processExitsWith: .exitCode(7)) {
      setuid(65534)
      do throws(QueueError) {
        _ = try QueueSocket(QueueOptions(number: 33))
      } catch {
        exit(error == .missingPrivilege(queue: 33) ? 7 : 8)
      }
    }
  }

  @Test("A segmentation-offloaded packet larger than the MTU arrives whole")
  func offload() throws {
    try Live.run("ip", "link", "set", "lo", "mtu", "1500")
    defer { _ = try? Live.run("ip", "link", "set", "lo", "mtu", "65536") }
    let rule = try LiveRule("mangle", "OUTPUT -o lo -p tcp --dport 9105 -j NFQUEUE --queue-num 31")
    var socket = try QueueSocket(QueueOptions(number: 31))
    let program = try LiveProcess.python(
      """
      data = bytes(range(256)) * 4096
      server = socket.create_server(('127.0.0.1', 9105))
      def serve():
          inbound, _ = server.accept()
          got = b''
          while more := inbound.recv(1 << 20): got += more
          print('equal' if got == data else 'different')
      threading.Thread(target=serve).start()
      outbound = socket.create_connection(('127.0.0.1', 9105))
      outbound.sendall(data)
      outbound.close()
      """)
    let finished = Mutex(String?.none)
    let reader = Thread { [program = UncheckedSendable(program)] in
      let line = program.value.line() ?? ""
      finished.withLock { $0 = line }
    }
    reader.start()
    var largest = 0
    var allWhole = true
    let deadline = WallClock.now().advanced(byNanoseconds: 20_000_000_000)
    while finished.withLock({ $0 }) == nil, WallClock.now() < deadline {
      guard case .messages = try socket.receive(waiting: true) else { continue }
      while let packet = socket.next() {
        largest = max(largest, packet.payload.byteCount)
        // The IPv4 total length of the merged packet is the length that came.
        allWhole = allWhole && Int(packet.payload.u16(at: 2)) == packet.payload.byteCount
        allWhole = allWhole && packet.meta.originalLength == packet.payload.byteCount
        if packet.payload.byteCount > 1500 { #expect(packet.meta.checksumsUnreliable) }
        try socket.give(PacketVerdict(accepts: true, mark: nil), to: packet.id)
      }
      try socket.flush()
    }
    #expect(finished.withLock { $0 } == "equal")
    #expect(largest > 10_000)
    #expect(allWhole)
    _ = consume rule
  }

  @Test("A copy range shorter than the packet still tells the packet's length")
  func copyRange() throws {
    let rule = try LiveRule("mangle", "OUTPUT -o lo -p udp --dport 9106 -j NFQUEUE --queue-num 31")
    var options = QueueOptions(number: 31)
    options.copyRange = 128
    var socket = try QueueSocket(options)
    let program = try LiveProcess.python(
      "socket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto(b'x' * 1000, ('127.0.0.1', 9106))\nprint('sent')")
    #expect(program.line() == "sent")
    _ = try socket.receive(waiting: true)
    guard let packet = socket.next() else { throw Live.Failure(description: "no packet") }
    let captured = packet.payload.byteCount
    let original = packet.meta.originalLength
    #expect(captured == 128)
    #expect(original == 1028)
    _ = consume rule
  }

  @Test("On OUTPUT the owner of the socket, the hook and the interface are reported")
  func owner() throws {
    let rule = try LiveRule("mangle", "OUTPUT -o lo -p udp --dport 9107 -j NFQUEUE --queue-num 31")
    var socket = try QueueSocket(QueueOptions(number: 31))
    let program = try LiveProcess.python(
      """
      os.setuid(12345)
      socket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto(b'x', ('127.0.0.1', 9107))
      print('sent')
      """)
    #expect(program.line() == "sent")
    _ = try socket.receive(waiting: true)
    guard let packet = socket.next() else { throw Live.Failure(description: "no packet") }
    let meta = packet.meta
    #expect(meta.uid == 12345)
    #expect(meta.hook == .output)
    #expect(meta.outputInterface == 1)
    #expect(meta.inputInterface == 0)
    _ = consume rule
  }

  @Test("Stopping gives every received packet its verdict before the queue is unbound")
  func stopDrains() throws {
    let rule = try LiveRule("mangle", "OUTPUT -o lo -p udp --dport 9108 -j NFQUEUE --queue-num 31")
    let gate = Gate()
    let thread = try QueueThread(QueueOptions(number: 31), layout: .standard, handler: GatedHandler(gate: gate))
    let program = try LiveProcess.python(
      """
      inbound = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
      inbound.setsockopt(socket.SOL_SOCKET, 33, 64 << 20)
      inbound.bind(('127.0.0.1', 9108))
      inbound.settimeout(3)
      outbound = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
      outbound.setsockopt(socket.SOL_SOCKET, 32, 64 << 20)
      for number in range(2000): outbound.sendto(b'x', ('127.0.0.1', 9108))
      print('sent')
      sys.stdin.readline()
      got = 0
      try:
          while got < 2000:
              inbound.recv(10)
              got += 1
      except TimeoutError: pass
      print('got', got)
      """)
    #expect(program.line() == "sent")
    #expect(QueueStatistics.read()?.first { $0.queue == 31 }?.waiting == 2000)
    thread.control.stop()
    gate.open.store(true, ordering: .releasing)
    try thread.join()
    thread.control.wake()
    program.say("count")
    #expect(program.line() == "got 2000")
    let counters = thread.control.counters
    #expect(counters.received == 2000)
    #expect(counters.verdicts == 2000)
    #expect(counters.abandoned == 0)
    let finished = gate.finished.load(ordering: .acquiring)
    #expect(finished)
    #expect(QueueStatistics.read()?.contains { $0.queue == 31 } == false)
    _ = consume rule
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

  @Test("A queue bound in the middle of traffic misses none of the packets it was given")
  func bindUnderTraffic() throws {
    let rule = try LiveRule("mangle", "OUTPUT -o lo -p udp --dport 9111 -j NFQUEUE --queue-num 31 --queue-bypass")
    let program = try LiveProcess.python(
      """
      outbound = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
      print('sending')
      end = time.time() + 3
      while time.time() < end: outbound.sendto(b'x', ('127.0.0.1', 9111))
      """)
    #expect(program.line() == "sending")
    for _ in 0..<20 {
      var socket = try QueueSocket(QueueOptions(number: 31))
      var first: UInt32?
      for _ in 0..<20 {
        guard case .messages = try socket.receive(waiting: true) else { continue }
        while let packet = socket.next() {
          first = first ?? packet.id.rawValue
          try socket.give(PacketVerdict(accepts: true, mark: nil), to: packet.id)
        }
        try socket.flush()
      }
      try socket.unbind()
      let counters = socket.counters
      #expect(first == 1)
      #expect(counters.received > 0)
      #expect(counters.missing == 0)
      #expect(counters.malformed == 0)
      #expect(counters.verdictErrors == 0, "the last refusal: \(counters.lastVerdictError)")
    }
    _ = consume rule
  }

  @Test("An idle queue ticks at least every 100 ms")
  func ticks() throws {
    let gate = Gate()
    let thread = try QueueThread(QueueOptions(number: 34), layout: .standard, handler: GatedHandler(gate: gate))
    Thread.sleep(forTimeInterval: 1)
    let ticks = gate.ticks.load(ordering: .acquiring)
    thread.control.stop()
    try thread.join()
    #expect(ticks >= 10 && ticks < 40)
  }

  @Test("A wake-up from another thread releases a held packet at once")
  func wakeReleases() throws {
    let rule = try LiveRule("mangle", "OUTPUT -o lo -p udp --dport 9109 -j NFQUEUE --queue-num 31")
    var options = QueueOptions(number: 31)
    options.idleMilliseconds = 10_000
    let board = ReleaseBoard()
    let thread = try QueueThread(options, layout: .standard, handler: HoldingHandler(board: board))
    let program = try LiveProcess.python(
      """
      inbound = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
      inbound.bind(('127.0.0.1', 9109))
      socket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto(b'x', ('127.0.0.1', 9109))
      print('sent')
      inbound.settimeout(0.3)
      try: inbound.recv(10); print('early')
      except TimeoutError: print('held')
      inbound.settimeout(5)
      inbound.recv(10)
      print('released')
      """)
    #expect(program.line() == "sent")
    #expect(program.line() == "held")
    let start = WallClock.now()
    board.allow.store(true, ordering: .releasing)
    thread.control.wake()
    #expect(program.line() == "released")
    #expect(WallClock.now().since(start) < 2_000_000_000)
    let stop = WallClock.now()
    thread.control.stop()
    try thread.join()
    #expect(WallClock.now().since(stop) < 2_000_000_000)
    let counters = thread.control.counters
    #expect(counters.verdictErrors == 0)
    #expect(counters.malformed == 0)
    _ = consume rule
  }
}

/// For a reference that two threads use one after the other.
private struct UncheckedSendable<Value>: @unchecked Sendable {
  let value: Value
  init(_ value: Value) { self.value = value }
}

private final class Gate: Sendable {
  let open = Atomic(false)
  let finished = Atomic(false)
  let ticks = Atomic(0)
}

/// Accepts everything, but not before its gate opens.
private struct GatedHandler: PacketHandler {
  let gate: Gate

  mutating func handle(packet: RawSpan, meta: PacketMeta, now: Timestamp) -> Decision {
    var waits = 0
    while !gate.open.load(ordering: .acquiring), waits < 20_000 {
      usleep(1000)
      waits += 1
    }
    return Decision(Verdict(.accept, .allowed))
  }

  mutating func tick(now: Timestamp) { gate.ticks.add(1, ordering: .relaxed) }

  mutating func finish(now: Timestamp) { gate.finished.store(true, ordering: .releasing) }
}

private final class ReleaseBoard: Sendable {
  let allow = Atomic(false)
}

/// Holds everything until the board allows it.
private struct HoldingHandler: PacketHandler {
  let board: ReleaseBoard
  var held: [PacketID] = []

  mutating func handle(packet: RawSpan, meta: PacketMeta, now: Timestamp) -> Decision {
    Decision(Verdict(.drop, .undecided))
  }

  mutating func tick(now: Timestamp) {}

  mutating func answer(packet: RawSpan, meta: PacketMeta, id: PacketID, now: Timestamp) -> PacketAnswer {
    held.append(id)
    return .hold
  }

  mutating func nextRelease(now: Timestamp) -> PacketRelease? {
    guard board.allow.load(ordering: .acquiring), let id = held.popLast() else { return nil }
    return PacketRelease(id: id, decision: Decision(Verdict(.accept, .allowed)))
  }
}
