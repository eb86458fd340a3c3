import Glibc
import PacketInspect
import Testing

@testable import nfq_egressd

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
  var id: UInt64 { Cgroup.inode(directory) }

  static func inode(_ path: String) -> UInt64 {
    var status = stat()
    return unsafe stat(path, &status) == 0 ? UInt64(status.st_ino) : 0
  }
}

/// A suite against the kernel's cgroups.
protocol CgroupLiveSuite {
  var mount: CgroupMount { get }
}

extension CgroupLiveSuite {
  func openTree(_ method: CgroupTree.Method = .handle) throws -> CgroupTree {
    guard let tree = CgroupTree(mount, method: method) else { throw Live.Failure(description: "no tree") }
    return tree
  }

  /// A Python program in a cgroup.
  func program(in cgroup: Cgroup, _ source: String) throws -> LiveProcess {
    try LiveProcess.python("open('\(cgroup.directory)/cgroup.procs', 'w').write('0')\n" + source)
  }

  func endpoints(_ line: String?, _ proto: IPProtocol) throws -> SocketEndpoints {
    let words = try #require(line).split(separator: " ").map(String.init)
    try #require(words.count == 4, "\(words)")
    return SocketEndpoints(
      local: try #require(IPAddress(words[0])), localPort: try #require(UInt16(words[1])),
      remote: try #require(IPAddress(words[2])), remotePort: try #require(UInt16(words[3])), proto: proto)
  }
}

/// How a sending socket is made, and the packet that it sends: local address, port, remote address, port.
struct LiveSender: Sendable, CustomTestStringConvertible {
  var testDescription: String
  var proto: IPProtocol
  var source: String
  /// Whether the exact question finds it, or only that by port.
  var isExact = true

  static let all: [LiveSender] = [
    LiveSender(
      testDescription: "TCP over IPv4", proto: .tcp,
      source: """
        l = socket.create_server(('127.0.0.1', 0)); s = socket.create_connection(l.getsockname())
        print('127.0.0.1', s.getsockname()[1], '127.0.0.1', l.getsockname()[1])
        """),
    LiveSender(
      testDescription: "TCP over IPv6", proto: .tcp,
      source: """
        l = socket.create_server(('::1', 0), family=socket.AF_INET6); s = socket.create_connection(l.getsockname()[:2])
        print('::1', s.getsockname()[1], '::1', l.getsockname()[1])
        """),
    LiveSender(
      testDescription: "TCP over IPv4 on a dual-stack socket", proto: .tcp,
      source: """
        l = socket.create_server(('127.0.0.1', 0)); s = socket.socket(socket.AF_INET6)
        s.connect(('::ffff:127.0.0.1', l.getsockname()[1]))
        print('127.0.0.1', s.getsockname()[1], '127.0.0.1', l.getsockname()[1])
        """),
    LiveSender(
      testDescription: "TCP to nobody, still in its first handshake", proto: .tcp,
      source: """
        os.system('ip route replace 192.0.2.0/24 dev lo src 127.0.0.1 scope global')
        s = socket.socket(); s.setblocking(False); s.connect_ex(('192.0.2.77', 81))
        print('127.0.0.1', s.getsockname()[1], '192.0.2.77', 81)
        """),
    LiveSender(
      testDescription: "connected UDP over IPv4", proto: .udp,
      source: """
        s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); s.connect(('127.0.0.1', 9))
        print('127.0.0.1', s.getsockname()[1], '127.0.0.1', 9)
        """),
    LiveSender(
      testDescription: "unconnected UDP over IPv4", proto: .udp,
      source: """
        s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); s.sendto(b'x', ('127.0.0.1', 9))
        print('127.0.0.1', s.getsockname()[1], '127.0.0.1', 9)
        """),
    LiveSender(
      testDescription: "UDP bound to an address", proto: .udp,
      source: """
        s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); s.bind(('127.0.0.2', 0)); s.sendto(b'x', ('127.0.0.1', 9))
        print('127.0.0.2', s.getsockname()[1], '127.0.0.1', 9)
        """),
    LiveSender(
      testDescription: "connected UDP over IPv6", proto: .udp,
      source: """
        s = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM); s.connect(('::1', 9))
        print('::1', s.getsockname()[1], '::1', 9)
        """),
    LiveSender(
      testDescription: "unconnected UDP over IPv6", proto: .udp,
      source: """
        s = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM); s.sendto(b'x', ('::1', 9))
        print('::1', s.getsockname()[1], '::1', 9)
        """),
    LiveSender(
      testDescription: "UDP over IPv4 on a dual-stack socket", proto: .udp,
      source: """
        s = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM); s.sendto(b'x', ('::ffff:127.0.0.1', 9))
        print('127.0.0.1', s.getsockname()[1], '127.0.0.1', 9)
        """),
    LiveSender(
      testDescription: "connected UDP that sends elsewhere", proto: .udp,
      source: """
        s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); s.connect(('127.0.0.1', 9)); s.sendto(b'x', ('127.0.0.3', 9))
        print('127.0.0.1', s.getsockname()[1], '127.0.0.3', 9)
        """, isExact: false),
    LiveSender(
      testDescription: "connected dual-stack UDP that sends elsewhere", proto: .udp,
      source: """
        s = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM); s.connect(('::ffff:127.0.0.1', 9))
        print('127.0.0.1', s.getsockname()[1], '127.0.0.3', 9)
        """, isExact: false),
  ]
}
