import CNetfilterQueue
import Glibc
import PacketInspect

/// Why conntrack entries cannot be deleted.
struct ConntrackError: Error, Hashable, CustomStringConvertible {
  /// The errno.
  let number: Int32

  /// True when it is this process's rights that do not reach.
  var isLackOfPrivilege: Bool { number == EPERM || number == EACCES }

  var description: String {
    switch number {
    case EPERM: "no privilege over connection tracking: run as root or grant CAP_NET_ADMIN in this network namespace"
    case EOPNOTSUPP, EPROTONOSUPPORT: "the kernel has no nf_conntrack_netlink: modprobe nf_conntrack_netlink"
    default: "connection tracking: \(unsafe strerror(number).map { unsafe String(cString: $0) } ?? "error \(number)")"
    }
  }
}

/// The kernel's connection tracking table, as far as leases of addresses need it: when a lease ends, what the address
/// leaves behind ends with it, so that the next owner's packets meet no verdict of the former one.
/// Belongs to one thread at a time.
@safe
struct ConntrackEntries: ~Copyable {
  /// Entries deleted by one call. The usual size of the whole table; far more than one container should have.
  static let maximumDeleted: UInt32 = 262_144

  /// What was done.
  struct Deletion: Hashable {
    /// Entries deleted.
    var deleted: Int
    /// True when the bound was reached, or time ran out, and more may be left.
    var isIncomplete: Bool
    /// True when the kernel picked the entries out (IPv4, Linux 5.8 and newer) instead of listing the whole family.
    var wasFiltered: Bool
  }

  private let handle: OpaquePointer

  /// Opens the door. Privileges are asked for only when something is deleted.
  init() throws(ConntrackError) {
    var opened: OpaquePointer?
    let failure = unsafe cct_open(&opened)
    guard failure == 0, let opened = unsafe opened else { throw ConntrackError(number: failure) }
    unsafe handle = opened
  }

  deinit { unsafe cct_close(handle) }

  /// Deletes every entry in which `address` is the original source, or which leads to it or back to it, in at most
  /// about ten seconds. Costs the kernel up to three walks over its
  /// table, for IPv6 a listing of that family.
  mutating func deleteAll(of address: IPAddress, limit: UInt32 = maximumDeleted) throws(ConntrackError) -> Deletion {
    let bytes = address.networkBytes
    var result = cct_deletion()
    let failure = unsafe bytes.withUnsafeBufferPointer {
      unsafe cct_delete_address(handle, address.isIPv4 ? 0 : 1, $0.baseAddress, limit, &result)
    }
    guard failure == 0 else { throw ConntrackError(number: failure) }
    return Deletion(
      deleted: Int(result.deleted), isIncomplete: result.more != 0, wasFiltered: result.filtered != 0)
  }
}
