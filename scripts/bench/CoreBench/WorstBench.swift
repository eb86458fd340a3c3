import Foundation
import FuzzEntries
import PacketInspect
import TestSupport

/// What each single packet costs: every packet of captures, of fuzz inputs, and of inputs made to be slow, at its place
/// in its own traffic. Nanoseconds, the least of several passes, each through an inspector of its own.
struct WorstBench {
  private struct Input {
    var name: String
    var records: [InspectorEntry.Record]
    var hasClearQUIC = false
  }

  private struct Cost {
    var nanoseconds: UInt64
    var name: String
    var length: Int
  }

  private let passes: Int
  private let suffixes: SystemSuffixes
  private let cryptography: LibcryptoQUIC

  init?(passes: Int, suffixes: SystemSuffixes) {
    guard let cryptography = try? LibcryptoQUIC() else { return nil }
    self.passes = passes
    self.suffixes = suffixes
    self.cryptography = cryptography
  }

  /// Measures, as JSON: for each group its packets, their median, and the slowest ones.
  func run(captures: String, seeds: String?) throws -> String {
    var groups: [String] = []
    var corpus = try captureInputs(captures).flatMap { measure($0) }
    groups.append(Self.json("fixtures", &corpus))
    if let seeds {
      var found = try seedInputs(seeds).flatMap { measure($0) }
      groups.append(Self.json("fuzz inputs", &found))
    }
    var made = SlowInputs.all.flatMap { measure(Input(name: $0.name, records: $0.records)) }
    groups.append(Self.json("made to be slow", &made))
    return "{\"worst\":[\(groups.joined(separator: ","))]}"
  }

  private func captureInputs(_ folder: String) throws -> [Input] {
    try Self.files(folder).filter { $0.hasSuffix(".pcap") }.map { path in
      let file = try Self.read(folder + "/" + path)
      var reader = try CaptureReader(file.rawSpan)
      var records: [InspectorEntry.Record] = []
      while let captured = try reader.next() {
        guard let packet = LinkLayer.networkPacket(captured.frame, linkType: captured.linkType) else { continue }
        records.append(.packet(packet.array(), PacketMeta(originalLength: packet.byteCount)))
      }
      return Input(name: path, records: records)
    }
  }

  private func seedInputs(_ folder: String) throws -> [Input] {
    try Self.files(folder).map { path in
      Input(name: path, records: Self.records(of: try Self.read(folder + "/" + path)), hasClearQUIC: true)
    }
  }

  /// A function of its own: inside the closure above, Swift 6.3's optimiser destroys the bytes twice.
  private static func records(of bytes: [UInt8]) -> [InspectorEntry.Record] {
    var records: [InspectorEntry.Record] = []
    InspectorEntry.forEachRecord(bytes.rawSpan) { records.append($0) }
    return records
  }

  private func measure(_ input: Input) -> [Cost] {
    var best = [UInt64](repeating: .max, count: input.records.count)
    for _ in 0..<passes {
      let quic: any QUICCryptography = input.hasClearQUIC ? ClearCryptography() : cryptography
      var inspector = Inspector(
        policy: FuzzPolicy.snapshot(FuzzPolicy.firstChoice, epoch: 1), domains: suffixes, quicCryptography: quic,
        limits: InspectorLimits(flows: 1_024))
      var sink = BatchSink()
      var now = Timestamp(seconds: 1_700_000_000)
      // Tables take their memory when they are first used: once in a daemon's life, not once an agent's packet.
      for packet in SlowInputs.warmUp {
        let meta = PacketMeta(hook: .forward, originalLength: packet.count)
        _ = inspector.inspect(packet.rawSpan, meta: meta, now: now, into: &sink)
      }
      sink.clear()
      for (index, record) in input.records.enumerated() {
        switch record {
        case .pause(let nanoseconds): now = now.advanced(byNanoseconds: nanoseconds)
        case .policy: break
        case .packet(let packet, let meta):
          now = now.advanced(byNanoseconds: 1_000)
          let begin = DispatchTime.now().uptimeNanoseconds
          _ = inspector.inspect(packet.rawSpan, meta: meta, now: now, into: &sink)
          best[index] = min(best[index], DispatchTime.now().uptimeNanoseconds &- begin)
          sink.clear()
        }
      }
    }
    return input.records.indices.compactMap { index in
      guard case .packet(let packet, _) = input.records[index] else { return nil }
      return Cost(nanoseconds: best[index], name: "\(input.name) #\(index + 1)", length: packet.count)
    }
  }

  private static func json(_ group: String, _ costs: inout [Cost]) -> String {
    costs.sort { $0.nanoseconds > $1.nanoseconds }
    let median = costs.isEmpty ? 0 : costs[costs.count / 2].nanoseconds
    let slowest = costs.prefix(5).map {
      "{\"name\":\"\($0.name)\",\"nanoseconds\":\($0.nanoseconds),\"length\":\($0.length)}"
    }
    return
      "{\"group\":\"\(group)\",\"packets\":\(costs.count),\"median\":\(median),\"slowest\":[\(slowest.joined(separator: ","))]}"
  }

  private static func files(_ folder: String) throws -> [String] {
    try FileManager.default.subpathsOfDirectory(atPath: folder).filter { path in
      var isFolder: ObjCBool = false
      return unsafe FileManager.default.fileExists(atPath: folder + "/" + path, isDirectory: &isFolder)
        && !isFolder.boolValue
    }.sorted()
  }

  private static func read(_ path: String) throws -> [UInt8] {
    try [UInt8](Data(contentsOf: URL(fileURLWithPath: path)))
  }
}
