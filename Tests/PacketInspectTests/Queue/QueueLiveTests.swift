import Foundation
import Glibc
import PacketInspect
import Synchronization
import Testing

@testable import nfq_egressd

/// Against the kernel. To run them, as root:
///
///     ip netns add door-test
///     ip netns exec door-test env NFQ_LIVE=1 swift test --no-parallel --filter LiveTests
///     ip netns del door-test
///
/// Not beside another live suite: when the last rule that asks for connection tracking leaves a namespace, the kernel
/// drops all its queued packets (nf_queue_nf_hook_drop in net/netfilter/nf_queue.c), and verdicts are refused.
@Suite("QueueLive: the door against the kernel", .serialized, .enabled(if: Live.isEnabled), .timeLimit(.minutes(2)))
struct QueueLiveTests {
  init() throws { try Live.prepare() }

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
}

/// For a reference that two threads use one after the other.
private struct UncheckedSendable<Value>: @unchecked Sendable {
  let value: Value
  init(_ value: Value) { self.value = value }
}
