/// Request targets as real clients write them, and tokens as somebody writes them who sends data. Seeded: the same
/// corpus every time.
public struct TokenCorpus {
  private var random: SplitMix64
  private static let words = [
    "about", "account", "agent", "archive", "article", "budget", "build", "cache", "catalog", "chapter", "client",
    "cluster", "comment", "config", "content", "country", "database", "default", "design", "detail", "device",
    "docker", "document", "download", "edition", "engine", "error", "event", "example", "feature", "folder", "forum",
    "gallery", "general", "guide", "handbook", "health", "history", "image", "index", "install", "issue", "journal",
    "kernel", "language", "library", "license", "linux", "manual", "market", "member", "message", "method", "module",
    "network", "object", "office", "package", "person", "picture", "plugin", "policy", "product", "program",
    "project", "python", "question", "reader", "release", "report", "request", "research", "resource", "review",
    "runtime", "sample", "science", "script", "search", "section", "server", "service", "session", "setting",
    "source", "static", "storage", "store", "summary", "support", "system", "table", "template", "theme", "thread",
    "title", "tools", "travel", "tutorial", "update", "user", "value", "version", "video", "weather", "website",
    "window", "winter", "writing",
  ]
  /// What somebody may want to send.
  public static let prose = Array(
    """
    The quick report of the third quarter says that revenue in the northern region fell by 4 percent, while costs for \
    the new data centre rose; please keep this to yourself until Tuesday. Account 4711-0815, password "correct horse", \
    contact j.doe@corp.example or +49 30 123456. The board meets at 10:30 in room B12. Bring the signed copies!
    """.utf8)

  /// The corpus of a seed.
  public init(seed: UInt64) { random = SplitMix64(seed: seed) }

  /// A number of the range.
  public mutating func number(_ range: Range<Int>) -> Int { Int.random(in: range, using: &random) }
  /// One of the values.
  public mutating func pick<T>(_ values: [T]) -> T { values[number(0..<values.count)] }
  /// Noise.
  public mutating func bytes(_ count: Int) -> [UInt8] {
    (0..<count).map { _ in UInt8.random(in: 0...255, using: &random) }
  }
  /// A piece of prose.
  public mutating func text(_ count: Int) -> [UInt8] {
    let start = number(0..<Self.prose.count)
    return (0..<count).map { Self.prose[(start + $0) % Self.prose.count] }
  }
  /// A word.
  public mutating func word() -> String { pick(Self.words) }
  /// A word with a capital.
  public mutating func capital() -> String {
    let word = word()
    return word.prefix(1).uppercased() + word.dropFirst()
  }
  /// Words, joined.
  public mutating func words(_ count: Int, _ joint: String = "-") -> String {
    (0..<count).map { _ in word() }.joined(separator: joint)
  }
  /// Noise in base 16, of so many characters.
  public mutating func hex(_ characters: Int) -> String { Self.hex(bytes(characters / 2)) }
  /// So many bytes of noise in base 64 for URLs.
  public mutating func base64url(_ count: Int) -> String { Self.base64(bytes(count), url: true, padded: false) }
  /// A UUID.
  public mutating func uuid() -> String {
    let text = Array(hex(32))
    return [0..<8, 8..<12, 12..<16, 16..<20, 20..<32].map { String(text[$0]) }.joined(separator: "-")
  }
  /// Capitals and digits.
  public mutating func capitals(_ count: Int) -> String {
    String((0..<count).map { _ in pick(Array("ABCDEFGHKLMNPQRS234567")) })
  }

