/// What a token consists of: alphabet and case, and by request runs and pairs of letters.
struct TokenStatistics: ~Escapable {
  private let bytes: RawSpan
  private let range: Range<Int>
  private(set) var digits = 0
  private(set) var lower = 0
  private(set) var upper = 0
  private(set) var hexLetters = 0
  private(set) var standard = 0
  private(set) var url = 0
  private(set) var pad = 0
  /// Bytes that are none of these.
  var others: Int { length - lower - upper - digits - standard - url - pad }
  /// Characters.
  var length: Int { range.count }

  @_lifetime(copy bytes)
  init(_ bytes: RawSpan, _ range: Range<Int>) {
    self.bytes = bytes
    self.range = range
    guard range.count >= 16 else {
      countEach()
      return
    }
    var index = range.lowerBound
    while index + 16 <= range.upperBound {
      var counts = LaneCounts()
      // Before the sum of sixteen counters can run over.
      let end = min(range.upperBound, index + 15 * 16)
      while index + 16 <= end {
        counts.take(bytes.lanes(at: index), where: LaneMask(repeating: true))
        index += 16
      }
      add(counts)
    }
    guard index < range.upperBound else { return }
    // The last sixteen, without those that were counted.
    var counts = LaneCounts()
    let places = Lanes(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15)
    let seen = UInt8(truncatingIfNeeded: index - (range.upperBound - 16))
    counts.take(bytes.lanes(at: range.upperBound - 16), where: places .>= .all(seen))
    add(counts)
  }

  /// Sixteen counters of each kind.
  private struct LaneCounts {
    var digits = Lanes()
    var lower = Lanes()
    var upper = Lanes()
    var hexLetters = Lanes()
    var standard = Lanes()
    var url = Lanes()
    var pad = Lanes()

    @inline(__always)
    mutating func take(_ lanes: Lanes, where mask: LaneMask) {
      let folded = lanes | .all(0x20)
      digits &+= (lanes.isDigit .& mask).ones
      lower &+= (lanes.isWithin(0x61, 26) .& mask).ones
      upper &+= (lanes.isWithin(0x41, 26) .& mask).ones
      hexLetters &+= (folded.isWithin(0x61, 6) .& mask).ones
      standard &+= (((lanes .== .all(0x2b)) .| (lanes .== .all(0x2f))) .& mask).ones
      url &+= (((lanes .== .all(0x2d)) .| (lanes .== .all(0x5f)) .| (lanes .== .all(0x7e))) .& mask).ones
      pad &+= ((lanes .== .all(0x3d)) .& mask).ones
    }
  }

  private mutating func add(_ counts: LaneCounts) {
    digits += counts.digits.sum
    lower += counts.lower.sum
    upper += counts.upper.sum
    hexLetters += counts.hexLetters.sum
    standard += counts.standard.sum
    url += counts.url.sum
    pad += counts.pad.sum
  }

  private mutating func countEach() {
    let traits = Self.traits
    var counters: UInt64 = 0
    for index in range { counters &+= traits[Int(bytes.byte(at: index))] }
    func counter(_ place: UInt64) -> Int { Int(counters >> (8 * place) & 0xff) }
    digits = counter(0)
    lower = counter(1)
    upper = counter(2)
    hexLetters = counter(3)
    standard = counter(4)
    url = counter(5)
    pad = counter(6)
  }

  /// By byte: one for each counter of `countEach` that it belongs to, eight bits a counter.
  private static let traits: [UInt64] = (0..<256).map { byte in
    let kind = CharacterClass.table[byte]
    var counters: UInt64 = 0
    func count(_ place: UInt64) { counters |= 1 << (8 * place) }
    if kind & CharacterClass.letter != 0 { count(kind & CharacterClass.upper != 0 ? 2 : 1) }
    if kind & CharacterClass.hexLetter != 0 { count(3) }
    switch kind {
    case CharacterClass.digit: count(0)
    case CharacterClass.standard: count(4)
    case CharacterClass.url: count(5)
    case CharacterClass.pad: count(6)
    default: break
    }
    return counters
  }

  /// True when one character makes up half of `body` and more, in a row.
  private func hasLongRun(_ body: Int) -> Bool {
    let least = (body + 1) / 2
    guard least > 0 else { return true }
    // Wherever it lies, a run of that length holds one of these places.
    var place = range.lowerBound + least - 1
    while place < range.upperBound {
      let byte = bytes.byte(at: place)
      var start = place
      while start > range.lowerBound, bytes.byte(at: start - 1) == byte { start -= 1 }
      var end = place + 1
      while end < range.upperBound, bytes.byte(at: end) == byte { end += 1 }
      if end - start >= least { return true }
      place += least
    }
    return false
  }

  private var letters: Int { lower + upper }

  /// Pairs of letters that follow each other, and how many of them are frequent in words.
  ///
  /// Ends early when the rest cannot make `percent` in a hundred of them frequent any more: it is then counted as if all
  /// of it were, so that every comparison with that share or a greater one comes out as it would at the end.
  private func pairs(deciding percent: Int) -> PairCounts {
    let table = Self.pairTable
    var counted = PairCounts(all: 0, frequent: 0)
    // As they were where the last 32 places began.
    var former: PairCounts?
    var index = range.lowerBound
    while index + 9 <= range.upperBound {
      let (start, before) = (index, counted)
      let end = min(index + 32, range.upperBound - 8)
      var sum: UInt64 = 0
      while index < end {
        // Pairs that begin at eight places, four of which end within the same eight bytes.
        var even = Self.indices(bytes.u64(at: index))
        var odd = Self.indices(bytes.u64(at: index + 1))
        for _ in 0..<4 {
          sum &+= table[Int(even & 0x3ff)] &+ table[Int(odd & 0x3ff)]
          even >>= 16
          odd >>= 16
        }
        index += 8
      }
      counted.add(sum)
      if index - start == 32 {
        counted.lookForNoise(since: former)
        former = before
      }
      let rest = range.upperBound - index
      if counted.all >= Self.enoughPairs, (counted.frequent + rest) * 100 < (counted.all + rest) * percent {
        return PairCounts(all: counted.all + rest, frequent: counted.frequent + rest)
      }
    }
    while index + 1 < range.upperBound {
      counted.add(table[Int(Self.indices(UInt64(bytes.u16(at: index))) & 0x3ff)])
      index += 1
    }
    counted.lookForNoise(since: former)
    return counted
  }

