import Logging
import PacketInspect

/// Puts what reviewed sessions teach in the place of the configured baselines: at the start and at a reload, not in
/// between, since a baseline that changes begins the evidence of all sessions of its type anew.
struct MixLearner {
  /// The sessions of an agent type that reviewers found benign.
  let read: (_ agentType: String) throws(StoreFailure) -> [BenignMix]
  let log: Logger
  let report: (String, [(name: String, value: StatValue)]) -> Void

  /// Learns for every type that is to. One whose sessions cannot be read keeps its configured baseline.
  func learn(_ policy: inout CompiledPolicy) {
    var parts = policy.snapshot.parts
    let names = parts.categories.names
    for (name, type) in policy.loaded.configuration.agentTypes.sorted(by: { $0.key < $1.key })
    where type.categories?.learn == .reviewed {
      guard var mix = parts.agentTypes[name]?.mix else { continue }
      do throws(StoreFailure) {
        mix.learn(from: try read(name).map { $0.numbered(names) }, names: names)
      } catch {
        log.error(
          "agent type \(name): reviewed sessions cannot be read (\(error.description)); its baseline is the configured one until the next reload"
        )
        continue
      }
      parts.agentTypes[name]?.mix = mix
      tell(name, mix)
    }
    policy.snapshot = PolicySnapshot(parts, epoch: policy.snapshot.epoch)
  }

  private func tell(_ name: String, _ mix: MixPolicy) {
    let sessions = mix.learned?.sessions ?? 0
    let contacts = mix.learned?.contacts ?? 0
    let concentration = Int(mix.baseline.concentration.rounded())
    log.info(
      "agent type \(name): baseline of \(sessions) reviewed sessions with \(contacts) contacts, concentration \(concentration)"
    )
    report(
      "mix-learned",
      [
        ("agent_type", .text(name)), ("sessions", .count(UInt64(sessions))), ("contacts", .count(UInt64(contacts))),
        ("concentration", .count(UInt64(concentration))),
      ])
  }
}
