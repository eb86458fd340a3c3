/// Aligned columns of text.
struct TextTable {
  enum Column {
    case left(String)
    case right(String)
  }

  /// Space between two columns.
  private static let gap = "  "

  private let columns: [Column]
  private var rows: [[String]] = []

  init(_ columns: [Column], hasHeader: Bool = true) {
    self.columns = columns
    if hasHeader {
      rows = [
        columns.map {
          switch $0 {
          case .left(let title), .right(let title): title
          }
        }
      ]
    }
  }

  /// Adds a row: a cell for each column.
  mutating func add(_ cells: [String]) { rows.append(cells.map { Self.printable($0) }) }

  /// The rows, without spaces at their ends.
  var lines: [String] {
    let counted = rows.map { row in row.map { ($0, $0.unicodeScalars.count) } }
    let widths = columns.indices.map { index in counted.map { $0[index].1 }.max() ?? 0 }
    return counted.map { row in
      var line = ""
      for (index, (text, length)) in row.enumerated() {
        let space = String(repeating: " ", count: widths[index] - length)
        if index > 0 { line += Self.gap }
        switch columns[index] {
        case .left: line += index == columns.count - 1 ? text : text + space
        case .right: line += space + text
        }
      }
      return line
    }
  }

  /// Text without what could steer a terminal: names come from the network.
  static func printable(_ text: String) -> String {
    guard text.utf8.contains(where: { $0 < 0x20 || $0 >= 0x7f }) else { return text }
    return String(
      String.UnicodeScalarView(
        text.unicodeScalars.map {
          $0.value < 0x20 || (0x7f...0x9f).contains($0.value) || $0.properties.isBidiControl ? "?" : $0
        }))
  }
}

/// Figures as people read them.
enum HumanText {
  /// `just now`, `42 s ago`, `3 min ago`, `5 h ago`, `12 d ago`. The clock may have been set back: then `just now`.
  static func age(_ time: Double, at now: Double) -> String {
    let seconds = max(0, now - time)
    switch seconds {
    case ..<1: return "just now"
    case ..<60: return "\(Int(seconds)) s ago"
    case ..<3_600: return "\(Int(seconds / 60)) min ago"
    case ..<172_800: return "\(Int(seconds / 3_600)) h ago"
    default: return "\(Int(min(seconds / 86_400, 1e9))) d ago"
    }
  }

  /// `512 B`, `1.5 kB`, `20 MB`: decimal units, two figures or more.
  static func bytes(_ count: UInt64) -> String {
    guard count >= 1_000 else { return "\(count) B" }
    var value = Double(count)
    var unit = "B"
    for next in ["kB", "MB", "GB", "TB", "PB", "EB"] where value >= 999.5 {
      value /= 1_000
      unit = next
    }
    let tenths = Int((value * 10).rounded())
    return tenths < 100 ? "\(tenths / 10).\(tenths % 10) \(unit)" : "\(Int(value.rounded())) \(unit)"
  }

  /// `87%`. What is not full is never shown as 100%.
  static func share(_ share: Double) -> String {
    share < 1 ? "\(min(99, Int((share * 100).rounded())))%" : "\(Int(min((share * 100).rounded(.down), 1e9)))%"
  }
}
