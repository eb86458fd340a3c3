/// Why a text is no pattern. The raw value says it, with the mend.
enum CgroupPatternFault: String, Error, Hashable, Sendable {
  case relative = "must begin with '/': cgroup paths begin at the root of the v2 hierarchy"
  case emptyComponent = "has an empty component; write one '/' between components and none at the end"
  case dots = "has a component '.' or '..', which no cgroup path has"
  case tooLong = "is longer than 4096 bytes or has a component longer than 255"
  case brace = "has braces that are neither {type} nor {session}"
  case noSession = "does not capture {session}; write it where the session's name stands"
  case repeated = "captures {session} or {type} more than once"
  case adjacent = "has nothing between two of {type}, {session} and '*'; write literal text between them"
  case tooManyStars = "has more than one '*' in a component"
  case control = "has control characters"
}

/// What a pattern found in a path.
struct CgroupCapture: Hashable, Sendable {
  /// The text of `{session}`.
  var session: String
  /// The text of `{type}`; nil when the pattern does not capture it.
  var type: String?
  /// The session's own cgroup: the part of the path that the pattern covers.
  var path: String
  /// Number of its components.
  var depth: Int
}

/// A pattern of cgroup paths, as in `/agents.slice/agent-{type}-{session}.scope`.
///
/// Literal text stands for itself, `{type}` and `{session}` capture a name (as names are in the configuration: at most
/// 64 letters, digits, '.', '-' and '_', a letter or digit first), `*` is any text, also none. Each stays within its
/// component. A path matches when the pattern covers it or one of its ancestors: what a session starts in cgroups of
/// its own is the session's.
///
/// Where several readings are possible, `{type}` is as short as it can be, then `*` from left to right:
/// `agent-{type}-{session}` reads `agent-web-a-1` as type `web`, session `a-1`. A type's name that contains the text
/// that ends `{type}` in the pattern can therefore not be captured.
struct CgroupPattern: Hashable, Sendable {
  /// A piece of a component.
  enum Element: Hashable, Sendable {
    case literal([UInt8])
    case type
    case session
    case any
  }

  /// The pattern as written.
  let text: String
  private let components: [[Element]]

  /// A pattern from its text.
  init(_ text: String) throws(CgroupPatternFault) {
    guard text.utf8.count <= 4096 else { throw .tooLong }
    guard text.utf8.first == 0x2f else { throw .relative }
    guard text.utf8.allSatisfy({ $0 >= 0x20 && $0 != 0x7f }) else { throw .control }
    var components: [[Element]] = []
    for part in Array(text.utf8).dropFirst().split(separator: 0x2f, omittingEmptySubsequences: false) {
      guard !part.isEmpty else { throw .emptyComponent }
      guard part.count <= 255 else { throw .tooLong }
      let elements = try Self.elements(part)
      guard elements != [.literal([0x2e])], elements != [.literal([0x2e, 0x2e])] else { throw .dots }
      components.append(elements)
    }
    let all = components.joined()
    let sessions = all.count { $0 == .session }
    guard sessions <= 1, all.count(where: { $0 == .type }) <= 1 else { throw .repeated }
    guard sessions == 1 else { throw .noSession }
    self.text = text
    self.components = components
  }

  private static func elements(_ component: ArraySlice<UInt8>) throws(CgroupPatternFault) -> [Element] {
    var result: [Element] = []
    var literal: [UInt8] = []
    var rest = component
    while let byte = rest.first {
      let wild: (element: Element, length: Int)? =
        if byte == 0x2a {
          (.any, 1)
        } else if rest.starts(with: Array("{type}".utf8)) {
          (.type, 6)
        } else if rest.starts(with: Array("{session}".utf8)) {
          (.session, 9)
        } else {
          nil
        }
      guard let wild else {
        guard byte != 0x7b, byte != 0x7d else { throw .brace }
        literal.append(byte)
        rest = rest.dropFirst()
        continue
      }
      if literal.isEmpty {
        guard result.isEmpty else { throw .adjacent }
      } else {
        result.append(.literal(literal))
        literal = []
      }
      result.append(wild.element)
      rest = rest.dropFirst(wild.length)
    }
    if !literal.isEmpty { result.append(.literal(literal)) }
    // Two free lengths at most in a component, so that matching one of 255 bytes stays quick whatever its name.
    guard result.count(where: { $0 == .any }) <= 1 else { throw .tooManyStars }
    return result
  }

