/// The QUIC sides of all flows that have one, reused, with a bound on the handshake bytes they hold together.
struct QUICPool: Sendable {
  /// Handshake bytes held in all. At some 2 KiB a hello that is thousands of handshakes at once; past it the bytes of
  /// judged hellos go first.
  static let maximumHeldBytes = 16 << 20
  /// Places looked at for judged bytes before any bytes are given up: keeps one packet's work bounded.
  private static let evictionSearch = 64

  private var flows: ContiguousArray<QUICFlow> = []
  private var free: [Int32] = []
  private var hand = 0
  private let limit: Int
  /// Handshake bytes held now.
  private(set) var heldBytes = 0

  init(limit: Int = maximumHeldBytes) { self.limit = limit }

  var inUse: Int { flows.count - free.count }

  /// Read only: bytes are counted by `update`.
  subscript(index: Int32) -> QUICFlow { _read { yield flows[Int(index)] } }

  mutating func take() -> Int32 {
    if let index = free.popLast() { return index }
    flows.append(QUICFlow())
    return Int32(flows.count - 1)
  }

  mutating func release(_ index: Int32) {
    heldBytes -= flows[Int(index)].heldBytes
    flows[Int(index)] = QUICFlow()
    free.append(index)
  }

  /// Changes a flow, and gives other flows' bytes up when all hold too many.
  mutating func update<Result>(_ index: Int32, _ body: (inout QUICFlow) -> Result) -> Result {
    let before = flows[Int(index)].heldBytes
    let result = body(&flows[Int(index)])
    heldBytes += flows[Int(index)].heldBytes - before
    if heldBytes > limit { evict(sparing: Int(index)) }
    return result
  }

  private mutating func evict(sparing spared: Int) {
    evict(places: min(Self.evictionSearch, flows.count), sparing: spared, onlyJudged: true)
    evict(places: flows.count, sparing: spared, onlyJudged: false)
  }

  private mutating func evict(places: Int, sparing spared: Int, onlyJudged: Bool) {
    var visited = 0
    while heldBytes > limit, visited < places {
      visited += 1
      hand = hand + 1 >= flows.count ? 0 : hand + 1
      let held = flows[hand].heldBytes
      guard hand != spared, held > 0, !onlyJudged || !flows[hand].isAssembling else { continue }
      flows[hand].forgetBytes()
      heldBytes -= held
    }
  }
}
