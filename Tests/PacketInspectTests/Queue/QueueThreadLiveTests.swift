import Foundation
import Glibc
import PacketInspect
import Synchronization
import Testing

@testable import nfq_egressd

/// Against the kernel; see QueueLiveTests for how to run them.
@Suite("QueueLive: a queue's thread", .serialized, .enabled(if: Live.isEnabled), .timeLimit(.minutes(2)))
struct QueueThreadLiveTests {
  init() throws { try Live.prepare() }

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
