import Glibc
import PacketInspect

/// Sockets of this process on loopback, with both ends known.
final class Sockets {
  struct Ends {
    var local: IPAddress
    var localPort: UInt16
    var remote: IPAddress
    var remotePort: UInt16
  }

  private(set) var ends: [Ends] = []
  private var open: [Int32] = []

  /// `count` sockets connected to one server; nil when this host has no such loopback.
  init?(_ proto: UInt8, ipv6: Bool, count: Int) {
    let kind = Int32((proto == Packets.tcp ? SOCK_STREAM : SOCK_DGRAM).rawValue)
    guard let address = IPAddress(ipv6 ? "::1" : "127.0.0.1"), let server = bound(kind, ipv6) else { return nil }
    if proto == Packets.tcp { guard listen(server.descriptor, Int32(count)) == 0 else { return nil } }
    for _ in 0..<count {
      guard let client = bound(kind, ipv6), Self.connect(client.descriptor, ipv6, server.port) else { return nil }
      ends.append(Ends(local: address, localPort: client.port, remote: address, remotePort: server.port))
    }
  }

  deinit { for descriptor in open { close(descriptor) } }

  private func bound(_ kind: Int32, _ ipv6: Bool) -> (descriptor: Int32, port: UInt16)? {
    let descriptor = socket(ipv6 ? AF_INET6 : AF_INET, kind, 0)
    guard descriptor >= 0 else { return nil }
    open.append(descriptor)
    var (address, length) = Self.loopback(ipv6, 0)
    let isBound = unsafe withUnsafeMutablePointer(to: &address) { storage in
      unsafe storage.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        unsafe bind(descriptor, $0, length) == 0 && getsockname(descriptor, $0, &length) == 0
      }
    }
    // The port is at the same place in both families.
    let port = unsafe withUnsafeBytes(of: &address) { unsafe $0.loadUnaligned(fromByteOffset: 2, as: UInt16.self) }
    return isBound ? (descriptor, UInt16(bigEndian: port)) : nil
  }

  private static func connect(_ descriptor: Int32, _ ipv6: Bool, _ port: UInt16) -> Bool {
    var (address, length) = loopback(ipv6, port)
    return unsafe withUnsafeMutablePointer(to: &address) { storage in
      unsafe storage.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        unsafe Glibc.connect(descriptor, $0, length) == 0
      }
    }
  }

  private static func loopback(_ ipv6: Bool, _ port: UInt16) -> (sockaddr_storage, socklen_t) {
    var storage = sockaddr_storage()
    unsafe withUnsafeMutableBytes(of: &storage) { bytes in
      unsafe bytes.storeBytes(of: sa_family_t(ipv6 ? AF_INET6 : AF_INET), as: sa_family_t.self)
      unsafe bytes.storeBytes(of: port.bigEndian, toByteOffset: 2, as: UInt16.self)
      if ipv6 {
        unsafe bytes.storeBytes(of: 1, toByteOffset: 23, as: UInt8.self)
      } else {
        unsafe bytes.storeBytes(of: UInt32(0x7f00_0001).bigEndian, toByteOffset: 4, as: UInt32.self)
      }
    }
    return (storage, socklen_t(ipv6 ? MemoryLayout<sockaddr_in6>.size : MemoryLayout<sockaddr_in>.size))
  }
}
