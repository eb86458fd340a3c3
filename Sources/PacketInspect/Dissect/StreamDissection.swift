/// What a stream dissector says of the first bytes of a message on a byte stream.
public enum StreamDissection: Hashable, Sendable {
  /// So far the bytes fit this protocol, and the message is not complete.
  case needMore
  /// The message is complete and takes `length` bytes of the stream.
  case complete(length: Int)
  /// It began as this protocol and then broke its shape.
  case malformed(ParseError)
  /// The bytes are not this protocol's.
  case notThisProtocol
}
