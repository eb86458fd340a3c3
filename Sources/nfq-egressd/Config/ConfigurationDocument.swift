import Yams

/// Composes YAML text into nodes, within bounds, and goes on after a key given twice.
///
/// The composer stops at the first mapping with a repeated key. So that one such mistake does not hide all others,
/// the first occurrence is overwritten with a placeholder from Unicode's private use area and the text is composed
/// again; the decoder then reports the placeholder as a duplicate.
enum ConfigurationDocument {
  /// Repeated keys that are recovered from; a file with more shows these first.
  static let maximumDuplicates = 32
  /// Aliases in one file. Together with the rule that none stands in a key, this and `FaultLog.maximumValues` bound
  /// what a file can expand to.
  static let maximumAliases = 1000

  /// First of the placeholders.
  private static let placeholderBase: UInt32 = 0xe000
  /// Fills a placeholder up to the length of the key it replaces, so that columns stay right.
  private static let filler: Unicode.Scalar = "\u{e100}"

  /// The root of the document, or nil after noting in `log` why there is none.
  static func compose(_ text: String, log: FaultLog) -> Node? {
    if let fault = boundsFault(text) {
      log.add(fault)
      return nil
    }
    var lines = splitLines(text)
    while true {
      do {
        let node = try Yams.compose(yaml: lines.joined(), .default, .default, .utf8)
        guard let node else {
          log.add(whole("the file is empty; write at least 'mode: enforce'"))
          return nil
        }
        return node
      } catch let YamlError.duplicatedKeysInMapping(duplicates, context) {
        guard let key = duplicates.first, mask(key, at: context.mark, in: &lines, log: log) else {
          log.add(at(context.mark, "'\(duplicates.joined(separator: "', '"))' is given twice; keep one of them"))
          return nil
        }
      } catch let error as YamlError {
        log.add(fault(for: error))
        return nil
      } catch {
        log.add(whole("not readable as YAML: \(error)"))
        return nil
      }
    }
  }

  /// True for a key that `compose` put in the place of a repeated one.
  static func isPlaceholder(_ key: String) -> Bool {
    guard let first = key.unicodeScalars.first?.value else { return false }
    return first >= placeholderBase && first < placeholderBase + UInt32(maximumDuplicates)
  }

  private static func mask(_ key: String, at mark: Mark, in lines: inout [String], log: FaultLog) -> Bool {
    let number = log.duplicates.count
    guard number < maximumDuplicates, !key.isEmpty, mark.line >= 1, mark.line <= lines.count,
      let marker = Unicode.Scalar(placeholderBase + UInt32(number))
    else { return false }
    var scalars = Array(lines[mark.line - 1].unicodeScalars)
    let wanted = Array(key.unicodeScalars)
    let start = mark.column - 1
    guard start >= 0, start + wanted.count <= scalars.count,
      Array(scalars[start..<start + wanted.count]) == wanted
    else { return false }
    let placeholder = [marker] + Array(repeating: filler, count: wanted.count - 1)
    scalars.replaceSubrange(start..<start + wanted.count, with: placeholder)
    lines[mark.line - 1] = string(scalars)
    log.duplicates[string(placeholder)] = DuplicateKey(key: key, line: mark.line, column: mark.column)
    return true
  }

  private static func string(_ scalars: [Unicode.Scalar]) -> String {
    var view = String.UnicodeScalarView()
    view.append(contentsOf: scalars)
    return String(view)
  }

  /// The lines with their ends, where YAML 1.1 breaks them.
  private static func splitLines(_ text: String) -> [String] {
    var lines: [String] = []
    var current = String.UnicodeScalarView()
    var afterReturn = false
    for scalar in text.unicodeScalars {
      if afterReturn, scalar != "\n" {
        lines.append(String(current))
        current = String.UnicodeScalarView()
      }
      afterReturn = scalar == "\r"
      current.append(scalar)
      if scalar == "\n" || scalar == "\u{85}" || scalar == "\u{2028}" || scalar == "\u{2029}" {
        lines.append(String(current))
        current = String.UnicodeScalarView()
      }
    }
    if !current.isEmpty { lines.append(String(current)) }
    return lines
  }

