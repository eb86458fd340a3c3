import PacketInspect

/// The whole configuration, decoded and checked. The initial values here are the defaults, in their one place.
struct Configuration: Sendable, Equatable {
  var mode = Mode.enforce
  var queues = Queues()
  var marks = Marks()
  var rules = Rules()
  var onFailure = OnFailure()
  var limits = Limits()
  /// Networks that are never external, beside the IANA special-purpose ranges.
  var internalNetworks = ["10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "fc00::/7"].compactMap { IPNetwork($0) }
  /// Names whose subtrees are never external.
  var internalNames = ["local", "lan", "internal", "cluster.local", "in-addr.arpa", "ip6.arpa"]
    .compactMap { HostName($0) }
  /// Resolvers whose answers are believed. A file that does not name any gets `defaultTrustedResolvers`, of which
  /// only the well-known ones are known here: the host's own are read when a file is loaded.
  var trustedResolvers = WellKnownResolvers.addresses
  /// Deny-lists, in the order in which they are asked.
  var denyLists = [DenyListSource(name: "builtin-metadata", origin: .builtin(.cloudMetadata), action: .reject)]
  /// What no deny-list may deny.
  var denyExceptions: [DenyTarget] = []
  /// Where the categories of names come from. Of two entries with the same name the later list's counts, and any of
  /// them before a built-in one.
  var categories: [CategorySource] = [.builtin]
  /// Agent types by name; `unattributed` is always among them.
  var agentTypes = [AgentType.unattributedName: AgentType.unattributed]
  /// Where sessions come from.
  var sessions = Sessions()
  var privacy = Privacy()
  var control = Control()
  var store = Store()
  var events = Events()
  var metrics = Metrics()

  /// What `trustedResolvers` is when the file does not say.
  static let defaultTrustedResolvers: [TrustedResolverSource] = [.system, .wellKnown]

  enum Mode: String, CaseIterable, Sendable { case enforce, observe }

  struct Queues: Sendable, Equatable {
    /// Number of the first NFQUEUE.
    var first: UInt16 = 0
    /// How many queues, balanced by address pair.
    var count = 1
    /// Packets that may wait in the kernel, each queue.
    var length: UInt32 = 8192
    /// Which flows the kernel keeps to itself.
    var offload = Offload.decided

    enum Offload: String, CaseIterable, Sendable {
      /// Those whose packets can teach nothing more.
      case decided
      /// None: every packet is queued.
      case none
    }
  }

  struct Marks: Sendable, Equatable {
    /// The bits of packet mark and connmark that are ours.
    var mask: UInt32 = 0xff00_0000
  }

  /// What `iptables-setup.sh` did on this host.
  struct Rules: Sendable, Equatable {
    /// Who makes the rules again when a control group of `--cgroup` was made anew.
    enum Repair: Sendable, Equatable {
      /// The script that install recorded.
      case recorded
      /// The script at a path.
      case script(String)
      /// Nobody; it is told all the same.
      case off
    }

    var repair = Repair.recorded
    /// Where install keeps its records (its NFQ_EGRESSD_RUN_DIR).
    var directory = "/run/nfq-egressd"
  }

  /// What happens in each condition in which a packet cannot be judged as usual.
  struct OnFailure: Sendable, Equatable {
    enum Bypass: String, CaseIterable, Sendable { case closed, open }
    enum Pending: String, CaseIterable, Sendable { case hold }
    enum Backlog: String, CaseIterable, Sendable { case dropEvents = "drop-events" }

    /// No daemon on the queue. The rules decide; this is what is expected of them.
    var daemonAbsent = Bypass.closed
    /// The kernel's queue is full.
    var queueFull = Bypass.closed
    /// Not parseable as IP or its transport.
    var malformed = Action.accept
    /// 16 KiB of a hello or head without an end.
    var helloIncomplete = Action.reject
    /// A flow older than the daemon.
    var midstream = Action.accept
    /// No room in the flow table.
    var flowTableFull = Action.accept
    /// The writers of events lag behind.
    var eventBacklog = Backlog.dropEvents
    /// Nobody can say yet whose a packet is.
    var pendingAttribution = Pending.hold
  }

  struct Limits: Sendable, Equatable {
    /// Flows tracked at once.
    var flows = 262_144
    /// Names remembered for each session.
    var namesPerSession = 4096
    /// Events that may wait for their writers.
    var eventRing = 65_536
    /// Packets that may be held at one time: for their session, or in `strict` for the store.
    var heldPackets: UInt32 = 256
  }

  struct Sessions: Sendable, Equatable {
    /// Sessions known by their source address.
    var addresses: [AddressSession] = []
    /// The container runtime that is asked for sessions; nil for none.
    var containers: ContainerSource?
    /// Sessions known by the cgroup of the sending process; the first pattern that matches counts.
    var cgroups: [CgroupSession] = []
    /// Time without a flow or contact after which a session ends; nil for never.
    var idleEnd: TimeSpan? = TimeSpan(seconds: 3600)
  }

  struct Privacy: Sendable, Equatable {
    /// Which labels below a registrable domain are written as class, length and keyed hash.
    var redactLabels = LabelRedaction.encoded
  }

  struct Control: Sendable, Equatable {
    /// Where subcommands and orchestrators find the daemon, unless told otherwise.
    static let defaultSocket = "/run/nfq-egressd/control.sock"

    /// The Unix socket's path.
    var socket = defaultSocket
    /// The group whose members may use it.
    var group = "nfq-egressd"
  }

  struct Store: Sendable, Equatable {
    enum Durability: String, CaseIterable, Sendable { case relaxed, strict }

    /// The SQLite file; nil keeps everything in memory.
    var path: String? = "/var/lib/nfq-egressd/state.sqlite"
    var durability = Durability.relaxed
    /// Time after which a session that ended is forgotten; nil for never.
    var keepEnded: TimeSpan? = TimeSpan(seconds: 30 * 86_400)
  }

  struct Events: Sendable, Equatable {
    /// The file that gets one JSON object a line; `-` is standard output.
    var path = "/var/log/nfq-egressd/eve.json"
  }

  struct Metrics: Sendable, Equatable {
    /// Where metrics are served to a scraper; nil for nowhere.
    var listen: ListenAddress?
  }
}

/// A session that is known by its source address. Of overlapping sources the longest prefix counts.
struct AddressSession: Sendable, Equatable {
  var source: IPNetwork
  var session: String
  var agentType: String
}

/// Sessions that are known by their cgroup's path.
struct CgroupSession: Sendable, Equatable {
  var pattern: CgroupPattern
  /// The sessions' type; nil when the pattern captures it.
  var agentType: String?
}

/// What is configured for sessions of one kind.
struct AgentType: Sendable, Equatable {
  /// The type of sessions that nothing attributes.
  static let unattributedName = "unattributed"
  static let unattributed = AgentType(budget: Budget(destinations: 50))

