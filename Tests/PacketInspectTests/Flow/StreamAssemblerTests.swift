import PacketInspect
import TestSupport
import Testing

@Suite("Stream assembler")
struct StreamAssemblerTests {
  static let message = Array("the quick brown fox".utf8)

  private func add(_ stream: inout StreamAssembler, _ bytes: [UInt8], _ sequence: UInt32) -> SegmentOutcome {
    stream.add(bytes.rawSpan, sequence: sequence)
  }

  /// All orders of `items`.
  private func permutations<Item>(_ items: [Item]) -> [[Item]] {
    guard items.count > 1 else { return [items] }
    return items.indices.flatMap { index in
      var rest = items
      let first = rest.remove(at: index)
      return permutations(rest).map { [first] + $0 }
    }
  }

  @Test("gives the same bytes for every order of every segmentation, across the sequence wrap too")
  func permutations() {
    let message = Self.message
    for base: UInt32 in [0, 1, 0x7fff_fff8, 0xffff_fff8] {
      for cuts in [[1, 2, 3, 4], [5, 9, 10, 18], [4, 8, 12, 16]] {
        let bounds = [0] + cuts + [message.count]
        for order in permutations(Array(0..<bounds.count - 1)) {
          var stream = StreamAssembler(sequence: base)
          for part in order {
            let piece = Array(message[bounds[part]..<bounds[part + 1]])
            #expect(add(&stream, piece, base &+ UInt32(bounds[part])) != .conflict)
          }
          #expect(stream.buffer == message)
          #expect(!stream.hasGap)
          #expect(stream.nextSequence == base &+ UInt32(message.count))
        }
      }
    }
  }

  @Test("gives the same bytes for random overlapping retransmissions in any order")
  func randomOverlaps() {
    var random = SplitMix64(seed: 11)
    let message = (0..<400).map { _ in UInt8.random(in: 0...255, using: &random) }
    for _ in 0..<200 {
      let base = UInt32.random(in: 0 ... .max, using: &random)
      var stream = StreamAssembler(sequence: base)
      var pieces = stride(from: 0, to: message.count, by: 40).map { $0..<min($0 + 40, message.count) }
      for _ in 0..<20 {
        let start = Int.random(in: 0..<message.count, using: &random)
        pieces.append(start..<min(start + Int.random(in: 1...90, using: &random), message.count))
      }
      for piece in pieces.shuffled(using: &random) {
        let outcome = add(&stream, Array(message[piece]), base &+ UInt32(piece.lowerBound))
        #expect(outcome == .advanced || outcome == .nothingNew)
      }
      #expect(stream.buffer == message)
    }
  }

  @Test("sees a retransmission with other content, in what is in order and in what waits")
  func conflicts() {
    var stream = StreamAssembler(sequence: 100)
    #expect(add(&stream, [1, 2, 3, 4], 100) == .advanced)
    #expect(add(&stream, [1, 2, 3, 4], 100) == .nothingNew)
    #expect(add(&stream, [2, 9], 101) == .conflict)
    #expect(add(&stream, [4, 5], 103) == .advanced)
    #expect(add(&stream, [9, 6], 104) == .conflict)
    #expect(add(&stream, [8, 9, 10], 110) == .nothingNew)
    #expect(stream.hasGap)
    #expect(add(&stream, [9, 99], 111) == .conflict)
    #expect(add(&stream, [7, 7, 8], 108) == .nothingNew)
    #expect(add(&stream, [0, 0, 0, 0, 0, 0, 0, 0], 105) == .conflict)
    #expect(stream.buffer == [1, 2, 3, 4, 5])
  }

  @Test("compares what was parsed until it is discarded, and nothing after that")
  func comparesParsed() {
    var stream = StreamAssembler(sequence: 5)
    _ = add(&stream, [1, 2, 3], 5)
    stream.markParsed(upTo: 3)
    #expect(stream.unparsedCount == 0)
    #expect(add(&stream, [9], 6) == .conflict)
    stream.discardParsed()
    #expect(add(&stream, [9], 6) == .nothingNew)
    #expect(add(&stream, [9, 4], 7) == .advanced)
    #expect(stream.buffer == [4])
  }

  @Test("goes on behind a gap when it is told to, as often as there are gaps")
  func gaps() {
    var stream = StreamAssembler(sequence: 0)
    _ = add(&stream, [1], 0)
    _ = add(&stream, [5, 6], 10)
    _ = add(&stream, [9], 20)
    var jumped = stream.jumpGap()
    #expect(jumped)
    #expect(stream.buffer == [5, 6])
    #expect(stream.nextSequence == 12)
    jumped = stream.jumpGap()
    #expect(jumped)
    #expect(stream.buffer == [9])
    jumped = stream.jumpGap()
    #expect(!jumped)
  }

