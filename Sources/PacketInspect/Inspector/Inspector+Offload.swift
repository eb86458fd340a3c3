/// Flows that the kernel keeps to itself because nothing more can be learned from their packets: when one is passed,
/// and how what the kernel counts of it stays part of its session.
extension Inspector {
  /// Bytes of IPv4, and of TCP with the timestamps that every system sends (RFC 7323): what the kernel counts has no
  /// other division into headers and payload.
  private static var ipv4Header: UInt64 { 20 }
  private static var tcpHeader: UInt64 { 32 }
  private static var ipv6Header: UInt64 { 40 }
  private static var udpHeader: UInt64 { 8 }

  /// Whether the kernel may keep the rest of a decided flow to itself, asked at a packet of its client's. Noted in the
  /// flow when it may.
  ///
  /// TCP is passed with a packet that acknowledges what the server said, once the server has answered the message that
  /// was judged: a hello that never arrived earns nothing. Connection tracking drops acknowledgements of what was
  /// never sent. UDP is passed by what is no QUIC long header; the rules queue those all the same, so that a second
  /// connection on the socket is seen.
  @inline(__always)
  mutating func passes(_ index: Int32, _ view: borrowing PacketView) -> Bool {
    guard mayOffload, flows[index].phase == .decided, flows[index].action == .accept,
      flows[index].epoch == policy.epoch, flows[index].stream < 0, !flows[index].isMidstream, view.fragment == nil
    else { return false }
    if let tcp = view.tcp {
      guard tcp.flags.contains(.ack), tcp.flags.isDisjoint(with: [.syn, .fin, .rst]),
        flows[index].traffic.acknowledged > 0
      else { return false }
    } else {
      guard view.proto == .udp, flows[index].serverPort != 53, view.payload.byteCount > 0, !mayBeginQUIC(view) else {
        return false
      }
    }
    flows[index].isPassed = true
    flows[index].accounting = .kernel
    flows[index].listing = flows.listing
    counters.passed &+= 1
    return true
  }

  /// Takes what the kernel has counted of a flow that was passed to it.
  public mutating func account<Sink: EventSink>(_ kernel: KernelFlow, now: Timestamp, into sink: inout Sink) {
    guard let index = find(kernel), flows[index].accounting != .seen else { return }
    flows[index].listing = flows.listing
    flows[index].accounting = kernel.isCounted ? .kernel : .lowerBound
    take(kernel, index, now, &sink)
    guard kernel.hasEnded else { return }
    flows[index].isPassed = false
    end(index, now, &sink)
  }

  /// A listing of all passed flows is complete: those that several listings lacked are over.
  public mutating func noteListing() { flows.listing &+= 1 }

  /// The flow that connection tracking means. Its packets come with their destination as it was sent where they are
  /// queued before translation (OUTPUT), and as it became where they are queued behind it (FORWARD).
  private func find(_ kernel: KernelFlow) -> Int32? {
    for isTranslated in [false, true] {
      let (destination, port) =
        isTranslated
        ? (kernel.replySource, kernel.replySourcePort) : (kernel.destination, kernel.destinationPort)
      let (key, sourceIsFirst) = FlowKey.make(
        source: kernel.source, sourcePort: kernel.sourcePort, destination: destination, destinationPort: port,
        proto: kernel.proto)
      let index = flows.find(key)
      if index >= 0, flows[index].clientIsFirst == sourceIsFirst { return index }
    }
    return nil
  }

  private mutating func take<Sink: EventSink>(
    _ kernel: KernelFlow, _ index: Int32, _ now: Timestamp, _ sink: inout Sink
  ) {
    let flow = flows[index]
    let sent = kernel.sentBytes > flow.clientBytes ? kernel.sentBytes - flow.clientBytes : 0
    let packets = kernel.sentPackets > UInt64(flow.clientPackets) ? kernel.sentPackets - UInt64(flow.clientPackets) : 0
    let received = kernel.receivedBytes > flow.serverBytes ? kernel.receivedBytes - flow.serverBytes : 0
    flows[index].clientPackets = UInt32(clamping: max(kernel.sentPackets, UInt64(flow.clientPackets)))
    flows[index].clientBytes = max(kernel.sentBytes, flow.clientBytes)
    flows[index].serverPackets = UInt32(clamping: max(kernel.receivedPackets, UInt64(flow.serverPackets)))
    flows[index].serverBytes = max(kernel.receivedBytes, flow.serverBytes)
    // Moves it up in the order of use, whatever it did: it is alive.
    guard sent > 0 || received > 0 else { return flows.linkAnew(index) }
    sessions.countSent(flow.session, Int(clamping: sent), isExternal: flow.isExternal, at: now)
    sessions.countReceived(flow.session, Int(clamping: received))
    let gap = now.since(flow.lastSeen)
    flows[index].traffic.noteGap(gap)
    flows.touch(index, at: now)
    let headers =
      (flow.key.isIPv4 ? Self.ipv4Header : Self.ipv6Header)
      + (flow.key.proto == IPProtocol.tcp.rawValue ? Self.tcpHeader : Self.udpHeader)
    let payload = sent > packets &* headers ? sent - packets &* headers : 0
    let answers = kernel.receivedPackets &* headers
    flows[index].traffic.take(received: kernel.receivedBytes > answers ? kernel.receivedBytes - answers : 0)
    flows[index].traffic.sent &+= payload
    if payload > 0, gap > FlowTraffic.quiet || flows[index].traffic.sent >= flows[index].traffic.nextLook {
      lookAtTraffic(index, payload: payload, gap: gap, now, &sink)
    }
  }
}
