/// Reading the data of the record types that tie names to addresses.
extension DNSRecordData {
  /// Addresses and an alias's or service's hints beyond this many in one record are not kept.
  static let maximumHints = 32

  /// The data of one record. What does not have its type's shape is `other`, and marked.
  static func read(_ bytes: RawSpan, _ header: DNSRecordHeader, _ oddities: inout Oddities) -> DNSRecordData {
    // The top bit of the class is mDNS's cache-flush bit (RFC 6762 section 10.2). Only IN has addresses.
    guard header.recordClass & 0x7fff == 1 else { return .other }
    let length = header.dataEnd - header.dataStart
    switch header.type {
    case 1:
      guard length == 4 else { break }
      return .address(IPAddress(v4: bytes.u32(at: header.dataStart)))
    case 28:
      guard length == 16 else { break }
      return .address(address6(bytes, at: header.dataStart))
    case 5:
      var name = HostName()
      guard let end = try? DNSName.read(bytes, at: header.dataStart, into: &name), end <= header.dataEnd else { break }
      if end < header.dataEnd { oddities.insert(.trailingBytes) }
      if name.hasOddBytes { oddities.insert(.oddNameBytes) }
      return .alias(name)
    case 64, 65:
      guard let data = readService(bytes, header, &oddities) else { break }
      return data
    default:
      return .other
    }
    oddities.insert(.inconsistentLength)
    return .other
  }

  /// SVCB or HTTPS (RFC 9460 section 2.2). The target "." stays the root: it stands for the owner name.
  private static func readService(
    _ bytes: RawSpan, _ header: DNSRecordHeader, _ oddities: inout Oddities
  ) -> DNSRecordData? {
    guard header.dataEnd - header.dataStart >= 3 else { return nil }
    var target = HostName()
    guard var offset = try? DNSName.read(bytes, at: header.dataStart + 2, into: &target), offset <= header.dataEnd
    else { return nil }
    var hints: [IPAddress] = []
    var hasECH = false
    while header.dataEnd - offset >= 4 {
      let key = bytes.u16(at: offset)
      let start = offset + 4
      let end = start + Int(bytes.u16(at: offset + 2))
      guard end <= header.dataEnd else { break }
      switch key {
      case 4:
        var index = start
        while index + 4 <= end, hints.count < maximumHints {
          hints.append(IPAddress(v4: bytes.u32(at: index)))
          index += 4
        }
        if index != end { oddities.insert(index + 4 <= end ? .cut : .inconsistentLength) }
      case 5:
        hasECH = true
      case 6:
        var index = start
        while index + 16 <= end, hints.count < maximumHints {
          hints.append(address6(bytes, at: index))
          index += 16
        }
        if index != end { oddities.insert(index + 16 <= end ? .cut : .inconsistentLength) }
      default:
        break
      }
      offset = end
    }
    if offset != header.dataEnd { oddities.insert(.inconsistentLength) }
    if target.hasOddBytes { oddities.insert(.oddNameBytes) }
    return .service(target: target, hints: hints, hasECH: hasECH)
  }

  private static func address6(_ bytes: RawSpan, at offset: Int) -> IPAddress {
    IPAddress(v6High: bytes.u64(at: offset), low: bytes.u64(at: offset + 8))
  }
}