  @Test("skips a body whose segments come in any order, and reads what follows it")
  func skipsInAnyOrder() {
    // Head at 0..<4, body at 4..<10, next message at 10..<12.
    let pieces: [(UInt32, [UInt8])] = [(4, [91, 92]), (6, [93, 94]), (8, [95, 96, 1]), (11, [2])]
    for order in permutations(pieces.indices.map { $0 }) {
      var stream = StreamAssembler(sequence: 0xffff_fffe)
      _ = add(&stream, [0, 0, 0, 0], 0xffff_fffe)
      stream.markParsed(upTo: 4)
      stream.skip(6)
      for index in order { #expect(add(&stream, pieces[index].1, 0xffff_fffe &+ pieces[index].0) != .conflict) }
      #expect(stream.buffer == [1, 2])
      #expect(!stream.hasGap)
    }
  }

  @Test("skips bytes of a body that came before the skip, waiting ones included")
  func skipsWhatWaits() {
    var stream = StreamAssembler(sequence: 0)
    _ = add(&stream, [0, 0, 9, 9], 0)
    _ = add(&stream, [9, 9, 7, 8], 6)
    stream.markParsed(upTo: 2)
    stream.skip(6)
    #expect(stream.buffer == [7, 8])
    _ = add(&stream, [9, 9, 9, 9], 2)
    #expect(stream.buffer == [7, 8])
  }

  @Test("skips bodies of more than 1, 2 and 4 GiB to the byte", arguments: [1 << 30, 3 << 30, 4 << 30, 5 << 30])
  func skipsHugeBodies(size: UInt64) {
    let length = size + 7
    let base: UInt32 = 0xf000_0000
    var stream = StreamAssembler(sequence: base)
    _ = add(&stream, [1, 2], base)
    stream.markParsed(upTo: 2)
    stream.skip(length)
    let body = base &+ 2
    var offset: UInt64 = 0
    while offset < length {
      #expect(add(&stream, [0xaa, 0xbb], body &+ UInt32(truncatingIfNeeded: offset)) != .conflict)
      #expect(stream.buffer.isEmpty)
      offset += 40_000
    }
    // The last bytes of the body and the next message in one segment.
    #expect(add(&stream, [0xaa, 3, 4], body &+ UInt32(truncatingIfNeeded: length - 1)) == .advanced)
    #expect(stream.buffer == [3, 4])
  }

  @Test("is not led to the end of a huge body by segments far ahead that no receiver takes")
  func ignoresFarAhead() {
    var stream = StreamAssembler(sequence: 0)
    _ = add(&stream, [1], 0)
    stream.markParsed(upTo: 1)
    // Four steps of a gibibyte, and back at the sequence number where the body begins.
    stream.skip(4 << 30)
    for step in 1...4 { _ = add(&stream, [0xee], 1 &+ UInt32(truncatingIfNeeded: step << 30) &+ 100_000) }
    for offset: UInt32 in [1, 3, 5] { #expect(add(&stream, [7, 7], offset) == .nothingNew) }
    #expect(stream.buffer.isEmpty)
  }

  @Test("keeps no more than a window and no more than some segments, however they overlap")
  func caps() {
    var stream = StreamAssembler(sequence: 0)
    #expect(add(&stream, [1], UInt32(StreamAssembler.window)) == .notKept)
    for index in 0..<StreamAssembler.maximumPending {
      #expect(add(&stream, [1], UInt32(2 + 2 * index)) == .nothingNew)
    }
    #expect(add(&stream, [1], 1_000) == .notKept)

    stream = StreamAssembler(sequence: 0)
    let large = [UInt8](repeating: 5, count: 60_000)
    for index in 1..<StreamAssembler.maximumPending { _ = add(&stream, large, UInt32(index)) }
    #expect(stream.heldBytes <= 2 * StreamAssembler.window)

    stream = StreamAssembler(sequence: 0)
    for index in 0..<StreamAssembler.window { #expect(add(&stream, [1], UInt32(index)) == .advanced) }
    #expect(add(&stream, [1], UInt32(StreamAssembler.window)) == .notKept)
    #expect(stream.heldBytes == StreamAssembler.window)
  }

  @Test("begins afresh after a reset")
  func reset() {
    var stream = StreamAssembler(sequence: 0)
    _ = add(&stream, [1], 0)
    _ = add(&stream, [1], 9)
    stream.reset(sequence: 77)
    #expect(stream.buffer.isEmpty && !stream.hasGap && stream.parsed == 0 && stream.heldBytes == 0)
    #expect(add(&stream, [4], 77) == .advanced)
  }
}
