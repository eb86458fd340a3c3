/// Decides how a token is written: by alphabet, length, case, padding, runs and pairs of letters. Entropy is measured
/// beside, and decides nothing.
enum TokenClassifier {
  /// Characters from which on a token in a request may be called encoded.
  static var minimumInRequest: Int { 20 }

  /// Decimal digits in a request from which on they are no number any more.
  private static var longestNumber: Int { 64 }

  /// How a token without percent-encoding is written.
  static func encoding(_ bytes: RawSpan, _ range: Range<Int>, minimum: Int) -> EncodingClass {
    let statistics = TokenStatistics(bytes, range)
    let encoding = statistics.encoding(
      minimum: minimum, longestNumber: minimum < minimumInRequest ? minimum : longestNumber)
    if statistics.url > 0, statistics.standard == 0 {
      return grouped(bytes, range, encoding, statistics, isLabel: minimum < minimumInRequest)
    }
    // Segments of a path taken together: a title under a section.
    if statistics.url > 0, encoding.isEncoded, isWordsAndNumbers(bytes, range, isLabel: minimum < minimumInRequest) {
      return .plain
    }
    return encoding
  }

  /// Groups joined by hyphens or underscores: UUIDs, dates, words and digests side by side. What is hexadecimal
  /// throughout is hexadecimal however it is cut, unless it is made of UUIDs; a digest beside words is what it is.
  private static func grouped(
    _ bytes: RawSpan, _ range: Range<Int>, _ encoding: EncodingClass, _ statistics: TokenStatistics,
    isLabel: Bool
  ) -> EncodingClass {
    let body = statistics.length - statistics.pad - statistics.url
    guard body > 0 else { return .plain }
    if statistics.digits + statistics.hexLetters == body, statistics.others == 0, statistics.pad == 0 {
      if isUUIDs(bytes, range) || statistics.hexLetters == 0 { return .plain }
      return body >= 32 ? .hex : .plain
    }
    guard encoding.isEncoded else { return .plain }
    if isWordsAndNumbers(bytes, range, isLabel: isLabel) { return .plain }
    // A base 64 character in thirty is a hyphen or underscore; words have one in six.
    return statistics.url * 7 > statistics.length ? .plain : encoding
  }

  /// Characters that one part beside words may have and be a title's identifier.
  private static var longestIdentifier: Int { 32 }

  /// True for words and numbers joined by hyphens or underscores, as in names that a cloud gives: `balancer-1216884911`.
  /// In a request one identifier may stand among them, as behind an article's title.
  private static func isWordsAndNumbers(_ bytes: RawSpan, _ range: Range<Int>, isLabel: Bool) -> Bool {
    var start = range.lowerBound
    var words = 0
    var identifiers = 0
    while start <= range.upperBound {
      var end = start
      while end < range.upperBound,
        CharacterClass.table[Int(bytes.byte(at: end))] & (CharacterClass.url | CharacterClass.standard) == 0
      {
        end += 1
      }
      let part = TokenStatistics(bytes, start..<end)
      // A card's number has 13 digits and more; a word of one part is told from noise by its pairs of letters.
      if part.digits == part.length && part.length <= 12 || part.isWord(upTo: isLabel ? 7 : 12) {
        if part.length > 3 { words += 1 }
      } else {
        guard !isLabel, part.length <= longestIdentifier, identifiers == 0 else { return false }
        identifiers = 1
      }
      start = end + 1
    }
    return identifiers == 0 || words >= 3
  }

  /// True for UUIDs (RFC 9562 section 4), one or several joined.
  static func isUUIDs(_ bytes: RawSpan, _ range: Range<Int>) -> Bool {
    guard (range.count + 1) % 37 == 0 else { return false }
    for (place, index) in range.enumerated() {
      let within = place % 37
      let byte = bytes.byte(at: index)
      let isSeparator = byte == UInt8(ascii: "-") || byte == UInt8(ascii: "_")
      if (within == 8 || within == 13 || within == 18 || within == 23 || within == 36) != isSeparator { return false }
    }
    return true
  }

  /// Shannon entropy in hundredths of a bit a character.
  static func entropy(_ bytes: RawSpan, _ range: Range<Int>) -> Int {
    // More would tell nothing new and cost.
    let looked = range.lowerBound..<min(range.upperBound, range.lowerBound + 256)
    guard looked.count > 1 else { return 0 }
    var counts = InlineArray<256, UInt16>(repeating: 0)
    var sum = 0
    let steps = FixedLogarithm.steps
    for index in looked {
      let byte = Int(bytes.byte(at: index))
      let count = counts[byte]
      // What one more of the same adds to the sum of n log n.
      sum += steps[Int(count)]
      counts[byte] = count &+ 1
    }
    return max(0, (FixedLogarithm.binary(looked.count) - sum / looked.count) * 100 / 1024)
  }
}
