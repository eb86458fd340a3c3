import PacketInspect
import Testing

@Suite("JA4")
struct JA4Tests {
  private func fingerprint(_ change: (inout ClientHello) -> Void) -> [String] {
    var hello = ClientHello()
    hello.highestVersion = 0x0304
    hello.cipherSuites = [0x0a0a, 0x1302, 0x1301]
    hello.extensions = [0x1a1a, 0, 16, 43, 13]
    hello.signatureAlgorithms = [0x0804, 0x0403]
    hello.alpn = [Array("h2".utf8)]
    change(&hello)
    return JA4.fingerprint(hello, transport: "t", digest: PlainSHA256()).split(separator: "_").map(String.init)
  }

  private func hash(_ text: String) -> String {
    PlainSHA256().sha256(Array(text.utf8)).prefix(6).map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
  }

  @Test("the tests' own SHA-256 is SHA-256")
  func digest() {
    // FIPS 180-4's example, "abc".
    #expect(hash("abc") == "ba7816bf8f01")
  }

  @Test("counts without GREASE, sorts what it hashes, and keeps the signature algorithms' order")
  func ordinary() {
    #expect(fingerprint { _ in } == ["t13d0204h2", hash("1301,1302"), hash("000d,002b_0804,0403")])
  }

  @Test("shuffled extensions give the same fingerprint")
  func shuffled() {
    #expect(fingerprint { $0.extensions = [13, 43, 0, 16, 0xfafa] } == fingerprint { _ in })
  }

  @Test("nothing to hash is twelve zeros")
  func empty() {
    let parts = fingerprint {
      $0.cipherSuites = []
      $0.extensions = []
      $0.signatureAlgorithms = []
      $0.alpn = []
    }
    #expect(parts == ["t13i000000", "000000000000", "000000000000"])
  }

  @Test(
    "the version is written in two characters",
    arguments: zip(
      [0x0304, 0x0303, 0x0302, 0x0301, 0x0300, 0x0002, 0x0399] as [UInt16], ["13", "12", "11", "10", "s3", "s2", "00"]))
  func versions(version: UInt16, code: String) {
    #expect(fingerprint { $0.highestVersion = version }[0] == "t\(code)d0204h2")
  }

  @Test(
    "the first protocol's ends are written, in hexadecimal when either is not alphanumeric",
    arguments: zip(
      [[0x68], [0x30, 0xab], [0xab], [], Array("http/1.1".utf8)] as [[UInt8]], ["hh", "3b", "ab", "00", "h1"]))
  func protocols(name: [UInt8], code: String) {
    #expect(fingerprint { $0.alpn = [name] }[0] == "t13d0204\(code)")
  }

  @Test("counts stop at 99")
  func many() {
    #expect(fingerprint { $0.cipherSuites = Array(0x0001...0x0100) }[0] == "t13d9904h2")
  }
}
