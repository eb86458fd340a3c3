import Glibc
import PacketInspect

/// The tables that scripts/detection.sh prints.
struct Tables {
  let settings: Settings
  let book: NameBook

  /// What is still running, for whoever waits.
  private func progress(_ text: String) {
    let line = Array((text + "\n").utf8)
    _ = unsafe line.withUnsafeBytes { unsafe write(2, $0.baseAddress, $0.count) }
  }

  private func trial(_ actions: [String: CategoryAction] = [:]) -> Trial {
    guard let trial = Trial(book, settings: settings, actions: actions) else { fail("no baseline", 1) }
    return trial
  }

  // MARK: Benign sessions

  func benign() {
    let trial = trial()
    let kinds = AgentKind.all
    print("Benign sessions, seeds from \(settings.firstSeed): each seed is one session\n")
    print("| sessions are | flagged by any detector | " + kinds.map(\.name).joined(separator: " | ") + " |")
    print("|---|---:|" + kinds.map { _ in "---:|" }.joined())
    var byFlag: [String: Int] = [:]
    var all = Share(hits: 0, of: 0)
    var hours = 0.0
    var packets = 0
    var shares = kinds.map { _ in [String: Double]() }
    for (number, habits) in Habits.all.enumerated() where number == 1 || settings.tables.contains("habits") {
      var whole = Share(hits: 0, of: 0)
      var byKind = kinds.map { _ in Share(hits: 0, of: 0) }
      for session in 0..<settings.sessions {
        let place = session % kinds.count
        let seed = settings.firstSeed + UInt64(number * 100_000 + session)
        var maker = SessionMaker(kinds[place], habits, book, seed: seed)
        let length = maker.make()
        maker.script.sort()
        let result = trial.run(maker.script, kinds[place])
        hours += length / 3_600
        packets += result.packets
        let contacts = Double(max(1, result.contacts.count))
        if number == 1 {
          for (category, count) in result.counts {
            shares[place][book.table.names[category], default: 0] += Double(count) / contacts
          }
        }
        let isFlagged = !result.flags.isEmpty
        whole.of += 1
        byKind[place].of += 1
        if isFlagged {
          whole.hits += 1
          byKind[place].hits += 1
        }
        for flag in Set(result.flags.map(\.kind)) where number == 1 { byFlag[flag.rawValue, default: 0] += 1 }
        if settings.explains {
          for flag in result.flags { print("  \(kinds[place].name) \(seed): \(flag.kind.rawValue): \(flag.summary)") }
        }
        if session % 200 == 199 { progress("benign \(habits.name): \(session + 1), \(whole.hits) flagged") }
      }
      if number == 1 { all = whole }
      print("| \(habits.name) | \(whole.text) | " + byKind.map(\.text).joined(separator: " | ") + " |")
    }
    if settings.explains {
      for (place, kind) in kinds.enumerated() {
        let text = shares[place].sorted { $0.value > $1.value }.map {
          "\($0.key) \(Share.short(100 * $0.value * Double(kinds.count) / Double(settings.sessions))) %"
        }
        print("  \(kind.name) has \(text.joined(separator: ", "))")
      }
    }
    print("\n\(packets) packets in \(Int(hours)) simulated hours. By flag, `tasks, bursts, retries, fan-out`:\n")
    print("| flag | sessions |\n|---|---:|")
    for kind in FlagKind.allCases {
      print("| `\(kind.rawValue)` | \(Share(hits: byFlag[kind.rawValue] ?? 0, of: all.of).text) |")
    }
  }

  // MARK: Attacks

  func attacks() {
    print("\nAttacks, \(settings.attacks) sessions a row\n")
    print("| attack | | detected | mostly by | median contacts until then | median bytes | median minutes |")
    print("|---|---|---:|---|---:|---:|---:|")
    let kinds = AttackKind.all
    for (number, attack) in kinds.enumerated() {
      let trial = trial(attack.actions)
      for isSlow in [false, true] {
        var share = Share(hits: 0, of: 0)
        var contacts: [Double] = []
        var bytes: [Double] = []
        var minutes: [Double] = []
        var first: [String: Int] = [:]
        for session in 0..<settings.attacks {
          let kind = AgentKind.all[session % AgentKind.all.count]
          let seed = settings.firstSeed + UInt64(2_000_000 + number * 10_000 + (isSlow ? 5_000 : 0) + session)
          let (script, onset) = attacked(kind, attack, isSlow, seed: seed)
          let result = trial.run(script, kind)
          share.of += 1
          guard let flag = result.flags.first(where: { attack.flags.contains($0.kind) && $0.time >= onset }) else {
            continue
          }
          share.hits += 1
          first[flag.kind.rawValue, default: 0] += 1
          let before = script.hostile.filter { $0.time <= flag.time }
          contacts.append(Double(before.count))
          bytes.append(Double(before.reduce(0) { $0 + $1.bytes }))
          minutes.append((flag.time - onset) / 60)
        }
        print(
          "| \(attack.name) | \(isSlow ? "slow" : "fast") | \(share.text) | "
            + "\(first.max { ($0.value, $1.key) < ($1.value, $0.key) }?.key ?? "-") | \(median(contacts, 0)) | "
            + "\(median(bytes, 0)) | \(median(minutes, 1)) |")
      }
      progress("attacks: \(number + 1) of \(kinds.count)")
    }
  }

