/// What was found out about a host. Nothing of it is judged yet.
struct DoctorFacts: Sendable {
  /// What the doctor may do itself.
  struct Rights: Sendable, Equatable {
    var isRoot = true
    /// CAP_NET_ADMIN.
    var administersNetwork = true
  }

  /// The public suffix list in use.
  struct Suffixes: Sendable, Equatable {
    var source: String
    /// Seconds since 1970; 0 when unknown.
    var madeAt: Int64
  }

  /// The file of the configuration, and what came of it.
  struct ConfigurationFile: Sendable {
    var path: String
    /// Nil when it cannot be used.
    var configuration: Configuration?
    var summary = ""
    var faults: [String] = []
    var warnings: [String] = []
  }

  /// The kernel's table of bound queues.
  enum QueueTable: Sendable, Equatable {
    case absent, hidden
    case shown([QueueSample])
  }

  /// A bound queue, looked at twice.
  struct QueueSample: Sendable, Equatable {
    var before: QueueStatistics
    /// Nil when it was gone at the second look.
    var after: QueueStatistics?
    /// Nil when procfs does not tell.
    var owner: QueueOwner.Process?
  }

  enum Conntrack: Sendable, Equatable {
    case answers
    case fails(ConntrackError)
  }

  /// What the rules' script says.
  enum Rules: Sendable, Equatable {
    /// Install left no record for this network namespace; where it would be.
    case unrecorded(String)
    /// Only root is told.
    case hidden
    /// The script must not be run, and why.
    case refused(String)
    /// It was run and said nothing that can be read.
    case failed(String)
    case told(RulesStatus)
  }

  /// A file that the daemon writes.
  struct Place: Sendable, Equatable {
    /// `access(2)`: 0 or the errno.
    typealias Access = Int32

    var path: String
    /// Whether it may be written; nil when it is not there.
    var file: Access?
    /// Whether its directory may be written; nil when it is not there.
    var folder: Access?
    /// Whether the directory above that may be written; nil when it is not there.
    var above: Access?
    /// Bytes that are free; nil when unknown.
    var free: UInt64?
  }

  /// A Unix socket.
  enum Peer: Sendable, Equatable {
    case answers
    /// Only root or a group may connect.
    case hidden
    /// Why there is no answer.
    case silent(String)
  }

  var file: ConfigurationFile
  var rights = Rights()
  var suffixes: Suffixes?
  /// Seconds since 1970.
  var now: Int64 = 0
  var queues = QueueTable.absent
  /// Time between the two looks, in milliseconds.
  var sampled = 0
  /// Whether xt_NFQUEUE was seen, other than in rules.
  var seesTarget = false
  var conntrack = Conntrack.answers
  /// net.netfilter.nf_conntrack_acct and nf_conntrack_tcp_be_liberal; nil where there is no connection tracking.
  var accounting: String?
  var liberal: String?
  var hasIPv6 = true
  var rules = Rules.hidden
  /// Why the daemon could not make rules again (RulesRecord.obstacle).
  var repairObstacle: String?
  /// Nil where no cgroup v2 hierarchy is seen.
  var identifiers: CgroupIdentifiers?
  /// Nil where none is configured.
  var store: Place?
  var events: Place?
  var control = Peer.hidden
  var containers: Peer?

  /// The status of the rules, when it is known.
  var status: RulesStatus? {
    if case .told(let status) = rules { return status }
    return nil
  }
}
