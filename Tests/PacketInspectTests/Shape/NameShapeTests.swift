import TestSupport
import Testing

@testable import PacketInspect

@Suite("Names: shape and redaction")
struct NameShapeTests {
  /// Names that stay readable.
  static let ordinary = [
    "www.example.com", "d111111abcdef8.cdn-host.net", "ec2-54-211-33-190.compute-1.cloud-host.com",
    "my-load-balancer-1234567890.us-east-1.elb.cloud-host.com", "_acme-challenge.www.example.com",
    "s2048._domainkey.mailers.com", "4.3.2.1.blocklist-host.org", "r4---sn-4g5ednsz.video-host.com",
    "dualstack.python.map.cdn-host.net", "xn--80ak6aa92e.example.com", "registry-1.docker-host.io",
    "production-deployment-of-the-second-cluster.example.com", "objects.githubusercontent.com",
    "selector1-contoso-com._domainkey.contoso.example.com", "a1b2c3d4.execute-api.eu-west-1.cloud-host.com",
    "balancer-1216884911.example.com", "frontend-balancer-1216884911.us-east-1.elb.cloud-host.com",
  ]

  @Test("ordinary names are written as they are", arguments: ordinary)
  func readable(name: String) {
    #expect(NameText.plain.text(host(name), .encoded) == name)
    #expect(NameText.plain.shape(host(name)).encodedLabels == 0)
  }

  @Test("encoded labels below the registrable domain are written as class, length and keyed hash")
  func redacted() {
    var corpus = TokenCorpus(seed: 11)
    for _ in 0..<500 {
      let labels = [
        TokenCorpus.base32(corpus.text(30), lower: true), TokenCorpus.hex(corpus.text(12)), corpus.hex(40),
      ]
      for label in labels {
        let text = NameText.plain.text(host("a.\(label).t.example.com"), .encoded)
        #expect(!text.contains(label), "\(label)")
        #expect(text.hasPrefix("a.") && text.hasSuffix(".t.example.com"))
        #expect(text.contains("~\(label.utf8.count)~"))
      }
    }
    // Noise without a structure of its own is now and then taken for a word.
    var missed = 0
    for _ in 0..<2_000 {
      let label = TokenCorpus.base32(corpus.bytes(24), lower: true)
      if NameText.plain.text(host("\(label).example.com"), .encoded).contains(label) { missed += 1 }
    }
    #expect(missed <= 10, "\(missed) of 2000")
    let secret = TokenCorpus.hex(Array("the registrable domain stays".utf8))
    #expect(NameText.plain.text(host("www.\(secret).com"), .encoded) == "www.\(secret).com")
  }

  @Test("redaction is as configured, and its hash depends on the key")
  func modes() {
    let label = TokenCorpus.hex(Array("some secret of ours".utf8))
    let name = host("\(label).www.example.com")
    #expect(NameText.plain.text(name, .never) == name.text)
    let all = NameText.plain.text(name, .all)
    #expect(all.hasSuffix(".example.com") && !all.contains("www"))
    let other = NameText(key: (3, 4), domains: TinySuffixes())
    #expect(other.text(name, .encoded) != NameText.plain.text(name, .encoded))
    #expect(NameText.plain.text(name, .encoded) == NameText.plain.text(name, .encoded))
    // A name without a registrable domain is all below it.
    #expect(!NameText.plain.text(host(label), .encoded).contains(label))
  }

  @Test("labels that decode to text are data in one name, and are redacted however short they are")
  func carried() {
    for labels in [
      TokenCorpus.hex(Array("secret_api_key_12345".utf8)), "4a6f686e446f65.53656372657431",
      TokenCorpus.base32(Array("a secret for you".utf8), lower: true), "4150494b4559.313233343536",
    ] {
      let name = host("\(labels).exfil.example.com")
      #expect(NameShape(name, registrable: 11).carriesText, "\(labels)")
      let text = NameText.plain.text(name, .encoded)
      for label in labels.split(separator: ".") { #expect(!text.contains(label), "\(text)") }
    }
    let pieces = "a1b2c3d4.e5f6a7b8.c9d0e1f2.a3b4c5d6.e7f8a9b0.c1d2e3f4.example.com"
    #expect(NameShape(host(pieces), registrable: 11).uniformLabels == 6)
    var corpus = TokenCorpus(seed: 24)
    for _ in 0..<20_000 {
      let name = host("\(corpus.hex(32)).\(corpus.words(1)).\(corpus.hex(16)).\(corpus.words(2, ".")).example.com")
      let shape = NameShape(name, registrable: 11)
      #expect(!shape.carriesText && shape.uniformLabels == 0, "\(name.text)")
    }
  }

  @Test("the keyed hash is SipHash-2-4, as in its authors' test vectors")
  func sipHash() {
    let key: (UInt64, UInt64) = (0x0706_0504_0302_0100, 0x0f0e_0d0c_0b0a_0908)
    let bytes = (0..<15).map { UInt8($0) }
    #expect(KeyedHash(key: key).hash(bytes.rawSpan, 0..<15) == 0xa129_ca61_49be_45e5)
    #expect(KeyedHash(key: key).hash(bytes.rawSpan, 0..<0) == 0x726f_db47_dd0e_0e31)
  }

  @Test("distinct names are estimated within two fifths, however many come")
  func estimate() {
    var random = SplitMix64(seed: 3)
    for count in [10, 50, 200, 1_000, 20_000] {
      var activity = DomainActivity(domain: 1, at: Timestamp(seconds: 0))
      for _ in 0..<count {
        activity.take(
          NameShape(host("a.example.com"), registrable: 11), hash: random.next(), isDataType: false,
          window: 3_600_000_000_000, at: Timestamp(seconds: 1))
      }
      #expect(abs(activity.distinctNames - count) * 5 <= count * 2, "\(count): \(activity.distinctNames)")
    }
  }

  @Test("a domain's activity is small, and ten thousand sessions that fill theirs stay below 13 MB")
  func size() {
    #expect(MemoryLayout<DomainActivity>.stride <= 104)
    #expect(MemoryLayout<DomainActivity>.stride * NameActivity.maximumDomains * 10_000 < 13_000_000)
  }
}
