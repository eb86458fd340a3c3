/// How the daemon's queue and tables are, on the wire. Counts are since the start, but for what is now.
struct ControlStatus: Codable, Sendable, Equatable {
  struct Queue: Codable, Sendable, Equatable {
    var number: UInt16
    var length: UInt32
    var waiting: UInt64
    var waitingMost: UInt64
    var received: UInt64
    var missing: UInt64
    var overruns: UInt64
    var droppedFull: UInt64
    var droppedSocket: UInt64

    enum CodingKeys: String, CodingKey {
      case number, length, waiting
      case waitingMost = "waiting_most"
      case received, missing, overruns
      case droppedFull = "dropped_full"
      case droppedSocket = "dropped_socket"
    }
  }

  struct Uninspected: Codable, Sendable, Equatable {
    var passed: UInt64
    var lost: UInt64
    var cut: UInt64
  }

  /// What the rules have counted since they were made.
  struct Rules: Codable, Sendable, Equatable {
    var queued: UInt64
    var backstop: UInt64
  }

  struct Flows: Codable, Sendable, Equatable {
    var tracked: Int
    var limit: Int
    var evicted: UInt64
    var lost: UInt64
    var refused: UInt64
  }

  var queue: Queue
  var uninspected: Uninspected
  /// Absent where they cannot be read: what passed is then known in part.
  var rules: Rules?
  var flows: Flows
}
