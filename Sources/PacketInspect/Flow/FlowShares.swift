/// Whose a flow is when the table is full.
public enum FlowOwner: Hashable, Sendable {
  /// A session that evidence attributes, by its index.
  case session(Int32)
  /// Nothing but a source address says whose it is: the address, or its /64, which one host may have to itself.
  case source(UInt64)

  /// The owner of flows of an address that nothing attributes.
  init(source: IPAddress) {
    let address = source.canonical
    self = .source(address.isIPv4 ? 0xffff << 32 | address.low : address.high)
  }
}

/// How many flows of the table each owner has, and who has most.
///
/// Where the table is full the one with most makes room, so that nobody loses a flow to somebody who has more. A source
/// that nothing attributes has a share of its own once an answer has shown that it is there; what it begins before is in
/// a common share, or whoever invents sources would get a share for each.
struct FlowShares: Sendable {
  /// Flows in order of use: indices, -1 when there are none.
  struct Order: Sendable {
    var newest: Int32 = -1
    var oldest: Int32 = -1
  }

  /// One owner's flows.
  struct Share: Sendable {
    /// Nil of the common share.
    var owner: FlowOwner?
    var count = 0
    /// Nothing shows that anybody answered; in the common share, all.
    var unanswered = Order()
    var answered = Order()
    fileprivate var place = -1
  }

  /// The share of sources that have shown nothing.
  static let common: Int32 = 0

  private var shares: ContiguousArray<Share> = [Share(owner: nil)]
  private var free: [Int32] = []
  private var bySession: [Int32] = []
  private var bySource: [UInt64: Int32] = [:]
  /// Shares with flows: each has at least as many as the two below it (a binary heap).
  private var heap: [Int32] = []

  subscript(share: Int32) -> Share {
    @inline(__always) get { shares[Int(share)] }
    @inline(__always) _modify { yield &shares[Int(share)] }
  }

  /// The share with most flows; the common one when there are none.
  var largest: Int32 { heap.first ?? Self.common }

  /// Where a new flow of `owner` counts; nil when it would be the first of a share.
  func share(of owner: FlowOwner) -> Int32? {
    switch owner {
    case .session(let session):
      let place = Int(session)
      return place < bySession.count && bySession[place] >= 0 ? bySession[place] : nil
    case .source(let source): return bySource[source] ?? Self.common
    }
  }

  /// The share of `owner`, made when there is none: a source's own, not the common one.
  mutating func ownShare(of owner: FlowOwner) -> Int32 {
    switch owner {
    case .session(let session):
      let place = Int(session)
      if place >= bySession.count {
        bySession.append(contentsOf: repeatElement(-1, count: place + 1 - bySession.count))
      }
      if bySession[place] < 0 { bySession[place] = make(owner) }
      return bySession[place]
    case .source(let source):
      if let known = bySource[source] { return known }
      let made = make(owner)
      bySource[source] = made
      return made
    }
  }

  private mutating func make(_ owner: FlowOwner) -> Int32 {
    if let reused = free.popLast() {
      shares[Int(reused)] = Share(owner: owner)
      return reused
    }
    shares.append(Share(owner: owner))
    return Int32(shares.count - 1)
  }

  /// Counts one flow more.
  mutating func add(to share: Int32) {
    shares[Int(share)].count += 1
    if shares[Int(share)].place < 0 {
      shares[Int(share)].place = heap.count
      heap.append(share)
    }
    rise(shares[Int(share)].place)
  }

  /// Counts one flow less. A share without any is gone.
  mutating func take(from share: Int32) {
    shares[Int(share)].count -= 1
    let place = shares[Int(share)].place
    guard shares[Int(share)].count == 0 else { return sink(place) }
    let last = heap.removeLast()
    if last != share {
      put(last, at: place)
      sink(place)
      rise(place)
    }
    shares[Int(share)].place = -1
    switch shares[Int(share)].owner {
    case nil: return
    case .session(let session): bySession[Int(session)] = -1
    case .source(let source): bySource[source] = nil
    }
    free.append(share)
  }

  private mutating func put(_ share: Int32, at place: Int) {
    heap[place] = share
    shares[Int(share)].place = place
  }

  private func count(at place: Int) -> Int { shares[Int(heap[place])].count }

  private mutating func rise(_ start: Int) {
    var place = start
    while place > 0, count(at: (place - 1) / 2) < count(at: place) {
      exchange(place, (place - 1) / 2)
      place = (place - 1) / 2
    }
  }

  private mutating func sink(_ start: Int) {
    var place = start
    while 2 * place + 1 < heap.count {
      var larger = 2 * place + 1
      if larger + 1 < heap.count, count(at: larger + 1) > count(at: larger) { larger += 1 }
      guard count(at: larger) > count(at: place) else { return }
      exchange(place, larger)
      place = larger
    }
  }

  private mutating func exchange(_ one: Int, _ other: Int) {
    let share = heap[one]
    put(heap[other], at: one)
    put(share, at: other)
  }
}