  /// Four pairs of bytes as places in `pairTable`, sixteen bits each: by five bits a letter, which are its number in
  /// either case. What else there is in ASCII has none, or one that no letter has; other bytes are `others`.
  @inline(__always)
  private static func indices(_ bytes: UInt64) -> UInt64 {
    let letters = bytes & ((bytes >> 6 & 0x0101_0101_0101_0101) &* 31)
    return letters & 0x001f_001f_001f_001f | letters >> 3 & 0x03e0_03e0_03e0_03e0
  }

  private struct PairCounts {
    var all: Int
    var frequent: Int
    /// Somewhere within are letters that do not follow each other as in words: data that is glued to words.
    var hasNoise = false

    /// Adds up to 32 of what `pairTable` has.
    @inline(__always)
    mutating func add(_ sum: UInt64) {
      all += Int(sum >> 32)
      frequent += Int(sum & 0xffff_ffff)
    }

    /// Letters follow each other as in words. Random letters reach 0.72 once in some thousand tokens of twenty pairs,
    /// and words rarely fall below it.
    var readAsWords: Bool { all >= 4 && frequent * 100 >= all * TokenStatistics.shareInWords && !hasNoise }

    /// Looks at the pairs that were counted since: 64 places, or those of the end. Words hardly ever have fewer than
    /// three frequent ones in four there, noise hardly ever more than one in two.
    @inline(__always)
    mutating func lookForNoise(since former: PairCounts?) {
      guard let former else { return }
      let window = all - former.all
      if window >= 20, (frequent - former.frequent) * 100 < window * 55 { hasNoise = true }
    }

    /// Fewer than `percent` in a hundred are frequent.
    func areRare(_ percent: Int) -> Bool { frequent * 100 < all * percent }
  }

  private static var shareInWords: Int { 72 }
  /// The least that any comparison asks for.
  private static var smallestShare: Int { 60 }
  /// Pairs from which on there are enough for every comparison.
  private static var enoughPairs: Int { 8 }

  /// By the numbers of two letters: one in the upper half for a pair, and one in the lower for one that is frequent.
  private static let pairTable: [UInt64] = (0..<1_024).map { place in
    let first = place >> 5
    let second = place & 31
    guard 1...26 ~= first, 1...26 ~= second else { return 0 }
    return 1 << 32 | UInt64(CharacterClass.pairs[first - 1] >> UInt32(second - 1) & 1)
  }

  /// Digits, both cases and nothing that base 64 does not have.
  var mayBeBase64: Bool { digits > 0 && upper > 0 && others == 0 }

  /// Letters alone, of one case or with a capital: up to `short` of them, or more that follow each other as in words.
  func isWord(upTo short: Int) -> Bool {
    letters == length && (lower == 0 || upper <= 1)
      && (length <= short || (length <= 24 && pairs(deciding: Self.shareInWords).readAsWords))
  }

  /// How the token is written. `minimum` is the length from which on a token of letters and digits may be called
  /// encoded; below it there is too little to tell it from a name. Decimal digits alone are a number below
  /// `longestNumber` of them: what hexadecimal has of digits and capitals is digits too.
  func encoding(minimum: Int, longestNumber: Int) -> EncodingClass {
    let body = length - pad
    guard others == 0, body >= minimum, pad <= 2, !hasLongRun(body) else { return .plain }
    if standard + url == 0, digits + hexLetters == body {
      // Long numbers are numbers, until they are longer than any; a few hexadecimal letters may be a word.
      if hexLetters == 0 { return body >= longestNumber ? .hex : .plain }
      if digits == 0 { return body >= 32 ? .hex : .plain }
      return .hex
    }
    guard letters > 0, digits * 10 <= body * 7 else { return .plain }
    if lower == 0 || upper == 0 {
      let pairs = pairs(deciding: Self.smallestShare)
      if pairs.readAsWords { return .plain }
      // In a label of a name there are no slugs, and a secret must not stay readable for want of a digit.
      if longestNumber < 64, standard + url == 0, pairs.all >= Self.enoughPairs, pairs.areRare(68) { return .base32 }
      return oneCase(body, pairs)
    }
    guard body >= 2 * minimum || digits > 0, min(lower, upper) * 10 >= letters, (standard + url) * 7 <= body,
      standard == 0 || url == 0 || body >= 64, !pairs(deciding: Self.shareInWords).readAsWords
    else { return .plain }
    return url > 0 ? .base64url : .base64
  }

  private func oneCase(_ body: Int, _ pairs: PairCounts) -> EncodingClass {
    guard (standard + url) * 12 <= body else { return .plain }
    if digits == 0 {
      guard body >= 32, pairs.areRare(Self.smallestShare) else { return .plain }
      return .base32
    }
    // Words with a number or two in them have other pairs of letters than base 32 of anything.
    guard digits * 12 >= body || (standard + url == 0 && body >= 32 && pairs.areRare(68)),
      pairs.areRare(68) || digits * 5 >= body
    else { return .plain }
    if standard > 0 { return .base64 }
    return url > 0 ? .base64url : .base32
  }
}
