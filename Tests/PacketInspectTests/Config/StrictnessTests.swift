import PacketInspect
import Testing

@testable import nfq_egressd

@Suite("Strict reading of configuration files")
struct StrictnessTests {
  let fixture = ConfigurationFixture()

  @Test("an unknown key names the nearest known key, with its line and column")
  func unknownKey() throws {
    #expect(
      try fixture.faults("mode: enforce\nonFailure:\n  helloIncomplet: drop\n") == [
        "3:3: onFailure.helloIncomplet: unknown key; did you mean 'helloIncomplete'?"
      ])
  }

  @Test("an unknown key that resembles nothing gets the keys that are known there")
  func unrecognisableKey() throws {
    #expect(
      try fixture.faults("queues: {xylophones: 1}\n") == [
        "1:10: queues.xylophones: unknown key; the keys here are count, first, length, offload"
      ])
  }

  @Test("a message begins with file, line, column and key")
  func wholeLine() throws {
    do {
      _ = try fixture.load("mode: enforce\nqueues:\n  first: 65536\n")
      Issue.record("loaded")
    } catch let error as ConfigurationFaults {
      #expect(
        error.description
          == "\(fixture.directory)/config.yaml:3:10: queues.first: 65536 is out of range; "
          + "write a whole number from 0 to 65535")
    }
  }

  @Test("every fault is reported at once, in the order of the lines")
  func allAtOnce() throws {
    let faults = try fixture.faults(
      """
      mode: obsreve
      queues: {first: -1, count: 4, lenght: 1}
      marks: {mask: 0xff0000}
      limits: {flows: many}
      internalNames: [bad..name, ok]
      denyLists:
        - {name: feed, path: nowhere.txt, format: domains}
        - {path: nowhere.txt}
      agentTypes: {a: {budget: {warnAt: 7}}}
      sessions: {addresses: [{source: 10.0.0.0/33, session: s, agentType: b}]}
      events: []
      metrics: {listen: localhost}
      """)
    let places = faults.map { $0.split(separator: " ").prefix(2).joined(separator: " ") }
    #expect(
      places == [
        "1:7: mode:", "2:17: queues.first:", "2:28: queues.count:", "2:31: queues.lenght:",
        "4:17: limits.flows:", "5:17: internalNames[0]:", "7:24: denyLists[0].path:", "8:5: denyLists[1]:",
        "8:5: denyLists[1]:", "9:35: agentTypes.a.budget.warnAt:", "10:33: sessions.addresses[0].source:",
        "10:69: sessions.addresses[0].agentType:", "11:9: events:", "12:19: metrics.listen:",
      ])
  }

  @Test("a key given twice is a fault and does not hide the others")
  func duplicates() throws {
    #expect(
      try fixture.faults(
        "mode: enforce\nlimits: {flows: 2048, flows: 1}\nmode: enforce\nevents: {path: {a: 1, a: 2}}\n") == [
          "1:1: mode: given twice, again in line 3; keep one of them",
          "2:10: limits.flows: given twice, again in line 2; keep one of them",
          "2:30: limits.flows: 1 is out of range; write a whole number from 1024 to 16777216",
          "4:16: events.path: is a mapping; write a path, or '-' for standard output",
          "4:17: a: given twice; keep one of them",
        ])
  }

  @Test(
    "a key whose part is not built yet says so",
    arguments: [
      "queues: {count: 2}",
      "denyLists: [{name: a, path: x, format: adblock}]", "denyLists: [{name: a, path: x, format: rpz}]",
    ])
  func notBuilt(yaml: String) throws {
    let faults = try fixture.faults(yaml + "\n")
    #expect(faults.count == 1)
    #expect(faults.first?.contains("not built yet") == true)
  }

  @Test(
    "numbers are plain, decimal or hexadecimal, and fit",
    arguments: [
      ("010", false), ("\"8\"", false), ("8.0", false), ("1_000", false), ("+8", false), ("0x+8", false),
      ("99999999999999999999", false), ("0", false), ("8", true), ("0x8", true), ("[8]", false), ("{}", false),
      ("~", false), ("", false), ("1048577", false), ("0x100000000", false),
    ])
  func numbers(text: String, isGood: Bool) throws {
    #expect(try fixture.faults("queues:\n  length: \(text)\n").isEmpty == isGood)
  }

  @Test("a mark mask has eight neighbouring bits", arguments: [("0xff", true), ("0x1fe00", true), ("0x7f", false)])
  func mask(text: String, isGood: Bool) throws {
    #expect(try fixture.faults("marks: {mask: \(text)}\n").isEmpty == isGood)
  }

  @Test("observing needs rules that let packets by when nobody observes")
  func observe() throws {
    #expect(
      try fixture.faults("mode: observe\n") == [
        "1:7: mode: 'observe' blocks nothing, but onFailure.daemonAbsent is closed; "
          + "set onFailure.daemonAbsent: open"
      ])
    let open = try fixture.load("mode: observe\nonFailure: {daemonAbsent: open}\n")
    #expect(open.configuration.mode == .observe)
    #expect(open.warnings.count == 1)
    #expect(try fixture.load("mode: observe\nonFailure: {daemonAbsent: open, queueFull: open}\n").warnings.isEmpty)
  }

  @Test("a session has an existing type, one type, and a source of its own")
  func sessions() throws {
    let faults = try fixture.faults(
      """
      agentTypes: {research: {}, coding: {}}
      sessions:
        addresses:
          - {source: 10.0.0.1, session: s, agentType: reserch}
          - {source: 10.0.0.2, session: t, agentType: research}
          - {source: "::ffff:10.0.0.2", session: u, agentType: research}
          - {source: 10.0.0.3, session: t, agentType: coding}
          - {source: 10.0.1.5/24, session: v, agentType: coding}
          - {source: 10.0.0.4, session: v}
      """)
    #expect(
      faults == [
        "4:49: sessions.addresses[0].agentType: there is no agent type 'reserch' (did you mean 'research'?); "
          + "write it under agentTypes",
        "6:16: sessions.addresses[2].source: 10.0.0.2 is the source of line 5 already; remove one of them",
        "7:49: sessions.addresses[3].agentType: session 't' has the type 'research' above; give it one type",
        "8:16: sessions.addresses[4].source: '10.0.1.5/24' has bits set beyond its length; "
          + "write 10.0.1.0/24 or 10.0.1.5",
        "9:7: sessions.addresses[5]: 'agentType' is missing; write agentType: one of agentTypes",
      ])
  }

  @Test("a cgroup pattern is one, is given once, and has one source of its sessions' type")
  func cgroups() throws {
    let faults = try fixture.faults(
      """
      agentTypes: {research: {}}
      sessions:
        cgroups:
          - {pattern: "agents/{session}", agentType: research}
          - {pattern: "/a/{type}", agentType: research}
          - {pattern: "/a/{type}-{session}"}
          - {pattern: "/a/{type}-{session}"}
          - {pattern: "/b/{type}-{session}", agentType: research}
          - {pattern: "/c/{session}"}
          - {pattern: "/d/{session}", agentType: reserch}
          - {agentType: research}
          - {pattern: "/e/{type}{session}"}
      """)
    let expected = [
      "4:17: sessions.cgroups[0].pattern: 'agents/{session}' must begin with '/'",
      "5:17: sessions.cgroups[1].pattern: '/a/{type}' does not capture {session}",
      "7:17: sessions.cgroups[3].pattern: '/a/{type}-{session}' is the pattern of line 6 already; remove one of them",
      "8:51: sessions.cgroups[4].agentType: the pattern captures {type} already",
      "9:7: sessions.cgroups[5]: no type for its sessions; write {type} in the pattern, or agentType",
      "10:44: sessions.cgroups[6].agentType: there is no agent type 'reserch' (did you mean 'research'?)",
      "11:7: sessions.cgroups[7]: 'pattern' is missing",
      "12:17: sessions.cgroups[8].pattern: '/e/{type}{session}' has nothing between",
    ]
    #expect(faults.count == expected.count)
    for (fault, beginning) in zip(faults, expected) { #expect(fault.hasPrefix(beginning), "\(fault)") }
  }

  @Test("a type that its own pattern can never capture is warned of")
  func uncapturableType() throws {
    let yaml = """
      agentTypes: {web-research: {}, web: {}}
      sessions: {cgroups: [{pattern: "/a/{type}-{session}"}, {pattern: "/b/{type}/{session}"}]}
      """
    let warnings = try fixture.load(yaml).warnings
    #expect(warnings.count == 1)
    #expect(warnings.first?.description.contains("'web-research' is never captured") == true)
  }

  @Test("overlapping sources of different lengths are allowed")
  func overlappingSources() throws {
    let loaded = try fixture.load(
      """
      sessions:
        addresses:
          - {source: 10.0.0.0/24, session: a, agentType: unattributed}
          - {source: 10.0.0.7, session: b, agentType: unattributed}
      """)
    #expect(loaded.configuration.sessions.addresses.map(\.source.description) == ["10.0.0.0/24", "10.0.0.7/32"])
  }

  @Test("an exception for a whole registry or half of all addresses is a fault")
  func wideExceptions() throws {
    #expect(try fixture.faults("denyExceptions: [com, co.uk, 0.0.0.0/1, bücher.example]\n").count == 4)
    #expect(try fixture.faults("denyExceptions: [good.example, github.io, 192.0.2.0/24, '2001:db8::1']\n").isEmpty)
  }
  @Test(
    "a time has a unit and fits, or is 'never'",
    arguments: [
      ("90s", true), ("30m", true), ("1h", true), ("7d", true), ("never", true), ("\"1h\"", true), ("3600", false),
      ("9s", false), ("367d", false), ("1.5h", false), ("-1h", false), ("01h", false), ("h", false), ("1 h", false),
      ("9223372036854775807d", false), ("Never", false), ("", false), ("[1h]", false),
    ])
  func times(text: String, isGood: Bool) throws {
    #expect(try fixture.faults("sessions: {idleEnd: \(text)}\n").isEmpty == isGood)
    // Other bounds, the same form.
    guard text != "367d" else { return }
    #expect(try fixture.faults("store: {keepEnded: \(text)}\n").isEmpty == isGood)
  }

  @Test(
    "bytes are a number with a unit or none",
    arguments: [
      ("1GB", 1_000_000_000), ("2GiB", 1 << 31), ("500MB", 500_000_000), ("4096", 4096), ("10B", 10), ("7kB", 7_000),
      ("7KB", 7_000), ("0", nil), ("0GB", nil), ("1.5GB", nil), ("1gb", nil), ("-1", nil),
      ("9223372036854775807GB", nil),
      ("GB", nil), ("1 GB", nil),
    ] as [(String, Int64?)])
  func bytes(text: String, count: Int64?) throws {
    let yaml = "agentTypes: {a: {uploadBudget: {bytes: \(text)}}}\n"
    guard let count else {
      #expect(try fixture.faults(yaml).count == 1)
      return
    }
    #expect(try fixture.load(yaml).configuration.agentTypes["a"]?.uploadBudget?.bytes.bytes == count)
  }

  @Test("an upload budget says how many bytes")
  func uploadBudget() throws {
    #expect(
      try fixture.faults("agentTypes: {a: {uploadBudget: {window: 24h}}}\n") == [
        "1:32: agentTypes.a.uploadBudget: 'bytes' is missing; write bytes: for example 500MB"
      ])
  }

  @Test("the socket and the store are files; the store may be none")
  func places() throws {
    let configuration = try fixture.load("control: {socket: c.sock}\nstore: {path: none}\n").configuration
    #expect(configuration.control.socket == "\(fixture.directory)/c.sock")
    #expect(configuration.store.path == nil)
    #expect(try fixture.load("store: {path: ./none}\n").configuration.store.path == "\(fixture.directory)/./none")
    let long = "/" + String(repeating: "a", count: 96)
    #expect(try fixture.faults("control: {socket: \(long), group: 'a b'}\nstore: {path: '-'}\n").count == 3)
  }

  @Test("windows, upload budgets and the idle end reach the policy")
  func compiled() throws {
    let configuration = try fixture.load(
      """
      agentTypes:
        a: {budget: {window: 24h, onReach: hold}, uploadBudget: {bytes: 2kB, window: 24h, onReach: hold}}
        b: {}
      sessions: {idleEnd: 90s}
      """
    ).configuration
    let parts = PolicyCompiler(suffixes: try PublicSuffixes(), seed: 1).parts(configuration)
    #expect(parts.idleEnd == 90_000_000_000)
    #expect(parts.agentTypes["a"]?.budget == BudgetPolicy(destinations: 200, window: .day, onReach: .hold, warnAt: 0.8))
    #expect(parts.agentTypes["a"]?.uploadBudget == UploadBudgetPolicy(bytes: 2_000, window: .day, onReach: .hold))
    #expect(parts.agentTypes["b"]?.budget?.window == .session)
    #expect(parts.agentTypes["b"]?.uploadBudget == nil)
    let never = try fixture.load("sessions: {idleEnd: never}\n").configuration
    #expect(PolicyCompiler(suffixes: try PublicSuffixes(), seed: 1).parts(never).idleEnd == nil)
  }

  @Test("a container runtime needs a socket, and labels of its own for session and type")
  func containers() throws {
    func faults(_ entry: String) throws -> [String] { try fixture.faults("sessions: {containers: \(entry)}\n") }
    #expect(try faults("{socket: /run/docker.sock, typeLabel: my.type}").isEmpty)
    #expect(try faults("{}").count == 1)
    #expect(try faults("{socket: '-'}").count == 1)
    #expect(try faults("{socket: /\(String(repeating: "x", count: 107))}").count == 1)
    #expect(try faults("{socket: /run/docker.sock, sessionLabel: a b}").count == 1)
    #expect(try faults("{socket: /run/docker.sock, sessionLabel: ''}").count == 1)
    #expect(try faults("{socket: /run/docker.sock, sessionLabel: x, typeLabel: x}").count == 1)
    #expect(try faults("{socket: /run/docker.sock, label: x}").count == 1)
  }
}
