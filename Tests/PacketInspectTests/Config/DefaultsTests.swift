import PacketInspect
import Testing
import Yams

@testable import nfq_egressd

@Suite("Configuration defaults, the example and the reference")
struct DefaultsTests {
  let fixture = ConfigurationFixture()

  @Test("a file that says nothing has every default")
  func defaults() throws {
    let configuration = try fixture.load("mode: enforce\n").configuration
    #expect(configuration.mode == .enforce)
    #expect(configuration.queues.first == 0)
    #expect(configuration.queues.count == 1)
    #expect(configuration.queues.length == 8192)
    #expect(configuration.marks.mask == 0xff00_0000)
    #expect(configuration.onFailure.daemonAbsent == .closed)
    #expect(configuration.onFailure.queueFull == .closed)
    #expect(configuration.onFailure.malformed == .accept)
    #expect(configuration.onFailure.helloIncomplete == .reject)
    #expect(configuration.onFailure.midstream == .accept)
    #expect(configuration.onFailure.flowTableFull == .accept)
    #expect(configuration.onFailure.eventBacklog == .dropEvents)
    #expect(configuration.limits.flows == 262_144)
    #expect(configuration.limits.namesPerSession == 4096)
    #expect(configuration.limits.eventRing == 65_536)
    #expect(
      configuration.internalNetworks.map(\.description)
        == ["10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "fc00::/7"])
    #expect(
      configuration.internalNames.map(\.text)
        == ["local", "lan", "internal", "cluster.local", "in-addr.arpa", "ip6.arpa"])
    #expect(configuration.denyLists == Configuration().denyLists)
    #expect(configuration.denyLists.map(\.name) == ["builtin-metadata"])
    #expect(configuration.denyExceptions.isEmpty)
    #expect(configuration.agentTypes.keys.sorted() == ["unattributed"])
    #expect(configuration.agentTypes["unattributed"]?.budget.destinations == 50)
    #expect(configuration.agentTypes["unattributed"]?.budget.onReach == .flag)
    #expect(AgentType().budget.destinations == 200)
    #expect(AgentType().budget.warnAt == 0.8)
    #expect(configuration.agentTypes["unattributed"]?.uploadBudget == nil)
    #expect(configuration.agentTypes["unattributed"]?.shape == AgentType.Shape())
    #expect(AgentType.Shape().encodedTokenLength == ShapePolicy().encodedTokenLength)
    #expect(AgentType.Shape().encodedHostBytes.bytes == Int64(ShapePolicy().encodedHostBytes))
    #expect(AgentType.Shape().uniqueLabels == ShapePolicy().uniqueLabels)
    #expect(AgentType.Shape().labelWindow.nanoseconds == ShapePolicy().labelWindow)
    #expect(configuration.agentTypes["unattributed"]?.categories == nil)
    #expect(configuration.privacy.redactLabels == .encoded)
    let parts = PolicyCompiler(suffixes: try PublicSuffixes(), seed: 1).parts(configuration)
    #expect(parts.agentTypes["unattributed"]?.shape == ShapePolicy())
    #expect(configuration.sessions.addresses.isEmpty)
    #expect(configuration.sessions.idleEnd == TimeSpan(seconds: 3600))
    #expect(configuration.control.socket == "/run/nfq-egressd/control.sock")
    #expect(configuration.control.group == "nfq-egressd")
    #expect(configuration.store.path == "/var/lib/nfq-egressd/state.sqlite")
    #expect(configuration.sessions.cgroups.isEmpty)
    #expect(configuration.sessions.containers == nil)
    #expect(configuration.events.path == "/var/log/nfq-egressd/eve.json")
  }

  @Test("trusted resolvers are the host's own and the well-known ones, unless the file says otherwise")
  func resolvers() throws {
    let own = try #require(IPAddress("192.0.2.53"))
    let usual = try fixture.load("mode: enforce\n").configuration.trustedResolvers
    #expect(usual.first == own)
    #expect(usual.dropFirst().elementsEqual(WellKnownResolvers.addresses))
    for text in ["8.8.8.8", "2606:4700:4700::1111", "9.9.9.9", "208.67.222.222"] {
      #expect(usual.contains(try #require(IPAddress(text))))
    }
    let chosen = try fixture.load("trustedResolvers: [10.1.1.1, system, 10.1.1.1, '::ffff:192.0.2.53']\n")
    #expect(chosen.configuration.trustedResolvers.map(\.description) == ["10.1.1.1", "192.0.2.53"])
    #expect(try fixture.load("trustedResolvers: []\n").configuration.trustedResolvers.isEmpty)
    #expect(try fixture.faults("trustedResolvers: [sytem]\n").count == 1)
  }

