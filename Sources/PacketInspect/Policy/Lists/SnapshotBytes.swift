/// Where a snapshot's bytes lie: in memory, or in a file that the shell has mapped. They never change.
public protocol SnapshotBytes: AnyObject, Sendable {
  /// Lends all of them.
  func withBytes<Result, Failure: Error>(_ body: (RawSpan) throws(Failure) -> Result) throws(Failure) -> Result
}

/// Where a snapshot is written: of the size that `ListSnapshotWriter.layOut` says, all zero behind what was streamed out
/// before.
public protocol SnapshotTarget: AnyObject {
  /// Lends all of them. `put` may not be called meanwhile.
  func withBytes<Result, Failure: Error>(_ body: (RawSpan) throws(Failure) -> Result) throws(Failure) -> Result
  /// Puts eight bytes, the highest first, at an offset that lies at least eight bytes before the end.
  func put(_ value: UInt64, at offset: Int)
  /// Puts one byte at an offset before the end.
  func put(byte: UInt8, at offset: Int)
}

/// A snapshot in memory: for lists that nobody keeps a file of, and for tests.
public final class SnapshotArray: SnapshotBytes, Sendable {
  private let array: [UInt8]

  /// With these bytes.
  public init(_ array: [UInt8]) { self.array = array }

  /// Lends all of them.
  public func withBytes<Result, Failure: Error>(
    _ body: (RawSpan) throws(Failure) -> Result
  ) throws(Failure) -> Result {
    let lent = array
    return try body(lent.rawSpan)
  }
}

/// A snapshot that is written in memory.
public final class SnapshotArrayTarget: SnapshotTarget {
  /// The bytes so far.
  public private(set) var array: [UInt8]

  /// With what was streamed out, as large as the snapshot will be.
  public init(_ records: [UInt8], size: Int) {
    array = records
    array.append(contentsOf: repeatElement(0, count: max(0, size - records.count)))
  }

  /// Lends all of them.
  public func withBytes<Result, Failure: Error>(
    _ body: (RawSpan) throws(Failure) -> Result
  ) throws(Failure) -> Result {
    let lent = array
    return try body(lent.rawSpan)
  }

  /// Puts eight bytes, the highest first.
  public func put(_ value: UInt64, at offset: Int) {
    for index in 0..<8 { array[offset + index] = UInt8(truncatingIfNeeded: value >> UInt64(56 - 8 * index)) }
  }

  /// Puts one byte.
  public func put(byte: UInt8, at offset: Int) { array[offset] = byte }
}
