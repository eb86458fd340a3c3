import FoundationEssentials

/// What `iptables-setup.sh status --json` says (docs/rules.md).
struct RulesStatus: Decodable, Sendable, Equatable {
  struct Family: Decodable, Sendable, Equatable {
    struct Counters: Decodable, Sendable, Equatable {
      /// Packets that were sent to the queue.
      var queued: UInt64
    }

    var counters: Counters
  }

  struct Cgroup: Decodable, Sendable, Equatable { var path: String }

  struct Problem: Decodable, Sendable, Equatable {
    var what: String
    var mend: String
  }

  /// `nft` or `legacy`.
  var backend: String
  /// Whether install's record of them is there.
  var recorded: Bool
  /// What install was told; these four are empty where nothing is recorded.
  var options: String
  /// `N` or `N-M`.
  var queues: String
  var onFailure: String
  var markMask: String
  /// `ipv4` and, where the host has it, `ipv6`.
  var families: [String: Family]
  var cgroups: [Cgroup]
  /// What is wrong.
  var problems: [Problem]

  /// The status in what the script wrote, among which there may be warnings; nil when it is none.
  static func find(in lines: [String]) -> RulesStatus? {
    for line in lines where line.hasPrefix("{") {
      if let status = try? JSONDecoder().decode(RulesStatus.self, from: Data(line.utf8)) { return status }
    }
    return nil
  }

  /// Packets that the rules have sent to the queue, of both families.
  var queued: UInt64 { families.values.reduce(0) { $0 &+ $1.counters.queued } }
}
