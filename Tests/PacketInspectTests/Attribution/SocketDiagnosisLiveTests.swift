import PacketInspect
import Testing

@testable import nfq_egressd

/// Against the kernel; see CgroupQueueLiveTests for how to run them.
@Suite(
  "QueueLive: from a socket to its cgroup", .serialized, .enabled(if: Live.isEnabled), .timeLimit(.minutes(2)))
struct SocketDiagnosisLiveTests: CgroupLiveSuite {
  let mount: CgroupMount

  init() throws {
    try Live.prepare()
    mount = try #require(CgroupMount.find(), "no cgroup v2 is mounted: see above how to run this")
  }

  @Test("the socket's cgroup is found, in either of two cgroups, as ss has it", arguments: LiveSender.all)
  func cgroup(sender: LiveSender) throws {
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
}