  var budget = Budget()
  /// None unless it is configured.
  var uploadBudget: UploadBudget?
  /// What is done about destinations of a category, by its name; `accept` where none is given.
  var categoryActions: [String: CategoryAction] = [:]
  /// How the mix of categories is watched; nil where no baseline is configured, and then it is not.
  var categories: Mix?
  var shape = Shape()

  /// What mix of categories is expected, and from where on another is flagged (docs/detection.md).
  struct Mix: Sendable, Equatable {
    /// Shares of contacts by category name; their sum is one, but for rounding.
    var baseline: [String: Double]
    /// From what the baseline is learned, with the configured one as the prior.
    var learn = Learning.off

    enum Learning: String, CaseIterable, Sendable {
      /// From nothing: the baseline is the configured one.
      case off = "none"
      /// From sessions that reviewers found benign.
      case reviewed
    }

    /// Time without a contact after which a destination counts again.
    var contactGap = TimeSpan(seconds: 60)
    /// Contacts of a session before which nothing is flagged.
    var minimumContacts = 30
    /// Total variation distance below which nothing is flagged.
    var minimumDistance = 0.15
    /// How closely sessions of the type keep to the baseline, in contacts.
    var concentration = 50.0
    /// Bound on the share of ordinary sessions that are flagged.
    var falsePositiveRate = 0.01
    /// What a shift does beside the flag.
    var onShift = MixReach.flag
  }

