/// The static Huffman code of HPACK (RFC 7541 Appendix B).
///
/// The code is canonical: codes of one length count up in the order of their symbols, and each length goes on where the
/// shorter one ended. So the lengths alone say everything.
enum HPACKHuffman {
  /// Bits of each symbol's code: the 256 bytes, then the end of the string.
  static let lengths: [UInt8] = [
    13, 23, 28, 28, 28, 28, 28, 28, 28, 24, 30, 28, 28, 30, 28, 28,
    28, 28, 28, 28, 28, 28, 30, 28, 28, 28, 28, 28, 28, 28, 28, 28,
    6, 10, 10, 12, 13, 6, 8, 11, 10, 10, 8, 11, 8, 6, 6, 6,
    5, 5, 5, 6, 6, 6, 6, 6, 6, 6, 7, 8, 15, 6, 12, 10,
    13, 6, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7,
    7, 7, 7, 7, 7, 7, 7, 7, 8, 7, 8, 13, 19, 13, 14, 6,
    15, 5, 6, 5, 6, 5, 6, 6, 6, 5, 7, 7, 6, 6, 6, 5,
    6, 7, 6, 5, 5, 6, 7, 7, 7, 7, 7, 15, 11, 14, 13, 28,
    20, 22, 20, 20, 22, 22, 22, 23, 22, 23, 23, 23, 23, 23, 24, 23,
    24, 24, 22, 23, 24, 23, 23, 23, 23, 21, 22, 23, 22, 23, 23, 24,
    22, 21, 20, 22, 22, 23, 23, 21, 23, 22, 22, 24, 21, 22, 23, 23,
    21, 21, 22, 21, 23, 22, 23, 23, 20, 22, 22, 22, 23, 22, 22, 23,
    26, 26, 20, 19, 22, 23, 22, 25, 26, 26, 26, 27, 27, 26, 24, 25,
    19, 21, 26, 27, 27, 26, 27, 24, 21, 21, 26, 26, 28, 27, 27, 27,
    20, 24, 20, 21, 22, 21, 21, 23, 22, 22, 25, 25, 24, 24, 26, 23,
    26, 27, 26, 26, 27, 27, 27, 27, 27, 28, 27, 27, 27, 27, 27, 26,
    30,
  ]

  private static let longest = 30
  private static let endOfString: UInt16 = 256

  /// For each length: its first code, how many codes it has, and where their symbols begin in `symbols`.
  private static let rows: [(first: UInt32, count: UInt32, start: Int)] = {
    var rows: [(first: UInt32, count: UInt32, start: Int)] = [(0, 0, 0)]
    var code: UInt32 = 0
    var start = 0
    for length in 1...longest {
      code <<= 1
      let count = lengths.count { Int($0) == length }
      rows.append((code, UInt32(count), start))
      code += UInt32(count)
      start += count
    }
    return rows
  }()

  /// The symbols by the length of their codes, then by value.
  private static let symbols: [UInt16] = (1...longest).flatMap { length in
    lengths.indices.filter { Int(lengths[$0]) == length }.map { UInt16($0) }
  }

  /// Decodes `coded`. What is decoded beyond `limit` bytes is counted but not kept. Nil for what RFC 7541 section 5.2
  /// calls a decoding error: the end symbol inside, or padding that is not the most significant bits of it.
  static func decode(_ coded: RawSpan, limit: Int) -> (bytes: [UInt8], length: Int)? {
    var out: [UInt8] = []
    var length = 0
    var code: UInt32 = 0
    var bits = 0
    for index in 0..<coded.byteCount {
      let byte = coded.byte(at: index)
      for shift in (0..<8).reversed() {
        code = code << 1 | UInt32(byte >> UInt8(shift) & 1)
        bits += 1
        guard bits <= longest else { return nil }
        let row = rows[bits]
        guard code >= row.first, code - row.first < row.count else { continue }
        let symbol = symbols[row.start + Int(code - row.first)]
        guard symbol != endOfString else { return nil }
        if length < limit { out.append(UInt8(truncatingIfNeeded: symbol)) }
        length += 1
        code = 0
        bits = 0
      }
    }
    guard bits < 8, code == (1 << UInt32(bits)) - 1 else { return nil }
    return (out, length)
  }
}