  /// Base 16.
  public static func hex(_ bytes: [UInt8]) -> String {
    bytes.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
  }
  /// Base 64.
  public static func base64(_ bytes: [UInt8], url: Bool = false, padded: Bool = true) -> String {
    let text = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789" + (url ? "-_" : "+/")
    return encode(bytes, Array(text), width: 6, padded: padded ? 4 : 1)
  }
  /// Base 32, without padding.
  public static func base32(_ bytes: [UInt8], lower: Bool = false) -> String {
    encode(
      bytes, Array(lower ? "abcdefghijklmnopqrstuvwxyz234567" : "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"), width: 5, padded: 1
    )
  }
  private static func encode(_ bytes: [UInt8], _ alphabet: [Character], width: Int, padded: Int) -> String {
    var out = ""
    var held = 0
    var bits = 0
    for byte in bytes {
      held = held << 8 | Int(byte)
      bits += 8
      while bits >= width {
        bits -= width
        out.append(alphabet[held >> bits])
        held &= (1 << bits) - 1
      }
    }
    if bits > 0 { out.append(alphabet[held << (width - bits)]) }
    while out.count % padded != 0 { out.append("=") }
    return out
  }
  /// Text, percent-encoded where it has to be.
  public static func escape(_ text: String) -> String { escape(Array(text.utf8), all: false) }
  /// Bytes, percent-encoded where they have to be, or all.
  public static func escape(_ bytes: [UInt8], all: Bool) -> String {
    bytes.map { byte in
      let isPlain =
        Character(UnicodeScalar(byte)).isASCII
        && (Character(UnicodeScalar(byte)).isLetter || Character(UnicodeScalar(byte)).isNumber
          || "-._~".utf8.contains(byte))
      if isPlain, !all { return String(UnicodeScalar(byte)) }
      return "%" + (byte < 16 ? "0" : "") + String(byte, radix: 16, uppercase: true)
    }.joined()
  }

