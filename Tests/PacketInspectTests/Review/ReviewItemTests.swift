import PacketInspect
import Testing

@Suite("The review of a flagged session")
struct ReviewItemTests {
  private let now = Timestamp(seconds: 1_800_000_000)

  private func tally(_ kind: FlagKind, _ latest: UInt64, overlay: UInt64? = nil, at seconds: Int64 = 0) -> ReviewTally {
    let time = Timestamp(seconds: 1_799_999_000 + seconds)
    return ReviewTally(kind: kind, overlay: overlay, latest: latest, first: time, last: time)
  }

  private func step(_ action: ReviewAction, _ number: UInt64 = 1, flag: UInt64 = 10) -> ReviewStep {
    ReviewStep(number: number, action: action, flag: flag, at: now)
  }

  /// An item in a state, whose latest flag is 10.
  private func item(_ state: ReviewState) -> ReviewItem {
    let steps: [ReviewStep] =
      switch state {
      case .open: []
      case .acknowledged: [step(.acknowledge)]
      case .resolved: [step(.resolve(.confirmed))]
      }
    return ReviewItem(session: "one", tallies: [tally(.drip, 10)], steps: steps)
  }

  /// The item after a step that is taken by somebody who sees it as it is.
  private func after(_ item: ReviewItem, _ action: ReviewAction, _ former: [ReviewStep] = []) throws -> ReviewItem {
    let next = try item.next(action, seen: item.version, at: now)
    return ReviewItem(session: item.session, tallies: item.tallies, steps: former + [next])
  }

  @Test(
    "goes from every state by every event where it should",
    arguments: [
      (ReviewState.open, ReviewState?.some(.acknowledged)), (.acknowledged, .acknowledged), (.resolved, nil),
    ])
  func acknowledged(from: ReviewState, to: ReviewState?) throws {
    let start = item(from)
    #expect(start.state(at: now) == from)
    if let to {
      #expect(try after(start, .acknowledge).state(at: now) == to)
    } else {
      #expect(throws: ReviewRefusal.alreadyResolved) { try start.next(.acknowledge, seen: start.version, at: now) }
    }
    for disposition in ReviewDisposition.allCases {
      let resolved = try after(start, .resolve(disposition))
      #expect(resolved.state(at: now) == .resolved)
      #expect(resolved.version == ReviewVersion(flag: 10, step: start.version.step + 1))
    }
    // Something new: another kind, or one more of the same.
    for later in [[tally(.drip, 10), tally(.beacon, 11)], [tally(.drip, 11)]] {
      let steps = start.step.map { [$0] } ?? []
      let again = ReviewItem(session: "one", tallies: later, steps: steps)
      #expect(again.state(at: now) == .open)
      #expect(try after(again, .resolve(.benign), steps).state(at: now) == .resolved)
    }
  }

  @Test("refuses what rests on another state than the present: a later flag, another's step")
  func changed() throws {
    let flagged = ReviewItem(session: "one", tallies: [tally(.drip, 10), tally(.beacon, 11)])
    #expect(throws: ReviewRefusal.changed) {
      try flagged.next(.resolve(.block), seen: ReviewVersion(flag: 10, step: 0), at: now)
    }
    for state in [ReviewState.acknowledged, .resolved] {
      let moved = item(state)
      #expect(throws: ReviewRefusal.changed) {
        try moved.next(.resolve(.benign), seen: ReviewVersion(flag: 10, step: 0), at: now)
      }
      #expect(try moved.next(.resolve(.benign), seen: ReviewVersion(flag: 10, step: 1), at: now).number == 2)
    }
    // What nobody has seen yet is no better.
    #expect(throws: ReviewRefusal.changed) {
      try flagged.next(.acknowledge, seen: ReviewVersion(flag: 12, step: 0), at: now)
    }
  }

  @Test("is not opened by what its own review put up, and is by another's")
  func ownOverlays() throws {
    var block = step(.resolve(.block))
    block.overlay = 5
    let hit = tally(.denyHit, 11, overlay: 5)
    let blocked = ReviewItem(session: "one", tallies: [tally(.newProtocol, 10), hit], steps: [block])
    #expect(blocked.state(at: now) == .resolved)
    #expect(blocked.version == ReviewVersion(flag: 10, step: 1))
    #expect(blocked.flags == 2 && blocked.severity == 3)
    // Nor after a later step that made none.
    let later = ReviewItem(
      session: "one", tallies: blocked.tallies, steps: [step(.resolve(.confirmed), 2), block])
    #expect(later.state(at: now) == .resolved)
    let other = ReviewItem(
      session: "one", tallies: blocked.tallies + [tally(.denyHit, 12, overlay: 6)], steps: [block])
    #expect(other.state(at: now) == .open && other.severity == 1)
  }

  @Test("opens again when the time of its resolution is over")
  func expiry() throws {
    let start = item(.open)
    let end = now.advanced(byNanoseconds: 60)
    let next = try start.next(.resolve(.deny), seen: start.version, at: now, expires: end)
    let resolved = ReviewItem(session: "one", tallies: start.tallies, steps: [next])
    #expect(resolved.state(at: now.advanced(byNanoseconds: 59)) == .resolved)
    #expect(resolved.state(at: end) == .open)
  }

  @Test("is as grave as its gravest flag, and counts them all")
  func figures() {
    let item = ReviewItem(
      session: "one",
      tallies: [
        ReviewTally(
          kind: .newProtocol, count: 7, latest: 12, first: Timestamp(seconds: 1), last: Timestamp(seconds: 9)),
        tally(.drip, 10),
      ])
    #expect(item.severity == 2 && item.flags == 8)
    #expect(item.first == Timestamp(seconds: 1) && item.last == Timestamp(seconds: 1_799_999_000))
    #expect(item.version == ReviewVersion(flag: 12, step: 0))
  }

  @Test("has a version that comes back from its text, and from nothing else")
  func versions() {
    let version = ReviewVersion(flag: 1_887_436_800_000_003, step: 2)
    #expect(version.text == "1887436800000003.2" && ReviewVersion(version.text) == version)
    for text in ["", "1", "1.", ".1", "1.2.3", "-1.0", "1.x", "99999999999999999999.0"] {
      #expect(ReviewVersion(text) == nil, "\(text)")
    }
  }

  @Test("stands in the queue by its level, then by its latest flag, and in the lists of its state alone")
  func queue() {
    func one(_ id: String, _ kind: FlagKind, at seconds: Int64, _ steps: [ReviewStep] = []) -> ReviewItem {
      ReviewItem(session: id, tallies: [tally(kind, 10, at: seconds)], steps: steps)
    }
    let queue = ReviewQueue([
      one("mild", .oddPort, at: 900), one("old", .evasion, at: 1), one("new", .evasion, at: 2),
      one("done", .evasion, at: 3, [step(.resolve(.benign))]), one("seen", .drip, at: 5, [step(.acknowledge)]),
    ])
    #expect(queue.items(in: [.open, .acknowledged], at: now).map(\.session) == ["new", "old", "seen", "mild"])
    #expect(queue.items(in: [.resolved], at: now).map(\.session) == ["done"])
    #expect(queue.items.count == 5)
  }
}
