/// Computes SHA-256 (FIPS 180-4), which the core needs for fingerprints and does not implement.
public protocol SHA256Digest {
  /// The 32 bytes of the digest.
  func sha256(_ bytes: [UInt8]) -> [UInt8]
}
