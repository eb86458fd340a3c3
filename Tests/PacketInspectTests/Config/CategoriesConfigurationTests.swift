import PacketInspect
import Testing

@testable import nfq_egressd

@Suite("Categories in a configuration")
struct CategoriesConfigurationTests {
  private let fixture = ConfigurationFixture()

  private func table(_ yaml: String, names: CategoryNames = CategoryNames()) throws -> PolicySnapshot {
    let file = fixture.write("config.yaml", Array(yaml.utf8))
    return try PolicyCompiler(suffixes: try PublicSuffixes(), seed: 1)
      .compile(file: file, epoch: 1, categoryNames: names).snapshot
  }

  private func category(_ name: String, _ policy: PolicySnapshot) -> String {
    HostName(name).map { policy.name(of: policy.category(of: $0)) } ?? ""
  }

  @Test("are the built-in ones unless the file says otherwise, and none for an empty list")
  func defaults() throws {
    #expect(category("gist.github.com", try table("mode: enforce\n")) == "paste")
    #expect(category("gist.github.com", try table("categories: []\n")) == "unknown")
  }

  @Test("come from files that add and override, the later before the earlier, any before the built-in")
  func files() throws {
    fixture.write("a.txt", Array("# ours\ngithub.com\nwiki.example\n".utf8))
    fixture.write("b.txt", Array("0.0.0.0 wiki.example\n".utf8))
    let policy = try table(
      """
      categories:
        - {category: documentation, path: a.txt, format: domains}
        - {category: partner, path: b.txt, format: hosts}
        - {builtin: default}
      agentTypes:
        research: {categoryActions: {partner: hold, paste: reject}}
      """)
    #expect(category("github.com", policy) == "documentation")
    #expect(category("gist.github.com", policy) == "paste")
    #expect(category("x.wiki.example", policy) == "partner")
    let match = try #require(HostName("github.com").flatMap { policy.parts.categories.match($0) })
    #expect(match.source.hasSuffix("/a.txt") && match.line == 2)
    let partner = try #require(policy.parts.categories.names.category(named: "partner"))
    #expect(policy.agentType("research").categoryActions[partner] == .hold)
    #expect(policy.agentType("research").categoryActions[.unknown] == .accept)
    // The next configuration does not move what sessions count by.
    let next = try table(
      "categories: [{category: other, path: a.txt, format: domains}]\n", names: policy.parts.categories.names)
    #expect(next.parts.categories.names.category(named: "partner") == partner)
    #expect(category("github.com", next) == "other")
  }