  @Test("every text in the tables of resolvers and metadata services can be read, and none stands there twice")
  func tables() {
    let texts = WellKnownResolvers.table.flatMap(\.addresses)
    #expect(WellKnownResolvers.addresses.count == texts.count)
    #expect(Set(WellKnownResolvers.addresses).count == texts.count)
    #expect(Set(BuiltinList.cloudMetadata.targets).count == BuiltinList.cloudMetadataTexts.count)
    #expect(BuiltinList.cloudMetadata.targets.contains { $0.description == "169.254.169.254" })
  }

  @Test("resolv.conf is read as its manual page has it")
  func resolverFile() {
    let text =
      "# c\nnameserver 192.0.2.1\n  nameserver\t2001:db8::1 # x\nnameserver fe80::1%eth0\nnameserver\nsearch a\n"
    #expect(SystemResolvers.parse(text).map(\.description) == ["192.0.2.1", "2001:db8::1", "fe80::1"])
  }

  @Test("the example is the default configuration with one list and one agent type more")
  func example() throws {
    let loader = ConfigurationLoader(suffixes: try PublicSuffixes())
    let loaded = try loader.load(ConfigurationFixture.repositoryFile("config/example.yaml"))
    #expect(loaded.warnings.isEmpty)
    #expect(loaded.lists.map(\.report.entries) == [BuiltinList.cloudMetadataTexts.count, 3])
    var expected = try fixture.load("mode: enforce\n").configuration
    expected.trustedResolvers = loaded.configuration.trustedResolvers
    expected.agentTypes["research"] = AgentType()
    let path = ConfigurationFixture.repositoryFile("config/lists/example-deny.domains")
    expected.denyLists.append(
      DenyListSource(name: "example-deny", origin: .file(path: path, format: .domains), action: .reject))
    #expect(loaded.configuration == expected)
  }

  @Test("the example shows every key that is built, and its commented sessions can be used")
  func exampleIsWhole() throws {
    let text = try ConfigurationFixture.repositoryText("config/example.yaml")
    for key in ConfigurationSchema.keys where key.isBuilt && !key.path.hasSuffix("*") {
      let name = key.path.split(separator: ".").last ?? ""
      #expect(text.contains("\(name):"), "\(key.path)")
    }
    let lists = "path: lists/"
    let used =
      text
      .replacing("addresses: []\n  #", with: "addresses:\n")
      .replacing("cgroups: []\n  #", with: "cgroups:\n")
      .replacing("\n  #  - {pattern", with: "\n  - {pattern")
      .replacing("#containers:", with: "containers:")
      .replacing(lists, with: "path: \(ConfigurationFixture.repositoryFile("config/lists"))/")
    #expect(used != text)
    let sessions = try fixture.load(used).configuration.sessions
    #expect(sessions.addresses.map(\.session) == ["demo-1"])
    #expect(sessions.cgroups.map(\.agentType) == [nil, "research"])
    #expect(sessions.containers == ContainerSource(socket: "/run/podman/podman.sock"))
  }

  @Test("the effective policy, read again, is the same configuration")
  func roundTrip() throws {
    fixture.write("a \"list\".hosts", Array("0.0.0.0 bad.example\n".utf8))
    let yaml = """
      mode: observe
      queues: {first: 3, length: 77}
      marks: {mask: 0x0ff0}
      onFailure: {daemonAbsent: open, queueFull: open, malformed: drop, helloIncomplete: accept, midstream: reject, flowTableFull: drop}
      limits: {flows: 5000, namesPerSession: 17, eventRing: 2000}
      internalNetworks: []
      internalNames: [corp, "yes", "1.arpa", _x.example]
      trustedResolvers: [system, '2001:db8::53']
      denyLists:
        - {name: Feed.1, path: 'a "list".hosts', format: hosts, action: drop, maxAge: 36h}
        - {name: "7", builtin: cloud-metadata}
      denyExceptions: [good.example, 192.0.2.0/24, '2001:db8::/32', 198.51.100.7, '*.sub.example']
      agentTypes:
        research: {budget: {destinations: 3, onReach: hold, warnAt: 0.33}, shape: {encodedTokenLength: 80, encodedHostBytes: 8KiB, uniqueLabels: 33, labelWindow: 10m,
          uploadBytes: 5MB, uploadRatio: 2.5, uploadVolume: 1GB, dripBytes: 2MB, dripUploads: 50, beaconContacts: 9,
          beaconSpan: 5m, beaconJitter: 0.2, protocols: [tls, irc], ports: [4433, 9], services: [gateway.example]}}
        "null": {budget: {warnAt: 0}, categories: {baseline: {search: 0.333, documentation: 0.333, api: 0.333, paste: 0},
          contactGap: 2m, minimumContacts: 44, minimumDistance: 0.2, concentration: 12.5, falsePositiveRate: 0.00001,
          onShift: reject}}
        unattributed: {budget: {destinations: 9, window: 24h}, uploadBudget: {bytes: 1536KiB, window: 24h, onReach: hold}}
      rules: {repair: none, directory: "r n"}
      control: {socket: "s p.sock", group: Agents}
      store: {path: none, keepEnded: never}
      sessions:
        idleEnd: never
        addresses:
          - {source: 10.88.0.7, session: "true", agentType: research}
          - {source: 'fd00::/64', session: X-1, agentType: "null"}
        cgroups:
          - {pattern: '/a b"ü.slice/{type}@*/x\\y-{session}'}
          - {pattern: "/{session}", agentType: "null"}
        containers: {socket: "run/a b.sock", sessionLabel: org.example/session, typeLabel: "#type"}
      privacy: {redactLabels: never}
      events: {path: "out ü.json"}
      """
    let first = try fixture.load(yaml).configuration
    #expect(first.agentTypes["unattributed"]?.budget.warnAt == 0.8)
    #expect(first.events.path == "\(fixture.directory)/out ü.json")
    let second = try fixture.load(EffectivePolicy.yaml(first)).configuration
    #expect(second == first)
    let plain = try fixture.load("mode: enforce\n").configuration
    #expect(try fixture.load(EffectivePolicy.yaml(plain)).configuration == plain)
  }

