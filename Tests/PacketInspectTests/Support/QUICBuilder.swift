@testable import PacketInspect
@testable import nfq_egressd

/// The other half of packet protection, for tests: AES-128-GCM sealing (NIST SP 800-38D) with libcrypto's block cipher
/// and a GHASH of our own, so that what the product opens was not made by the code that opens it.
struct PlainGCM {
  let block: ([UInt8]) -> [UInt8]

  func seal(nonce: [UInt8], header: [UInt8], plain: [UInt8]) -> [UInt8] {
    var sealed: [UInt8] = []
    for start in stride(from: 0, to: plain.count, by: 16) {
      let stream = block(nonce + PacketBuilder.be32(UInt32(start / 16 + 2)))
      for index in start..<min(start + 16, plain.count) { sealed.append(plain[index] ^ stream[index - start]) }
    }
    let lengths =
      PacketBuilder.be32(0) + PacketBuilder.be32(UInt32(header.count * 8)) + PacketBuilder.be32(0)
      + PacketBuilder.be32(UInt32(sealed.count * 8))
    let hash = ghash(padded(header) + padded(sealed) + lengths)
    let mask = block(nonce + [0, 0, 0, 1])
    return sealed + zip(hash, mask).map { $0 ^ $1 }
  }

  private func padded(_ bytes: [UInt8]) -> [UInt8] {
    bytes + [UInt8](repeating: 0, count: (16 - bytes.count % 16) % 16)
  }

  private func ghash(_ bytes: [UInt8]) -> [UInt8] {
    let key = Self.number(block([UInt8](repeating: 0, count: 16)))
    var state = (high: UInt64(0), low: UInt64(0))
    for start in stride(from: 0, to: bytes.count, by: 16) {
      let part = Self.number(Array(bytes[start..<start + 16]))
      state = Self.product((state.high ^ part.high, state.low ^ part.low), key)
    }
    return [state.high, state.low].flatMap { word in (0..<8).map { UInt8(truncatingIfNeeded: word >> (56 - 8 * $0)) } }
  }

  private static func number(_ bytes: [UInt8]) -> (high: UInt64, low: UInt64) {
    (bytes[..<8].reduce(0) { $0 << 8 | UInt64($1) }, bytes[8...].reduce(0) { $0 << 8 | UInt64($1) })
  }

  private static func product(
    _ left: (high: UInt64, low: UInt64), _ right: (high: UInt64, low: UInt64)
  ) -> (high: UInt64, low: UInt64) {
    var sum = (high: UInt64(0), low: UInt64(0))
    var factor = right
    for bit in 0..<128 {
      let word = bit < 64 ? left.high : left.low
      if word >> UInt64(63 - bit % 64) & 1 == 1 { sum = (sum.high ^ factor.high, sum.low ^ factor.low) }
      let carry = factor.low & 1
      factor.low = factor.low >> 1 | factor.high << 63
      factor.high >>= 1
      if carry == 1 { factor.high ^= 0xe1 << 56 }
    }
    return sum
  }
}

/// Writes client Initial packets, sound ones unless told otherwise.
struct QUICInitialBuilder {
  var version: UInt32 = 1
  var destination: [UInt8] = [0x83, 0x94, 0xc8, 0xf0, 0x3e, 0x51, 0x57, 0x08]
  var source: [UInt8] = []
  /// The ID that keys come from, when it is not `destination`.
  var keyID: [UInt8]?
  /// The version that keys come from, when it is not `version`.
  var keyVersion: UInt32?
  var token: [UInt8] = []
  var packetNumber: UInt32 = 0
  var packetNumberLength = 1
  /// PADDING is added up to this many bytes of payload.
  var payloadLength = 1_162
  /// Sound unless a test wants the fixed bit away.
  var fixedBit: UInt8 = 0x40

  static func cryptography() -> LibcryptoQUIC {
    guard let cryptography = try? LibcryptoQUIC() else { preconditionFailure("no libcrypto") }
    return cryptography
  }

  static func variable(_ value: Int) -> [UInt8] {
    if value < 64 { return [UInt8(value)] }
    if value < 16_384 { return PacketBuilder.be16(UInt16(value) | 0x4000) }
    return PacketBuilder.be32(UInt32(value) | 0x8000_0000)
  }

  /// A CRYPTO frame with a part of a message.
  static func crypto(_ message: [UInt8], _ range: Range<Int>? = nil) -> [UInt8] {
    let range = range ?? 0..<message.count
    return [6] + variable(range.lowerBound) + variable(range.count) + message[range]
  }

  /// A hello's message.
  static func hello(_ name: String, padding: Int = 0) -> [UInt8] {
    var builder = TLSHelloBuilder(name: name)
    builder.extensions?.append((0x39, [UInt8](repeating: 0x11, count: 40)))
    if padding > 0 { builder.extensions?.append((21, [UInt8](repeating: 0, count: padding))) }
    return builder.message
  }

  func header(payload count: Int) -> [UInt8] {
    let type: UInt8 = version == 0x6b33_43cf || version == 0x709a_50c4 ? 1 : 0
    var header = [0x80 | fixedBit | type << 4 | UInt8(packetNumberLength - 1)] + PacketBuilder.be32(version)
    header += [UInt8(destination.count)] + destination + [UInt8(source.count)] + source
    header += Self.variable(token.count) + token
    header += PacketBuilder.be16(UInt16(packetNumberLength + count + 16) | 0x4000)
    return header + PacketBuilder.be32(packetNumber).suffix(packetNumberLength)
  }

  /// The protected packet.
  func packet(_ frames: [UInt8]) -> [UInt8] {
    let library = Self.cryptography()
    guard let read = QUICVersion(keyVersion ?? version),
      let keys = library.clientInitialKeys(version: read, destinationConnectionID: keyID ?? destination)
    else { preconditionFailure("no keys") }
    let plain = frames + [UInt8](repeating: 0, count: max(0, payloadLength - frames.count))
    var header = header(payload: plain.count)
    var nonce = keys.iv
    for (index, byte) in PacketBuilder.be32(packetNumber).enumerated() { nonce[8 + index] ^= byte }
    let cipher = PlainGCM { library.block(key: keys.key, $0) ?? [] }
    let sealed = cipher.seal(nonce: nonce, header: header, plain: plain)
    let sample = Array(sealed[4 - packetNumberLength..<20 - packetNumberLength])
    let mask = library.block(key: keys.headerProtection, sample) ?? []
    header[0] ^= mask[0] & 0x0f
    for index in 0..<packetNumberLength { header[header.count - packetNumberLength + index] ^= mask[1 + index] }
    return header + sealed
  }

  /// A protected packet with a whole hello.
  func packet(hello name: String) -> [UInt8] { packet(Self.crypto(Self.hello(name))) }
}

/// Hexadecimal digits as bytes.
func hex(_ text: String) -> [UInt8] {
  let digits = text.compactMap(\.hexDigitValue)
  return stride(from: 0, to: digits.count - 1, by: 2).map { UInt8(digits[$0] << 4 | digits[$0 + 1]) }
}
