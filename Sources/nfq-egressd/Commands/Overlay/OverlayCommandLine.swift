import ArgumentParser
import PacketInspect

/// `nfq-egressd overlay`.
struct OverlayCommandLine: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "overlay",
    abstract: "Lay reviewers' decisions over the policy: block, except, deny, budget.",
    discussion: """
      An overlay acts at once, on connections that live too, and survives restarts. Of several that apply the first of \
      these decides: block, exception, deny, the deny-lists, budget. docs/overlays.md describes them.

      Exit status: 0 done, 1 the thing is not so or no daemon answers (one line on standard error says which), 64 usage.
      """,
    subcommands: [OverlayAdd.self, OverlayList.self, OverlayRemove.self]
  )
}

/// Who decides, and why.
struct OverlayReason: ParsableArguments {
  @Option(help: "Why: it stands in the record and in events.")
  var why: String

  @Option(help: "Who decided, where that is not the calling user, whom the daemon sees and records in any case.")
  var who: String?

  func fill(_ request: inout ControlRequest) {
    request.why = why
    request.who = who
  }
}

/// How long an overlay lasts.
struct OverlayTime: ParsableArguments {
  @Option(help: "A time such as 90s, 30m, 8h or 7d, after which it ends by itself.")
  var expires: TimeSpan?
}

extension TimeSpan: ExpressibleByArgument {
  init?(argument: String) { self.init(argument) }
}

extension ByteCount: ExpressibleByArgument {
  init?(argument: String) { self.init(argument) }
}

extension AgentType.Budget.Window: ExpressibleByArgument {}
extension AgentType.Budget.OnReach: ExpressibleByArgument {}

/// What is added, and where its subject stands on the wire.
enum OverlayWord: String, CaseIterable, ExpressibleByArgument {
  case block, except, deny, budget

  var kind: OverlayKind {
    switch self {
    case .block: .block
    case .except: .exception
    case .deny: .deny
    case .budget: .budget
    }
  }
}

/// `nfq-egressd overlay add`.
struct OverlayAdd: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "add",
    abstract: "Add an overlay, in the place of one on the same thing.",
    discussion: """
      SUBJECT of deny and except is a host name (with all below it), an address or a network; of block and budget a \
      session's id, or nothing where --scope says whom they concern.

        overlay add deny paste.example --scope session:demo-1 --why 'never part of the task' --expires 7d
        overlay add block demo-1 --why 'uploads at night'
        overlay add budget --scope type:research --destinations 400 --why 'larger tasks'
      """
  )

  @Argument(help: "One of \(OverlayWord.allCases.map(\.rawValue).joined(separator: ", ")).")
  var kind: OverlayWord

  @Argument(help: "A host name, address or network; of block and budget a session's id.")
  var subject: String?

  @Option(help: "Whom it concerns: session:ID, type:NAME or all.")
  var scope: String?

  @Option(help: "Of a budget: the ceiling on distinct destinations.")
  var destinations: Int?

  @OptionGroup var budget: BudgetOptions
  @OptionGroup var reason: OverlayReason
  @OptionGroup var time: OverlayTime
  @OptionGroup var options: SessionOptions

  func validate() throws {
    switch kind {
    case .deny, .except:
      guard subject != nil, scope != nil else {
        throw ValidationError("name a host, address or network, and with --scope whom it concerns")
      }
    case .block, .budget:
      guard (subject == nil) != (scope == nil) else {
        throw ValidationError("name a session, or with --scope whom it concerns")
      }
    }
  }

  func run() throws {
    var request = ControlRequest(.overlayAdd)
    request.kind = kind.kind.rawValue
    reason.fill(&request)
    request.lasts = time.expires?.seconds
    switch kind {
    case .deny, .except: (request.subject, request.scope) = (subject, scope)
    case .block, .budget: request.scope = scope ?? subject.map { "session:\($0)" }
    }
    request.budget = budget.wire(destinations)
    try OverlayReport.print(try options.send(request), options, "is in force")
  }
}