  @Test("the schema's defaults are those of the code")
  func schemaDefaults() throws {
    var configuration = Configuration()
    configuration.sessions.containers = ContainerSource(socket: "/run/some.sock")
    let root = try #require(try Yams.compose(yaml: EffectivePolicy.yaml(configuration)))
    var compared = 0
    for key in ConfigurationSchema.keys where key.isBuilt && !key.fallback.isEmpty {
      guard !key.path.contains("*"), !key.path.contains("[]"), !key.fallback.hasPrefix("[") else { continue }
      guard !key.fallback.hasPrefix("{"), key.fallback != "required" else { continue }
      var node: Node? = root
      for part in key.path.split(separator: ".") { node = node?[String(part)] }
      #expect(node?.string == key.fallback, "\(key.path)")
      compared += 1
    }
    #expect(compared == 31)
  }

  @Test("the reference names every key that the decoder knows and no other, with its default")
  func reference() throws {
    let text = try ConfigurationFixture.repositoryText("docs/configuration.md")
    let parts = text.split(separator: "## Keys that are not built yet")
    #expect(parts.count == 2)
    for (part, isBuilt) in zip(parts, [true, false]) {
      var documented: [String: [String]] = [:]
      for line in part.split(separator: "\n") where line.hasPrefix("| `") {
        let cells = line.split(separator: "|").map {
          String($0.trimmingPrefix(" ").reversed().trimmingPrefix(" ").reversed())
        }
        let key = (cells.first ?? "").replacing("`", with: "")
        // The table of list formats is about words, not keys.
        if ListFormat(rawValue: key) == nil { documented[key] = cells }
      }
      let known = ConfigurationSchema.keys.filter { $0.isBuilt == isBuilt }
      #expect(documented.keys.sorted() == known.map(\.path).sorted())
      for key in known where isBuilt {
        let cells = documented[key.path] ?? []
        #expect(cells.count > 2 && cells[2].replacing("`", with: "") == key.fallback, "\(key.path)")
      }
    }
  }

  @Test("every key of the schema that is built is looked at: a wrong value there is a fault")
  func everyKeyIsRead() throws {
    let openings = [
      "denyLists[]": "denyLists: [{", "sessions.addresses[]": "sessions: {addresses: [{",
      "sessions.cgroups[]": "sessions: {cgroups: [{", "categories[]": "categories: [{",
    ]
    for key in ConfigurationSchema.keys where key.isBuilt && !key.path.hasSuffix("*") {
      // A mapping with an unknown key is wrong for every key there is.
      let wrong = "{wrong-value: 1}"
      var yaml = ""
      var closing = ""
      var rest = key.path[...]
      for (prefix, opening) in openings where rest.hasPrefix(prefix + ".") {
        yaml = opening
        closing = prefix.hasPrefix("sessions") ? "}]}" : "}]"
        rest = rest.dropFirst(prefix.count + 1)
      }
      let path = rest.split(separator: ".").map { $0 == "*" ? "some-type" : String($0) }
      yaml += path.joined(separator: ": {") + ": \(wrong)" + String(repeating: "}", count: path.count - 1) + closing
      let faults = try fixture.faults(yaml + "\n")
      let shown = key.path.replacing("[]", with: "[0]").replacing("*", with: "some-type")
      // `agentTypes` takes any name, so the fault is one step further down.
      #expect(faults.contains { $0.contains(" \(shown)") }, "\(yaml): \(faults)")
    }
  }
}
