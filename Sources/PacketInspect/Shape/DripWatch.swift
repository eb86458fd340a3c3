/// Small uploads of one session that add up: over many destinations, or in many pieces to one.
///
/// Counts halve every twelve hours, so that what is steady comes to a day's worth and what is over fades.
struct DripWatch: Sendable {
  /// Destinations that are told apart: twice as many as a flag needs. Those beyond it count as one more each time: an
  /// attacker who uses more of them gains nothing. At 16 bytes each half a kilobyte a session, and only for those that
  /// were sent more than they gave.
  static let maximumDestinations = 32
  /// Payload bytes below which an exchange is no upload: a request's own fields.
  static let smallestUpload: UInt64 = 512
  /// Sent over received from which on an exchange is one.
  static let ratio: UInt64 = 2
  /// Destinations over which uploads are spread, at least: each counts for at most this fraction of `dripBytes`.
  /// An agent sends much to its model and its repository; one that sends a little to each of many has no such excuse.
  static let destinations: UInt64 = 16
  /// How much more than `dripBytes` one destination alone must be sent, and by how much more than it gave: telemetry and
  /// other APIs are sent a little all day.
  static let oneDestination: UInt64 = 4
  private static let halfLife: Int64 = 12 * 3_600 * 1_000_000_000

  fileprivate struct Entry: Sendable {
    let tag: UInt32
    var uploads: UInt32
    var sent: UInt32
    var received: UInt32
  }

  private var entries: [Entry] = []
  private var lastHalving: Timestamp?
  /// Bytes of all, each destination for at most its share.
  private var spread: UInt64 = 0
  private var uploads: UInt64 = 0
  private var untracked: UInt64 = 0
  private var isFlagged = false

  /// Takes an exchange in which `sent` payload bytes went out and `received` came back. A destination that `isAlone`
  /// counts only by itself: whom the scripts of pages report to, since a browser sends a little to many of them wherever
  /// it goes; and a store that the session's type is expected to put files into.
  mutating func note(
    _ tag: UInt32, sent: UInt64, received: UInt64, isAlone: Bool = false, policy: ShapePolicy, at now: Timestamp
  ) -> DripFinding? {
    guard sent >= Self.smallestUpload, sent / Self.ratio >= received, sent < policy.uploadBytes else { return nil }
    halve(at: now)
    let share = isAlone ? 0 : max(1, policy.dripBytes / Self.destinations)
    if !isAlone { uploads &+= 1 }
    let place = entries.firstIndex { $0.tag == tag }
    if let place {
      let before = min(UInt64(entries[place].sent), share)
      entries[place].add(sent: sent, received: received)
      spread &+= min(UInt64(entries[place].sent), share) - before
    } else {
      spread &+= min(sent, share)
      if entries.count < Self.maximumDestinations {
        var entry = Entry(tag: tag, uploads: 0, sent: 0, received: 0)
        entry.add(sent: sent, received: received)
        entries.append(entry)
      } else {
        untracked &+= 1
      }
    }
    if spread >= policy.dripBytes, uploads >= Self.destinations {
      guard !isFlagged else { return nil }
      isFlagged = true
      return DripFinding(
        uploads: uploads, bytes: spread, destinations: UInt64(entries.count) &+ untracked, isSpread: true)
    }
    guard let place = entries.firstIndex(where: { $0.tag == tag }) else { return nil }
    let one = entries[place]
    guard Int(one.uploads) >= policy.dripUploads, UInt64(one.sent) >= policy.dripBytes &* Self.oneDestination,
      Double(one.sent) >= policy.uploadRatio * Double(one.received)
    else { return nil }
    // Counted from the start again: the next flag is for as much again.
    entries[place] = Entry(tag: tag, uploads: 0, sent: 0, received: 0)
    spread -= min(spread, UInt64(one.sent), share)
    return DripFinding(uploads: UInt64(one.uploads), bytes: UInt64(one.sent), destinations: 1, isSpread: false)
  }

  private mutating func halve(at now: Timestamp) {
    guard let last = lastHalving else {
      lastHalving = now
      return
    }
    let halvings = now.since(last) / Self.halfLife
    guard halvings > 0 else { return }
    lastHalving = last.advanced(byNanoseconds: halvings &* Self.halfLife)
    let shift = UInt32(min(halvings, 31))
    spread >>= UInt64(shift)
    uploads >>= UInt64(shift)
    untracked >>= UInt64(shift)
    for index in entries.indices { entries[index].halve(shift) }
    entries.removeAll { $0.sent < 64 }
    isFlagged = false
  }
}

/// What a drip flag rests on.
struct DripFinding: Hashable, Sendable {
  /// Uploads counted.
  var uploads: UInt64
  /// Payload bytes; where it is spread, of each destination at most its share.
  var bytes: UInt64
  /// Destinations they went to.
  var destinations: UInt64
  /// True for many destinations, false for many pieces to one.
  var isSpread: Bool
}

extension DripWatch.Entry {
  fileprivate mutating func add(sent: UInt64, received: UInt64) {
    uploads &+= 1
    self.sent = UInt32(clamping: UInt64(self.sent) &+ sent)
    self.received = UInt32(clamping: UInt64(self.received) &+ received)
  }

  fileprivate mutating func halve(_ shift: UInt32) {
    uploads >>= shift
    sent >>= shift
    received >>= shift
  }
}
