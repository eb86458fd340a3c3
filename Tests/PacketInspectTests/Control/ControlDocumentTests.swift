import Foundation
import PacketInspect
import Testing

@testable import nfq_egressd

@Suite("The control protocol's documentation")
struct ControlDocumentTests {
  /// The lines of the page's JSON blocks.
  private func examples() throws -> [String] {
    var lines: [String] = []
    var isInside = false
    for line in try ConfigurationFixture.repositoryText("docs/control.md").split(separator: "\n") {
      if line.hasPrefix("```") { isInside = line == "```json" } else if isInside { lines.append(String(line)) }
    }
    return lines
  }

  private func schema() throws -> [String: Any] {
    let text = try ConfigurationFixture.repositoryText("docs/control.schema.json")
    let root = try #require(JSONSerialization.jsonObject(with: Data(text.utf8)) as? [String: Any])
    return try #require(root["$defs"] as? [String: Any])
  }

  private func properties(_ name: String) throws -> [String: Any] {
    let definition = try #require(try schema()[name] as? [String: Any])
    return try #require(definition["properties"] as? [String: Any])
  }

  @Test("every example is a request that is understood or an answer that the code would write")
  func examplesAreTrue() throws {
    var verbs: Set<String> = []
    var answers = 0
    let service = ControlService(execute: { _ in nil }, cgroup: { _ throws(ControlError) in "/agents.slice/one.scope" })
    for line in try examples() {
      let data = Data(line.utf8)
      if let request = try? JSONDecoder().decode(ControlRequest.self, from: data) {
        _ = try service.command(data)
        verbs.insert(request.command)
      } else {
        let response = try JSONDecoder().decode(ControlResponse.self, from: data)
        #expect(String(decoding: ControlService.encode(response), as: UTF8.self) == line + "\n")
        answers += 1
      }
    }
    #expect(verbs == Set(ControlVerb.allCases.map(\.rawValue)))
    #expect(answers == 15)
  }

  @Test("page and schema name every error code and no other")
  func codes() throws {
    let known = ControlErrorCode.allCases.map(\.rawValue)
    let code = try #require(try properties("error")["code"] as? [String: Any])
    #expect(code["enum"] as? [String] == known)
    let page = try ConfigurationFixture.repositoryText("docs/control.md")
    let table = try #require(page.split(separator: "| code | |").last)
    let documented = table.split(separator: "\n").filter { $0.hasPrefix("| `") }
      .compactMap { $0.split(separator: "`").dropFirst().first.map(String.init) }
    #expect(documented == known)
  }

