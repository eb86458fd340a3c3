/// What events say of their flow, as written for the latest event of each: the digest of the Community ID is half of
/// what a line costs, and a flow has several.
final class FlowTexts {
  /// Flows kept, each at the place that its number gives; one takes about 250 bytes.
  private static let capacity = 512

  private var entries = [(flow: EventFlow, text: [UInt8])?](repeating: nil, count: capacity)

  /// The text of a flow, by `write` unless it is here.
  func text(of flow: EventFlow, else write: (EventFlow) -> [UInt8]) -> [UInt8] {
    let place = Int(truncatingIfNeeded: flow.id) & (Self.capacity - 1)
    if let entry = entries[place], entry.flow == flow { return entry.text }
    let text = write(flow)
    entries[place] = (flow, text)
    return text
  }
}
