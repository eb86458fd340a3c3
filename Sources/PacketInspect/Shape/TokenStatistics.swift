/// What one look over a token counts: alphabet, case, pairs of letters, runs.
struct TokenStatistics {
  var length = 0
  var digits = 0
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
    length = range.count
    guard !range.isEmpty else { return }
    var pass = Pass(first: bytes.byte(at: range.lowerBound))
    let traits = Self.traits
    let followers = Self.followers
    var index = range.lowerBound
    while index < range.upperBound {
      // Before a counter of eight bits can run over.
      let end = min(range.upperBound, index + 248)
      while index + 8 <= end {
        var word = bytes.u64(at: index)
        for _ in 0..<8 {
          pass.take(UInt8(truncatingIfNeeded: word >> 56), traits, followers)
          word <<= 8
        }
        index += 8
      }
      while index < end {
        pass.take(bytes.byte(at: index), traits, followers)
        index += 1
      }
      add(pass.counters)
      pass.counters = 0
    }
    frequentPairs = Int(truncatingIfNeeded: pass.pairs & 0xffff_ffff)
    pairs = Int(truncatingIfNeeded: pass.pairs >> 32)
    longestRun = pass.longestRun
    others = length - lower - upper - digits - standard - url - pad
  }

  /// What is carried from byte to byte.
  private struct Pass {
    /// Eight bits each, as `add` reads them.
    var counters: UInt64 = 0
    /// Frequent pairs of letters in the lower half, all of them in the upper.
    private(set) var pairs: UInt64 = 0
    private(set) var longestRun = 1
    private var run = 0
    private var previous: UInt64 = 0
    private var previousByte: UInt8

    init(first: UInt8) { previousByte = first }

    @inline(__always)
    mutating func take(_ byte: UInt8, _ traits: [UInt64], _ followers: [UInt64]) {
      let trait = traits[Int(byte)]
      counters &+= trait >> 8
      let letter = trait & 31
      pairs &+= followers[Int(previous)] >> letter & 0x1_0000_0001
      previous = letter
      if byte == previousByte {
        run &+= 1
        longestRun = max(longestRun, run)
      } else {
        run = 1
        previousByte = byte
      }
    }
  }

  private mutating func add(_ counters: UInt64) {
    func counter(_ place: UInt64) -> Int { Int(counters >> (8 * place) & 0xff) }
    digits += counter(0)
    lower += counter(1)
    upper += counter(2)
    hexLetters += counter(3)
    standard += counter(4)
    url += counter(5)
    pad += counter(6)
  }

  /// By byte: in the lowest eight bits the letter's number from 1 on, 0 for what is none; above, one for each counter of
  /// `add` that it belongs to. One look-up and no branch a byte, since noise cannot be predicted.
  private static let traits: [UInt64] = (0..<256).map { byte in
    let kind = CharacterClass.table[byte]
    var counters: UInt64 = 0
    func count(_ place: UInt64) { counters |= 1 << (8 * place) }
    if kind & CharacterClass.letter != 0 {
      count(kind & CharacterClass.upper != 0 ? 2 : 1)
      if kind & CharacterClass.hexLetter != 0 { count(3) }
      return counters << 8 | UInt64(byte | 0x20) - 0x60
    }
    switch kind {
    case CharacterClass.digit: count(0)
    case CharacterClass.standard: count(4)
    case CharacterClass.url: count(5)
    case CharacterClass.pad: count(6)
    default: break
    }
    return counters << 8
  }

  /// By a letter's number, the numbers of those that often follow it as bits, and in the upper half those of all letters;
  /// nothing for 0.
  private static let followers: [UInt64] = [0] + CharacterClass.pairs.map { UInt64($0) << 1 | 0x7ff_fffe << 32 }

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
