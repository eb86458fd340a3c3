import Foundation
import Glibc
import PacketInspect
import Testing

@testable import nfq_egressd

/// Against the kernel, as the tests of the queue (see `QueueLiveTests`). Not with `ip netns exec`, which mounts /sys
/// anew and so hides the cgroups:
///
///     ip netns add cgt-test
///     nsenter --net=/run/netns/cgt-test env NFQ_LIVE=1 swift test --no-parallel --filter LiveTests
///     ip netns del cgt-test
@Suite(
  "QueueLive: from a local packet to its cgroup", .serialized, .enabled(if: Live.isEnabled), .timeLimit(.minutes(2)))
struct CgroupQueueLiveTests: CgroupLiveSuite {
  let mount: CgroupMount

  init() throws {
    try Live.prepare()
    mount = try #require(CgroupMount.find(), "no cgroup v2 is mounted: see above how to run this")
  }

  private func expect(
    _ location: CgroupLocation, _ expected: CgroupLocation, sourceLocation: SourceLocation = #_sourceLocation
  ) {
    #expect(location == expected, sourceLocation: sourceLocation)
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
    let (knownID, unknownID, innerID) = (known.id, unknown.id, Cgroup.inode(inner))
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

    let tree = try openTree()
    let fresh = slots.stale(in: tree)
    #expect(fresh.isEmpty)
    cgroups[0].remove()
    cgroups[1].remove()
    unsafe mkdir(cgroups[1].directory, 0o755)
    let stale = slots.stale(in: tree)
    #expect(
      stale == [
        .init(slot: 1, path: cgroups[0].path, isMadeAnew: false),
        .init(slot: 2, path: cgroups[1].path, isMadeAnew: true),
      ])
    unsafe mkdir(cgroups[0].directory, 0o755)
    try setup("repair")
    let mended = file.changed()
    let left = try #require(mended).stale(in: tree)
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
    let child = try program(in: cgroup, LiveSender.all[4].source + "\nsys.stdin.readline()")
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
