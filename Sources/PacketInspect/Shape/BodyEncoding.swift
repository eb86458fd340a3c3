/// What the first bytes of a body look like.
public enum BodyEncoding: String, Sendable, CaseIterable {
  /// JSON.
  case json
  /// A form's names and values.
  case form
  /// A multipart boundary.
  case multipart
  /// Markup.
  case xml
  /// Other printable text.
  case text
  /// Text that is hexadecimal.
  case hex
  /// Text that is base 64.
  case base64
  /// gzip, Zstandard, zip, xz or bzip2.
  case compressed
  /// Anything else.
  case binary
}

extension BodyEncoding {
  /// Bytes of a body that are looked at.
  static var lookedAt: Int { 64 }

  /// The encoding of a body that begins with `bytes`; nil when there are none.
  init?(_ bytes: RawSpan, _ range: Range<Int>) {
    var start = range.lowerBound
    let end = min(range.upperBound, start + Self.lookedAt)
    guard start < end else { return nil }
    if let magic = Self.magic(bytes, start..<end) {
      self = magic
      return
    }
    var isPrintable = true
    for index in start..<end {
      let byte = bytes.byte(at: index)
      if byte < 0x20 && byte != 0x0a && byte != 0x0d && byte != 0x09 || byte == 0x7f { isPrintable = false }
    }
    guard isPrintable else {
      self = .binary
      return
    }
    while start < end, bytes.byte(at: start) <= 0x20 { start += 1 }
    guard start < end else {
      self = .text
      return
    }
    switch bytes.byte(at: start) {
    case UInt8(ascii: "{"), UInt8(ascii: "["): self = .json
    case UInt8(ascii: "<"): self = .xml
    case UInt8(ascii: "-") where start + 1 < end && bytes.byte(at: start + 1) == UInt8(ascii: "-"): self = .multipart
    default: self = Self.text(bytes, start..<end)
    }
  }

  /// Compressed forms by their first bytes.
  private static func magic(_ bytes: RawSpan, _ range: Range<Int>) -> BodyEncoding? {
    guard range.count >= 4 else { return nil }
    var word: UInt32 = 0
    for index in range.lowerBound..<range.lowerBound + 4 { word = word << 8 | UInt32(bytes.byte(at: index)) }
    switch word {
    case 0x504b_0304, 0x28b5_2ffd, 0xfd37_7a58: return .compressed
    default: return word >> 16 == 0x1f8b || word >> 8 == 0x425a68 ? .compressed : nil
    }
  }

  private static func text(_ bytes: RawSpan, _ range: Range<Int>) -> BodyEncoding {
    var end = range.lowerBound
    let table = CharacterClass.table
    while end < range.upperBound, case let kind = table[Int(bytes.byte(at: end))], kind != 0,
      kind != CharacterClass.percent
    {
      end += 1
    }
    let run = range.lowerBound..<end
    if end == range.upperBound || bytes.byte(at: end) <= 0x20 {
      switch TokenClassifier.encoding(bytes, run, minimum: TokenClassifier.minimumInRequest) {
      case .hex: return .hex
      case .base32, .base64, .base64url: return .base64
      case .plain, .percent, .binary: break
      }
    }
    if let equals = bytes.firstIndex(of: UInt8(ascii: "="), from: range.lowerBound, to: range.upperBound),
      equals > range.lowerBound, bytes.firstIndex(of: 0x20, from: range.lowerBound, to: equals) == nil
    {
      return .form
    }
    return .text
  }
}