  /// True when the pattern captures the type.
  var capturesType: Bool { components.contains { $0.contains(.type) } }

  /// The literal text that ends `{type}`; nil when the component's end does, or nothing is captured.
  var typeTerminator: String? {
    for component in components {
      guard let index = component.firstIndex(of: .type), index + 1 < component.count,
        case .literal(let bytes) = component[index + 1]
      else { continue }
      return String(decoding: bytes, as: UTF8.self)
    }
    return nil
  }

  /// What the pattern captures from a path of the hierarchy; nil when it covers neither it nor an ancestor.
  func match(_ path: String) -> CgroupCapture? {
    guard path.utf8.first == 0x2f else { return nil }
    let parts = path.dropFirst().split(separator: "/", omittingEmptySubsequences: false)
    guard parts.count >= components.count else { return nil }
    var session: String?
    var type: String?
    for (elements, part) in zip(components, parts) {
      var reading = Reading(Array(part.utf8))
      guard reading.read(elements[...], from: 0) else { return nil }
      if let range = reading.session { session = reading.text(range) }
      if let range = reading.type { type = reading.text(range) }
    }
    guard let session else { return nil }
    return CgroupCapture(
      session: session, type: type, path: "/" + parts.prefix(components.count).joined(separator: "/"),
      depth: components.count)
  }

  /// One component being read.
  private struct Reading {
    let bytes: [UInt8]
    var session: Range<Int>?
    var type: Range<Int>?

    init(_ bytes: [UInt8]) { self.bytes = bytes }

    func text(_ range: Range<Int>) -> String { String(decoding: bytes[range], as: UTF8.self) }

    /// Reads the elements so that the component ends with them.
    mutating func read(_ elements: ArraySlice<Element>, from start: Int) -> Bool {
      guard let element = elements.first else { return start == bytes.count }
      let rest = elements.dropFirst()
      switch element {
      case .literal(let literal):
        return bytes[start...].starts(with: literal) && read(rest, from: start + literal.count)
      case .any:
        return (start...bytes.count).contains { read(rest, from: $0) }
      case .type, .session:
        var ends = wordEnds(from: start)
        if let tail = Self.literalLength(rest) {
          // Only literal text follows, so there is one place to end.
          let end = bytes.count - tail
          guard ends.contains(end) else { return false }
          ends = end..<(end + 1)
        }
        // A session takes what it can when the type follows it, so that the type is the shorter one.
        let longestFirst = element == .session && rest.contains(.type)
        for step in 0..<ends.count {
          let end = longestFirst ? ends.upperBound - 1 - step : ends.lowerBound + step
          guard read(rest, from: end) else { continue }
          if element == .type { type = start..<end } else { session = start..<end }
          return true
        }
        return false
      }
    }

    /// Where a name that starts at `start` may end.
    private func wordEnds(from start: Int) -> Range<Int> {
      var end = start
      while end < bytes.count, end - start < SessionWord.maximumLength,
        SessionWord.isWordByte(bytes[end], first: end == start)
      {
        end += 1
      }
      return end == start ? start..<start : (start + 1)..<(end + 1)
    }

    /// The length of what literal elements stand for; nil when others are among them.
    private static func literalLength(_ elements: ArraySlice<Element>) -> Int? {
      var length = 0
      for element in elements {
        guard case .literal(let literal) = element else { return nil }
        length += literal.count
      }
      return length
    }
  }
}
