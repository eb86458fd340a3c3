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
    var quic: any QUICCryptography
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

  /// Measures, as JSON: what cryptography costs without us, and each group.
  func run(captures: String, seeds: String?) throws -> String {
    var groups = [PacketCosts.json("captures", try captureInputs(captures).flatMap { measure($0) })]
    if let seeds { groups.append(PacketCosts.json("fuzz inputs", try seedInputs(seeds).flatMap { measure($0) })) }
    let costly = CostlyClearCryptography(cryptography)
    let made = SlowInputs.all.map { Input(name: $0.name, records: $0.records, quic: costly) }
    groups.append(PacketCosts.json("made to be slow", made.flatMap { measure($0) }))
    let bare = CryptographyCost.measure(cryptography, rounds: 2_000)
    return "{\"worst\":{\"cryptography\":\(bare),\"groups\":[\(groups.joined(separator: ","))]}}"
  }

  private func captureInputs(_ folder: String) throws -> [Input] {
    try Self.files(folder).filter { $0.hasSuffix(".pcap") || $0.hasSuffix(".pcapng") }.map { path in
      Input(
        name: path, records: Self.agentsPackets(in: try Self.read(folder + "/" + path)), quic: cryptography)
    }
  }

  /// What the daemon is given of a capture: what the side that spoke first sends, and answers of DNS.
  private static func agentsPackets(in file: [UInt8]) -> [InspectorEntry.Record] {
    guard var reader = try? CaptureReader(file.rawSpan) else { return [] }
    var servers: Set<String> = []
    var records: [InspectorEntry.Record] = []
    while let captured = try? reader.next() {
      guard let packet = LinkLayer.networkPacket(captured.frame, linkType: captured.linkType),
        let view = try? PacketView.parse(packet)
      else { continue }
      let there = "\(view.source) \(view.sourcePort) \(view.destination) \(view.destinationPort)"
      let back = "\(view.destination) \(view.destinationPort) \(view.source) \(view.sourcePort)"
      if !servers.contains(there) { servers.insert(back) }
      guard !servers.contains(there) || view.sourcePort == 53 else { continue }
      records.append(.packet(packet.array(), PacketMeta(hook: .forward, originalLength: packet.byteCount)))
    }
    return records
  }

  private func seedInputs(_ folder: String) throws -> [Input] {
    try Self.files(folder).map { path in
      Input(name: path, records: Self.records(of: try Self.read(folder + "/" + path)), quic: ClearCryptography())
    }
  }

  /// A function of its own: inside the closure above, Swift 6.3's optimiser destroys the bytes twice.
  private static func records(of bytes: [UInt8]) -> [InspectorEntry.Record] {
    var records: [InspectorEntry.Record] = []
    InspectorEntry.forEachRecord(bytes.rawSpan) { records.append($0) }
    return records
  }

  private func measure(_ input: Input) -> [PacketCosts.Cost] {
    var best = [UInt64](repeating: .max, count: input.records.count)
    var kinds = [PacketKind](repeating: PacketKind(), count: input.records.count)
    for _ in 0..<passes {
      var inspector = Inspector(
        policy: FuzzPolicy.snapshot(FuzzPolicy.firstChoice, epoch: 1), domains: suffixes, quicCryptography: input.quic,
        limits: InspectorLimits(flows: 1_024))
      var sink = KindSink()
      var now = Timestamp(seconds: 1_700_000_000)
      // Tables take their memory when they are first used: once in a daemon's life, not once an agent's packet.
      for packet in SlowInputs.warmUp {
        let meta = PacketMeta(hook: .forward, originalLength: packet.count)
        _ = inspector.inspect(packet.rawSpan, meta: meta, now: now, into: &sink)
      }
      _ = sink.take()
      for (index, record) in input.records.enumerated() {
        switch record {
        case .pause(let nanoseconds): now = now.advanced(byNanoseconds: nanoseconds)
        case .policy: break
        case .packet(let packet, let meta):
          now = now.advanced(byNanoseconds: 1_000)
          let fast = inspector.counters.fastPath
          let begin = DispatchTime.now().uptimeNanoseconds
          _ = inspector.inspect(packet.rawSpan, meta: meta, now: now, into: &sink)
          best[index] = min(best[index], DispatchTime.now().uptimeNanoseconds &- begin)
          kinds[index] = sink.take()
          kinds[index].isFast = inspector.counters.fastPath != fast
        }
      }
    }
    return input.records.indices.compactMap { index in
      guard case .packet(let packet, _) = input.records[index] else { return nil }
      return PacketCosts.Cost(
        nanoseconds: best[index], kind: kinds[index], name: "\(input.name) #\(index + 1)", length: packet.count)
    }
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
