/// Reading a ClientHello's fields (RFC 8446 section 4.1.2). The part before the extensions must be sound, since no
/// server gets past it otherwise; in the extensions whatever can be read is kept, and the damage is marked.
extension ClientHello {
  /// Reads a handshake message, header included, into this empty hello. Nil when it could be read.
  mutating func read(message: RawSpan) -> ParseError? {
    var reader = PacketReader(message)
    do throws(ParseError) {
      try reader.skip(4)
      legacyVersion = try reader.u16()
      highestVersion = legacyVersion
      if legacyVersion >> 8 != 3 { oddities.insert(.oddVersion) }
      try reader.skip(32)
      try reader.skip(Int(try reader.u8()))
      var ciphers = try reader.take(Int(try reader.u16()))
      Self.append(&ciphers, to: &cipherSuites, &oddities)
      try reader.skip(Int(try reader.u8()))
      // Before TLS 1.3 a hello may end here.
      if !reader.isEmpty { try readExtensions(&reader) }
      return nil
    } catch {
      return error == .truncated ? .badLength : error
    }
  }

  private mutating func readExtensions(_ reader: inout PacketReader) throws(ParseError) {
    guard reader.remaining >= 2 else {
      oddities.insert(.inconsistentLength)
      return
    }
    var block = try Self.takeLenient(Int(try reader.u16()), from: &reader, &oddities)
    if !reader.isEmpty { oddities.insert(.trailingBytes) }
    var seen = Seen()
    while !block.isEmpty {
      guard block.remaining >= 4 else {
        oddities.insert(.inconsistentLength)
        return
      }
      let type = try block.u16()
      var body = try Self.takeLenient(Int(try block.u16()), from: &block, &oddities)
      note(type, &seen)
      try readExtension(type, &body, &seen)
    }
  }

  /// The first extension of a type counts; a second one is only noted.
  private mutating func readExtension(
    _ type: UInt16, _ body: inout PacketReader, _ seen: inout Seen
  ) throws(ParseError) {
    switch type {
    case TLSExtension.serverName where !seen.serverName:
      seen.serverName = true
      try readServerName(&body)
    case TLSExtension.applicationProtocols where !seen.alpn:
      seen.alpn = true
      try readALPN(&body)
    case TLSExtension.supportedVersions where !seen.versions:
      seen.versions = true
      try readVersions(&body)
    case TLSExtension.signatureAlgorithms where !seen.signatures:
      seen.signatures = true
      var list = try Self.takeList(&body, &oddities)
      Self.append(&list, to: &signatureAlgorithms, &oddities)
    case TLSExtension.supportedGroups where !seen.groups:
      seen.groups = true
      var list = try Self.takeList(&body, &oddities)
      while list.remaining >= 2 {
        if TLSPostQuantum.contains(try list.u16()) { offersPostQuantum = true }
      }
    case TLSExtension.encryptedClientHello, TLSExtension.encryptedServerName:
      hasEncryptedClientHello = true
    default:
      break
    }
  }

  /// Lists an extension type and notes a second of its kind.
  private mutating func note(_ type: UInt16, _ seen: inout Seen) {
    guard extensions.count < Self.maximumExtensions else {
      oddities.insert(.cut)
      return
    }
    // One bit of 64 spares most searches of the list.
    let bit: UInt64 = 1 << UInt64(type & 63)
    if seen.types & bit != 0, extensions.contains(type) { oddities.insert(.duplicateExtension) }
    seen.types |= bit
    extensions.append(type)
  }

