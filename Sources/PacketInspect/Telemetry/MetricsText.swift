/// Metrics as Prometheus reads them: text exposition format, version 0.0.4.
public struct MetricsText {
  /// What a metric is.
  public enum Kind: String, Sendable {
    /// It only grows, and begins anew with the daemon.
    case counter
    /// It goes up and down.
    case gauge
    /// Observations by size.
    case histogram
  }

  /// A label and its value.
  public typealias Label = (name: String, value: String)

  /// The text so far.
  public private(set) var bytes: [UInt8] = []
  private var name = ""

  /// Nothing written yet.
  public init() {}

  /// Begins a metric; its samples follow.
  public mutating func begin(_ name: String, _ kind: Kind, _ help: String) {
    self.name = name
    add("# HELP \(name) ")
    for byte in help.utf8 { add(escaped: byte, quote: false) }
    add("\n# TYPE \(name) \(kind.rawValue)\n")
  }

  /// One sample of the metric that was begun.
  public mutating func sample(_ labels: [Label] = [], suffix: String = "", _ value: UInt64) {
    start(labels, suffix)
    bytes.append(decimal: value)
    bytes.append(UInt8(ascii: "\n"))
  }

  /// One sample that is no whole number.
  public mutating func sample(_ labels: [Label] = [], suffix: String = "", number value: Double) {
    start(labels, suffix)
    add(value.isFinite ? value.description : value.isNaN ? "NaN" : value > 0 ? "+Inf" : "-Inf")
    bytes.append(UInt8(ascii: "\n"))
  }

  /// A metric with one sample.
  public mutating func single(_ name: String, _ kind: Kind, _ help: String, _ value: UInt64) {
    begin(name, kind, help)
    sample([], value)
  }

  /// A metric with one sample that is no whole number.
  public mutating func single(_ name: String, _ kind: Kind, _ help: String, number value: Double) {
    begin(name, kind, help)
    sample([], number: value)
  }

  private mutating func start(_ labels: [Label], _ suffix: String) {
    add(name)
    add(suffix)
    if !labels.isEmpty {
      var separator = "{"
      for label in labels {
        add(separator)
        add(label.name)
        add("=\"")
        for byte in label.value.utf8 { add(escaped: byte, quote: true) }
        add("\"")
        separator = ","
      }
      add("}")
    }
    add(" ")
  }

  private mutating func add(_ text: String) { bytes.append(contentsOf: text.utf8) }

  private mutating func add(escaped byte: UInt8, quote: Bool) {
    switch byte {
    case UInt8(ascii: "\n"): add("\\n")
    case UInt8(ascii: "\\"): add("\\\\")
    case UInt8(ascii: "\"") where quote: add("\\\"")
    default: bytes.append(byte)
    }
  }
}
