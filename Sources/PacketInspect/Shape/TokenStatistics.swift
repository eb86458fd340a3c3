/// What one look over a token counts: alphabet, case, pairs of letters, runs.
struct TokenStatistics {
  var length = 0
  var digits = 0
  /// Digits that base 32 does not have.
  var digitsBeyondBase32 = 0
  var lower = 0
  var upper = 0
  var hexLetters = 0
  var standard = 0
  var url = 0
  var pad = 0
  var others = 0
  private var pairs = 0
  private var frequentPairs = 0
  private var longestRun = 0

  init(_ bytes: RawSpan, _ range: Range<Int>) {
    let table = CharacterClass.table
    let frequent = CharacterClass.pairs
    var previous: UInt8 = 0
    var run = 0
    length = range.count
    for index in range {
      let byte = bytes.byte(at: index)
      let kind = table[Int(byte)]
      if kind & CharacterClass.letter != 0 {
        if kind & CharacterClass.upper != 0 { upper += 1 } else { lower += 1 }
        if kind & CharacterClass.hexLetter != 0 { hexLetters += 1 }
        let letter = (byte | 0x20) - 0x61
        if previous != 0 {
          pairs += 1
          frequentPairs += Int(frequent[Int(previous - 1)] >> UInt32(letter) & 1)
        }
        previous = letter + 1
      } else {
        previous = 0
        if kind & CharacterClass.digit != 0 {
          digits += 1
          if byte < 0x32 || byte > 0x37 { digitsBeyondBase32 += 1 }
        } else if kind & CharacterClass.standard != 0 {
          standard += 1
        } else if kind & CharacterClass.url != 0 {
          url += 1
        } else if kind & CharacterClass.pad != 0 {
          pad += 1
        } else {
          others += 1
        }
      }
      run = index > range.lowerBound && bytes.byte(at: index - 1) == byte ? run + 1 : 1
      longestRun = max(longestRun, run)
    }
  }

  private var letters: Int { lower + upper }

  /// Letters follow each other as in words. Random letters reach 0.72 once in some thousand tokens of twenty pairs,
  /// and words rarely fall below it.
  private var readsAsWords: Bool { pairs >= 4 && frequentPairs * 100 >= pairs * 72 }

  /// Letters alone, of one case or with a capital: up to `short` of them, or more that follow each other as in words.
  func isWord(upTo short: Int) -> Bool {
    letters == length && (lower == 0 || upper <= 1) && (length <= short || (length <= 24 && readsAsWords))
  }

  /// How the token is written. `minimum` is the length from which on a token of letters and digits may be called
  /// encoded; below it there is too little to tell it from a name. Decimal digits alone are a number below
  /// `longestNumber` of them: what hexadecimal has of digits and capitals is digits too.
  func encoding(minimum: Int, longestNumber: Int) -> EncodingClass {
    let body = length - pad
    guard others == 0, body >= minimum, pad <= 2, longestRun * 2 < body else { return .plain }
    if standard + url == 0, digits + hexLetters == body {
      // Long numbers are numbers, until they are longer than any; a few hexadecimal letters may be a word.
      if hexLetters == 0 { return body >= longestNumber ? .hex : .plain }
      if digits == 0 { return body >= 32 ? .hex : .plain }
      return .hex
    }
    guard letters > 0, digits * 10 <= body * 7, !readsAsWords else { return .plain }
    if lower == 0 || upper == 0 {
      // In a label of a name there are no slugs, and a secret must not stay readable for want of a digit.
      if longestNumber < 64, standard + url == 0, pairs >= 8, frequentPairs * 100 < pairs * 68 { return .base32 }
      return oneCase(body)
    }
    guard body >= 2 * minimum || digits > 0, min(lower, upper) * 10 >= letters, (standard + url) * 7 <= body,
      standard == 0 || url == 0 || body >= 64
    else { return .plain }
    return url > 0 ? .base64url : .base64
  }

  private func oneCase(_ body: Int) -> EncodingClass {
    guard (standard + url) * 12 <= body else { return .plain }
    if digits == 0 {
      guard body >= 32, frequentPairs * 100 < pairs * 60 else { return .plain }
      return .base32
    }
    // Words with a number or two in them have other pairs of letters than base 32 of anything.
    guard digits * 12 >= body || (standard + url == 0 && body >= 32 && frequentPairs * 100 < pairs * 68),
      frequentPairs * 100 < pairs * 68 || digits * 5 >= body
    else { return .plain }
    if standard > 0 { return .base64 }
    return url > 0 ? .base64url : .base32
  }
}
