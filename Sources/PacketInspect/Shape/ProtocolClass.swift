/// What a flow speaks, as far as its first bytes or its port tell.
public enum ProtocolClass: UInt8, Sendable, CaseIterable {
  /// Nothing was sent yet, or nothing that tells.
  case unknown
  /// DNS, over UDP or TCP.
  case dns
  /// TLS over TCP, also after another protocol has asked for it.
  case tls
  /// QUIC, of a version that is read or not.
  case quic
  /// HTTP/1.x in the clear.
  case http
  /// SSH (RFC 4253): its identification string.
  case ssh
  /// SMTP (RFC 5321): a client's greeting.
  case smtp
  /// FTP (RFC 959): a login at its port.
  case ftp
  /// IRC (RFC 2812): a client's registration.
  case irc
  /// NTP (RFC 5905), by port and length.
  case ntp
  /// STUN (RFC 8489), by its magic cookie, and what follows on its socket.
  case stun
  /// ICMP in the sizes that probing takes.
  case icmp
  /// ICMP that carries much: an echo request is a letter as good as any.
  case icmpBulk
  /// TCP payload that is none of these.
  case opaqueTCP
  /// UDP payload that is none of these.
  case opaqueUDP
  /// Neither TCP, UDP nor ICMP: GRE, ESP, SCTP, ...
  case otherIP

  /// The word in events and configuration; stable.
  public var word: String {
    switch self {
    case .unknown: "unknown"
    case .dns: "dns"
    case .tls: "tls"
    case .quic: "quic"
    case .http: "http"
    case .ssh: "ssh"
    case .smtp: "smtp"
    case .ftp: "ftp"
    case .irc: "irc"
    case .ntp: "ntp"
    case .stun: "stun"
    case .icmp: "icmp"
    case .icmpBulk: "icmp-bulk"
    case .opaqueTCP: "opaque-tcp"
    case .opaqueUDP: "opaque-udp"
    case .otherIP: "other-ip"
    }
  }

  /// The class of a word.
  public init?(word: String) {
    guard let found = Self.allCases.first(where: { $0.word == word }) else { return nil }
    self = found
  }

  /// The ports on which the protocol is nothing odd; empty where a port says nothing. TLS carries mail, directories,
  /// databases and brokers on ports of their own; SSH is offered on 443 for those who may reach nothing else.
  var usualPorts: [UInt16] {
    switch self {
    case .tls:
      [
        443, 25, 110, 143, 389, 465, 587, 636, 853, 989, 990, 993, 995, 1433, 3306, 5222, 5223, 5432, 5671, 6379, 6380,
        6443, 8443, 8883, 9093, 9243, 9443, 27017,
      ]
    case .http: [80, 8080, 8000, 8008, 8081, 8888, 3128]
    case .quic: [443, 853, 8443]
    case .ssh: [22, 2222, 443]
    case .dns: [53]
    default: []
    }
  }
}

/// Several protocol classes.
public struct ProtocolSet: OptionSet, Hashable, Sendable {
  /// One bit for each class, by its raw value.
  public let rawValue: UInt32
  /// From the bits.
  public init(rawValue: UInt32) { self.rawValue = rawValue }
  /// One class.
  public init(_ one: ProtocolClass) { rawValue = 1 << UInt32(one.rawValue) }

  /// What any agent's tools speak: the web, names, time, version control, and a ping.
  public static let ordinary = ProtocolSet([.dns, .tls, .quic, .http, .ssh, .ntp, .stun, .icmp] as [ProtocolClass])

  /// These classes.
  public init(_ classes: [ProtocolClass]) {
    self = classes.reduce(into: []) { $0.insert(ProtocolSet($1)) }
  }

  /// True when the class is one of them.
  @inline(__always)
  public func contains(_ one: ProtocolClass) -> Bool { contains(ProtocolSet(one)) }

  /// The words of its classes, in order.
  public var words: [String] { ProtocolClass.allCases.filter { contains($0) }.map(\.word) }
}
