import PacketInspect
import Testing

@Suite("IPAddress")
struct IPAddressTests {
  @Test(
    "reads and writes RFC 5952 text",
    arguments: [
      ("10.0.0.1", "10.0.0.1"), ("::", "::"), ("::1", "::1"), ("2001:db8::1", "2001:db8::1"),
      ("2001:0DB8:0:0:1:0:0:1", "2001:db8::1:0:0:1"), ("fe80::1:2:3:4", "fe80::1:2:3:4"),
      ("1:2:3:4:5:6:7:8", "1:2:3:4:5:6:7:8"), ("::ffff:1.2.3.4", "::ffff:1.2.3.4"), ("1:0:0:2::", "1:0:0:2::"),
    ])
  func text(input: String, output: String) throws {
    #expect(try #require(IPAddress(input)).description == output)
  }

  @Test(
    "refuses what is no address",
    arguments: [
      "", "1.2.3", "1.2.3.4.5", "256.1.1.1", "01.2.3.4", "1::2::3", ":1", "1:2:3:4:5:6:7", "g::", "+1::", "1.2.3.4:5",
    ]
  )
  func refuses(text: String) {
    #expect(IPAddress(text) == nil)
  }

  @Test("sees through mapped and NAT64 forms")
  func canonical() throws {
    #expect(try #require(IPAddress("::ffff:1.2.3.4")).canonical == IPAddress("1.2.3.4"))
    #expect(try #require(IPAddress("64:ff9b::1.2.3.4")).canonical == IPAddress("1.2.3.4"))
    #expect(try #require(IPAddress("2001:db8::1")).canonical == IPAddress("2001:db8::1"))
  }

  @Test("masks at every length and belongs to its network")
  func networks() throws {
    let address = try #require(IPAddress("2001:db8:ffff:ffff:ffff:ffff:ffff:ffff"))
    for length in 0...128 {
      #expect(try #require(IPNetwork(address, prefixLength: length)).contains(address))
    }
    #expect(try #require(IPNetwork("172.16.0.0/12")).contains(try #require(IPAddress("172.31.255.255"))))
    #expect(!(try #require(IPNetwork("172.16.0.0/12")).contains(try #require(IPAddress("172.32.0.0")))))
    #expect(IPNetwork("10.0.0.0/33") == nil)
    #expect(IPNetwork("10.0.0.0/-1") == nil)
  }
}
