/// How one session's flows add up: what no single flow shows. Empty until there is something to remember.
struct SessionTraffic: Sendable {
  /// How often the threshold of `uploadVolume` what goes to services may be: prompts are long, and sent again each turn.
  static let serviceVolume: UInt64 = 10
  /// Flags of one kind that a session raises for different things; after so many a reviewer has seen enough.
  static let maximumFlags = 32

  /// Small uploads.
  var drip = DripWatch()
  /// Regular contacts.
  var beacons = BeaconWatch()
  private var volume = HourlyBytes()
  private var toServices = HourlyBytes()
  private var isVolumeReached = false
  private var isServiceVolumeReached = false
  /// What was flagged, by hash. Looked through only when there is something to flag.
  private var flagged: [UInt32] = []
  private var flagCounts = InlineArray<4, UInt8>(repeating: 0)

  /// Things that are flagged once each.
  enum Once: UInt8 {
    case proto, port, literal, upload
  }

  /// True the first time something of a kind is flagged, as long as not too many were.
  mutating func isFirst(_ kind: Once, _ value: UInt32) -> Bool {
    let slot = Int(kind.rawValue)
    // Two values of a kind never share one: an odd factor loses nothing.
    let hash = (value &+ UInt32(kind.rawValue) << 30) &* 0x9e37_79b1
    guard flagCounts[slot] < UInt8(Self.maximumFlags), !flagged.contains(hash) else { return false }
    flagged.append(hash)
    flagCounts[slot] += 1
    return true
  }

  /// Counts payload bytes sent to external destinations; the sum when it has just passed its threshold.
  mutating func noteSent(_ bytes: UInt64, toService: Bool, policy: ShapePolicy, at now: Timestamp) -> VolumeFinding? {
    guard bytes > 0 else { return nil }
    if toService {
      toServices.add(bytes, at: now)
      return Self.finding(
        toServices.sum, policy.uploadVolume.multipliedReportingOverflow(by: Self.serviceVolume), true,
        &isServiceVolumeReached)
    }
    volume.add(bytes, at: now)
    return Self.finding(volume.sum, (policy.uploadVolume, false), false, &isVolumeReached)
  }

  private static func finding(
    _ sum: UInt64, _ threshold: (partialValue: UInt64, overflow: Bool), _ toServices: Bool, _ isReached: inout Bool
  ) -> VolumeFinding? {
    let before = isReached
    isReached = !threshold.overflow && sum >= threshold.partialValue
    guard isReached, !before else { return nil }
    return VolumeFinding(bytes: sum, threshold: threshold.partialValue, isToServices: toServices)
  }
}

/// What an upload-volume flag rests on.
struct VolumeFinding: Hashable, Sendable {
  /// Payload bytes of the last 24 hours.
  var bytes: UInt64
  /// What they have passed.
  var threshold: UInt64
  /// True for what went to services, which has a threshold of its own.
  var isToServices: Bool
}
