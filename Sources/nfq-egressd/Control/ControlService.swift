import FoundationEssentials
import PacketInspect

/// From a request line to an answer line. Strict: an orchestrator that misspells `addresses` must not believe that its
/// session has some.
struct ControlService: Sendable {
  /// Carries a command out; nil when nobody did in time.
  let execute: @Sendable (ControlCommand) -> ControlOutcome?
  /// The control group of a process.
  var cgroup: @Sendable (Int32) throws(ControlError) -> String = ProcessCgroup.path(of:)
  /// How the daemon is; nil in tests of the rest.
  var status: (@Sendable () -> ControlStatus)?
  /// Where overlays are kept.
  var overlays: OverlayDesk?
  /// Where flagged sessions are reviewed; nil without a store.
  var reviews: ReviewDesk?
  var reader = OverlayReader()

  /// The answer to one line, with its newline.
  func answer(_ line: ArraySlice<UInt8>, from peer: ControlPeer? = nil) -> [UInt8] {
    do throws(ControlError) {
      let command = try command(Data(line))
      try checkRecord(of: command)
      if case .overlay(let about) = command, let overlays {
        return Self.encode(try overlays.perform(about, peer, at: WallClock.now()))
      }
      if case .review(let about) = command {
        guard let reviews else { throw Self.noStore("flags in") }
        return Self.encode(try reviews.perform(about, peer, at: WallClock.now()))
      }
      if case .status = command, let status {
        // Not asked of the queue's thread: it answers when that one does not.
        var response = ControlResponse()
        response.status = status()
        return Self.encode(response)
      }
      guard let outcome = execute(command) else { throw .busy }
      var response = ControlResponse(outcome)
      if case .release(let id, let author) = command, case .released = outcome {
        response.kept = overlays?.recordRelease(of: id, author, peer, at: WallClock.now()).rawValue
      }
      if case .benign(_, let author) = command, case .benign(let session, let contacts) = outcome {
        response.kept = overlays?.recordBenign(session, contacts, author, peer, at: WallClock.now()).rawValue
      }
      if case .detail = outcome, let session = response.session {
        response.overlays = overlays?.overlays(of: session.id, type: session.agentType)
      }
      return Self.encode(response)
    } catch {
      return Self.encode(ControlResponse(error))
    }
  }

  /// What is to be written down is not done where that cannot be.
  private func checkRecord(of command: ControlCommand) throws(ControlError) {
    switch command {
    case .benign where overlays?.keeper.hasStore != true,
      .overlay(.withdrawBenign) where overlays?.keeper.hasStore != true:
      throw Self.noStore("what is learned in")
    case .release, .benign, .overlay(.withdrawBenign), .review(.act):
      guard overlays?.keeper.isBehind == true else { return }
      throw ControlError(.tooManyOverlays, "as many changes wait for the disk as may; nothing was done")
    default: return
    }
  }

  private static func noStore(_ what: String) -> ControlError {
    ControlError(.noStore, "there is no store to keep \(what); write a path under store.path and restart")
  }

  /// An answer as a line.
  static func encode(_ response: ControlResponse) -> [UInt8] {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.withoutEscapingSlashes, .sortedKeys]
    guard let data = try? encoder.encode(response) else {
      // Not reachable: no field holds what JSON cannot say.
      return Array(#"{"error":{"code":"busy","message":"the answer cannot be written"},"ok":false,"version":1}"#.utf8)
        + [10]
    }
    return Array(data) + [10]
  }

  /// The command of a request.
  func command(_ data: Data) throws(ControlError) -> ControlCommand {
    // The version comes first: another one may mean other fields.
    let envelope: Envelope = try decode(data)
    guard envelope.version == ControlProtocol.version else {
      throw ControlError(
        .unsupportedVersion,
        "version \(envelope.version) is not spoken here; this daemon speaks \(ControlProtocol.version)"
      )
    }
    guard let verb = ControlVerb(rawValue: envelope.command) else {
      let words = ControlVerb.allCases.map(\.rawValue).joined(separator: ", ")
      throw ControlError(.unknownCommand, "\(quoted(envelope.command)) is no command; those of version 1 are \(words)")
    }
    let fields: [String: Ignored] = try decode(data)
    let known = verb.fields.union(["version", "command"])
    if let unknown = fields.keys.filter({ !known.contains($0) }).min() {
      throw ControlError(.badRequest, "'\(verb.rawValue)' has no field \(quoted(unknown)); remove it")
    }
    let request: ControlRequest = try decode(data)
    if request.budget != nil { try checkBudget(data) }
    switch verb {
    case .start: return .start(try registration(request))
    case .end: return .end(try id(request))
    case .list: return .list(agentType: request.agentType)
    case .show: return .show(try id(request))
    case .status: return .status
    case .extend:
      guard let count = request.destinations, (1...ControlProtocol.maximumExtension).contains(count) else {
        throw ControlError(.badRequest, "'destinations' must be a number from 1 to \(ControlProtocol.maximumExtension)")
      }
      return .extend(try id(request), by: count)
    case .release: return .release(try id(request), try reader.author(request))
    case .benign:
      let (id, author) = (try id(request), try reader.author(request))
      return request.withdraw == true ? .overlay(.withdrawBenign(id, author)) : .benign(id, author)
    case .block: return .overlay(.add(try reader.block(try id(request), request)))
    case .unblock: return .overlay(.unblock(try id(request), try reader.author(request)))
    case .overlayAdd: return .overlay(.add(try reader.draft(request)))
    case .overlayList: return .overlay(.list(session: request.id))
    case .overlayRemove:
      guard let overlay = request.overlay else { throw ControlError(.badRequest, "'overlay' is missing: its number") }
      return .overlay(.remove(overlay, try reader.author(request)))
    case .reviewList: return .review(.list(try reader.states(request)))
    case .reviewShow: return .review(.show(try id(request)))
    case .reviewAct: return .review(.act(try reader.review(try id(request), request)))
    }
  }

