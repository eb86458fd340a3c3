/// What a ClientHello says (RFC 8446 section 4.1.2, RFC 5246 section 7.4.1.2), without its bytes.
public struct ClientHello: Sendable {
  /// The server_name's host name (RFC 6066 section 3). Nil when the extension is absent or names no host.
  public var serverName: HostName? {
    get { hasServerName ? name : nil }
    set {
      hasServerName = newValue != nil
      if let newValue { name = newValue }
    }
  }
  /// True when `serverName` is not nil, without copying it.
  public private(set) var hasServerName: Bool
  /// True when encrypted_client_hello (RFC 9849, 0xfe0d) or its ancestor (0xffce) is present: `serverName` is then
  /// a public name, never the real host.
  public var hasEncryptedClientHello: Bool
  /// The record or handshake version field.
  public var legacyVersion: UInt16
  /// Highest version offered, GREASE aside: from supported_versions, else `legacyVersion`. As sent: a draft of
  /// TLS 1.3 is 0x7fNN.
  public var highestVersion: UInt16
  /// Offered application protocols, in order, cut at `maximumALPN` (RFC 7301).
  public var alpn: [[UInt8]]
  /// Cipher suites in order, GREASE (RFC 8701) included.
  public var cipherSuites: [UInt16]
  /// Extension types in order, GREASE included.
  public var extensions: [UInt16]
  /// Signature algorithms in order.
  public var signatureAlgorithms: [UInt16]
  /// True when a supported group is a post-quantum hybrid (0x11eb, 0x11ec, 0x11ed, 0x6399, 0xfe30...).
  public var offersPostQuantum: Bool
  /// What was odd.
  public var oddities: Oddities
  /// The bytes of `serverName`, kept from hello to hello so that they are written in place.
  private var name = HostName()

  /// Application protocols kept; more are a list nobody sends.
  public static let maximumALPN = 16
  /// Extension types kept: browsers send under 20. Later ones are still read, but not listed, so that looking for
  /// duplicates stays cheap on a hello that is nothing but extensions.
  public static let maximumExtensions = 256

  /// An empty hello.
  public init() {
    hasServerName = false
    hasEncryptedClientHello = false
    legacyVersion = 0
    highestVersion = 0
    alpn = []
    cipherSuites = []
    extensions = []
    signatureAlgorithms = []
    offersPostQuantum = false
    oddities = []
  }

  /// Back to an empty hello, keeping the arrays' storage for the next one.
  public mutating func reset() {
    hasServerName = false
    hasEncryptedClientHello = false
    legacyVersion = 0
    highestVersion = 0
    alpn.removeAll(keepingCapacity: true)
    cipherSuites.removeAll(keepingCapacity: true)
    extensions.removeAll(keepingCapacity: true)
    signatureAlgorithms.removeAll(keepingCapacity: true)
    offersPostQuantum = false
    oddities = []
  }

  /// Takes a server name in place. False when it is none: empty, or too long.
  mutating func setServerName(_ text: RawSpan) -> Bool {
    hasServerName = name.assign(text)
    return hasServerName
  }

  /// True when the server name has bytes that host names do not have.
  var serverNameIsOdd: Bool { hasServerName && name.hasOddBytes }
}
