/// What one session asked for and claimed under one registrable domain, in a window of time: 104 bytes, whatever comes.
struct DomainActivity: Sendable {
  /// Bits in which encoded names are told apart from those seen before.
  private static var encodedBits: UInt64 { 256 }
  /// Registers of the estimate of distinct names: its standard error is 13 in 100.
  private static var registerCount: Int { 64 }

  /// Keyed hash of the registrable domain.
  let domain: UInt64
  /// When the window began.
  private(set) var began: Timestamp
  /// Names that were asked for or claimed, repetitions included.
  private(set) var names: UInt32 = 0
  /// Of these, questions for record types that carry data and that clients rarely ask for.
  private(set) var dataTypes: UInt32 = 0
  /// Names that spell an address.
  private(set) var addressShaped: UInt32 = 0
  /// Different names with an encoded label.
  private(set) var encodedNames: UInt32 = 0
  /// Characters in their encoded labels.
  private(set) var encodedCharacters: UInt32 = 0
  private(set) var longestLabel: UInt8 = 0
  /// What was flagged in this window.
  var flaggedEncoded = false
  var flaggedBurst = false
  var flaggedText = false
  private var seen = InlineArray<4, UInt64>(repeating: 0)
  /// Four bits each: enough for a million names.
  private var registers = InlineArray<4, UInt64>(repeating: 0)

  init(domain: UInt64, at now: Timestamp) {
    self.domain = domain
    began = now
  }

  /// How much it would cost to forget this one.
  var weight: UInt64 { UInt64(encodedCharacters) + UInt64(names) }

  /// Takes a name. True when it may have made the estimate of distinct names larger.
  @discardableResult
  mutating func take(_ shape: NameShape, hash: UInt64, isDataType: Bool, window: Int64, at now: Timestamp) -> Bool {
    if now < began || now.since(began) >= window { self = DomainActivity(domain: domain, at: now) }
    names &+= 1
    if isDataType { dataTypes &+= 1 }
    if shape.isAddressShaped { addressShaped &+= 1 }
    longestLabel = max(longestLabel, UInt8(clamping: shape.longestLabel))
    let (word, shift) = (Int(hash >> 4 & 3), (hash & 15) << 2)
    let rank = UInt64(min(15, (hash >> 6).trailingZeroBitCount + 1))
    let known = registers[word] >> shift & 15
    if rank > known { registers[word] ^= (known ^ rank) << shift }
    let isLarger = rank > known
    guard shape.encodedCharacters > 0, isNewEncoded(hash) else { return isLarger }
    encodedNames &+= 1
    let (sum, overflow) = encodedCharacters.addingReportingOverflow(UInt32(clamping: shape.encodedCharacters))
    encodedCharacters = overflow ? .max : sum
    return isLarger
  }

  /// True for a name that is not known to have come before. When most bits are set all names count as new.
  private mutating func isNewEncoded(_ hash: UInt64) -> Bool {
    if encodedNames >= 192 { return true }
    let bit = hash >> 40 & (Self.encodedBits - 1)
    let word = Int(bit >> 6)
    guard seen[word] >> (bit & 63) & 1 == 0 else { return false }
    seen[word] |= 1 << (bit & 63)
    return true
  }

  /// About how many different names there were (Flajolet et al., HyperLogLog, 2007; linear counting while few).
  var distinctNames: Int {
    var sum: UInt64 = 0
    var empty = 0
    for index in 0..<Self.registerCount {
      let register = registers[index >> 4] >> UInt64(index & 15 << 2) & 15
      if register == 0 { empty += 1 }
      sum += (1 << 40) >> register
    }
    if empty > 0 {
      // m ln(m / empty); ln 2 is 710/1024.
      let logarithm = FixedLogarithm.binary(Self.registerCount) - FixedLogarithm.binary(empty)
      return min(Int(names), Self.registerCount * logarithm * 710 / (1024 * 1024))
    }
    // 0.709 m^2 / sum.
    let estimate = UInt64(2904) << 40 / max(1, sum)
    return min(Int(names), Int(clamping: estimate))
  }
}

/// Names of one session by registrable domain.
struct NameActivity: Sendable {
  /// Registrable domains followed at a time in one session: ten thousand sessions that all fill theirs stay below
  /// 13 MB. One whose window is over gives way, else the one with the fewest names and encoded characters, so a tunnel
  /// stays.
  static let maximumDomains = 12

  private var domains: [DomainActivity] = []

  /// What has grown beyond its threshold, once a window.
  struct Finding {
    var isEncoded = false
    var isBurst = false
    /// The name by itself is data: it decodes to text, or is many hashes of one length.
    var isText = false
    var activity: DomainActivity
    var distinct: Int
  }

  /// Different encoded names from which on they may be flagged: fewer can be a page's images.
  private static var minimumEncodedNames: UInt32 { 16 }
  /// How many times more names that spell addresses are let by: block lists are asked for every peer.
  private static var addressFactor: Int { 8 }

  /// Takes a name that was looked up or claimed.
  mutating func take(
    _ shape: NameShape, domain: UInt64, name: UInt64, isDataType: Bool, _ policy: ShapePolicy, at now: Timestamp
  ) -> Finding? {
    let place = place(of: domain, window: policy.labelWindow, at: now)
    let isLarger = domains[place].take(
      shape, hash: name, isDataType: isDataType, window: policy.labelWindow, at: now)
    let activity = domains[place]
    var finding = Finding(activity: activity, distinct: 0)
    // Names of record types that carry data need less to be a tunnel.
    let isMostlyData = activity.dataTypes * 2 >= activity.names
    let limit = isMostlyData ? policy.encodedHostBytes / 4 : policy.encodedHostBytes
    finding.isEncoded =
      !activity.flaggedEncoded && activity.encodedNames >= Self.minimumEncodedNames
      && Int(activity.encodedCharacters) >= limit
    // Names that come again do not make it larger, and it takes a while to work out.
    if !activity.flaggedBurst, activity.names == policy.uniqueLabels || activity.names > policy.uniqueLabels && isLarger
    {
      finding.distinct = activity.distinctNames
      let ordinary = finding.distinct - Int(activity.addressShaped)
      finding.isBurst =
        ordinary >= policy.uniqueLabels || finding.distinct / Self.addressFactor >= policy.uniqueLabels
    }
    finding.isText = !activity.flaggedText && (shape.carriesText || shape.uniformLabels > 0)
    guard finding.isEncoded || finding.isBurst || finding.isText else { return nil }
    if finding.isText { domains[place].flaggedText = true }
    if finding.isEncoded { domains[place].flaggedEncoded = true }
    if finding.isBurst { domains[place].flaggedBurst = true }
    if finding.distinct == 0 { finding.distinct = activity.distinctNames }
    return finding
  }

  private mutating func place(of domain: UInt64, window: Int64, at now: Timestamp) -> Int {
    var least = 0
    var leastWeight = UInt64.max
    for index in domains.indices {
      if domains[index].domain == domain { return index }
      let weight = now.since(domains[index].began) >= window ? 0 : domains[index].weight
      if weight < leastWeight { (least, leastWeight) = (index, weight) }
    }
    if domains.count < Self.maximumDomains {
      // Not to the next power of two: ten thousand sessions may be full.
      if domains.count == domains.capacity {
        domains.reserveCapacity(min(Self.maximumDomains, domains.count + 4))
      }
      domains.append(DomainActivity(domain: domain, at: now))
      return domains.count - 1
    }
    domains[least] = DomainActivity(domain: domain, at: now)
    return least
  }
}