  private func attacked(_ kind: AgentKind, _ attack: AttackKind, _ isSlow: Bool, seed: UInt64) -> (Script, Double) {
    var maker = SessionMaker(kind, Habits.all[1], book, seed: seed)
    var onset = 0.0
    if let (share, category) = attack.share {
      _ = maker.make(length: 500, diversion: diversion(share, category, onset: 100, ramp: isSlow ? 200 : 0))
      onset = maker.onset ?? 0
    } else {
      onset = 0.3 * maker.make()
      attack.add(&maker, onset, isSlow)
    }
    maker.script.sort()
    return (maker.script, onset)
  }

  private func diversion(_ share: Double, _ category: String, onset: Int, ramp: Int) -> SessionMaker.Diversion {
    SessionMaker.Diversion(onset: onset, share: share, ramp: ramp) { maker, now in
      // A few drop sites most of the time, and new ones.
      let host =
        category == "unknown"
        ? "in.drop\(maker.random.zipf(400)).example" : maker.book.host(category, &maker.random)
      let out = Int(maker.random.logNormal(median: 3_000, width: 1))
      maker.script.flow(host, at: now, [Script.Exchange(0, out: out, back: 900)])
      maker.script.hostile.append((now, out))
    }
  }

  private func median(_ values: [Double], _ digits: Int) -> String {
    guard !values.isEmpty else { return "-" }
    let value = values.sorted()[values.count / 2]
    return digits == 0 ? "\(Int(value))" : "\(Double(Int(value * 10 + 0.5)) / 10)"
  }

  // MARK: The mix

  func mix() {
    print("\nShifts of the mix, \(settings.mixSessions) sessions a row; contacts since the onset\n")
    print(
      "| type | steps to unknown | of counted contacts | sessions are | within 40 | within 150 | median |\n|---|---|---:|---|---:|---:|---:|"
    )
    let trial = trial()
    for (row, name) in ["documentation-heavy", "research"].enumerated() {
      guard let kind = AgentKind.all.first(where: { $0.name == name }) else { continue }
      for (column, share) in [0.5, 0.25, 0.1].enumerated() {
        for (manner, habits) in Habits.all[0...1].enumerated() {
          var delays: [Double] = []
          var sessions = 0
          var counted = Share(hits: 0, of: 0)
          for session in 0..<settings.mixSessions {
            let place = row * 100_000 + column * 20_000 + manner * 10_000 + session
            var maker = SessionMaker(kind, habits, book, seed: settings.firstSeed + UInt64(4_000_000 + place))
            _ = maker.make(length: 500, diversion: diversion(share, "unknown", onset: 150, ramp: 0))
            maker.script.sort()
            let result = trial.run(maker.script, kind)
            let onset = maker.onset ?? 0
            counted.of += result.contacts.count { $0 >= onset }
            counted.hits += result.unknown.count { $0 >= onset }
            let shifts = result.flags.filter { $0.kind == .categoryShift }
            if let first = shifts.first, first.time < onset { continue }
            sessions += 1
            guard let flag = shifts.first else { continue }
            delays.append(Double(result.contacts.count { $0 >= onset && $0 <= flag.time }))
          }
          func within(_ limit: Double) -> String {
            Share(hits: delays.count { $0 <= limit }, of: sessions).text
          }
          let cells = [
            name, "\(Int(share * 100)) %", "\(Share.short(counted.percent)) %",
            manner == 0 ? "as assumed" : "tasks, bursts ...", within(40), within(150),
            delays.count > sessions / 2 ? median(delays, 0) : "-",
          ]
          print("| " + cells.joined(separator: " | ") + " |")
        }
      }
      progress("mix: \(name)")
    }
  }
}
