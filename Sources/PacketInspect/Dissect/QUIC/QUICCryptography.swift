/// The keys that protect a client's Initial packets (RFC 9001 section 5.1). No secret: anyone on the path derives them.
public struct QUICInitialKeys: Hashable, Sendable {
  /// AES-128 key of the packet's payload.
  public let key: [UInt8]
  /// 12 bytes that the packet number is mixed into.
  public let iv: [UInt8]
  /// AES-128 key of header protection.
  public let headerProtection: [UInt8]

  /// Keys of 16, 12 and 16 bytes.
  public init(key: [UInt8], iv: [UInt8], headerProtection: [UInt8]) {
    self.key = key
    self.iv = iv
    self.headerProtection = headerProtection
  }
}

/// The cryptography of Initial packets, which the shell brings: the core holds none of its own.
public protocol QUICCryptography: Sendable {
  /// The client's Initial keys for a Destination Connection ID (RFC 9001 section 5.2). Nil when the library refuses.
  /// The dearest of the three: five HKDF steps. Callers derive once a connection and keep the result.
  func clientInitialKeys(version: QUICVersion, destinationConnectionID: [UInt8]) -> QUICInitialKeys?

  /// The first five bytes of `sample`, 16 bytes, encrypted by the header protection key (RFC 9001 section 5.4.3).
  func headerProtectionMask(_ keys: QUICInitialKeys, sample: RawSpan) -> [UInt8]?

  /// Opens `payload`, which ends in its 16-byte tag (RFC 9001 section 5.3), into `plain`. False when the tag is wrong.
  func open(
    _ keys: QUICInitialKeys, packetNumber: UInt64, header: [UInt8], payload: RawSpan, into plain: inout [UInt8]
  ) -> Bool
}
