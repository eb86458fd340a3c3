/// One thing that an agent does on the network.
struct Action {
  enum Kind {
    case lookup
    /// A TLS connection, with the bytes of its application data each way.
    case tls(bytesOut: Int, bytesIn: Int)
    /// A request in the clear.
    case request(method: String, path: String, query: String, bodyLength: Int, bytesIn: Int)
  }

  /// Seconds since the session began.
  var time: Double
  var kind: Kind
  /// The host's name; its last two labels are its registrable domain.
  var host: String
  var address: UInt32
  /// The name of the category of `host`.
  var category: String
}

/// A session as the list of what it does, in order of time.
struct Timeline {
  var kind: AgentKind
  var actions: [Action]
  /// The contact (the gap of 30 s applied) from which on an attack goes on; nil for a benign session.
  var onset: Int?
}
