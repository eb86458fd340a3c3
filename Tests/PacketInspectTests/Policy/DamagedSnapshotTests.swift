import PacketInspect
import TestSupport
import Testing

/// A snapshot file may come from a bad disk or a half copy. No bytes may end the process, and none that were changed may
/// go unnoticed where the checksum is taken.
@Suite("Damaged list snapshot")
struct DamagedSnapshotTests {
  private static let names = ["evil.example", "a.evil.example", "paste.example", "x.y.z.example"]
  private static let networks = ["93.184.216.0/24", "93.184.216.7/32", "2606:2800::/32"]
  private static let askedNames = names + ["b.a.evil.example", "other.example", "example", "a..b", "x"]
  private static let askedAddresses = ["93.184.216.7", "93.184.216.8", "1.2.3.4", "2606:2800::1", "::"]

  /// A good one.
  static let bytes: [UInt8] = {
    var writer = ListSnapshotWriter(key: (3, 4))
    for (line, name) in names.enumerated() { _ = writer.add(host(name), line: line + 1) }
    for (line, text) in networks.enumerated() { _ = writer.add(network(text), line: line + 10) }
    return writer.array(note: [1, 2, 3], source: SnapshotSource(size: 5, modified: 6, checksum: 7, reading: 8))
  }()

  private func open(_ bytes: [UInt8], checksum: UInt64? = nil) -> Result<ListSnapshot, SnapshotError> {
    do throws(SnapshotError) {
      return .success(try ListSnapshot(SnapshotArray(bytes), checksum: checksum))
    } catch {
      return .failure(error)
    }
  }

  /// Asks everything; the answers are of no interest, only that they come.
  private func ask(_ list: ListSnapshot) -> Int {
    let names = Self.askedNames.compactMap { list.match(host($0)) }
    let networks = Self.askedAddresses.compactMap { list.match(address($0)) }
    #expect(names.allSatisfy { $0.length <= 253 })
    return names.count + networks.count + list.note.count
  }

  @Test("is opened as it was written")
  func whole() throws {
    let list = try open(Self.bytes).get()
    #expect(list.source == SnapshotSource(size: 5, modified: 6, checksum: 7, reading: 8))
    #expect(list.note == [1, 2, 3])
    #expect(list.size == Self.bytes.count)
    #expect(list.domains == 4 && list.networks == 3)
    #expect(list.match(host("b.a.evil.example"))?.line == 2)
    #expect(list.match(address("93.184.216.7"))?.line == 11)
  }

  @Test("is refused with any one byte changed")
  func everyByte() {
    for index in Self.bytes.indices {
      for change: UInt8 in [0x01, 0x80, 0xff] {
        var bytes = Self.bytes
        bytes[index] ^= change
        if case .success = open(bytes) { Issue.record("byte \(index) can be changed by \(change)") }
      }
    }
  }

  @Test("is refused at any other length")
  func everyLength() {
    for length in 0..<Self.bytes.count {
      if case .success = open(Array(Self.bytes[..<length])) { Issue.record("\(length) bytes are enough") }
    }
    if case .success = open(Self.bytes + [0]) { Issue.record("a byte more is none too much") }
  }

  @Test("says what is wrong with it")
  func errors() {
    func error(_ bytes: [UInt8]) -> SnapshotError? {
      if case .failure(let error) = open(bytes) { error } else { nil }
    }
    #expect(error([]) == .tooShort)
    #expect(error(Array("<html>".utf8) + [UInt8](repeating: 0x20, count: 500)) == .foreign)
    var other = Self.bytes
    other[15] = 9
    #expect(error(other) == .version)
    #expect(error(Self.bytes + [0]) == .size)
    other = Self.bytes
    other[Self.bytes.count - 1] ^= 1
    #expect(error(other) == .checksum)
  }

  @Test("answers, whatever its bytes, even when its checksum is right: every field at every extreme")
  func everyField() {
    var opened = 0
    for field in stride(from: 24, to: 24 + 17 * 8, by: 8) {
      for value: UInt64 in [0, 1, 2, 7, 8, 255, 256, 4_096, UInt64(Self.bytes.count), 1 << 31, 1 << 62, .max] {
        var bytes = Self.bytes
        for index in 0..<8 { bytes[field + index] = UInt8(truncatingIfNeeded: value >> UInt64(56 - 8 * index)) }
        if let list = try? open(sealed(bytes)).get() {
          opened += 1
          _ = ask(list)
        }
      }
    }
    #expect(opened > 20)
  }

  @Test("answers, whatever its bytes, even when its checksum is right: 20,000 random changes")
  func random() {
    var random = SplitMix64(seed: 5)
    var opened = 0
    var answers = 0
    for _ in 0..<20_000 {
      var bytes = Self.bytes
      for _ in 0..<Int.random(in: 1...12, using: &random) {
        // Behind the header mostly: a header of noise is refused at once.
        let from = Int.random(in: 0..<8, using: &random) == 0 ? 24 : 256
        bytes[Int.random(in: from..<bytes.count, using: &random)] = UInt8.random(in: 0...255, using: &random)
      }
      if let list = try? open(sealed(bytes)).get() {
        opened += 1
        answers += ask(list)
      }
    }
    #expect(opened > 10_000 && answers > opened)
  }

  /// With the checksum that these bytes have.
  private func sealed(_ bytes: [UInt8]) -> [UInt8] {
    let target = SnapshotArrayTarget(bytes, size: bytes.count)
    ListSnapshotWriter.seal(target)
    return target.array
  }
}
