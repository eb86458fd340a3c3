import Foundation
import Glibc
import PacketInspect
import Testing

@testable import nfq_egressd

/// Against the kernel, as the tests of the queue (see `QueueLiveTests`). Not with `ip netns exec`, which mounts /sys
/// anew and so hides the cgroups:
///
///     ip netns add cgt-test
///     nsenter --net=/run/netns/cgt-test env NFQ_LIVE=1 swift test --filter CgroupQueueLive
///     ip netns del cgt-test
@Suite(
  "QueueLive: from a local packet to its cgroup", .serialized, .enabled(if: Live.isEnabled), .timeLimit(.minutes(2)))
struct CgroupQueueLiveTests {
  let mount: CgroupMount

  init() throws {
    try Live.prepare()
    mount = try #require(CgroupMount.find(), "no cgroup v2 is mounted: see above how to run this")
  }

  /// A cgroup that is removed at the end.
  final class Cgroup {
    let path: String
    let directory: String
    init(_ name: String, _ mount: CgroupMount) throws {
      path = "/cgt-swift-\(getpid())-\(name)"
      directory = mount.directory(ofCgroup: path)
      guard unsafe mkdir(directory, 0o755) == 0 else { throw Live.Failure(description: "cannot make \(directory)") }
    }
    deinit { remove() }
    func remove() {
      // Processes that have just ended still count for a moment.
      for _ in 0..<200 where unsafe rmdir(directory) != 0 && errno == EBUSY { usleep(10_000) }
    }
    var id: UInt64 { CgroupQueueLiveTests.inode(directory) }
  }

  private func openTree(_ method: CgroupTree.Method = .handle) throws -> CgroupTree {
    guard let tree = CgroupTree(mount, method: method) else { throw Live.Failure(description: "no tree") }
    return tree
  }

  fileprivate static func inode(_ path: String) -> UInt64 {
    var status = stat()
    return unsafe stat(path, &status) == 0 ? UInt64(status.st_ino) : 0
  }

  private func expect(
    _ location: CgroupLocation, _ expected: CgroupLocation, sourceLocation: SourceLocation = #_sourceLocation
  ) {
    #expect(location == expected, sourceLocation: sourceLocation)
  }

  /// A Python program in a cgroup.
  private func program(in cgroup: Cgroup, _ source: String) throws -> LiveProcess {
    try LiveProcess.python("open('\(cgroup.directory)/cgroup.procs', 'w').write('0')\n" + source)
  }

