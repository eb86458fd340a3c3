/// Names of sessions, agent types and lists: they stand in events, metrics and commands.
enum SessionWord {
  /// What they must be, for a message.
  static let rule = "at most 64 letters, digits, '.', '-' and '_', a letter or digit first"

  /// True for a name that may stand everywhere.
  static func isUsable(_ text: String) -> Bool {
    func isAlphanumeric(_ byte: UInt8) -> Bool {
      (0x30...0x39).contains(byte) || (0x41...0x5a).contains(byte) || (0x61...0x7a).contains(byte)
    }
    guard let first = text.utf8.first, isAlphanumeric(first), text.utf8.count <= 64 else { return false }
    return text.utf8.allSatisfy { isAlphanumeric($0) || $0 == 0x2d || $0 == 0x2e || $0 == 0x5f }
  }
}
