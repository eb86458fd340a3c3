import CHostLibraries
public import PacketInspect

/// The Public Suffix List as the daemon asks it: the same library, so that its cost is in a benchmark's figures.
@safe
public final class SystemSuffixes: RegistrableDomains, @unchecked Sendable {
  private let handle: OpaquePointer

  /// Nil when the host has no list.
  public init?() {
    guard let opened = unsafe chost_suffixes_open() else { return nil }
    unsafe handle = opened
  }

  deinit { unsafe chost_suffixes_close(handle) }

  /// Number of trailing bytes of `name` that are its registrable domain.
  public func registrableLength(of name: HostName) -> Int {
    unsafe name.span.withUnsafeBufferPointer {
      unsafe chost_registrable_length(handle, $0.baseAddress, name.count)
    }
  }
}