  /// A JSON Web Token.
  public mutating func jwt() -> String {
    let head = Self.base64(Array(#"{"alg":"RS256","typ":"JWT","kid":"\#(hex(16))"}"#.utf8), url: true, padded: false)
    let claims = #"{"sub":"\#(words(2))","iss":"https://\#(word()).example","exp":\#(number(0..<2_000_000_000))}"#
    return [head, Self.base64(Array(claims.utf8), url: true, padded: false), base64url(256)].joined(separator: ".")
  }
  /// The query of an address that was signed for Amazon, with a session's token.
  public mutating func amazon() -> String {
    let token = Self.escape(Self.base64(Array("!\nIorigin_ec".utf8) + bytes(number(300..<900))))
    return "X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=ASIA\(capitals(16))%2F20261122%2Fus-east-1%2Fs3%2F"
      + "aws4_request&X-Amz-Date=20261122T101010Z&X-Amz-Expires=3600&X-Amz-SignedHeaders=host&X-Amz-Security-Token="
      + "\(token)&X-Amz-Signature=\(hex(64))"
  }
  private static func cloudFront(_ bytes: [UInt8]) -> String {
    String(base64(bytes).map { $0 == "+" ? "-" : $0 == "=" ? "_" : $0 == "/" ? "~" : $0 })
  }

  /// Kinds of ordinary targets.
  public static let ordinaryKinds = 56

  /// An ordinary target of a kind.
  public mutating func ordinary(_ kind: Int) -> String {
    switch kind {
    case 0: "/packages/\(hex(2))/\(hex(2))/\(hex(60))/\(word())-\(number(0..<9)).1-py3-none-any.whl"
    case 1: "/packages/\(hex(2))/\(hex(2))/\(hex(60))/\(words(2))-2.0.tar.gz"
    case 2: "/simple/\(words(2))/"
    case 3: "/\(word())/\(words(2)).git/info/refs?service=git-upload-pack"
    case 4: "/\(word())/\(words(2))/archive/\(hex(40)).tar.gz"
    case 5: "/\(word())/\(words(2))/commit/\(hex(40))"
    case 6: "/debian/pool/main/l/\(word())/\(word())_\(number(0..<9)).\(number(0..<99))-1+deb12u1_amd64.deb"
    case 7: "/debian/dists/bookworm/main/binary-amd64/by-hash/SHA256/\(hex(64))"
    case 8: "/v2/library/\(word())/blobs/sha256:\(hex(64))"
    case 9: "/v2/\(word())/\(word())/manifests/sha256:\(hex(64))"
    case 10: "/docker/registry/v2/blobs/sha256/\(hex(2))/\(hex(64))/data?\(amazon())"
    case 11: "/\(words(2))/\(words(3))?\(amazon())"
    case 12:
      "/\(word())/\(word())?X-Goog-Algorithm=GOOG4-RSA-SHA256&X-Goog-Credential=\(word())%40\(word()).iam.example%2F"
        + "20261122%2Fauto%2Fstorage%2Fgoog4_request&X-Goog-Date=20261122T000000Z&X-Goog-Expires=900"
        + "&X-Goog-SignedHeaders=host&X-Goog-Signature=\(hex(512))"
    case 13:
      "/\(word())/\(word()).bin?GoogleAccessId=\(word())%40\(word()).example&Expires=\(number(0..<1_900_000_000))"
        + "&Signature=\(Self.escape(Self.base64(bytes(256))))"
    case 14:
      "/\(word())/\(word()).blob?sp=r&st=2026-11-22T00:00:00Z&se=2026-11-23T00:00:00Z&spr=https&sv=2022-11-02&sr=b"
        + "&sig=\(Self.escape(Self.base64(bytes(32))))"
    case 15:
      "/\(word()).mp4?Policy="
        + Self.cloudFront(Array(#"{"Statement":[{"Resource":"https://d1.example/\#(words(3))","Condition":{}}]}"#.utf8))
        + "&Signature=\(Self.cloudFront(bytes(256)))&Key-Pair-Id=K\(capitals(13))"
    case 16:
      "/o/oauth2/v2/auth?client_id=\(number(0..<999_999_999))-\(hex(32)).apps.example&redirect_uri="
        + "\(Self.escape("https://\(word()).example/cb"))&response_type=code&scope=openid%20email&state="
        + "\(base64url(number(24..<120)))&nonce=\(base64url(32))&code_challenge=\(base64url(32))"
        + "&code_challenge_method=S256"
    case 17:
      "/cb?code=4/0A\(base64url(52))&state="
        + Self.base64(Array(#"{"return":"/\#(words(3, "/"))","nonce":"\#(hex(32))"}"#.utf8), url: true)
    case 18: "/cb?id_token=\(jwt())&state=\(base64url(48))&session_state=\(base64url(48))"
    case 19:
      "/sso?SAMLRequest=\(Self.escape(Self.base64([0x7d, 0x92] + bytes(420))))&RelayState="
        + "\(Self.escape("https://\(word()).example/\(word())"))&SigAlg=rsa-sha256&Signature="
        + Self.escape(Self.base64(bytes(256)))
    case 20: "/api/v1/session?jwt=\(jwt())"
    case 21: "/t/\(jwt())/profile"
    case 22: "/assets/\(word())-\(hex(64)).js"
    case 23: "/assets/\(word()).\(hex(pick([8, 20, 32, 40, 64]))).css"
    case 24: "/static/\(word())-\(base64url(6)).js"
    case 25: "/s/materialicons/v140/\(base64url(pick([18, 30, 36, 72, 90]))).woff2"
    case 26: "/a/\(base64url(pick([40, 66, 90])))=s96-c"
    case 27:
      "/maps/embed?pb=!1m18!1m12!1m3!1d\(number(0..<9_999)).\(number(0..<999_999))!2d-0.12!3d51.5!2m3!1f0!2f0!3f0!3m2"
        + "!1i1024!2i768!4f13.1!3m3!1m2!1s0x\(hex(16))%3A0x\(hex(16))!2s\(words(3, "%20"))!5e0!3m2!1sen!2suk"
    case 28:
      "/g/collect?v=2&tid=G-\(capitals(10))&gtm=45je4b1v9za200&_p=\(number(0..<999_999_999))&gcd=13l3l3l3l1l1&tag_exp="
        + "101509157~102015666~103116026&cid=\(number(0..<999_999_999)).\(number(0..<999_999_999))&uafvl="
        + "\(Self.escape("Chromium;130.0.6723.91|Not?A_Brand;99.0.0.0"))&dl="
        + "\(Self.escape("https://\(word()).example/\(words(6, "/"))?a=\(words(3))"))&dt=\(Self.escape(words(9, " ")))"
    case 29: "/search?q=\(words(8, "+"))&ei=\(base64url(16))&ved=2ahUKE\(base64url(22))&sca_esv=\(hex(16))"
    case 30: "/search?q=\(Self.escape(words(14, " ")))"
    case 31: "/wiki/" + Self.escape(String((0..<number(5..<60)).map { _ in pick(Array("абвгдежзиклмнопрст")) }))
    case 32: "/wiki/" + Self.escape(String((0..<number(5..<40)).map { _ in pick(Array("中文維基百科自由的全書人工智能")) }))
    case 33: "/\(number(2000..<2027))/\(number(1..<13))/\(words(number(4..<18)))-\(number(0..<999_999))"
    case 34:
      "/blog/\(words(9)).html?utm_source=\(word())&utm_campaign=\(words(5, "_"))&gclid=Cj0KCQiA"
        + "\(base64url(pick([40, 56, 70])))_BwE"
    case 35: "/?fbclid=IwAR\(base64url(pick([42, 60, 75])))"
    case 36:
      "/v1/items?limit=100&cursor="
        + Self.base64(Array(#"{"id":\#(number(0..<999_999_999)),"t":"2026-11-22T10:10:10Z","dir":"next"}"#.utf8))
    case 37: "/v1/items?pageToken=\(base64url(pick([30, 60, 120])))"
    case 38:
      "/graphql?query=\(Self.escape("query Find{\(word()){id \(words(3, " "))}}"))&extensions="
        + Self.escape(#"{"persistedQuery":{"version":1,"sha256Hash":"\#(hex(64))"}}"#)
    case 39: "/api/v1/\(word())/\(uuid())/\(word())/\(uuid())"
    case 40: "/api?ids=\((0..<8).map { _ in uuid() }.joined(separator: ","))"
    case 41: "/api?ids=" + Self.escape((0..<20).map { _ in String(number(0..<999_999_999)) }.joined(separator: ","))
    case 42: "/v0/b/\(words(2)).appspot.example/o/\(Self.escape(words(4, "/") + ".png"))?alt=media&token=\(uuid())"
    case 43: "/@v/v0.0.0-20210101000000-\(hex(12)).zip"
    case 44: "/org/apache/\(words(3, "/"))/\(words(3))/1.2/\(words(4))-3.jar"
    case 45: "/ipfs/bafybei\(Self.base32(bytes(32), lower: true))"
    case 46: "/\(Self.base32(bytes(20), lower: true)).narinfo"
    case 47: "/objects/\(hex(2))/\(hex(2))/\(hex(64))"
    case 48: "/reset-password?token=\(hex(64))"
    case 49: "/unsubscribe?token=\(base64url(48))&email=\(word())%40\(word()).example"
    case 50: "/attachments/\(number(0..<999_999_999))/\(word()).png?ex=\(hex(8))&is=\(hex(8))&hm=\(hex(64))&"
    case 51: "/live/\(word()).m3u8?hdnts=exp=\(number(0..<1_999_999_999))~acl=/*~hmac=\(hex(64))"
    case 52: "/\(word()).css?\(hex(pick([8, 32, 64])))"
    case 53: "/com/" + (0..<10).map { _ in capital() + capital() }.joined(separator: "/")
    case 54: "/GetThe" + (0..<12).map { _ in capital() }.joined()
    default: "/models/\(word())/\(words(3))/resolve/\(hex(40))/model-00001-of-00009.safetensors"
    }
  }

  /// Ways to write data into a target.
  public static let encodings = [
    "base64 of noise", "base64url of noise", "base64 of text", "base64url of text", "raw base64 of noise",
    "hex of text", "upper-case hex of text", "hex of noise", "base32 of noise", "base32 of text", "needless percents",
    "percents of noise",
  ]

  /// A token of at least 64 characters.
  public mutating func token(_ encoding: Int) -> String {
    let size = pick([48, 48, 60, 64, 96, 192])
    return switch encoding {
    case 0: Self.escape(Self.base64(bytes(size)))
    case 1: base64url(size)
    case 2: Self.escape(Self.base64(text(size)))
    case 3: Self.base64(text(size), url: true)
    case 4: Self.base64(bytes(size))
    case 5: Self.hex(text(pick([32, 40, 64, 96])))
    case 6: Self.hex(text(pick([32, 40, 64, 96]))).uppercased()
    case 7: hex(pick([66, 72, 80, 120, 400]))
    case 8: Self.base32(bytes(pick([40, 50, 80])))
    case 9: Self.base32(text(pick([40, 50, 80])))
    case 10: Self.escape(text(48), all: true)
    default: Self.escape(bytes(64), all: true)
    }
  }
}
