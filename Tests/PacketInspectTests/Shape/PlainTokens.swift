@testable import PacketInspect

/// What the classifier of tokens does by lanes, tables and early ends, written down as plainly as it can be: byte by
/// byte, to the end, with a branch for everything.
struct PlainToken {
  private var digits = 0
  private var lower = 0
  private var upper = 0
  private var hexLetters = 0
  private var standard = 0
  private var url = 0
  private var pad = 0
  private var others = 0
  private var pairs = 0
  private var frequentPairs = 0
  private var longestRun = 0
  private var hasNoise = false
  private let length: Int

  init(_ token: [UInt8]) {
    self.init(counting: token)
    hasNoise = Self.hasNoise(token)
  }

  private init(counting token: [UInt8]) {
    length = token.count
    var run = 0
    for (index, byte) in token.enumerated() {
      switch Character(UnicodeScalar(byte)) {
      case "0"..."9": digits += 1
      case "a"..."z": lower += 1
      case "A"..."Z": upper += 1
      case "+", "/": standard += 1
      case "-", "_", "~": url += 1
      case "=": pad += 1
      default: others += 1
      }
      if "abcdefABCDEF".utf8.contains(byte) { hexLetters += 1 }
      run = index > 0 && token[index - 1] == byte ? run + 1 : 1
      longestRun = max(longestRun, run)
      guard index > 0, let first = Self.letter(token[index - 1]), let second = Self.letter(byte) else { continue }
      pairs += 1
      if CharacterClass.pairs[first] >> UInt32(second) & 1 == 1 { frequentPairs += 1 }
    }
  }

  /// Data between words: of the pairs that begin in two stretches of 32 places one after the other, or in the last whole
  /// one and what comes behind it, too few are frequent.
  private static func hasNoise(_ token: [UInt8]) -> Bool {
    let stretches = max(0, (token.count - 1) / 32)
    return (0..<stretches).contains { stretch in
      let end = stretch + 1 == stretches ? token.count : stretch * 32 + 65
      let window = PlainToken(counting: Array(token[stretch * 32..<end]))
      return window.pairs >= 20 && window.frequentPairs * 100 < window.pairs * 55
    }
  }

  private static func letter(_ byte: UInt8) -> Int? {
    switch byte {
    case 0x61...0x7a: Int(byte) - 0x61
    case 0x41...0x5a: Int(byte) - 0x41
    default: nil
    }
  }

  private func frequent(_ percent: Int) -> Bool { frequentPairs * 100 >= pairs * percent }

  /// As `TokenStatistics.encoding`.
  func encoding(minimum: Int, longestNumber: Int) -> EncodingClass {
    let body = length - pad
    let letters = lower + upper
    let signs = standard + url
    if others > 0 || body < minimum || pad > 2 || longestRun * 2 >= body { return .plain }
    if signs == 0, digits + hexLetters == body {
      if hexLetters == 0 { return body >= longestNumber ? .hex : .plain }
      return digits > 0 || body >= 32 ? .hex : .plain
    }
    if letters == 0 || digits * 10 > body * 7 || (pairs >= 4 && frequent(72) && !hasNoise) { return .plain }
    if lower > 0, upper > 0 {
      let isMeasured = min(lower, upper) * 10 >= letters && signs * 7 <= body
      if !isMeasured || (body < 2 * minimum && digits == 0) || (standard > 0 && url > 0 && body < 64) { return .plain }
      return url > 0 ? .base64url : .base64
    }
    if longestNumber < 64, signs == 0, pairs >= 8, !frequent(68) { return .base32 }
    if signs * 12 > body { return .plain }
    if digits == 0 { return body >= 32 && !frequent(60) ? .base32 : .plain }
    let hasDigits = digits * 12 >= body || (signs == 0 && body >= 32 && !frequent(68))
    if !hasDigits || (frequent(68) && digits * 5 < body) { return .plain }
    return standard > 0 ? .base64 : url > 0 ? .base64url : .base32
  }

  /// As `DecodedBytes.content`.
  static func content(_ token: [UInt8], _ encoding: EncodingClass) -> DecodedContent {
    let (alphabet, width) =
      switch encoding {
      case .hex: ("0123456789abcdef", 4)
      case .base32: ("abcdefghijklmnopqrstuvwxyz234567", 5)
      default: ("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/", 6)
      }
    let letters = Array(alphabet.utf8)
    var bits: [Bool] = []
    for byte in token {
      var folded = byte
      if width < 6, byte >= 0x41, byte <= 0x5a { folded = byte + 0x20 }
      if width == 6, byte == UInt8(ascii: "-") { folded = UInt8(ascii: "+") }
      if width == 6, byte == UInt8(ascii: "_") || byte == UInt8(ascii: "~") { folded = UInt8(ascii: "/") }
      guard let value = letters.firstIndex(of: folded) else { continue }
      for place in stride(from: width - 1, through: 0, by: -1) { bits.append(value >> place & 1 == 1) }
    }
    var decoded: [UInt8] = []
    for start in stride(from: 0, to: bits.count - bits.count % 8, by: 8) {
      decoded.append(bits[start..<start + 8].reduce(0) { $0 << 1 | ($1 ? 1 : 0) })
    }
    decoded = Array(decoded.prefix(256))
    if decoded.count < 8 { return .uniform }
    let printable = decoded.filter { ($0 >= 0x20 && $0 < 0x7f) || $0 == 9 || $0 == 10 || $0 == 13 }.count
    let zeros = decoded.filter { $0 == 0 }.count
    let starts: [[UInt8]] = [
      [0x1f, 0x8b, 8], Array("PK".utf8) + [3, 4], [0x28, 0xb5, 0x2f, 0xfd], [0x89] + Array("PNG".utf8),
      Array("%PDF".utf8), [0x7f] + Array("ELF".utf8), Array("SQLi".utf8), [0xfd] + Array("7zX".utf8), Array("BZh".utf8),
    ]
    if printable * 100 >= decoded.count * 80 || (decoded.count >= 24 && zeros * 8 >= decoded.count) {
      return .structured
    }
    return starts.contains { decoded.starts(with: $0) } ? .structured : .uniform
  }
}
