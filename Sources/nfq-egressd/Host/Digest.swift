import CHostLibraries
import PacketInspect

/// SHA-256 and SHA-1 by libcrypto.
struct LibcryptoDigest: SHA256Digest, SHA1Digest, Sendable {
  /// libcrypto offers no SHA-256 (a restricted provider configuration can do that).
  struct Unavailable: Error {}

  private typealias Function = (UnsafePointer<UInt8>?, Int, UnsafeMutablePointer<UInt8>?) -> Int32

  /// Throws `Unavailable` when libcrypto refuses to digest, so that the daemon learns it at start.
  init() throws(Unavailable) {
    guard unsafe Self.digest([], length: Int(CHOST_SHA256_LENGTH), by: chost_sha256) != nil else { throw Unavailable() }
  }

  /// The 32 bytes of the digest; zeros in the one case left, that libcrypto has no memory for its context.
  func sha256(_ bytes: [UInt8]) -> [UInt8] {
    unsafe Self.digest(bytes, length: Int(CHOST_SHA256_LENGTH), by: chost_sha256)
      ?? [UInt8](repeating: 0, count: Int(CHOST_SHA256_LENGTH))
  }

  /// The 20 bytes of the digest; zeros where libcrypto does not offer SHA-1 any more.
  func sha1(_ bytes: [UInt8]) -> [UInt8] {
    unsafe Self.digest(bytes, length: Int(CHOST_SHA1_LENGTH), by: chost_sha1)
      ?? [UInt8](repeating: 0, count: Int(CHOST_SHA1_LENGTH))
  }

  private static func digest(_ bytes: [UInt8], length: Int, by function: Function) -> [UInt8]? {
    var digest = [UInt8](repeating: 0, count: length)
    let succeeded = unsafe bytes.withUnsafeBufferPointer { input in
      unsafe digest.withUnsafeMutableBufferPointer { output in
        unsafe function(input.baseAddress, input.count, output.baseAddress) == 1
      }
    }
    return succeeded ? digest : nil
  }
}
