import CHostLibraries
import PacketInspect

/// Interfaces of this network namespace.
enum HostInterface {
  /// Index of the interface that has an address; nil when none has.
  static func index(of address: IPAddress) -> UInt32? {
    let bytes = address.networkBytes
    let index = unsafe bytes.withUnsafeBufferPointer {
      unsafe chost_interface_with_address(address.isIPv4 ? 0 : 1, $0.baseAddress)
    }
    return index == 0 ? nil : index
  }
}
