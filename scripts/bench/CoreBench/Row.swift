/// One line of the result: samples in nanoseconds a packet, and heap allocations a packet in the last repetition.
struct Row {
  var name: String
  var swift: [Double] = []
  var c: [Double] = []
  var allocations = 0.0

  init(name: String) { self.name = name }

  /// As JSON; the names hold nothing that would need escaping.
  var json: String {
    let times = swift.map { "\($0)" }.joined(separator: ",")
    let others = c.map { "\($0)" }.joined(separator: ",")
    return "{\"name\":\"\(name)\",\"swift\":[\(times)],\"c\":[\(others)],\"allocations\":\(allocations)}"
  }
}
