import PacketInspect

/// What the kernel is told about one packet.
struct PacketVerdict: Hashable, Sendable {
  /// NF_ACCEPT when true, NF_DROP when false.
  var accepts: Bool
  /// The packet's new mark as a whole, or nil to leave it as it is.
  var mark: UInt32?
}

/// Our eight bits of the packet mark: the lowest two of the field are the state, the other six the slot.
/// All other bits belong to others and are never changed.
struct MarkLayout: Hashable, Sendable {
  /// What the rules are to do with a packet or its flow.
  enum State: UInt32, Sendable {
    /// Nothing is decided: the flow keeps coming.
    case undecided = 0
    /// The kernel keeps the rest of the flow to itself.
    case pass = 1
    /// The rules reject this packet and all that follow in its flow.
    case denyFlow = 2
    /// The rules reject this packet alone.
    case denyPacket = 3
  }

  /// The field's mask: eight contiguous bits.
  let mask: UInt32
  private let shift: UInt32

  /// The mask of the state alone.
  var stateMask: UInt32 { 0b11 << shift }

  /// The layout that the rules use unless told otherwise.
  static let standard = MarkLayout(shift: 24)

  private init(shift: UInt32) {
    self.shift = shift
    mask = 0xff << shift
  }

  /// A layout; nil unless `mask` is eight contiguous bits.
  init?(mask: UInt32) {
    let shift = UInt32(truncatingIfNeeded: mask.trailingZeroBitCount)
    guard mask.nonzeroBitCount == 8, mask == 0xff << shift else { return nil }
    self.init(shift: shift)
  }

  /// The state in a mark.
  func state(of mark: UInt32) -> State {
    switch mark >> shift & 0b11 {
    case 1: .pass
    case 2: .denyFlow
    case 3: .denyPacket
    default: .undecided
    }
  }

  /// The slot in a mark, 0 to 63; 0 when no rule set one.
  func slot(of mark: UInt32) -> UInt8 { UInt8(truncatingIfNeeded: mark >> shift & 0xff) >> 2 }

  /// The mark with another state, slot and foreign bits kept.
  func mark(_ mark: UInt32, with state: State) -> UInt32 { mark & ~(0b11 << shift) | state.rawValue << shift }

  /// The kernel's part of a decision. Rejecting is accepting with a deny mark: the rules do the rejecting, since the
  /// queue itself cannot answer the sender. The state is written anew each time, so that an accepted packet never
  /// carries a deny mark it came with.
  @inline(__always)
  func verdict(for decision: Decision, received: UInt32) -> PacketVerdict {
    let state: State
    switch decision.verdict.action {
    case .drop: return PacketVerdict(accepts: false, mark: nil)
    case .accept: state = decision.mayPass ? .pass : .undecided
    case .reject: state = decision.verdict.scope == .flow ? .denyFlow : .denyPacket
    }
    let marked = mark(received, with: state)
    return PacketVerdict(accepts: true, mark: marked == received ? nil : marked)
  }
}