  /// From where on the shape of what is sent is flagged.
  struct Shape: Sendable, Equatable {
    /// Characters of an encoded token in a path or query.
    var encodedTokenLength = 64
    /// Characters in encoded labels under one registrable domain.
    var encodedHostBytes = ByteCount(bytes: 4_096)
    /// Different names under one registrable domain.
    var uniqueLabels = 200
    /// The time over which both are counted.
    var labelWindow = TimeSpan(seconds: 3_600)
    /// Bytes sent in one flow or request.
    var uploadBytes = ByteCount(bytes: 50_000_000)
    /// Sent over received in it.
    var uploadRatio = 5.0
    /// Bytes sent by a session in 24 hours.
    var uploadVolume = ByteCount(bytes: 500_000_000)
    /// Bytes of small uploads.
    var dripBytes = ByteCount(bytes: 1_000_000)
    /// Small uploads to one destination.
    var dripUploads = 200
    /// Contacts at regular intervals.
    var beaconContacts = 12
    /// The time for which they have been regular.
    var beaconSpan = TimeSpan(seconds: 3_600)
    /// Median deviation of the intervals over their median.
    var beaconJitter = 0.1
    /// Protocols that are expected.
    var protocols = ProtocolSet.ordinary.words
    /// Ports that are not odd for any protocol, beside the usual ones.
    var ports: [UInt16] = []
    /// Registrable domains whose regular calls and small uploads are ordinary, beside those built in.
    var services: [HostName] = []
  }

  /// The ceiling on distinct external destinations.
  struct Budget: Sendable, Equatable {
    enum Window: String, CaseIterable, Sendable {
      case session
      case day = "24h"
    }
    enum OnReach: String, CaseIterable, Sendable { case flag, hold }

    var destinations = 200
    var window = Window.session
    var onReach = OnReach.flag
    /// Share of the ceiling at which a warning is raised, 0 to 1.
    var warnAt = 0.8
  }

  /// The ceiling on bytes sent to external destinations.
  struct UploadBudget: Sendable, Equatable {
    var bytes: ByteCount
    var window = Budget.Window.session
    var onReach = Budget.OnReach.flag
  }
}

/// What an entry of a list covers.
enum DenyTarget: Hashable, Sendable {
  /// A name and everything below it.
  case name(HostName)
  /// An address range.
  case network(IPNetwork)
}

/// One deny-list as the configuration names it.
struct DenyListSource: Sendable, Equatable {
  enum Origin: Sendable, Equatable {
    /// An absolute path.
    case file(path: String, format: ListFormat)
    case builtin(BuiltinList)
  }

  var name: String
  var origin: Origin
  /// `reject` or `drop`.
  var action: Action
  /// Age of the file from which on it is told that nobody keeps it fresh; nil for never.
  var maxAge: TimeSpan?
}

/// A member of `categories`.
enum CategorySource: Sendable, Equatable {
  /// The table that comes with the daemon.
  case builtin
  /// A file of names of one category; an absolute path.
  case file(category: String, path: String, format: ListFormat)

  /// The formats that hold names.
  static let formats: [ListFormat] = [.domains, .hosts]

  /// The name of the built-in table.
  static let builtinName = "default"
}

/// How a list file is written.
enum ListFormat: String, CaseIterable, Sendable { case domains, hosts, cidr }

/// The lists that come with the daemon.
enum BuiltinList: String, CaseIterable, Sendable { case cloudMetadata = "cloud-metadata" }

/// A member of `trustedResolvers` as it is written.
enum TrustedResolverSource: Sendable, Equatable {
  /// The nameservers of the host's resolv.conf.
  case system
  /// The table of public resolvers.
  case wellKnown
  case address(IPAddress)
}