  /// RFC 6066 section 3: a list of names, of which only the type host_name was ever defined.
  private mutating func readServerName(_ body: inout PacketReader) throws(ParseError) {
    var list = try Self.takeList(&body, &oddities)
    var names = 0
    while !list.isEmpty {
      guard list.remaining >= 3 else {
        oddities.insert(.inconsistentLength)
        break
      }
      let type = try list.u8()
      let name = try Self.takeLenient(Int(try list.u16()), from: &list, &oddities)
      guard type == 0 else {
        oddities.insert(.oddServerName)
        continue
      }
      names += 1
      if names == 1 {
        if !setServerName(name.bytes) { oddities.insert(.oddServerName) }
        if HostAddressLiteral.matches(name.bytes) { oddities.insert(.addressLiteralName) }
      }
    }
    if names != 1 { oddities.insert(.oddServerName) }
    if serverNameIsOdd { oddities.insert([.oddServerName, .oddNameBytes]) }
  }

  private mutating func readALPN(_ body: inout PacketReader) throws(ParseError) {
    var list = try Self.takeList(&body, &oddities)
    while !list.isEmpty {
      let entry = try Self.takeLenient(Int(try list.u8()), from: &list, &oddities)
      guard alpn.count < Self.maximumALPN else {
        oddities.insert(.cut)
        return
      }
      alpn.append(ALPNName.array(entry.bytes))
    }
  }

  private mutating func readVersions(_ body: inout PacketReader) throws(ParseError) {
    guard !body.isEmpty else {
      oddities.insert(.inconsistentLength)
      return
    }
    var list = try Self.takeLenient(Int(try body.u8()), from: &body, &oddities)
    if !body.isEmpty { oddities.insert(.trailingBytes) }
    var highest: UInt16 = 0
    while list.remaining >= 2 {
      let version = try list.u16()
      if !TLSGrease.contains(version) { highest = max(highest, version) }
    }
    if highest != 0 { highestVersion = highest }
  }

  /// A vector with a 16-bit length that should fill `body`.
  @_lifetime(copy body)
  private static func takeList(
    _ body: inout PacketReader, _ oddities: inout Oddities
  ) throws(ParseError) -> PacketReader {
    guard body.remaining >= 2 else {
      oddities.insert(.inconsistentLength)
      return try body.take(0)
    }
    let list = try takeLenient(Int(try body.u16()), from: &body, &oddities)
    if !body.isEmpty { oddities.insert(.trailingBytes) }
    return list
  }

  /// `length` bytes, or as many as there are.
  @_lifetime(copy reader)
  @inline(__always)
  private static func takeLenient(
    _ length: Int, from reader: inout PacketReader, _ oddities: inout Oddities
  ) throws(ParseError) -> PacketReader {
    if length > reader.remaining { oddities.insert(.inconsistentLength) }
    return try reader.take(min(length, reader.remaining))
  }

  /// All the 16-bit values of a vector.
  private static func append(_ list: inout PacketReader, to values: inout [UInt16], _ oddities: inout Oddities) {
    let bytes = list.rest
    let count = bytes.byteCount / 2
    let start = values.count
    // Room for all at once: appending one by one asks each time whether the storage is shared.
    values.append(contentsOf: repeatElement(0, count: count))
    var room = values.mutableSpan
    for index in 0..<count { room[start + index] = bytes.u16(at: 2 * index) }
    if bytes.byteCount % 2 != 0 { oddities.insert(.inconsistentLength) }
  }

  /// Which extensions have been read.
  private struct Seen {
    var types: UInt64 = 0
    var serverName = false
    var alpn = false
    var versions = false
    var signatures = false
    var groups = false
  }
}

/// The protocol names that nearly every hello offers, shared rather than allocated for each.
private enum ALPNName {
  static let http2 = Array("h2".utf8)
  static let http1 = Array("http/1.1".utf8)
  static let http3 = Array("h3".utf8)

  static func array(_ bytes: RawSpan) -> [UInt8] {
    if bytes.byteCount == 2, bytes.byte(at: 0) == UInt8(ascii: "h") {
      if bytes.byte(at: 1) == UInt8(ascii: "2") { return http2 }
      if bytes.byte(at: 1) == UInt8(ascii: "3") { return http3 }
    }
    // "http/1.1" as one number.
    if bytes.byteCount == 8, bytes.u64(at: 0) == 0x6874_7470_2f31_2e31 { return http1 }
    return bytes.array()
  }
}
