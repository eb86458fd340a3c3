import CHostLibraries
import PacketInspect

/// QUIC's Initial packet protection by libcrypto.
///
/// `@unchecked Sendable` because the handle holds fetched algorithms only, which nothing changes after `init`; every
/// operation has a context of its own. Deriving keys costs about twice as much as opening a packet of 1200 bytes (1.5
/// and 0.7 microseconds on an ordinary x86-64 core), which is why the core derives once a connection, and for at most
/// `QUICFlow.maximumConnections` on a socket in a minute.
@safe
final class LibcryptoQUIC: QUICCryptography, @unchecked Sendable {
  /// libcrypto lacks HKDF or AES-128-GCM (a restricted provider configuration can do that).
  struct Unavailable: Error {}

  private let handle: OpaquePointer

  /// Fetches the algorithms. Throws `Unavailable`, so that the daemon learns it at start.
  init() throws(Unavailable) {
    guard let opened = unsafe chost_quic_open() else { throw Unavailable() }
    unsafe handle = opened
  }

  deinit { unsafe chost_quic_close(handle) }

  func clientInitialKeys(version: QUICVersion, destinationConnectionID: [UInt8]) -> QUICInitialKeys? {
    let salt = version.initialSalt
    var key = [UInt8](repeating: 0, count: Int(CHOST_QUIC_KEY_LENGTH))
    var iv = [UInt8](repeating: 0, count: Int(CHOST_QUIC_IV_LENGTH))
    var headerKey = [UInt8](repeating: 0, count: Int(CHOST_QUIC_KEY_LENGTH))
    let succeeded = unsafe chost_quic_client_keys(
      handle, salt, salt.count, destinationConnectionID, destinationConnectionID.count, version.labelPrefix, &key, &iv,
      &headerKey)
    return succeeded == 1 ? QUICInitialKeys(key: key, iv: iv, headerProtection: headerKey) : nil
  }

  func headerProtectionMask(_ keys: QUICInitialKeys, sample: RawSpan) -> [UInt8]? {
    block(key: keys.headerProtection, sample.array()).map { Array($0.prefix(5)) }
  }

  /// One AES-128 block; nil unless both are 16 bytes.
  func block(key: [UInt8], _ input: [UInt8]) -> [UInt8]? {
    guard key.count == Int(CHOST_QUIC_KEY_LENGTH), input.count == key.count else { return nil }
    var output = [UInt8](repeating: 0, count: input.count)
    return unsafe chost_quic_block(handle, key, input, &output) == 1 ? output : nil
  }

  func open(
    _ keys: QUICInitialKeys, packetNumber: UInt64, header: [UInt8], payload: RawSpan, into plain: inout [UInt8]
  ) -> Bool {
    let length = payload.byteCount - Int(CHOST_QUIC_TAG_LENGTH)
    guard length >= 0, keys.key.count == Int(CHOST_QUIC_KEY_LENGTH), keys.iv.count == Int(CHOST_QUIC_IV_LENGTH) else {
      return false
    }
    var nonce = keys.iv
    for index in 0..<8 { nonce[11 - index] ^= UInt8(truncatingIfNeeded: packetNumber >> (8 * UInt64(index))) }
    // Every byte is written over; one more, so that an empty payload has an address too.
    if plain.count != length + 1 { plain = [UInt8](repeating: 0, count: length + 1) }
    let succeeded = unsafe payload.withUnsafeBytes { sealed in
      unsafe plain.withUnsafeMutableBytes { output in
        unsafe chost_quic_unseal(
          handle, keys.key, nonce, header, header.count, sealed.bindMemory(to: UInt8.self).baseAddress, sealed.count,
          output.bindMemory(to: UInt8.self).baseAddress)
      }
    }
    plain.removeLast(succeeded == 1 ? 1 : plain.count)
    return succeeded == 1
  }
}
