/// The shape of a host name: sizes and classes of its labels below the registrable domain.
public struct NameShape: Hashable, Sendable {
  /// Labels, those of the registrable domain included.
  public var labels = 0
  /// Characters of the longest label below the registrable domain.
  public var longestLabel = 0
  /// Labels below it that are encoded.
  public var encodedLabels = 0
  /// Their characters.
  public var encodedCharacters = 0
  /// The class of the longest of them.
  public var encoding = EncodingClass.plain
  /// True for an address written as labels, as in reverse lookups and DNS block lists.
  public var isAddressShaped = false
  /// True when labels below it, one or several in a row, decode to text: data in the name itself.
  public var carriesText = false
  /// Labels below it that are hexadecimal and of one length, when they are too many to be somebody's hash.
  public var uniformLabels = 0

  /// Characters from which on a label may be called encoded: below it a name and noise look alike.
  static var minimumLabel: Int { 16 }
  /// Internationalised labels (RFC 5891) look like noise and are words; longer ones than this are not.
  private static var longestPunycode: Int { 40 }
  /// Hexadecimal labels of one length from which on they are data cut in pieces: a name has one hash, or two.
  private static var minimumUniformLabels: Int { 6 }
  /// Characters of such labels at least: addresses are written in groups of four.
  private static var minimumUniformLength: Int { 6 }

  /// The shape of `name`, whose last `registrable` bytes are its registrable domain (0 for none).
  public init(_ name: HostName, registrable: Int) {
    let bytes = name.rawSpan
    let end = Self.below(name, registrable)
    var longestEncoded = 0
    var decimals = 0
    var nibbles = 0
    var below = 0
    var text = LabelText()
    var uniform = 0
    var uniformLength = 0
    Self.forEachLabel(bytes, end) { label in
      below += 1
      longestLabel = max(longestLabel, label.count)
      if Self.isDecimalOctet(bytes, label) { decimals += 1 }
      if label.count == 1, CharacterClass.hexValue(bytes.byte(at: label.lowerBound)) != nil { nibbles += 1 }
      let isHexadecimal = text.take(bytes, label)
      if !isHexadecimal || label.count < Self.minimumUniformLength {
        uniform = 0
      } else {
        uniform = label.count == uniformLength ? uniform + 1 : 1
        uniformLength = label.count
        if uniform >= Self.minimumUniformLabels { uniformLabels = max(uniformLabels, uniform) }
      }
      let encoding = Self.encoding(bytes, label)
      guard encoding.isEncoded else { return }
      encodedLabels += 1
      encodedCharacters += label.count
      if label.count > longestEncoded {
        longestEncoded = label.count
        self.encoding = encoding
      }
    }
    carriesText = text.isFound
    isAddressShaped = (decimals >= 4 && below <= decimals + 1) || (nibbles >= 16 && below <= nibbles + 1)
    labels = below
    if end < name.count {
      labels += 1
      for index in (end > 0 ? end + 1 : 0)..<name.count where bytes.byte(at: index) == UInt8(ascii: ".") { labels += 1 }
    }
  }

  /// Where the part below the registrable domain ends: its final dot, or the name's end when it has none.
  static func below(_ name: HostName, _ registrable: Int) -> Int {
    guard registrable > 0 else { return name.count }
    return max(0, name.count - registrable - 1)
  }

  /// Calls `body` with each label of the first `end` bytes.
  static func forEachLabel(_ bytes: RawSpan, _ end: Int, _ body: (Range<Int>) -> Void) {
    var start = 0
    while start < end {
      let dot = bytes.firstIndex(of: UInt8(ascii: "."), from: start, to: end) ?? end
      body(start..<dot)
      start = dot + 1
    }
  }

  /// How a label is written as part of a name: what adds up to text with its neighbours may be too short to tell.
  func encoding(_ bytes: RawSpan, _ label: Range<Int>) -> EncodingClass {
    let encoding = Self.encoding(bytes, label)
    guard !encoding.isEncoded, carriesText || uniformLabels > 0 else { return encoding }
    return LabelText.mayHold(bytes, label) ?? encoding
  }

  /// How a label is written.
  static func encoding(_ bytes: RawSpan, _ label: Range<Int>) -> EncodingClass {
    guard label.count >= 8 else { return .plain }
    var odd = 0
    for index in label {
      let byte = bytes.byte(at: index)
      if byte <= 0x20 || byte >= 0x7f { odd += 1 }
    }
    if odd * 8 >= label.count { return .binary }
    guard label.count >= minimumLabel, !isPunycode(bytes, label) else { return .plain }
    return TokenClassifier.encoding(bytes, label, minimum: minimumLabel)
  }

  private static func isPunycode(_ bytes: RawSpan, _ label: Range<Int>) -> Bool {
    label.count <= longestPunycode && bytes.byte(at: label.lowerBound) == UInt8(ascii: "x")
      && bytes.byte(at: label.lowerBound + 1) == UInt8(ascii: "n")
      && bytes.byte(at: label.lowerBound + 2) == UInt8(ascii: "-")
      && bytes.byte(at: label.lowerBound + 3) == UInt8(ascii: "-")
  }

  private static func isDecimalOctet(_ bytes: RawSpan, _ label: Range<Int>) -> Bool {
    guard !label.isEmpty, label.count <= 3 else { return false }
    for index in label where bytes.byte(at: index) < 0x30 || bytes.byte(at: index) > 0x39 { return false }
    return true
  }
}
