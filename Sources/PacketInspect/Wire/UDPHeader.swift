/// How long a UDP datagram is, when its own length field and the IP header may disagree (RFC 768, RFC 2675
/// section 4).
struct UDPExtent {
  /// Length of header and payload to believe, at least the header.
  let length: Int
  /// Length of header and payload as claimed by the larger of both.
  let claimedLength: Int
  /// True when the length field and the IP payload contradict each other.
  let lies: Bool

  /// RFC 768.
  static let headerLength = 8

  /// Weighs the length field of the header in `segment` (at least eight bytes) against the `ipPayloadLength` bytes
  /// that IP claims. In a first fragment the field counts the whole datagram and may exceed them.
  @inline(__always)
  init(_ segment: RawSpan, ipPayloadLength: Int, isFragment: Bool) {
    let field = Int(segment.u16(at: 4))
    if field == ipPayloadLength {
      (length, claimedLength, lies) = (field, field, false)
    } else if field == 0 {
      // A jumbogram's length does not fit the field; anything else that says zero is dropped or mended by the
      // receiver, so all of it is looked at.
      (length, claimedLength, lies) = (ipPayloadLength, ipPayloadLength, ipPayloadLength <= 65535)
    } else {
      length = max(Self.headerLength, min(field, ipPayloadLength))
      claimedLength = isFragment ? ipPayloadLength : max(field, ipPayloadLength)
      lies = !(isFragment && field > ipPayloadLength)
    }
  }
}
