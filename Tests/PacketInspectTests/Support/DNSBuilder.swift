/// Writes DNS messages byte by byte.
struct DNSBuilder {
  var id: UInt16 = 0x1234
  var flags: UInt16 = 0x0100
  var questions: [[UInt8]] = []
  var answers: [[UInt8]] = []
  var others: [[UInt8]] = []
  /// Overrides the count of questions.
  var questionCount: UInt16?
  /// Overrides the count of answers.
  var answerCount: UInt16?

  static func words(_ values: [UInt16]) -> [UInt8] { values.flatMap { [UInt8($0 >> 8), UInt8($0 & 0xff)] } }

  /// Labels and the root.
  static func name(_ text: String) -> [UInt8] {
    text.split(separator: ".").flatMap { [UInt8($0.utf8.count)] + Array($0.utf8) } + [0]
  }

  /// A pointer to `offset`.
  static func pointer(_ offset: Int) -> [UInt8] { words([0xc000 | UInt16(offset)]) }

  static func question(_ name: [UInt8], type: UInt16 = 1, recordClass: UInt16 = 1) -> [UInt8] {
    name + words([type, recordClass])
  }

  static func record(_ name: [UInt8], type: UInt16, recordClass: UInt16 = 1, ttl: UInt16 = 300, _ data: [UInt8])
    -> [UInt8]
  {
    name + words([type, recordClass, 0, ttl, UInt16(data.count)]) + data
  }

  /// EDNS (RFC 6891) without options.
  static let opt: [UInt8] = [0, 0, 41, 4, 208, 0, 0, 0, 0, 0, 0]

  var bytes: [UInt8] {
    Self.words([
      id, flags, questionCount ?? UInt16(questions.count), answerCount ?? UInt16(answers.count), 0,
      UInt16(others.count),
    ]) + questions.joined() + answers.joined() + others.joined()
  }
}
