import TestSupport
import Testing

@testable import PacketInspect

/// The fast ways against the plain ones, over tokens of all kinds and lengths.
@Suite("Fast classification against the plain one")
struct TokenReferenceTests {
  private static let alphabets = [
    "abcdef0123456789", "0123456789", "abcdefghijklmnopqrstuvwxyz", "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567", "eetaoinshr",
    "ABCDEFGHabcdefgh01234567", "AAAAAAAAAb1", "abcdefABCDEF", "0123456789abcdef-", "abc+/xyz09AZ",
    "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789+/",
    "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_~",
    "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789%=.:#@[`{",
  ].map { Array($0.utf8) }

  /// A token of one kind, of several glued together, or with a byte or two changed.
  private static func token(_ corpus: inout TokenCorpus) -> [UInt8] {
    var token: [UInt8] = []
    for _ in 0..<corpus.number(1..<4) {
      switch corpus.number(0..<6) {
      case 0:
        let alphabet = corpus.pick(alphabets)
        token += (0..<corpus.number(0..<420)).map { _ in corpus.pick(alphabet) }
      case 1: token += Array(corpus.words(corpus.number(1..<12), corpus.pick(["", "-", "_", "+", "/"])).utf8)
      case 2: token += [UInt8](repeating: corpus.pick(alphabets[11]), count: corpus.number(1..<90))
      case 3: token += Array(corpus.token(corpus.number(0..<12)).utf8)
      case 4: token += Array(TokenCorpus.base64(corpus.text(corpus.number(1..<300))).utf8)
      default: token += Array(TokenCorpus.hex([UInt8](repeating: 0, count: 20) + corpus.bytes(40)).utf8)
      }
    }
    for _ in 0..<corpus.pick([0, 0, 1, 3]) where !token.isEmpty {
      token[corpus.number(0..<token.count)] = corpus.bytes(1)[0]
    }
    if corpus.number(0..<4) == 0 { token = Array(token.prefix(corpus.number(0..<40))) }
    return token
  }

  @Test("alphabet, runs and pairs give the class that counting every byte gives")
  func classes() {
    var corpus = TokenCorpus(seed: 31)
    var seen: Set<EncodingClass> = []
    for round in 0..<8_000 {
      let token = Self.token(&corpus)
      // Where it begins and what is around it must not matter.
      let before = corpus.bytes(round % 9)
      let bytes = before + token + corpus.bytes(round % 21)
      let range = before.count..<before.count + token.count
      for (minimum, number) in [(20, 64), (16, 16)] {
        let plain = PlainToken(token).encoding(minimum: minimum, longestNumber: number)
        let fast = TokenStatistics(bytes.rawSpan, range).encoding(minimum: minimum, longestNumber: number)
        #expect(fast == plain, "\(String(decoding: token, as: UTF8.self))")
        seen.insert(plain)
      }
    }
    #expect(seen == [.plain, .hex, .base32, .base64, .base64url])
  }

  @Test("what a token decodes to is judged as when it is decoded bit by bit")
  func contents() {
    var corpus = TokenCorpus(seed: 32)
    var structured = 0
    for round in 0..<500 {
      let token = Self.token(&corpus)
      let magic: [UInt8] = corpus.pick([[], [0x1f, 0x8b, 8, 0], [0x50, 0x4b, 3, 4], [0x25, 0x50, 0x44, 0x46]])
      let file = magic + corpus.bytes(corpus.number(0..<400))
      let samples: [([UInt8], EncodingClass)] = [
        (token, .hex), (token, .base32), (token, .base64url), (Array(TokenCorpus.hex(file).utf8), .hex),
        (Array(TokenCorpus.base64(file, url: round % 2 == 0).utf8), .base64),
        (Array(TokenCorpus.base32(corpus.text(corpus.number(0..<300))).utf8), .base32),
      ]
      for (sample, encoding) in samples {
        let plain = PlainToken.content(sample, encoding)
        #expect(DecodedBytes(sample.rawSpan, 0..<sample.count, encoding).content == plain)
        if plain == .structured { structured += 1 }
      }
    }
    #expect(structured > 300)
  }

  @Test("tokens end where looking at every byte finds their end, wherever the bytes end")
  func ends() {
    var corpus = TokenCorpus(seed: 33)
    let letters = Set("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789".utf8)
    let alphabets: [(TokenAlphabet, (UInt8) -> Bool)] = [
      (.inPath, { letters.contains($0) || "+-_~%".utf8.contains($0) || $0 >= 0x80 }),
      (.inQuery, { letters.contains($0) || "+-_~%/".utf8.contains($0) || $0 >= 0x80 }),
      (.decoded, { letters.contains($0) || "+-_~/".utf8.contains($0) }),
      (.dotted, { letters.contains($0) || ".-_~".utf8.contains($0) }),
    ]
    for round in 0..<4_000 {
      let noise: [UInt8] = round % 3 == 0 ? (0...255).map { $0 } : Self.alphabets[12]
      let bytes = (0..<corpus.number(0..<200)).map { _ in
        corpus.number(0..<12) > 0 ? UInt8(ascii: "k") : corpus.pick(noise)
      }
      let (alphabet, contains) = alphabets[round % 4]
      let end = corpus.number(0..<bytes.count + 1)
      var index = corpus.number(0..<end + 1)
      var ends = TokenEnds(alphabet)
      while index < end {
        let plain = bytes[index..<end].firstIndex { !contains($0) } ?? end
        #expect(ends.next(from: index, to: end, in: bytes.rawSpan) == plain)
        index = plain + 1
      }
      let wanted = corpus.pick(noise)
      #expect(bytes.rawSpan.firstIndex(of: wanted, from: 0, to: end) == bytes[..<end].firstIndex(of: wanted))
    }
  }

  @Test("percent-encoding is undone as byte by byte, and leaves nothing of what was decoded before")
  func percents() {
    var corpus = TokenCorpus(seed: 34)
    var scratch: [UInt8] = []
    for _ in 0..<4_000 {
      let characters = Array("%%%%2525fFaA0kkkkkkkkkkkkkkkkkkkkkk".utf8) + [0xc3, 0xa9]
      let bytes = (0..<corpus.number(0..<120)).map { _ in corpus.pick(characters) }
      var plain: [UInt8] = []
      var index = 0
      while index < bytes.count {
        if bytes[index] == UInt8(ascii: "%"), index + 2 < bytes.count,
          let upper = Character(UnicodeScalar(bytes[index + 1])).hexDigitValue, bytes[index + 1] < 0x80,
          let lower = Character(UnicodeScalar(bytes[index + 2])).hexDigitValue, bytes[index + 2] < 0x80
        {
          plain.append(UInt8(upper * 16 + lower))
          index += 3
        } else {
          plain.append(bytes[index])
          index += 1
        }
      }
      let result = PercentDecoding.decode(bytes.rawSpan, 0..<bytes.count, into: &scratch)
      #expect(Array(scratch.prefix(result.decodedCount)) == plain)
    }
  }
}
