/// Names of sessions, agent types and lists: they stand in events, metrics and commands.
enum SessionWord {
  /// What they must be, for a message.
  static let rule = "at most 64 letters, digits, '.', '-' and '_', a letter or digit first"
  /// The longest name, in bytes.
  static let maximumLength = 64

  /// True for a name that may stand everywhere.
  static func isUsable(_ text: some StringProtocol) -> Bool {
    guard let first = text.utf8.first, isWordByte(first, first: true), text.utf8.count <= maximumLength else {
      return false
    }
    return text.utf8.allSatisfy { isWordByte($0, first: false) }
  }

  /// Whether a byte may stand in a name, or at its beginning.
  static func isWordByte(_ byte: UInt8, first: Bool) -> Bool {
    switch byte {
    case 0x30...0x39, 0x41...0x5a, 0x61...0x7a: true
    case 0x2d, 0x2e, 0x5f: !first
    default: false
    }
  }
}