  @Test("the schema has the fields of each request and answer and no other")
  func fields() throws {
    for verb in ControlVerb.allCases {
      #expect(Set(try properties(verb.rawValue).keys) == verb.fields.union(["version", "command"]), "\(verb)")
    }
    var overview = ControlFixture.overview("one")
    overview.ended = overview.lastSeen
    var response = ControlResponse()
    response.session = ControlSession(overview)
    response.error = ControlError(.busy, "")
    response.sessions = []
    response.addresses = []
    response.cgroups = []
    var shown = Overlay(
      id: 1, kind: .deny, subject: "a.example", scope: .all, made: Timestamp(seconds: 1),
      expires: Timestamp(seconds: 2))
    shown.budget = BudgetOverride(destinations: 1, uploadBytes: 2, window: .day, onReach: .hold)
    response.overlay = ControlOverlay(shown)
    response.overlays = []
    response.kept = PolicyKeeper.Keeping.store.rawValue
    response.lives = true
    response.wasHeld = true
    response.contacts = 2
    response.mix = ControlMix(
      contacts: 1, flags: 1, onShift: MixReach.hold.rawValue, held: true,
      learned: ControlMix.Learned(sessions: 1, contacts: 2, prior: 5, concentration: 40),
      categories: [ControlMix.Row(category: "unknown", contacts: 1, share: 1, baseline: 0.5, risen: true)])
    response.status = ControlStatus(
      queue: ControlStatus.Queue(
        number: 0, length: 1, waiting: 2, waitingMost: 3, received: 4, missing: 5, overruns: 6, droppedFull: 7,
        droppedSocket: 8),
      uninspected: ControlStatus.Uninspected(passed: 1, lost: 2, cut: 3),
      rules: ControlStatus.Rules(queued: 1, backstop: 2),
      flows: ControlStatus.Flows(tracked: 1, limit: 2, evicted: 3, lost: 4, refused: 5))
    response.destinations = [
      ControlDestination(destination: "a", evidence: "sni", firstSeen: 1, lastSeen: 2, contacts: 3, category: "paste")
    ]
    let step = ControlReviewStep(
      number: 1, action: "resolved", disposition: "deny", flag: 2, at: 3, who: "a", peer: "b", why: "c", subject: "d",
      overlay: 4, expires: 5)
    response.review = ControlReview(
      id: "a", agentType: "b", state: "open", severity: 1, version: "2.1", flags: 1, first: 1, last: 2,
      kinds: [ControlReview.Kind(kind: "drip", severity: 2, count: 1)], step: step)
    response.reviews = []
    response.flags = [
      ControlFlag(
        id: 1, at: 2, kind: "drip", severity: 2, summary: "a",
        evidence: [ControlFlag.Evidence(name: "a", count: 1, text: "b")])
    ]
    response.steps = []
    let line = Data(ControlService.encode(response))
    let written = try #require(JSONSerialization.jsonObject(with: line) as? [String: Any])
    #expect(Set(try properties("response").keys) == Set(written.keys))
    let review = try #require(written["review"] as? [String: Any])
    #expect(Set(try properties("review").keys) == Set(review.keys))
    #expect(Set(try properties("reviewStep").keys) == Set((review["step"] as? [String: Any] ?? [:]).keys))
    let flag = try #require((written["flags"] as? [[String: Any]])?.first)
    #expect(Set(try properties("flag").keys) == Set(flag.keys))
    for (name, words) in [
      ("disposition", ReviewDisposition.allCases.map(\.rawValue)),
      ("reviewState", ReviewState.allCases.map(\.rawValue)),
    ] {
      let definition = try #require(try schema()[name] as? [String: Any])
      #expect(definition["enum"] as? [String] == words)
    }
    let status = try #require(written["status"] as? [String: Any])
    #expect(Set(try properties("daemonStatus").keys) == Set(status.keys))
    for (part, described) in try properties("daemonStatus") {
      let fields = try #require((described as? [String: Any])?["properties"] as? [String: Any])
      #expect(Set(fields.keys) == Set((status[part] as? [String: Any] ?? [:]).keys), "\(part)")
    }
    let session = try #require(written["session"] as? [String: Any])
    #expect(Set(try properties("session").keys) == Set(session.keys))
    let budget = try #require(try properties("session")["budget"] as? [String: Any])
    let budgetFields = try #require(budget["properties"] as? [String: Any])
    #expect(Set(budgetFields.keys) == Set((session["budget"] as? [String: Any] ?? [:]).keys))
    let overlay = try #require(written["overlay"] as? [String: Any])
    #expect(Set(try properties("overlay").keys) == Set(overlay.keys))
    #expect(Set(try properties("budget").keys) == Set((overlay["budget"] as? [String: Any] ?? [:]).keys))
    #expect(try schema().keys.contains("overlayKind"))
    let kinds = try #require(try schema()["overlayKind"] as? [String: Any])
    #expect(kinds["enum"] as? [String] == OverlayKind.allCases.map(\.rawValue))
    let mix = try #require(written["mix"] as? [String: Any])
    #expect(Set(try properties("mix").keys) == Set(mix.keys))
    let reaches = try #require(try properties("mix")["on_shift"] as? [String: Any])
    #expect(reaches["enum"] as? [String] == MixReach.allCases.map(\.rawValue))
    let learned = try #require(try properties("mix")["learned"] as? [String: Any])
    let learnedFields = try #require(learned["properties"] as? [String: Any])
    #expect(Set(learnedFields.keys) == Set((mix["learned"] as? [String: Any] ?? [:]).keys))
    let row = try #require((mix["categories"] as? [[String: Any]])?.first)
    #expect(Set(try properties("mixRow").keys) == Set(row.keys))
    let destination = try #require((written["destinations"] as? [[String: Any]])?.first)
    #expect(Set(try properties("destination").keys) == Set(destination.keys))
  }

  @Test("the page's numbers are the code's")
  func numbers() throws {
    let page = try ConfigurationFixture.repositoryText("docs/control.md")
    #expect(page.contains("at most 65 536 bytes") && ControlProtocol.maximumRequest == 65_536)
    #expect(page.contains("One to 1024") && ControlProtocol.maximumSources == 1_024)
    #expect(page.contains("for 10 seconds is closed") && ControlServer.patience == .seconds(10))
    #expect(page.contains("At most 64 are open") && ControlServer.maximumConnections == 64)
    #expect(page.contains("within 2 seconds") && ControlServer.commandMilliseconds == 2_000)
    #expect(page.contains("at most 500 bytes") && OverlayReader.maximumWhy == 500)
    #expect(page.contains("at most 128 bytes") && OverlayReader.maximumName == 128)
    #expect(page.contains("100 000 are in force") && OverlaySet.maximumCount == 100_000)
    #expect(page.contains("or 200 000 changes") && OverlayOutbox.capacity == 200_000)
    #expect(page.contains("the latest 1000") && ReviewDesk.maximumFlags == 1_000)
    #expect(OverlayReader.maximumSeconds == 316_224_000)
    #expect(Configuration.Control().socket == "/run/nfq-egressd/control.sock")
  }
}
