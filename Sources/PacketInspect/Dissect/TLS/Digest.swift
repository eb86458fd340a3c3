/// SHA-256 (FIPS 180-4), which the shell brings: the core holds no cryptography of its own.
public protocol SHA256Digest {
  /// The 32-byte digest of `bytes`.
  func sha256(_ bytes: [UInt8]) -> [UInt8]
}