  /// Aliases are written out while composing, and composing hashes every key: an alias inside a key could make that
  /// take for ever. Looks at the text before it is composed; comments do not count.
  private static func boundsFault(_ text: String) -> ConfigurationFault? {
    var aliases = 0
    var keyFault: ConfigurationFault?
    for (index, line) in text.split(omittingEmptySubsequences: false, whereSeparator: \.isNewline).enumerated() {
      var before: UInt8 = 0x20
      var bytes = Array(line.utf8)
      if let comment = commentStart(bytes) { bytes.removeSubrange(comment...) }
      for (column, byte) in bytes.enumerated() {
        let next = column + 1 < bytes.count ? bytes[column + 1] : 0x20
        let opens = before == 0x20 || before == 0x09 || "[{,".utf8.contains(before)
        if byte == UInt8(ascii: "*"), opens, next > 0x2d { aliases += 1 }
        let explicitKey = byte == UInt8(ascii: "?") && opens && next == 0x20
        let closes = byte == UInt8(ascii: ":") && "]}".utf8.contains(lastInk(bytes[..<column]) ?? 0)
        let aliasKey = byte == UInt8(ascii: ":") && endsInAlias(bytes[..<column])
        if explicitKey || closes || aliasKey, keyFault == nil {
          keyFault = ConfigurationFault(
            line: index + 1, column: column + 1, key: "",
            message: "a key that is no plain word, in a file with aliases; write the key out")
        }
        before = byte
      }
    }
    if aliases > maximumAliases { return whole("more than \(maximumAliases) aliases; write the values out") }
    return aliases > 0 ? keyFault : nil
  }

  private static func commentStart(_ bytes: [UInt8]) -> Int? {
    bytes.indices.first { bytes[$0] == UInt8(ascii: "#") && ($0 == 0 || bytes[$0 - 1] <= 0x20) }
  }

  private static func lastInk(_ bytes: ArraySlice<UInt8>) -> UInt8? { bytes.last { $0 > 0x20 } }

  /// True when the text before a colon is `*name`, possibly after other tokens.
  private static func endsInAlias(_ bytes: ArraySlice<UInt8>) -> Bool {
    guard let end = bytes.lastIndex(where: { $0 > 0x20 }) else { return false }
    let word = bytes[...end]
    let start = word.lastIndex { $0 <= 0x20 || "[{,".utf8.contains($0) }.map { $0 + 1 } ?? word.startIndex
    return start <= end && bytes[start] == UInt8(ascii: "*")
  }

  private static func fault(for error: YamlError) -> ConfigurationFault {
    switch error {
    case .scanner(let context, let problem, let mark, _), .parser(let context, let problem, let mark, _),
      .composer(let context, let problem, let mark, _):
      let where_ = context.map { " (\($0.text), from line \($0.mark.line))" } ?? ""
      return at(mark, "not valid YAML: \(problem)\(where_); mend the syntax")
    case .reader(let problem, let offset, _, let text):
      let before = text.prefix(offset ?? 0)
      let line = before.reduce(into: 1) { $0 += $1.isNewline ? 1 : 0 }
      return ConfigurationFault(line: line, column: 1, key: "", message: "not valid YAML: \(problem); remove the byte")
    default:
      return whole("not valid YAML: \(error)")
    }
  }

  private static func at(_ mark: Mark, _ message: String) -> ConfigurationFault {
    ConfigurationFault(line: mark.line, column: mark.column, key: "", message: message)
  }

  private static func whole(_ message: String) -> ConfigurationFault {
    ConfigurationFault(line: 0, column: 0, key: "", message: message)
  }
}
