/// The control protocol: one JSON object a line each way. docs/control.md describes it, docs/control.schema.json
/// is its schema; both change with this file.
enum ControlProtocol {
  /// Raised when an old client would misread a new daemon or the reverse.
  static let version = 1
  /// Bytes of one request: a start with two thousand addresses fits, and a client can make the daemon keep no more.
  static let maximumRequest = 65_536
  /// Bytes of one answer that the client reads: twice what the largest possible list of sessions takes.
  static let maximumResponse = 128 << 20
  /// Addresses, control groups and processes in one request.
  static let maximumSources = 1_024
  /// Destinations by which one command extends a budget: as many as a budget may have.
  static let maximumExtension = 1_000_000
}

/// What can be asked for. The raw values stand on the wire.
enum ControlVerb: String, CaseIterable, Sendable {
  case start, end, list, show, status, extend, release, benign, block, unblock
  case overlayAdd = "overlay-add"
  case overlayList = "overlay-list"
  case overlayRemove = "overlay-remove"
  case reviewList = "review-list"
  case reviewShow = "review-show"
  case reviewAct = "review-act"

  /// The fields beside `version` and `command` that it takes.
  var fields: Set<String> {
    switch self {
    case .start: ["id", "agent_type", "addresses", "cgroups", "pids", "budget"]
    case .end, .show, .reviewShow: ["id"]
    case .list: ["agent_type"]
    case .status: []
    case .extend: ["id", "destinations"]
    case .block: ["id", "why", "who", "lasts"]
    case .unblock, .release: ["id", "why", "who"]
    case .benign: ["id", "why", "who", "withdraw"]
    case .overlayAdd: ["kind", "subject", "scope", "budget", "why", "who", "lasts"]
    case .overlayList: ["id"]
    case .overlayRemove: ["overlay", "why", "who"]
    case .reviewList: ["state"]
    case .reviewAct:
      ["id", "action", "disposition", "seen", "destinations", "subject", "scope", "why", "who", "lasts"]
    }
  }
}

/// A request as it stands on the wire.
struct ControlRequest: Codable, Sendable, Equatable {
  var version = ControlProtocol.version
  var command: String
  var id: String?
  var agentType: String?
  /// Addresses or networks in CIDR form.
  var addresses: [String]?
  /// Paths below the cgroup v2 mount.
  var cgroups: [String]?
  /// Processes whose control groups are meant.
  var pids: [Int32]?
  /// By how many destinations to extend.
  var destinations: Int?
  /// Budgets of a session or an overlay.
  var budget: ControlBudget?
  /// An overlay's number.
  var overlay: UInt64?
  /// What an overlay is.
  var kind: String?
  /// A host name, address or network.
  var subject: String?
  /// `session:ID`, `type:NAME` or `all`.
  var scope: String?
  var why: String?
  /// Who decided, where it is not who asks.
  var who: String?
  /// Seconds after which an overlay ends by itself.
  var lasts: Int64?
  /// True to take a verdict back.
  var withdraw: Bool?
  /// `open`, `acknowledged`, `resolved` or `all`.
  var state: String?
  /// `acknowledge` or `resolve`.
  var action: String?
  /// What is decided of a flagged session.
  var disposition: String?
  /// The version of the item that the reviewer saw.
  var seen: String?

  enum CodingKeys: String, CodingKey {
    case version, command, id
    case agentType = "agent_type"
    case addresses, cgroups, pids, destinations, budget, overlay, kind, subject, scope, why, who, lasts, withdraw
    case state, action, disposition, seen
  }

  init(_ verb: ControlVerb, id: String? = nil) {
    command = verb.rawValue
    self.id = id
  }
}

/// Why a request was not carried out. The raw values are stable: programs act on them.
enum ControlErrorCode: String, Codable, Sendable, CaseIterable {
  /// Not JSON, a field missing, unknown or of the wrong kind.
  case badRequest = "bad-request"
  case unsupportedVersion = "unsupported-version"
  case unknownCommand = "unknown-command"
  /// Longer than `ControlProtocol.maximumRequest`.
  case tooLong = "too-long"
  /// `ControlServer.maximumConnections` are open.
  case tooManyConnections = "too-many-connections"
  /// The packet path did not look in time; nothing was done.
  case busy
  case unknownSession = "unknown-session"
  case unknownAgentType = "unknown-agent-type"
  case otherAgentType = "other-agent-type"
  case sourceTaken = "source-taken"
  case cgroupTaken = "cgroup-taken"
  case tooManySessions = "too-many-sessions"
  case noSuchProcess = "no-such-process"
  /// The process has no control group of its own on the v2 hierarchy.
  case noCgroup = "no-cgroup"
  case unknownOverlay = "unknown-overlay"
  case tooManyOverlays = "too-many-overlays"
  /// The agent type has no `categories.baseline`.
  case noBaseline = "no-baseline"
  /// Too few contacts were counted of the session to learn from.
  case noContacts = "no-contacts"
  /// No verdict stands on the session.
  case noVerdict = "no-verdict"
  /// The store cannot be read just now.
  case storeUnreadable = "store-unreadable"
  /// `store.path: none`: what is learned would be lost.
  case noStore = "no-store"
  /// No flag of the session is in the store.
  case notFlagged = "not-flagged"
  /// A flagged session is not as the reviewer saw it.
  case changed
  /// It is resolved.
  case alreadyResolved = "already-resolved"
}

