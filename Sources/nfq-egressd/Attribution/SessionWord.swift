/// The form of the names of sessions and agent types. They stand in events, metrics and commands.
enum SessionWord {
  /// The longest name, in bytes.
  static let maximumLength = 64

  /// True for at most 64 letters, digits, `.`, `-` and `_`, of which the first is a letter or digit.
  static func isUsable(_ text: some StringProtocol) -> Bool {
    guard text.utf8.count <= maximumLength, let first = text.utf8.first, isAlphanumeric(first) else { return false }
    return text.utf8.allSatisfy { isAlphanumeric($0) || $0 == 0x2d || $0 == 0x2e || $0 == 0x5f }
  }

  private static func isAlphanumeric(_ byte: UInt8) -> Bool {
    (0x30...0x39).contains(byte) || (0x41...0x5a).contains(byte) || (0x61...0x7a).contains(byte)
  }
}
