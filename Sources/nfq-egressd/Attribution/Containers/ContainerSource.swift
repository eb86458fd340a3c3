/// Where containers are asked for.
struct ContainerSource: Sendable, Equatable {
  /// The runtime's Unix socket.
  var socket: String
  var labels = ContainerLabelNames()

  /// Bytes of a path that fit into a socket address (unix(7): sun_path, with its final NUL).
  static let longestSocketPath = 107
}