  /// A misspelt ceiling must not pass for none.
  private func checkBudget(_ data: Data) throws(ControlError) {
    let fields: BudgetFields = try decode(data)
    let known = Set(ControlBudget.CodingKeys.allCases.map(\.rawValue))
    if let unknown = fields.budget.keys.filter({ !known.contains($0) }).min() {
      throw ControlError(.badRequest, "'budget' has no field \(quoted(unknown)); remove it")
    }
  }

  private struct BudgetFields: Decodable {
    var budget: [String: Ignored]
  }

  private func id(_ request: ControlRequest) throws(ControlError) -> String {
    guard let id = request.id else { throw ControlError(.badRequest, "'id' is missing") }
    return id
  }

  private func registration(_ request: ControlRequest) throws(ControlError) -> SessionRegistration {
    let id = try id(request)
    guard SessionWord.isUsable(id), !id.hasPrefix(AgentType.unattributedName + "-"), id != SessionTable.resolverID
    else {
      throw ControlError(
        .badRequest,
        "\(quoted(id)) cannot be an id; use \(SessionWord.rule), and neither '\(SessionTable.resolverID)' nor what begins with '\(AgentType.unattributedName)-'"
      )
    }
    guard let type = request.agentType else { throw ControlError(.badRequest, "'agent_type' is missing") }
    var registration = SessionRegistration(id: id, agentType: type)
    let count =
      (request.addresses?.count ?? 0) + (request.cgroups?.count ?? 0) + (request.pids?.count ?? 0)
    guard (1...ControlProtocol.maximumSources).contains(count) else {
      throw ControlError(
        .badRequest,
        "a session has from 1 to \(ControlProtocol.maximumSources) of 'addresses', 'cgroups' and 'pids', not \(count)")
    }
    if let budget = request.budget { registration.budget = try reader.budget(budget) }
    for text in request.addresses ?? [] { registration.sources.append(try network(text)) }
    for path in request.cgroups ?? [] { registration.cgroups.append(try ProcessCgroup.checked(path)) }
    for process in request.pids ?? [] { registration.cgroups.append(try cgroup(process)) }
    return registration
  }

  private func network(_ text: String) throws(ControlError) -> IPNetwork {
    guard let network = IPNetwork(text), let address = IPAddress(String(text.prefix { $0 != "/" })) else {
      throw ControlError(.badRequest, "\(quoted(text)) is no address or network")
    }
    guard network.address == address else {
      throw ControlError(
        .badRequest, "\(quoted(text)) has bits set beyond its length; write \(network) or \(address)")
    }
    guard network.prefixLength > 0 else {
      throw ControlError(.badRequest, "\(quoted(text)) is everyone's address; name the session's own")
    }
    return network.canonical
  }

  private struct Envelope: Decodable {
    var version: Int
    var command: String
  }

  /// A value of any kind.
  private struct Ignored: Decodable {
    init(from decoder: any Decoder) {}
  }

  private func decode<T: Decodable>(_ data: Data) throws(ControlError) -> T {
    do {
      return try JSONDecoder().decode(T.self, from: data)
    } catch DecodingError.keyNotFound(let key, _) {
      throw ControlError(.badRequest, "'\(key.stringValue)' is missing")
    } catch DecodingError.typeMismatch(_, let context), DecodingError.valueNotFound(_, let context) {
      guard let field = context.codingPath.first?.stringValue else {
        throw ControlError(.badRequest, "a request is one JSON object on one line")
      }
      throw ControlError(.badRequest, "\(quoted(field)) has a value of the wrong kind")
    } catch DecodingError.dataCorrupted(let context) where !context.codingPath.isEmpty {
      throw ControlError(.badRequest, "\(quoted(context.codingPath[0].stringValue)) has a value of the wrong kind")
    } catch {
      throw ControlError(.badRequest, "not JSON; a request is one JSON object on one line")
    }
  }
}
