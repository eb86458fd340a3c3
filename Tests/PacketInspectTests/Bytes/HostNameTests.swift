import PacketInspect
import Testing

@Suite("HostName")
struct HostNameTests {
  @Test("is lower-case without its final dot")
  func normalises() throws {
    let name = try #require(HostName("WWW.Example.COM."))
    #expect(name.text == "www.example.com")
    #expect(name == HostName("www.example.com"))
  }

  @Test("refuses what is empty or longer than 253 bytes", arguments: ["", ".", String(repeating: "a", count: 254)])
  func refuses(text: String) {
    #expect(HostName(text) == nil)
  }

  @Test("keeps odd bytes and says so")
  func keepsOddBytes() throws {
    let name = try #require(HostName("a b\u{7f}\\.test"))
    #expect(name.hasOddBytes)
    #expect(name.text == "a\\032b\\127\\092.test")
  }

  @Test("gives its last labels as a name of their own")
  func suffix() throws {
    let name = try #require(HostName("a.b.example.org"))
    #expect(name.suffix(11) == HostName("example.org"))
    #expect(name.labelStarts == [0, 2, 4, 12])
  }

  @Test(
    "becomes in place what the initialiser would make",
    arguments: ["WWW.Example.COM.", "a", "", ".", "a b\0", "x_y-z.09", String(repeating: "a", count: 254)])
  func assign(text: String) {
    let bytes = Array(text.utf8)
    var name = HostName("left-over-from-before.example") ?? HostName()
    let isName = name.assign(bytes.rawSpan)
    let expected = HostName(text)
    #expect(isName == (expected != nil))
    #expect(name == expected ?? HostName())
    #expect(name.hash == (expected ?? HostName()).hash)
    #expect(name.hasOddBytes == (expected?.hasOddBytes ?? false))
  }
}
