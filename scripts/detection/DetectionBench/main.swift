import Glibc
import PacketInspect

/// Simulates sessions, benign and attacked, and tells how the mix test does on them. scripts/detection.sh runs it.
func fail(_ message: String, _ status: Int32) -> Never {
  print(message)
  exit(status)
}

let arguments = Array(CommandLine.arguments.dropFirst())
if arguments == ["cost"] {
  MixCost.run()
  exit(0)
}
guard let settings = Settings(arguments) else { fail(Settings.usage, 64) }

func evaluation(_ kind: AgentKind) -> MixEvaluation {
  guard let evaluation = MixEvaluation(kind, settings: settings) else { fail("no baseline for \(kind.name)", 1) }
  return evaluation
}

print("Benign sessions flagged, \(settings.sessions) a row, all types in turn, seeds from \(settings.firstSeed)")
print("| sessions are | contacts, mean | flagged | by type |\n|---|---:|---:|---|")
var seed = settings.firstSeed
var all = Share(hits: 0, of: 0)
for habits in Habits.all + [Habits.harsh] {
  var share = Share(hits: 0, of: 0)
  var byKind: [String: Int] = [:]
  var contacts = 0
  for number in 0..<settings.sessions {
    let kind = AgentKind.all[number % AgentKind.all.count]
    var maker = SessionMaker(kind, habits, attack: nil, seed: seed)
    seed += 1
    let outcome = evaluation(kind).run(maker.make())
    share.of += 1
    contacts += outcome.contacts
    if outcome.flagged != nil {
      share.hits += 1
      byKind[kind.name, default: 0] += 1
      if settings.explains, let shift = outcome.shift {
        print("  seed \(seed - 1): \(shift.summary(agentType: kind.name, names: CategoryNames(), reach: .flag))")
      }
    }
  }
  if habits.name != Habits.harsh.name {
    all.hits += share.hits
    all.of += share.of
  }
  let kinds = byKind.sorted { $0.key < $1.key }.map { "\($0.key) \($0.value)" }.joined(separator: ", ")
  print("| \(habits.name) | \(contacts / settings.sessions) | \(share.text) | \(kinds) |")
}
print("| all but the last | | \(all.text) | |")

print("\nAttacks found, \(settings.attacks) sessions a cell: share (95 %), median contacts since the onset")
print(
  "| type | contacts that go elsewhere | onset after | sessions are | within 40 | within 150 | within 400 | median |")
print("|---|---|---:|---|---:|---:|---:|---:|")
var example: MixShift?
for kind in AgentKind.all {
  for (share, ramp) in [(0.5, 0), (0.25, 0), (0.1, 0), (0.5, 200)] {
    for onset in [50, 200, 600] {
      for habits in [Habits.all[0], Habits.all[1]] {
        if kind.name != "documentation-heavy", kind.name != "research", habits.name != Habits.all[1].name { continue }
        var delays: [Int] = []
        var early = 0
        for _ in 0..<settings.attacks {
          var maker = SessionMaker(
            kind, habits, attack: Attack(onset: onset, share: share, ramp: ramp), seed: seed)
          seed += 1
          let outcome = evaluation(kind).run(maker.make(length: onset + 400))
          guard let flagged = outcome.flagged else { continue }
          if flagged <= onset { early += 1 } else { delays.append(flagged - onset) }
          if example == nil, flagged > onset, share == 0.5 { example = outcome.shift }
        }
        delays.sort()
        func within(_ limit: Int) -> String {
          Share(hits: delays.count { $0 <= limit }, of: settings.attacks - early).text
        }
        let what = "\(Int(share * 100)) %" + (ramp > 0 ? ", growing over \(ramp)" : "")
        let median = delays.count > settings.attacks / 2 ? "\(delays[settings.attacks / 2])" : "-"
        let manner = habits.taskScatter == nil ? "as assumed" : "tasks, bursts ..."
        let cells = [kind.name, what, "\(onset)", manner, within(40), within(150), within(400), median]
        print("| " + cells.joined(separator: " | ") + " |")
      }
    }
  }
}
if let example {
  print("\n" + example.summary(agentType: "research", names: CategoryNames(), reach: .flag))
}
