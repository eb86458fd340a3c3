/// Values that clients sprinkle in so that servers learn to ignore what they do not know (RFC 8701).
public enum TLSGrease {
  /// True for 0x0a0a, 0x1a1a, ... 0xfafa.
  @inline(__always)
  public static func contains(_ value: UInt16) -> Bool {
    value & 0x0f0f == 0x0a0a && value >> 8 == value & 0xff
  }
}

/// Extension types that are read (IANA registry "TLS ExtensionType Values").
enum TLSExtension {
  static let serverName: UInt16 = 0
  static let supportedGroups: UInt16 = 10
  static let signatureAlgorithms: UInt16 = 13
  static let applicationProtocols: UInt16 = 16
  static let supportedVersions: UInt16 = 43
  /// The deployed ancestor of encrypted_client_hello.
  static let encryptedServerName: UInt16 = 0xffce
  static let encryptedClientHello: UInt16 = 0xfe0d
}

/// Supported groups that hold a post-quantum key exchange, alone or in a hybrid.
enum TLSPostQuantum {
  /// True for ML-KEM and its hybrids, and for the Kyber and older drafts that shipped.
  static func contains(_ group: UInt16) -> Bool {
    switch group {
    case 0x0200...0x0202: true  // MLKEM512, MLKEM768, MLKEM1024
    case 0x11eb...0x11ed: true  // SecP256r1MLKEM768, X25519MLKEM768, SecP384r1MLKEM1024
    case 0x6399, 0x639a: true  // X25519Kyber768Draft00, SecP256r1Kyber768Draft00
    case 0xfe30...0xfe33: true  // drafts in the private range
    default: false
    }
  }
}
