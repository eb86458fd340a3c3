import PacketInspect
import Testing

@testable import nfq_egressd

@Suite("Cgroup patterns")
struct CgroupPatternTests {
  private static func read(_ pattern: String, _ path: String) throws -> String? {
    try CgroupPattern(pattern).match(path).map { "\($0.type ?? "-") \($0.session) \($0.path)" }
  }

  @Test(
    "captures the type and the session, each within its component",
    arguments: [
      ("/agents.slice/agent-{type}-{session}.scope", "/agents.slice/agent-web-42.scope", "web 42"),
      ("/agents.slice/{type}/{session}", "/agents.slice/web-research/a.b_c-1", "web-research a.b_c-1"),
      ("/{session}", "/x", "- x"),
      ("/a/*/{session}", "/a/anything at all/s", "- s"),
      ("/a/pre*post/{session}", "/a/prepost/s", "- s"),
      ("/{session}-{type}.scope", "/a-b-web.scope", "web a-b"),
      ("/{type}/mid/{session}.s", "/t/mid/s.s.s", "t s.s"),
      ("/libpod_parent/libpod-{session}", "/libpod_parent/libpod-0f3a", "- 0f3a"),
    ])
  func captures(pattern: String, path: String, expected: String) throws {
    #expect(try Self.read(pattern, path) == "\(expected) \(path)")
  }

  @Test("of several readings the one with the shortest type counts, then the shortest star")
  func ambiguity() throws {
    #expect(try Self.read("/agent-{type}-{session}", "/agent-web-a-1") == "web a-1 /agent-web-a-1")
    #expect(try Self.read("/{session}-{type}", "/a-b-c") == "c a-b /a-b-c")
    #expect(try Self.read("/{session}-*-{type}", "/a-b-c-d") == "d a-b /a-b-c-d")
    #expect(try Self.read("/*-{session}", "/a-b-c") == "- b-c /a-b-c")
    // The shortest reading is no name, so the next one counts.
    #expect(try Self.read("/{type}-{session}", "/a--b") == "a- b /a--b")
  }

  @Test("covers descendants, and names the session's own cgroup")
  func descendants() throws {
    let pattern = try CgroupPattern("/agents/{session}.scope")
    let capture = try #require(pattern.match("/agents/s.scope/inner/more"))
    #expect(capture.session == "s")
    #expect(capture.path == "/agents/s.scope")
    #expect(capture.depth == 2)
  }

  @Test(
    "does not match ancestors, other roots, and text that goes on",
    arguments: [
      "/agents", "/", "", "agents/s.scope", "/agents/s.scopes", "/agents/s.scop", "/x/agents/s.scope", "/agents/.scope",
      "/agents//s.scope", "/Agents/s.scope",
    ])
  func noMatch(path: String) throws {
    #expect(try Self.read("/agents/{session}.scope", path) == nil)
  }

  @Test(
    "captures only what could stand in the configuration",
    arguments: ["-s", ".s", "_s", "s s", "s\\x2dt", "s:t", "sé", "s\"", String(repeating: "s", count: 65)])
  func names(session: String) throws {
    #expect(try Self.read("/a-{session}", "/a-\(session)") == nil)
    #expect(try Self.read("/a-{type}/{session}", "/a-\(session)/s") == nil)
  }

  @Test("a name of 64 bytes is captured")
  func longest() throws {
    let name = String(repeating: "s", count: 64)
    #expect(try CgroupPattern("/{session}").match("/\(name)")?.session == name)
  }

  @Test(
    "refuses what is no pattern, and says why",
    arguments: [
      ("a/{session}", CgroupPatternFault.relative), ("", .relative), ("/", .emptyComponent),
      ("/a//{session}", .emptyComponent), ("/a/{session}/", .emptyComponent), ("/../{session}", .dots),
      ("/./{session}", .dots), ("/a", .noSession), ("/{type}", .noSession), ("/{session}/{session}", .repeated),
      ("/{type}-{type}/{session}", .repeated), ("/{type}{session}", .adjacent), ("/*{session}", .adjacent),
      ("/{session}*", .adjacent), ("/{sesion}", .brace), ("/{session", .brace), ("/a}/{session}", .brace),
      ("/*a*/{session}", .tooManyStars), ("/a\n/{session}", .control),
      ("/" + String(repeating: "a", count: 256) + "/{session}", .tooLong),
    ])
  func refuses(text: String, fault: CgroupPatternFault) {
    #expect(throws: fault) { try CgroupPattern(text) }
  }

  @Test("a component made to provoke many readings is done with at once")
  func hostileComponent() throws {
    let pattern = try CgroupPattern("/*a{type}a{session}b")
    let clock = ContinuousClock()
    let time = clock.measure {
      #expect(pattern.match("/" + String(repeating: "a", count: 255)) == nil)
    }
    #expect(time < .seconds(1))
  }

  @Test("tells what ends the type")
  func terminator() throws {
    #expect(try CgroupPattern("/a-{type}--{session}").typeTerminator == "--")
    #expect(try CgroupPattern("/{type}/{session}").typeTerminator == nil)
    #expect(try CgroupPattern("/{session}").capturesType == false)
  }
}
