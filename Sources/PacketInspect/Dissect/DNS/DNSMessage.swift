/// A DNS message as far as the inspector needs it (RFC 1035 section 4): header, questions, answers.
public struct DNSMessage: Sendable {
  /// Transaction id.
  public var id: UInt16
  /// True for a response (QR).
  public var isResponse: Bool
  /// OPCODE: 0 is QUERY.
  public var opcode: UInt8
  /// RCODE without EDNS bits.
  public var responseCode: UInt8
  /// True when truncated (TC).
  public var isTruncated: Bool
  /// Questions, at most `maximumQuestions`.
  public var questions: [DNSQuestion]
  /// Records of the answer section, at most `maximumAnswers`.
  public var answers: [DNSRecord]
  /// What was odd.
  public var oddities: Oddities

  /// RFC 9619: one. More are kept so that no name hides behind the first.
  public static let maximumQuestions = 16
  /// Answers kept: beyond this a message is nobody's idea of an answer.
  public static let maximumAnswers = 256

  /// An empty message.
  public init() {
    id = 0
    isResponse = false
    opcode = 0
    responseCode = 0
    isTruncated = false
    questions = []
    answers = []
    oddities = []
  }

  /// Back to an empty message, keeping the arrays' storage for the next one.
  public mutating func reset() {
    id = 0
    isResponse = false
    opcode = 0
    responseCode = 0
    isTruncated = false
    questions.removeAll(keepingCapacity: true)
    answers.removeAll(keepingCapacity: true)
    oddities = []
  }
}

/// One question (RFC 1035 section 4.1.2).
public struct DNSQuestion: Sendable {
  /// The name asked for.
  public var name: HostName
  /// QTYPE.
  public var type: UInt16
  /// QCLASS.
  public var recordClass: UInt16

  /// A question.
  public init(name: HostName, type: UInt16, recordClass: UInt16) {
    self.name = name
    self.type = type
    self.recordClass = recordClass
  }
}

/// One record of the answer section (RFC 1035 section 4.1.3).
public struct DNSRecord: Sendable {
  /// Owner name.
  public var name: HostName
  /// TYPE.
  public var type: UInt16
  /// TTL in seconds.
  public var timeToLive: UInt32
  /// The data the inspector understands.
  public var data: DNSRecordData

  /// A record.
  public init(name: HostName, type: UInt16, timeToLive: UInt32, data: DNSRecordData) {
    self.name = name
    self.type = type
    self.timeToLive = timeToLive
    self.data = data
  }
}

/// Record data: an address, an alias, a service binding, or something else.
public enum DNSRecordData: Sendable {
  /// A (RFC 1035) or AAAA (RFC 3596).
  case address(IPAddress)
  /// CNAME's target.
  case alias(HostName)
  /// HTTPS or SVCB (RFC 9460): target, address hints, whether an ECH configuration is present.
  case service(target: HostName, hints: [IPAddress], hasECH: Bool)
  /// Any other type.
  case other
}
