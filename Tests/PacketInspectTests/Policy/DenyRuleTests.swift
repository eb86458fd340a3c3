import PacketInspect
import Testing

@Suite("Deny rule")
struct DenyRuleTests {
  private let policy = TestPolicy(
    denied: ["evil.example", "93.184.216.0/24", "2606:2800:bad::/48", "93.184.216.7"],
    excepted: ["good.evil.example", "93.184.216.9"]
  ).snapshot

  @Test("names the list, the entry, its line and the reason")
  func provenance() throws {
    let name = try #require(DenyRule.match(name: host("a.evil.example"), policy: policy))
    #expect(name.list == "bad" && name.entry == "evil.example" && name.line == 1)
    #expect(name.reason == .deniedName && name.action == .reject)
    let range = try #require(DenyRule.match(address: address("93.184.216.8"), policy: policy))
    #expect(range.entry == "93.184.216.0/24" && range.line == 2 && range.reason == .deniedAddress)
    let single = try #require(DenyRule.match(address: address("93.184.216.7"), policy: policy))
    #expect(single.entry == "93.184.216.7" && single.line == 4)
  }

  @Test("gives way to exceptions, for names below and for addresses inside")
  func exceptions() {
    #expect(DenyRule.match(name: host("good.evil.example"), policy: policy) == nil)
    #expect(DenyRule.match(name: host("x.good.evil.example"), policy: policy) == nil)
    #expect(DenyRule.match(name: host("ungood.evil.example"), policy: policy) != nil)
    #expect(DenyRule.match(address: address("93.184.216.9"), policy: policy) == nil)
  }

  @Test(
    "judges a name that spells an address as that address",
    arguments: [
      "93.184.216.8", "::ffff:93.184.216.8", "64:ff9b::5db8:d808", "2606:2800:bad::1", "2606:2800:0bad:0:0::1",
    ])
  func literals(text: String) {
    #expect(DenyRule.match(name: host(text), policy: policy)?.reason == .deniedAddress)
  }

  @Test("judges mapped and NAT64 addresses as the IPv4 address inside")
  func mapped() {
    for text in ["::ffff:93.184.216.8", "64:ff9b::5db8:d808"] {
      #expect(DenyRule.match(address: address(text), policy: policy) != nil)
    }
    #expect(DenyRule.match(address: address("::ffff:93.184.216.9"), policy: policy) == nil)
  }

  @Test("knows no match for the root and for odd names")
  func odd() {
    #expect(DenyRule.match(name: HostName(), policy: policy) == nil)
    for text in ["[", "1", "...", ":", "[]", "evil.example.9"] {
      #expect(DenyRule.match(name: host(text), policy: policy) == nil)
    }
  }
}

@Suite("External addresses")
struct ExternalTests {
  private let policy = TestPolicy().snapshot

  @Test(
    "are not the special-purpose ranges nor the operator's own",
    arguments: [
      "10.1.2.3", "127.0.0.1", "169.254.169.254", "172.31.255.255", "192.168.1.1", "100.64.0.1", "224.0.0.251",
      "255.255.255.255", "0.0.0.0", "192.0.2.1", "198.51.100.1", "203.0.113.1", "198.18.0.1", "::1", "::", "fe80::1",
      "fc00::1", "ff02::fb", "2001:db8::1", "::ffff:10.0.0.1", "64:ff9b::a00:1", "100::1", "64:ff9b:1::1",
    ])
  func special(text: String) { #expect(!policy.isExternal(address(text))) }

  @Test(
    "are all others",
    arguments: [
      "93.184.216.10", "8.8.8.8", "172.32.0.1", "11.0.0.0", "100.128.0.1", "2606:2800:220:1::1", "::ffff:93.184.216.10",
      "64:ff9b::5db8:d80a", "1.0.0.0", "223.255.255.255", "2001:4860:4860::8888", "192.0.1.0",
    ])
  func ordinary(text: String) { #expect(policy.isExternal(address(text))) }

  @Test("names are internal by suffix")
  func names() {
    #expect(!policy.isExternal(host("db.internal")))
    #expect(!policy.isExternal(host("internal")))
    #expect(policy.isExternal(host("notinternal")))
    #expect(policy.isExternal(host("internal.example")))
  }
}