  @Test("the mix of an agent type has the test's own defaults, and its shares are made to sum to one")
  func mix() throws {
    fixture.write("a.txt", Array("wiki.example\n".utf8))
    let policy = try table(
      """
      categories: [{builtin: default}, {category: partner, path: a.txt, format: domains}]
      agentTypes:
        plain: {categories: {baseline: {partner: 0.334, search: 0.334, unknown: 0.334}}}
        other: {categories: {baseline: {search: 1}, contactGap: 1s, minimumContacts: 40, minimumDistance: 0.3,
          concentration: 80, falsePositiveRate: 0.05, onShift: hold}}
      """)
    let names = policy.parts.categories.names
    let search = try #require(names.category(named: "search"))
    let partner = try #require(names.category(named: "partner"))
    let third = 0.334 / 1.002
    let baseline = try #require(MixBaseline([partner: third, search: third, .unknown: third], names: names))
    let plain = try #require(policy.agentType("plain").mix)
    #expect(plain.onShift == .flag && abs((plain.baseline.shares[partner] ?? 0) - third) < 1e-12)
    var expected = MixPolicy(plain.baseline)
    #expect(plain == expected && plain.baseline.concentration == baseline.concentration)
    let other = try #require(policy.agentType("other").mix)
    expected = MixPolicy(try #require(MixBaseline([search: 1], concentration: 80, names: names)))
    (expected.contactGap, expected.minimumContacts, expected.minimumDistance) = (1_000_000_000, 40, 0.3)
    (expected.falsePositiveRate, expected.onShift) = (0.05, .hold)
    #expect(other == expected)
    #expect(policy.agentType(PacketInspect.AgentType.unattributedName).mix == nil)
  }

  @Test("are written again by check-config --effective, and read back the same")
  func effective() throws {
    fixture.write("a.txt", Array("wiki.example\n".utf8))
    let loaded = try fixture.load(
      """
      categories: [{builtin: default}, {category: partner, path: a.txt, format: domains}]
      agentTypes: {research: {categoryActions: {partner: flag}, categories: {baseline: {search: 1}, learn: reviewed}}}
      """)
    #expect(loaded.configuration.agentTypes["research"]?.categories?.learn == .reviewed)
    let again = try fixture.load(EffectivePolicy.yaml(loaded.configuration))
    #expect(again.configuration == loaded.configuration)
    #expect(loaded.configuration.categories.count == 2)
  }

  @Test(
    "say what is wrong, and the mend",
    arguments: [
      ("categories: [{builtin: defualt}]", "did you mean 'default'?"),
      ("categories: [{builtin: default, path: x}]", "the built-in table has no path"),
      ("categories: [{builtin: default}, {builtin: default}]", "is there in line 1 already"),
      ("categories: [{category: a}]", "'path' is missing"),
      ("categories: [{category: a, path: x, format: cidr}]", "unknown value 'cidr'"),
      ("categories: [{category: a b, path: x, format: domains}]", "cannot be a category's name"),
      ("categories: [{category: a, path: none-such, format: domains}]", "the names of category 'a': the file"),
      ("agentTypes: {a: {categoryActions: {pastes: reject}}}", "there is no category 'pastes'; did you mean 'paste'?"),
      ("agentTypes: {a: {categoryActions: {partner: reject}}}", "there is no category 'partner'"),
      ("agentTypes: {a: {categories: {}}}", "'baseline' is missing"),
      ("agentTypes: {a: {categories: {baseline: {}}}}", "the shares sum to 0.0; write shares that sum to 1"),
      (
        "agentTypes: {a: {categories: {baseline: {serach: 1}}}}",
        "there is no category 'serach'; did you mean 'search'?"
      ),
      ("agentTypes: {a: {categories: {baseline: {search: 0.5, api: 0.4}}}}", "the shares sum to 0.9"),
      ("agentTypes: {a: {categories: {baseline: {search: 0.5, api: 0.506}}}}", "the shares sum to 1.006"),
      ("agentTypes: {a: {categories: {baseline: {search: 1.5, api: -0.5}}}}", "1.5 is out of range"),
      ("agentTypes: {a: {categories: {baseline: {search: 1.5, api: -0.5}}}}", "-0.5 is out of range"),
      ("agentTypes: {a: {categories: {baseline: {unknown: 1}}}}", "lists no category but 'unknown'"),
      ("agentTypes: {a: {categories: {baseline: {search: 1}, onShift: drop}}}", "write one of flag, hold, reject"),
      ("agentTypes: {a: {categories: {baseline: {search: 1}, contactGap: 2h}}}", "2h is out of range"),
      ("agentTypes: {a: {categories: {baseline: {search: 1}, minimumContacts: 9}}}", "9 is out of range"),
      ("agentTypes: {a: {categories: {baseline: {search: 1}, minimumDistance: 0}}}", "0 is out of range"),
      ("agentTypes: {a: {categories: {baseline: {search: 1}, concentration: 0}}}", "0 is out of range"),
      ("agentTypes: {a: {categories: {baseline: {search: 1}, falsePositiveRate: 0}}}", "0 is out of range"),
      ("agentTypes: {a: {categories: {baseline: {search: 1}, learn: all}}}", "write one of none, reviewed"),
      ("agentTypes: {a: {categories: {learn: reviewed}}}", "'baseline' is missing"),
      (
        "agentTypes: {a: {categories: {baseline: {search: 1}, learn: reviewed}}}\nstore: {path: none}",
        "write a path under store.path, or learn: none"
      ),
      ("agentTypes: {a: {categoryActions: {paste: drop}}}", "write one of accept, flag, hold, reject"),
    ])
  func faults(_ yaml: String, _ message: String) throws {
    let faults = try fixture.faults(yaml + "\n")
    #expect(faults.count >= 1)
    #expect(faults.contains { $0.contains(message) }, "\(faults)")
  }

  @Test("are at most 64, the built-in ones and those of earlier configurations included")
  func cap() throws {
    fixture.write("a.txt", Array("wiki.example\n".utf8))
    func yaml(_ names: some Sequence<String>) -> String {
      "categories:\n" + names.map { "  - {category: \($0), path: a.txt, format: domains}\n" }.joined()
    }
    let room = CategoryNames.maximumCount - CategoryNames.builtIn.count
    let most = try table(yaml((0..<room).map { "own\($0)" }))
    #expect(most.parts.categories.names.count == CategoryNames.maximumCount)
    #expect(try fixture.faults(yaml((0...room).map { "own\($0)" })).contains { $0.contains("one category too many") })
    #expect(throws: ConfigurationFaults.self) { try table(yaml(["yet-another"]), names: most.parts.categories.names) }
  }
}
