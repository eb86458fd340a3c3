import Testing

@testable import PacketInspect

@Suite("The CRYPTO stream")
struct CryptoStreamTests {
  static let message = (0..<1_000).map { UInt8(truncatingIfNeeded: $0 &* 7 &+ $0 / 251) }

  func add(_ stream: inout CryptoStream, _ bytes: [UInt8], _ offset: UInt64) -> CryptoStream.Outcome {
    stream.add(bytes.rawSpan, offset: offset)
  }

  func unparsed(_ stream: CryptoStream) -> [UInt8] { stream.withUnparsed { $0.array() } }

  @Test("is the same whatever the order of its pieces, duplicated and overlapping", arguments: 0..<40)
  func anyOrder(seed: Int) {
    var state = UInt64(seed) &* 0x9e37_79b9_7f4a_7c15 | 1
    func random(_ bound: Int) -> Int {
      state ^= state << 13
      state ^= state >> 7
      state ^= state << 17
      return Int(state % UInt64(bound))
    }
    var pieces: [Range<Int>] = stride(from: 0, to: 1_000, by: 50).map { $0..<min(1_000, $0 + 50 + random(30)) }
    pieces += pieces.prefix(5)
    for index in pieces.indices.reversed() { pieces.swapAt(index, random(index + 1)) }
    var stream = CryptoStream()
    for piece in pieces {
      #expect(add(&stream, Array(Self.message[piece]), UInt64(piece.lowerBound)) != .conflict)
    }
    #expect(stream.contiguous == 1_000)
    #expect(unparsed(stream) == Self.message)
  }

  @Test("says when there is more in order, and only then")
  func outcomes() {
    var stream = CryptoStream()
    #expect(add(&stream, [3, 4], 2) == .nothingNew)
    #expect(unparsed(stream) == [])
    #expect(add(&stream, [1, 2], 0) == .advanced)
    #expect(add(&stream, [2, 3], 1) == .nothingNew)
    #expect(unparsed(stream) == [1, 2, 3, 4])
    #expect(add(&stream, [], UInt64.max) == .nothingNew)
  }

  @Test("notices another content at the same place, in order or waiting, parsed or not")
  func conflicts() {
    var stream = CryptoStream()
    _ = add(&stream, [1, 2, 3, 4], 0)
    _ = add(&stream, [9, 9], 10)
    #expect(add(&stream, [2, 4], 1) == .conflict)
    #expect(add(&stream, [0, 0, 8], 8) == .conflict)
    stream.markParsed(4)
    #expect(add(&stream, [7], 0) == .conflict)
    #expect(add(&stream, [1, 2, 3, 4, 5], 0) == .advanced)
    #expect(unparsed(stream) == [5])
  }

  @Test("has bounds that no offset or number of pieces gets past")
  func bounds() {
    var stream = CryptoStream()
    let window = UInt64(CryptoStream.window)
    #expect(add(&stream, [1], window) == .tooMany)
    #expect(add(&stream, [1], UInt64.max) == .tooMany)
    #expect(add(&stream, [1, 2], window - 1) == .tooMany)
    #expect(add(&stream, [1], window - 1) == .nothingNew)
    #expect(stream.heldBytes == CryptoStream.window)
    var scattered = CryptoStream()
    for piece in 0..<CryptoStream.maximumPieces {
      #expect(add(&scattered, [1], UInt64(2 + piece * 2)) == .nothingNew)
    }
    #expect(add(&scattered, [1], 4_000) == .tooMany)
  }
}