/// An error as it stands on the wire.
struct ControlError: Error, Codable, Sendable, Equatable {
  var code: ControlErrorCode
  /// One line for people, with the mend.
  var message: String

  init(_ code: ControlErrorCode, _ message: String) {
    self.code = code
    self.message = message
  }

  static let busy = ControlError(.busy, "the packet path did not look in time; nothing was done, try again")

  static func unreadable(_ failure: StoreFailure) -> ControlError {
    ControlError(.storeUnreadable, "the store cannot be read just now (\(failure.description)); try again")
  }
}

/// An answer as it stands on the wire.
struct ControlResponse: Codable, Sendable, Equatable {
  var version = ControlProtocol.version
  var ok = true
  var error: ControlError?
  var session: ControlSession?
  var sessions: [ControlSession]?
  var destinations: [ControlDestination]?
  /// What was registered for the session shown.
  var addresses: [String]?
  var cgroups: [String]?
  /// The overlay that was added or removed.
  var overlay: ControlOverlay?
  var overlays: [ControlOverlay]?
  /// Where the change was kept: `store`, `memory` or `waiting`.
  var kept: String?
  /// Whether the session that an overlay names lives now.
  var lives: Bool?
  /// The mix of the session shown, where it is watched.
  var mix: ControlMix?
  /// Whether a release found anything held.
  var wasHeld: Bool?
  /// Contacts of the session that was found benign, or no longer is.
  var contacts: UInt64?
  /// The flagged session that was asked for or acted on.
  var review: ControlReview?
  var reviews: [ControlReview]?
  /// Flags of the session shown, or those that a reviewer had not seen.
  var flags: [ControlFlag]?
  /// Reviewers' steps with it, likewise.
  var steps: [ControlReviewStep]?
  var status: ControlStatus?

  enum CodingKeys: String, CodingKey {
    case version, ok, error, session, sessions, destinations, addresses, cgroups, overlay, overlays, kept, lives, mix
    case contacts, review, reviews, flags, steps, status
    case wasHeld = "was_held"
  }

  init() {}

  init(_ error: ControlError) {
    ok = false
    self.error = error
  }
}

/// A session on the wire. Times are seconds since 1970, to the millisecond.
struct ControlSession: Codable, Sendable, Equatable {
  struct Budget: Codable, Sendable, Equatable {
    var used: Int
    /// Absent when there is no ceiling.
    var ceiling: Int?
    var onReach: String?
    var extendedBy: Int

    enum CodingKeys: String, CodingKey {
      case used, ceiling
      case onReach = "on_reach"
      case extendedBy = "extended_by"
    }
  }

  var id: String
  var agentType: String
  var attribution: String
  var started: Double
  var lastSeen: Double
  var ended: Double?
  var budget: Budget
  var flows: UInt64
  var bytesOut: UInt64
  var bytesIn: UInt64
  var refused: UInt64
  var flags: UInt64

  enum CodingKeys: String, CodingKey {
    case id
    case agentType = "agent_type"
    case attribution, started
    case lastSeen = "last_seen"
    case ended, budget, flows
    case bytesOut = "bytes_out"
    case bytesIn = "bytes_in"
    case refused, flags
  }

  /// Share of the ceiling that is used; nil without a ceiling.
  var share: Double? {
    guard let ceiling = budget.ceiling else { return nil }
    return ceiling > 0 ? Double(budget.used) / Double(ceiling) : 1
  }
}

/// A session's mix of categories on the wire. Shares are parts of one.
struct ControlMix: Codable, Sendable, Equatable {
  struct Row: Codable, Sendable, Equatable {
    var category: String
    var contacts: Int
    var share: Double
    /// Absent when the baseline does not list it.
    var baseline: Double?
    /// True when it rose in a shift that nobody has released, absent otherwise.
    var risen: Bool?
  }

  /// What a learned baseline rests on.
  struct Learned: Codable, Sendable, Equatable {
    /// Sessions that reviewers found benign.
    var sessions: Int
    /// Their contacts.
    var contacts: Int
    /// Sessions that the configured baseline counts for.
    var prior: Double
    /// How closely sessions keep to the baseline, in contacts.
    var concentration: Double
  }

  /// Since the session began, or since the change of its last shift.
  var contacts: Int
  /// Shifts since a reviewer last acted.
  var flags: Int
  var onShift: String
  var held: Bool
  /// Absent when the baseline is the configured one.
  var learned: Learned?
  var categories: [Row]

  enum CodingKeys: String, CodingKey {
    case contacts, flags
    case onShift = "on_shift"
    case held, learned, categories
  }
}

/// A session's destination on the wire.
struct ControlDestination: Codable, Sendable, Equatable {
  var destination: String
  var evidence: String
  var firstSeen: Double
  var lastSeen: Double
  var contacts: UInt32
  /// The category at the latest contact; absent from older daemons.
  var category: String?

  enum CodingKeys: String, CodingKey {
    case destination, evidence, category
    case firstSeen = "first_seen"
    case lastSeen = "last_seen"
    case contacts
  }
}
