/// What of the sessions is to be stored.
extension SessionTable {
  /// True when something is not stored yet.
  var hasUnsaved: Bool { !unsaved.isEmpty }

  /// Notes that a session has something to store.
  mutating func markUnsaved(_ index: Int32) {
    sessions[Int(index)].isUnsaved = true
    guard !sessions[Int(index)].isListedUnsaved else { return }
    sessions[Int(index)].isListedUnsaved = true
    unsaved.append(index)
  }

  /// Notes that everything is to be stored again.
  mutating func markAllUnsaved() {
    for index in indices {
      sessions[Int(index)].budget.markUnsaved()
      sessions[Int(index)].isMixStored = false
      markUnsaved(index)
    }
  }

  /// Gives out about `limit` changes that are not stored yet. `names` are the categories', by which a mix is stored.
  /// In the order in which sessions changed: one that ended comes before another that began since under its id.
  mutating func takeUnsaved(limit: Int, names: CategoryNames, _ body: (StateChange) -> Void) {
    var left = limit
    var done = 0
    defer { unsaved.removeFirst(done) }
    while left > 0, done < unsaved.count {
      let index = unsaved[done]
      let id = sessions[Int(index)].id
      if sessions[Int(index)].isUnsaved {
        sessions[Int(index)].isUnsaved = false
        sessions[Int(index)].writeMix(names)
        var state = sessions[Int(index)].state
        if state.ended == nil, let registration = registered[id] {
          state.sources = registration.sources
          state.cgroups = registration.cgroups
        }
        body(.session(state))
        left -= 1
      }
      sessions[Int(index)].budget.takeUnsaved(limit: left) { key, record in
        if let record {
          body(.destination(session: id, key: key, record: record))
        } else {
          body(.withdrawn(session: id, key: key))
        }
        left -= 1
      }
      guard !sessions[Int(index)].budget.hasUnsaved else { return }
      done += 1
      sessions[Int(index)].isListedUnsaved = false
      release(index)
    }
  }
}
