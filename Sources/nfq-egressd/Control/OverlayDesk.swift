import PacketInspect

/// Carries commands about overlays out, on the control socket's thread: a new policy is made there, and the packet path
/// only takes it.
struct OverlayDesk: Sendable {
  let keeper: PolicyKeeper
  /// Waits until the packet path has taken the policy, and asks whether a session lives; nil when it did not look.
  var settle: @Sendable (String) -> Bool? = { _ in nil }
  /// The session of an id as it was found benign last, if that still stands.
  var standing: @Sendable (String) throws(StoreFailure) -> BenignMix? = { _ in nil }

  func perform(_ command: OverlayCommand, _ peer: ControlPeer?, at now: Timestamp) throws(ControlError)
    -> ControlResponse
  {
    var response = ControlResponse()
    switch command {
    case .list(let session):
      let shown = keeper.overlays.filter { overlay in session.map { overlay.concerns($0, type: nil) } ?? true }
      response.overlays = shown.map { ControlOverlay($0) }
    case .add(var draft):
      if case .agentType(let name) = draft.scope, !keeper.knowsAgentType(name) {
        throw ControlError(SessionCommandError.unknownAgentType(name))
      }
      draft.author = signed(draft.author, peer)
      guard let (overlay, kept) = keeper.add(draft, at: now) else {
        throw ControlError(
          .tooManyOverlays,
          "\(OverlaySet.maximumCount) overlays are in force, or as many changes wait for the disk; remove some")
      }
      response.overlay = ControlOverlay(overlay)
      finish(&response, overlay.scope, kept)
    case .remove(let id, let author):
      let (overlays, kept) = keeper.remove(signed(author, peer), at: now) { $0.overlays[id] == nil ? [] : [id] }
      guard let overlay = overlays.first else {
        throw ControlError(.unknownOverlay, "there is no overlay \(id); 'overlay list' shows those that are in force")
      }
      response.overlay = ControlOverlay(overlay)
      finish(&response, overlay.scope, kept)
    case .unblock(let session, let author):
      let (overlays, kept) = keeper.remove(signed(author, peer), at: now) { $0.blocks(of: session) }
      guard let overlay = overlays.first else {
        throw ControlError(
          .unknownOverlay,
          "no overlay blocks session \(quoted(session)) alone; 'overlay list' shows those of its type and of all")
      }
      response.overlay = ControlOverlay(overlay)
      finish(&response, overlay.scope, kept)
    case .withdrawBenign(let session, let author):
      let mix = try verdict(on: session)
      response.contacts = mix.contacts.values.reduce(0, &+)
      response.kept = recordBenign(mix.withdrawn, author, peer, at: now).rawValue
    }
    return response
  }

  private func verdict(on session: String) throws(ControlError) -> BenignMix {
    do throws(StoreFailure) {
      if let mix = try standing(session) { return mix }
    } catch {
      throw .unreadable(error)
    }
    throw ControlError(.noVerdict, "no review that stands found session \(quoted(session)) benign")
  }

  /// The overlays that concern a session of this type.
  func overlays(of session: String, type: String?) -> [ControlOverlay] {
    keeper.overlays.filter { $0.concerns(session, type: type) }.map { ControlOverlay($0) }
  }

  /// Writes down that a reviewer released a session's shift of mix, which has happened.
  func recordRelease(
    of session: String, _ author: OverlayAuthor, _ peer: ControlPeer?, at now: Timestamp
  ) -> PolicyKeeper.Keeping {
    keeper.recordRelease(of: session, signed(author, peer), at: now)
  }

  /// Writes down that a reviewer found a session benign, or that this is withdrawn.
  func recordBenign(
    _ mix: BenignMix, _ author: OverlayAuthor, _ peer: ControlPeer?, at now: Timestamp
  ) -> PolicyKeeper.Keeping {
    keeper.recordBenign(mix, signed(author, peer), at: now)
  }

  /// The same of what the packet path counted.
  func recordBenign(
    _ session: SessionOverview, _ contacts: [String: UInt64], _ author: OverlayAuthor, _ peer: ControlPeer?,
    at now: Timestamp
  ) -> PolicyKeeper.Keeping {
    let mix = BenignMix(
      session: session.id, started: session.started, agentType: session.agentType, contacts: contacts)
    return recordBenign(mix, author, peer, at: now)
  }

  private func finish(_ response: inout ControlResponse, _ scope: OverlayScope, _ kept: PolicyKeeper.Keeping) {
    response.kept = kept.rawValue
    guard case .session(let id) = scope else {
      _ = settle("")
      return
    }
    response.lives = settle(id)
  }

  /// With the connection's other end.
  func signed(_ author: OverlayAuthor, _ peer: ControlPeer?) -> OverlayAuthor {
    OverlayAuthor(who: author.who, peer: peer?.name ?? "unknown", why: author.why)
  }
}

extension Overlay {
  /// True for what acts on a session; without a type, what names the session itself.
  fileprivate func concerns(_ session: String, type: String?) -> Bool {
    switch scope {
    case .session(let id): id == session
    case .agentType(let name): name == type
    case .all: type != nil
    }
  }
}
