import PacketInspect

/// A copy of a packet view, to hold, compare and print.
struct PacketSummary: Hashable, Sendable {
  var source: IPAddress
  var destination: IPAddress
  var proto: IPProtocol
  var sourcePort: UInt16
  var destinationPort: UInt16
  var tcp: TCPFields?
  var icmp: ICMPFields?
  var payload: [UInt8]
  var claimedPayloadLength: Int
  var fragment: FragmentInfo?
  var oddities: WireOddities
  var transportChecksum: Bool?

  /// Parses `bytes`, which start at the IP header.
  init(_ bytes: RawSpan) throws(ParseError) {
    let view = try PacketView.parse(bytes)
    source = view.source
    destination = view.destination
    proto = view.proto
    sourcePort = view.sourcePort
    destinationPort = view.destinationPort
    tcp = view.tcp
    icmp = view.icmp
    payload = view.payload.array()
    claimedPayloadLength = view.claimedPayloadLength
    fragment = view.fragment
    oddities = view.oddities
    transportChecksum = view.transportChecksumIsValid(bytes)
  }

  /// Parses an array that starts at the IP header.
  init(_ bytes: [UInt8]) throws(ParseError) { try self.init(bytes.rawSpan) }
}