  private func endpoints(_ line: String?, _ proto: IPProtocol) throws -> SocketEndpoints {
    let words = try #require(line).split(separator: " ").map(String.init)
    try #require(words.count == 4, "\(words)")
    return SocketEndpoints(
      local: try #require(IPAddress(words[0])), localPort: try #require(UInt16(words[1])),
      remote: try #require(IPAddress(words[2])), remotePort: try #require(UInt16(words[3])), proto: proto)
  }

  /// How a sending socket is made, and the packet that it sends: local address, port, remote address, port.
  struct Sender: Sendable, CustomTestStringConvertible {
    var testDescription: String
    var proto: IPProtocol
    var source: String
    /// Whether the exact question finds it, or only that by port.
    var isExact = true

    static let all: [Sender] = [
      Sender(
        testDescription: "TCP over IPv4", proto: .tcp,
        source: """
          l = socket.create_server(('127.0.0.1', 0)); s = socket.create_connection(l.getsockname())
          print('127.0.0.1', s.getsockname()[1], '127.0.0.1', l.getsockname()[1])
          """),
      Sender(
        testDescription: "TCP over IPv6", proto: .tcp,
        source: """
          l = socket.create_server(('::1', 0), family=socket.AF_INET6); s = socket.create_connection(l.getsockname()[:2])
          print('::1', s.getsockname()[1], '::1', l.getsockname()[1])
          """),
      Sender(
        testDescription: "TCP over IPv4 on a dual-stack socket", proto: .tcp,
        source: """
          l = socket.create_server(('127.0.0.1', 0)); s = socket.socket(socket.AF_INET6)
          s.connect(('::ffff:127.0.0.1', l.getsockname()[1]))
          print('127.0.0.1', s.getsockname()[1], '127.0.0.1', l.getsockname()[1])
          """),
      Sender(
        testDescription: "TCP to nobody, still in its first handshake", proto: .tcp,
        source: """
          os.system('ip route replace 192.0.2.0/24 dev lo src 127.0.0.1 scope global')
          s = socket.socket(); s.setblocking(False); s.connect_ex(('192.0.2.77', 81))
          print('127.0.0.1', s.getsockname()[1], '192.0.2.77', 81)
          """),
      Sender(
        testDescription: "connected UDP over IPv4", proto: .udp,
        source: """
          s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); s.connect(('127.0.0.1', 9))
          print('127.0.0.1', s.getsockname()[1], '127.0.0.1', 9)
          """),
      Sender(
        testDescription: "unconnected UDP over IPv4", proto: .udp,
        source: """
          s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); s.sendto(b'x', ('127.0.0.1', 9))
          print('127.0.0.1', s.getsockname()[1], '127.0.0.1', 9)
          """),
      Sender(
        testDescription: "UDP bound to an address", proto: .udp,
        source: """
          s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); s.bind(('127.0.0.2', 0)); s.sendto(b'x', ('127.0.0.1', 9))
          print('127.0.0.2', s.getsockname()[1], '127.0.0.1', 9)
          """),
      Sender(
        testDescription: "connected UDP over IPv6", proto: .udp,
        source: """
          s = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM); s.connect(('::1', 9))
          print('::1', s.getsockname()[1], '::1', 9)
          """),
      Sender(
        testDescription: "unconnected UDP over IPv6", proto: .udp,
        source: """
          s = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM); s.sendto(b'x', ('::1', 9))
          print('::1', s.getsockname()[1], '::1', 9)
          """),
      Sender(
        testDescription: "UDP over IPv4 on a dual-stack socket", proto: .udp,
        source: """
          s = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM); s.sendto(b'x', ('::ffff:127.0.0.1', 9))
          print('127.0.0.1', s.getsockname()[1], '127.0.0.1', 9)
          """),
      Sender(
        testDescription: "connected UDP that sends elsewhere", proto: .udp,
        source: """
          s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); s.connect(('127.0.0.1', 9)); s.sendto(b'x', ('127.0.0.3', 9))
          print('127.0.0.1', s.getsockname()[1], '127.0.0.3', 9)
          """, isExact: false),
      Sender(
        testDescription: "connected dual-stack UDP that sends elsewhere", proto: .udp,
        source: """
          s = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM); s.connect(('::ffff:127.0.0.1', 9))
          print('127.0.0.1', s.getsockname()[1], '127.0.0.3', 9)
          """, isExact: false),
    ]
  }

  @Test("the socket's cgroup is found, in either of two cgroups, as ss has it", arguments: Sender.all)
  func cgroup(sender: Sender) throws {
    let cgroups = try [Cgroup("a", mount), Cgroup("b", mount)]
    var diagnosis = try SocketDiagnosis()
    var tree = try openTree()
    var programs: [LiveProcess] = []
    for cgroup in cgroups {
      let child = try program(in: cgroup, sender.source + "\nsys.stdin.readline()")
      programs.append(child)
      let packet = try endpoints(child.line(), sender.proto)
      let exact = diagnosis.lookup(packet)
      guard case .found(let owner) = sender.isExact ? exact : diagnosis.lookupByPort(packet) else {
        Issue.record("\(exact)")
        continue
      }
      if !sender.isExact { #expect(exact == .notFound) }
      #expect(owner.cgroup == cgroup.id)
      #expect(owner.uid == 0)
      let location = tree.location(of: owner.cgroup ?? 0, now: WallClock.now())
      #expect(location == .path(cgroup.path))
      let told = try Live.run("ss", "-tuaneH", "--cgroup", "sport = :\(packet.localPort)")
      #expect(told.contains("ino:\(owner.inode) ") && told.contains("cgroup:\(cgroup.path)"), "\(told)")
    }
    for child in programs { child.say("end") }
  }

  @Test("sockets that share a port are told apart when connected, and else called ambiguous")
  func sharedPort() throws {
    let cgroups = try [Cgroup("a", mount), Cgroup("b", mount)]
    var diagnosis = try SocketDiagnosis()
    let source = """
      s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
      s.bind(('127.0.0.1', 9411)); s.connect(('127.0.0.1', int(sys.stdin.readline()))); print('ready'); sys.stdin.readline()
      """
    var programs: [LiveProcess] = []
    for (index, cgroup) in cgroups.enumerated() {
      let child = try program(in: cgroup, source)
      child.say("\(1000 + index)")
      #expect(child.line() == "ready")
      programs.append(child)
    }
    let home = try #require(IPAddress("127.0.0.1"))
    var packet = SocketEndpoints(local: home, localPort: 9411, remote: home, remotePort: 0, proto: .udp)
    for (index, cgroup) in cgroups.enumerated() {
      packet.remotePort = UInt16(1000 + index)
      guard case .found(let owner) = diagnosis.lookup(packet) else {
        Issue.record("not found")
        continue
      }
      #expect(owner.cgroup == cgroup.id)
      #expect(owner.isConnected)
    }
    packet.remotePort = 1003
    let (exact, byPort) = (diagnosis.lookup(packet), diagnosis.lookupByPort(packet))
    #expect(exact == .notFound)
    #expect(byPort == .ambiguous)
    // The walk was left before its end; the next questions are not hurt by it.
    packet.remotePort = 1000
    guard case .found = diagnosis.lookup(packet) else {
      Issue.record("not found after an ambiguous answer")
      return
    }
    for child in programs { child.say("end") }
  }

  @Test("a socket on the same port of another address, or of IPv6 alone, is not taken for the sender")
  func samePort() throws {
    let cgroup = try Cgroup("a", mount)
    var diagnosis = try SocketDiagnosis()
    let child = try program(
      in: cgroup,
      """
      s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); s.bind(('127.0.0.2', 9413)); s.connect(('127.0.0.1', 9))
      t = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM); t.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
      t.bind(('::', 9413)); print('ready'); sys.stdin.readline()
      """)
    #expect(child.line() == "ready")
    let home = try #require(IPAddress("127.0.0.1"))
    let packet = SocketEndpoints(local: home, localPort: 9413, remote: home, remotePort: 53, proto: .udp)
    let (exact, byPort) = (diagnosis.lookup(packet), diagnosis.lookupByPort(packet))
    #expect(exact == .notFound)
    #expect(byPort == .notFound)
    child.say("end")
  }

  @Test("what is neither TCP nor UDP is not asked for, and a kernel that answers says so")
  func selfTest() throws {
    var diagnosis = try SocketDiagnosis()
    let tree = try openTree()
    for proto in [IPProtocol.tcp, .udp] {
      guard case .found(let owner) = diagnosis.selfTest(proto) else {
        Issue.record("\(proto) not found")
        continue
      }
      #expect(owner.cgroup != nil)
    }
    let home = try #require(IPAddress("127.0.0.1"))
    let packet = SocketEndpoints(local: home, localPort: 0, remote: home, remotePort: 0, proto: .icmp)
    let answer = diagnosis.lookup(packet)
    #expect(answer == .notAsked)
    let health = CgroupIdentifiers.check(&diagnosis, tree)
    #expect(health == .working || health == .untested)
  }

  @Test(
    "a removed cgroup is called gone, with its path if that was known", arguments: [CgroupTree.Method.handle, .search])
  func removed(method: CgroupTree.Method) throws {
    let known = try Cgroup("known", mount)
    let inner = known.directory + "/inner"
    unsafe mkdir(inner, 0o755)
    let unknown = try Cgroup("unknown", mount)
    var tree = try openTree(method)
    let start = WallClock.now()
    let (knownID, unknownID, innerID) = (known.id, unknown.id, Self.inode(inner))
    expect(tree.location(of: innerID, now: start), .path(known.path + "/inner"))
    expect(tree.location(of: knownID, now: start), .path(known.path))
    #expect(tree.method == method)
    unsafe rmdir(inner)
    known.remove()
    unknown.remove()
    // Within its lifetime the path stands; afterwards the cgroup is gone, and its path is still known.
    expect(tree.location(of: knownID, now: start), .path(known.path))
    let later = start.advanced(byNanoseconds: 2 * CgroupTree.pathLifetime)
    expect(tree.location(of: knownID, now: later), .gone(lastPath: known.path))
    if method == .handle { expect(tree.location(of: unknownID, now: later), .gone(lastPath: nil)) }
    unsafe mkdir(known.directory, 0o755)
    #expect(known.id != knownID)
    let latest = later.advanced(byNanoseconds: 2 * CgroupTree.pathLifetime)
    expect(tree.location(of: knownID, now: latest), .gone(lastPath: known.path))
    expect(tree.location(of: known.id, now: latest.advanced(byNanoseconds: 2_000_000_000)), .path(known.path))
    expect(tree.location(of: CgroupTree.rootID, now: latest), .path("/"))
  }

  @Test("of 1,000 datagrams that are sent and forgotten every one has its slot, and none is charged to nobody")
  func fireAndForget() throws {
    let cgroup = try Cgroup("forget-1", mount)
    let layout = MarkLayout.standard
    let mark = try LiveRule(
      "mangle", "OUTPUT -m cgroup --path \(cgroup.path.dropFirst()) -j MARK --set-xmark 0x4000000/0xfc000000")
    let rule = try LiveRule("mangle", "OUTPUT -o lo -p udp --dport 9412 -j NFQUEUE --queue-num 32")
    var socket = try QueueSocket(QueueOptions(number: 32))
    let pattern = CgroupSession(pattern: try CgroupPattern("/cgt-swift-*-forget-{session}"), agentType: "unattributed")
    var attribution = CgroupAttribution(
      diagnosis: try SocketDiagnosis(), tree: try openTree(),
      rules: CgroupRules(patterns: [pattern], agentTypes: ["unattributed"]),
      slots: CgroupSlots(stateFile: "boot B\ncgroup \(cgroup.id) \(cgroup.path.dropFirst())\n", bootID: "B"))
    let child = try program(
      in: cgroup,
      """
      kept = [socket.socket(socket.AF_INET, socket.SOCK_DGRAM) for n in range(20)]
      for s in kept: s.sendto(b'kept', ('127.0.0.1', 9412))
      for n in range(1000):
          s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); s.sendto(b'gone', ('127.0.0.1', 9412)); s.close()
      print('sent'); sys.stdin.readline()
      """)
    var seen = 0
    var times: [Int64] = []
    let deadline = WallClock.now().advanced(byNanoseconds: 20_000_000_000)
    while seen < 1020, WallClock.now() < deadline {
      guard case .messages = try socket.receive(waiting: true) else { continue }
      while let packet = socket.next() {
        seen += 1
        let bytes = packet.payload
        let port = UInt16(bytes.byte(at: 20)) << 8 | UInt16(bytes.byte(at: 21))
        let home = IPAddress(v4: 0x7f00_0001)
        let slot = layout.slot(of: packet.meta.mark)
        #expect(slot == 1)
        let before = WallClock.now()
        let finding = attribution.attribute(
          SocketEndpoints(
            local: home, localPort: port, remote: home, remotePort: 9412, proto: .udp,
            interface: packet.meta.outputInterface),
          slot: slot, uid: packet.meta.uid, now: before)
        times.append(WallClock.now().since(before))
        #expect(finding?.session == "1")
        if seen <= 20 { #expect(finding?.evidence == .socket) }
        try socket.give(PacketVerdict(accepts: true, mark: nil), to: packet.id)
      }
      try socket.flush()
    }
    #expect(seen == 1020)
    #expect(child.line() == "sent")
    child.say("end")
    let counters = attribution.counters
    #expect(counters.bySocket + counters.bySlot == 1020)
    #expect(counters.byNothing == 0)
    #expect(counters.elsewhere == 0)
    let sorted = times.sorted()
    print(
      "fire and forget: \(counters.bySocket) of 1020 by socket, \(counters.bySlot) by slot, "
        + "\(counters.skippedPortLookups) walks skipped; ns first \(times.first ?? 0), "
        + "kept median \(times.prefix(20).sorted()[10]), median \(sorted[sorted.count / 2]), max \(sorted.last ?? 0)")
    _ = consume mark
    _ = consume rule
  }

  @Test("slots are read from what the rules' script recorded, and one made anew is told until the repair")
  func slotFile() throws {
    let cgroups = try [Cgroup("one", mount), Cgroup("two", mount)]
    let run = cgroups[0].directory.replacing("/", with: "_")
    let folder = FileManager.default.temporaryDirectory.appendingPathComponent(run).path
    let script = ConfigurationFixture.repositoryFile("scripts/iptables-setup.sh")
    func setup(_ words: String...) throws { try Live.run(["env", "NFQ_EGRESSD_RUN_DIR=\(folder)", script] + words) }
    defer { try? FileManager.default.removeItem(atPath: folder) }

    var file = CgroupSlotFile(runDirectory: folder)
    let (none, unchanged) = (file.changed(), file.changed())
    #expect(none == CgroupSlots())
    #expect(unchanged == nil)
    try setup("install", "--cgroup", cgroups[0].path, "--cgroup", cgroups[1].path, "--on-failure", "open")
    defer { try? setup("remove") }
    let written = file.changed()
    let slots = try #require(written)
    #expect(slots.slots == cgroups.map { CgroupSlots.Slot(path: $0.path, id: $0.id) })

    var attribution = CgroupAttribution(
      diagnosis: try SocketDiagnosis(), tree: try openTree(), rules: CgroupRules(patterns: [], agentTypes: []),
      slots: slots)
    let fresh = attribution.staleSlots()
    #expect(fresh.isEmpty)
    cgroups[0].remove()
    cgroups[1].remove()
    unsafe mkdir(cgroups[1].directory, 0o755)
    let stale = attribution.staleSlots()
    #expect(
      stale == [
        .init(slot: 1, path: cgroups[0].path, isMadeAnew: false),
        .init(slot: 2, path: cgroups[1].path, isMadeAnew: true),
      ])
    unsafe mkdir(cgroups[0].directory, 0o755)
    try setup("repair")
    let mended = file.changed()
    attribution.slots = try #require(mended)
    let left = attribution.staleSlots()
    #expect(left.isEmpty)
  }

  @Test("ids are called working when this process is in a cgroup and its sockets are said to be there")
  func workingIdentifiers() throws {
    let cgroup = try Cgroup("self", mount)
    let home = CgroupIdentifiers.ownPath(inCgroupFile: ProcFile.read("/proc/self/cgroup") ?? "") ?? "/"
    func move(_ directory: String) throws {
      try "0".write(toFile: directory + "/cgroup.procs", atomically: false, encoding: .utf8)
    }
    try move(cgroup.directory)
    defer { try? move(mount.directory(ofCgroup: home)) }
    var diagnosis = try SocketDiagnosis()
    let tree = try openTree()
    let health = CgroupIdentifiers.check(&diagnosis, tree)
    #expect(health == .working)
  }

  @Test("a first question costs microseconds, a later one less")
  func cost() throws {
    let cgroup = try Cgroup("cost", mount)
    let child = try program(in: cgroup, Sender.all[4].source + "\nsys.stdin.readline()")
    let packet = try endpoints(child.line(), .udp)
    var attribution = CgroupAttribution(
      diagnosis: try SocketDiagnosis(), tree: try openTree(),
      rules: CgroupRules(
        patterns: [CgroupSession(pattern: try CgroupPattern("/{session}"), agentType: "web")], agentTypes: ["web"]),
      slots: CgroupSlots())
    let clock = ContinuousClock()
    let now = WallClock.now()
    var session: String?
    let first = clock.measure { session = attribution.attribute(packet, slot: 0, uid: 0, now: now)?.session }
    #expect(session == String(cgroup.path.dropFirst()))
    let later = clock.measure {
      for _ in 0..<1000 { _ = attribution.attribute(packet, slot: 0, uid: 0, now: now) }
    }
    print("attribution: first \(first), later \(later / 1000)")
    #expect(later / 1000 < .milliseconds(1))
    child.say("end")
  }
}
