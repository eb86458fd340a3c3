import CHostLibraries
import PacketInspect

/// SHA-256 by libcrypto.
struct LibcryptoDigest: SHA256Digest, Sendable {
  /// libcrypto offers no SHA-256 (a restricted provider configuration can do that).
  struct Unavailable: Error {}

  /// Throws `Unavailable` when libcrypto refuses to digest, so that the daemon learns it at start.
  init() throws(Unavailable) {
    var digest = [UInt8](repeating: 0, count: Int(CHOST_SHA256_LENGTH))
    guard Self.digest([], into: &digest) else { throw Unavailable() }
  }

  /// The 32 bytes of the digest; 32 zeros in the one case left, that libcrypto has no memory for its context.
  func sha256(_ bytes: [UInt8]) -> [UInt8] {
    var digest = [UInt8](repeating: 0, count: Int(CHOST_SHA256_LENGTH))
    return Self.digest(bytes, into: &digest) ? digest : [UInt8](repeating: 0, count: Int(CHOST_SHA256_LENGTH))
  }

  private static func digest(_ bytes: [UInt8], into digest: inout [UInt8]) -> Bool {
    unsafe bytes.withUnsafeBufferPointer { input in
      unsafe digest.withUnsafeMutableBufferPointer { output in
        unsafe chost_sha256(input.baseAddress, input.count, output.baseAddress) == 1
      }
    }
  }
}
