/// What a parameter's name says its value is. A name alone excuses nothing: the value has to look like it.
struct NameRole: OptionSet {
  let rawValue: UInt16
  init(rawValue: UInt16) { self.rawValue = rawValue }

  /// Who signed a URL, and with what.
  static let credential = NameRole(rawValue: 1)
  /// Until when a signed URL holds.
  static let expiry = NameRole(rawValue: 2)
  /// A signature or message authentication code.
  static let signature = NameRole(rawValue: 4)
  /// The digest of something, or a version that is one.
  static let digest = NameRole(rawValue: 8)
  /// What identifies a client: a session, an API key, a form's token.
  static let secret = NameRole(rawValue: 16)
  /// A parameter of OAuth 2.0 or OpenID Connect that says what the request is.
  static let oauth = NameRole(rawValue: 32)
  /// A value of OAuth 2.0 or OpenID Connect that its client or server chose.
  static let oauthValue = NameRole(rawValue: 64)
  /// A SAML message (HTTP redirect binding).
  static let saml = NameRole(rawValue: 128)
  /// Where a listing goes on.
  static let cursor = NameRole(rawValue: 256)
  /// How an advertisement or link was clicked.
  static let click = NameRole(rawValue: 512)
  /// The policy of a signed URL: encoded text by design.
  static let policy = NameRole(rawValue: 1024)

  private static let words: [(NameRole, String)] = [
    (
      .credential,
      "x-amz-credential x-goog-credential googleaccessid awsaccesskeyid ossaccesskeyid key-pair-id sv skoid "
        + "accesskeyid q-ak keyname verify acl urlprefix ex hdnts"
    ),
    (
      .expiry,
      "x-amz-expires x-amz-date x-goog-expires x-goog-date expires expiry exp ex se st ttl validto q-key-time "
        + "timestamp ts e expire policy"
    ),
    (
      .signature,
      "x-amz-signature x-goog-signature signature sig sign hmac hm mac q-signature token st h s t hash md5 lsig"
    ),
    (.credential.union(.secret), "x-amz-security-token security-token x-oss-security-token"),
    (.policy, "policy"),
    (
      .digest,
      "hash digest sha sha1 sha224 sha256 sha384 sha512 sha2-256 blake2b blake3 md5 checksum integrity etag v ver "
        + "version rev revision h hm hmac signature sig sign oid fingerprint build commit cup2hreq cup2key x-xet-hash "
        + "content-hash rut filehash infohash info_hash torrent by-hash cid blob blobs objects"
    ),
    (
      .secret,
      "access_token accesstoken token auth auth_token api_key apikey api-key session sessionid session_id sid "
        + "phpsessid jsessionid jwt csrf csrf_token csrftoken _csrf authenticity_token xsrf ticket nonce "
        + "invite reset_token confirmation_token unsubscribe"
    ),
    (
      .oauth,
      "client_id response_type redirect_uri grant_type code_challenge_method response_mode scope code iss "
        + "session_state prompt"
    ),
    (
      .oauthValue,
      "state code nonce code_challenge code_verifier id_token id_token_hint access_token refresh_token request "
        + "login_hint login_challenge consent_challenge session_state logout_challenge"
    ),
    (.saml, "samlrequest samlresponse relaystate samlart"),
    (.saml.union(.signature), "signature"),
    (
      .cursor,
      "cursor continue page_token pagetoken next_token nexttoken nextpagetoken continuation continuationtoken "
        + "continuation-token continuation_token after before marker nextmarker next_cursor "
        + "pagination_token paginationtoken scroll_id sync_token synctoken start_cursor end_cursor ctoken itct "
        + "exclusivestartkey lastevaluatedkey bookmark _state starting_after pagination_key $skiptoken skiptoken "
        + "page_cursor $req"
    ),
    (
      .click,
      "gclid fbclid dclid wbraid gbraid msclkid ttclid twclid li_fat_id yclid _gl mc_eid mkt_tok ved ei gs_lcp "
        + "gs_lcrp sxsrf sca_esv usg upn trk _hsenc vero_id epik rdt_cid srsltid igshid igsh xai psig kit"
    ),
  ]

  /// Slots of `table`: four for each name, so that most lookups of unknown names end at the first.
  private static let slots = 1_024

  /// By the FNV-1a hash of a name in lower case, in the next free slot from where its lower bits point to. A hash of 0
  /// is an empty slot. Fixed, so that no choice of names makes lookups slower.
  private static let table: [(hash: UInt64, role: NameRole)] = {
    var result = [(hash: UInt64, role: NameRole)](repeating: (0, []), count: slots)
    for (role, names) in words {
      for name in names.split(separator: " ") {
        let bytes = Array(name.utf8)
        let hash = hash(bytes.rawSpan, 0..<bytes.count)
        let place = slot(of: hash, in: result)
        result[place] = (hash, result[place].role.union(role))
      }
    }
    return result
  }()

  private static func slot(of hash: UInt64, in table: [(hash: UInt64, role: NameRole)]) -> Int {
    var place = Int(truncatingIfNeeded: hash >> 20) & (slots - 1)
    while table[place].hash != hash, table[place].hash != 0 { place = (place + 1) & (slots - 1) }
    return place
  }

  /// Names longer than any that is known are not looked up.
  private static var longestName: Int { 32 }

  private static func hash(_ bytes: RawSpan, _ range: Range<Int>) -> UInt64 {
    var hash: UInt64 = 0xcbf2_9ce4_8422_2325
    for index in range {
      let byte = bytes.byte(at: index)
      hash = (hash ^ UInt64(byte >= 0x41 && byte <= 0x5a ? byte | 0x20 : byte)) &* 0x0000_0100_0000_01b3
    }
    return hash
  }

  /// What a name says; empty for one that nobody knows.
  static func role(_ bytes: RawSpan, _ range: Range<Int>) -> NameRole {
    // Of fields joined by tildes the last is the name.
    var start = range.upperBound
    while start > range.lowerBound, bytes.byte(at: start - 1) != UInt8(ascii: "~"),
      range.upperBound - start <= longestName
    {
      start -= 1
    }
    let name = start..<range.upperBound
    guard !name.isEmpty, name.count <= longestName else { return [] }
    return table[slot(of: hash(bytes, name), in: table)].role
  }
}

/// What the parameters of a query say together.
struct QueryRoles {
  /// All roles that they have.
  private(set) var all: NameRole = []
  /// How many are of OAuth.
  private(set) var oauth = 0

  /// Parameters that are looked at: no service knows more.
  private static var maximumParameters: Int { 256 }

  init(_ range: Range<Int>, _ bytes: RawSpan) {
    var start = range.lowerBound
    var parameters = 0
    while start < range.upperBound, parameters < Self.maximumParameters {
      let end = bytes.firstIndex(of: UInt8(ascii: "&"), from: start, to: range.upperBound) ?? range.upperBound
      let nameEnd = bytes.firstIndex(of: UInt8(ascii: "="), from: start, to: end) ?? end
      let role = NameRole.role(bytes, start..<nameEnd)
      all.formUnion(role)
      if role.contains(.oauth) || role.contains(.oauthValue) { oauth += 1 }
      start = end + 1
      parameters += 1
    }
  }
}
