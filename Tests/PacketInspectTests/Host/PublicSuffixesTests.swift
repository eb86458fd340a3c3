import PacketInspect
import Testing

@testable import nfq_egressd

@Suite("Public suffixes")
struct PublicSuffixesTests {
  let suffixes: PublicSuffixes

  init() throws { suffixes = try PublicSuffixes() }

  @Test(
    "the registrable domain by the whole list",
    arguments: [
      ("alice.github.io", "alice.github.io"), ("bob.github.io", "bob.github.io"),
      ("x.y.bob.github.io", "bob.github.io"),
      ("github.io", ""), ("co.uk", ""), ("com", ""), ("a.b.example.co.uk", "example.co.uk"),
      ("example.com", "example.com"), ("www.ck", "www.ck"), ("a.www.ck", "www.ck"), ("foo.ck", ""),
      ("bar.foo.ck", "bar.foo.ck"), ("city.kawasaki.jp", "city.kawasaki.jp"), ("a.b.kawasaki.jp", "a.b.kawasaki.jp"),
      ("b.kawasaki.jp", ""), ("host.unlisted-tld", "host.unlisted-tld"), ("unlisted-tld", ""),
      ("xn--55qx5d.cn", ""), ("a.xn--55qx5d.cn", "a.xn--55qx5d.cn"), ("WWW.Example.COM", "example.com"),
    ])
  func registrable(text: String, expected: String) throws {
    let name = try #require(HostName(text))
    let length = suffixes.registrableLength(of: name)
    #expect(length == expected.utf8.count)
    if length > 0 { #expect(name.suffix(length).text == expected) }
  }

  @Test("a name of any bytes has an answer within its length")
  func anyBytes() throws {
    #expect(suffixes.registrableLength(of: HostName()) == 0)
    var state: UInt64 = 7
    for round in 0..<20_000 {
      var name = HostName()
      for _ in 0..<(round % 254) {
        state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
        let byte = UInt8(truncatingIfNeeded: state >> 33)
        name.appendLowercased(byte % 5 == 0 ? 0x2e : byte)
      }
      let length = suffixes.registrableLength(of: name)
      #expect(length >= 0 && length <= name.count)
    }
  }

  @Test("a NUL byte or a byte above 127 in a label does not cut the name")
  func oddBytes() throws {
    for odd in [UInt8(0), 0x80, 0xff, 0x20] {
      let bytes = [UInt8](arrayLiteral: 0x61, odd, 0x62) + Array(".example.co.uk".utf8)
      let parsed = HostName(bytes.rawSpan)
      let name = try #require(parsed)
      #expect(name.suffix(suffixes.registrableLength(of: name)).text == "example.co.uk")
    }
  }

  @Test("a name of a hundred labels is answered from its end")
  func manyLabels() throws {
    let name = try #require(HostName(String(repeating: "a.", count: 110) + "example.co.uk"))
    #expect(suffixes.registrableLength(of: name) == 13)
    let empty = try #require(HostName("a...example.co.uk"))
    #expect(suffixes.registrableLength(of: empty) == 13)
  }

  @Test("a registry's suffix is told apart from a company's")
  func registry() throws {
    for text in ["com", "co.uk", "foo.ck", "anything"] {
      #expect(suffixes.isRegistrySuffix(try #require(HostName(text))))
    }
    for text in ["github.io", "www.ck", "example.com", "example.co.uk"] {
      #expect(!suffixes.isRegistrySuffix(try #require(HostName(text))))
    }
  }

  @Test("says which list is in use")
  func provenance() {
    #expect(suffixes.source == "builtin" || suffixes.source.hasPrefix("/"))
    #expect(suffixes.madeAt > 1_400_000_000)
    #expect(!suffixes.libraryVersion.isEmpty)
  }
}
