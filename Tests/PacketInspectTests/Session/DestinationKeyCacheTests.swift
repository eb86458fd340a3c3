import PacketInspect
import Testing

@testable import struct PacketInspect.DestinationKeyCache

/// Takes the last two labels, and counts how often it is asked.
private final class LastTwoLabels: RegistrableDomains {
  private(set) var asked = 0

  func registrableLength(of name: HostName) -> Int {
    asked += 1
    let starts = name.labelStarts
    return name.count - starts[max(0, starts.count - 2)]
  }
}

@Suite("Destination keys of names met lately")
struct DestinationKeyCacheTests {
  @Test("a name met again is not looked up again, in whatever case it comes")
  func remembers() throws {
    let domains = LastTwoLabels()
    var cache = DestinationKeyCache(seed: 1, hash: KeyedHash(key: (1, 2)))
    let name = try #require(HostName("www.example.com"))
    let again = try #require(HostName("WWW.Example.COM"))
    #expect(cache.key(of: name, registrable: domains) == .domain("example.com"))
    #expect(cache.key(of: again, registrable: domains) == .domain("example.com"))
    #expect(domains.asked == 1)
  }

  @Test("names that share a slot each get their own key")
  func keepsNamesApart() throws {
    let domains = LastTwoLabels()
    var cache = DestinationKeyCache(seed: 2, hash: KeyedHash(key: (1, 2)))
    // Four times as many names as slots: most of them displace another, twice over.
    let names = try (0..<4 * DestinationKeyCache.slots).map { try #require(HostName("a.host\($0).com")) }
    for _ in 0..<2 {
      for (number, name) in names.enumerated() {
        #expect(cache.key(of: name, registrable: domains) == .domain("host\(number).com"))
      }
    }
    #expect(domains.asked > names.count)
  }
}
