/// From where on the shape of an agent type's traffic is flagged (design, section 6). Sizes, never content.
public struct ShapePolicy: Hashable, Sendable {
  /// Characters from which on an encoded token in a path or query is flagged.
  public var encodedTokenLength = 64
  /// Characters in encoded labels under one registrable domain, within `labelWindow`, from which on they are flagged.
  public var encodedHostBytes = 4_096
  /// Different names under one registrable domain, within `labelWindow`, from which on they are flagged.
  public var uniqueLabels = 200
  /// The time over which names are counted, in nanoseconds.
  public var labelWindow: Int64 = 3_600_000_000_000
  /// Bytes sent in one flow or request from which on it may be called upload-heavy; four times that to names in
  /// `cloud-provider`, `code-hosting` and `package-registry` where the type's baseline lists the category.
  public var uploadBytes: UInt64 = 50_000_000
  /// Sent over received from which on such a flow is upload-heavy.
  public var uploadRatio: Double = 5
  /// Payload bytes that a session may send to external destinations in 24 hours before `upload-volume`.
  public var uploadVolume: UInt64 = 500_000_000
  /// Bytes of small uploads, each destination counted for a sixteenth of it at most, from which on they are a drip.
  public var dripBytes: UInt64 = 1_000_000
  /// Uploads to one destination from which on they may be a drip by themselves.
  public var dripUploads = 200
  /// Contacts at regular intervals from which on they may be a beacon.
  public var beaconContacts = 12
  /// Time for which they must have been regular, in nanoseconds. Many jobs are asked after for half an hour, few for
  /// longer than this.
  public var beaconSpan: Int64 = 3_600 * 1_000_000_000
  /// Median deviation of the intervals, as a share of their median, up to which they are regular. Uniform jitter of
  /// ±20 % has a tenth.
  public var beaconJitter = 0.1
  /// Protocols that are nothing new.
  public var protocols = ProtocolSet.ordinary
  /// Ports on which no protocol is odd, beside those that are usual for it.
  public var ports: [UInt16] = []
  /// Registrable domains whose regular calls and small uploads are the agent's ordinary work, beside those built in.
  public var services: [String] = []

  /// The defaults.
  public init() {}
}
