import CHostLibraries
import PacketInspect

/// The Public Suffix List of this host, through libpsl: the newer of the system's file and the built-in one.
///
/// `@unchecked Sendable` because the handle is only read after `init`, and libpsl's lookups write nothing.
@safe
final class PublicSuffixes: RegistrableDomains, @unchecked Sendable {
  /// Neither a list file nor a built-in list could be opened.
  struct Unavailable: Error {}

  private let handle: OpaquePointer
  /// The list file in use, or "builtin".
  let source: String
  /// When that list was made, seconds since the Unix epoch; 0 when unknown.
  let madeAt: Int64
  /// Version of libpsl.
  let libraryVersion: String

  /// Opens the list. Throws `Unavailable` when the host has none.
  init() throws(Unavailable) {
    guard let opened = unsafe chost_suffixes_open() else { throw Unavailable() }
    unsafe handle = opened
    source = unsafe String(cString: chost_suffixes_source(opened))
    madeAt = unsafe chost_suffixes_time(opened)
    libraryVersion = unsafe String(cString: chost_suffixes_library_version())
  }

  deinit { unsafe chost_suffixes_close(handle) }

  /// Number of trailing bytes of `name` that are its registrable domain; 0 when it is itself a public suffix.
  /// An address written as a name has no registrable domain: telling the two apart is the caller's business.
  func registrableLength(of name: HostName) -> Int {
    unsafe name.span.withUnsafeBufferPointer {
      unsafe chost_registrable_length(handle, $0.baseAddress, name.count)
    }
  }

  /// True for a single label and for a public suffix of the list's ICANN section (`com`, `co.uk`): to deny or to
  /// except such a name would reach every customer of a registry. Private suffixes (`github.io`) are ordinary here.
  func isRegistrySuffix(_ name: HostName) -> Bool {
    unsafe name.span.withUnsafeBufferPointer {
      unsafe chost_is_registry_suffix(handle, $0.baseAddress, name.count) == 1
    }
  }
}
