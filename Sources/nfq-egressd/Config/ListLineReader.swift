import PacketInspect

/// Reads one line of a list, in the list's format.
struct ListLineReader {
  let format: ListFormat
  let suffixes: PublicSuffixes

  /// Names that hosts files carry for the host itself, whatever else they are for.
  private static let hostsOwnNames = Set(
    [
      "localhost", "localhost.localdomain", "local", "broadcasthost", "ip6-localhost", "ip6-loopback",
      "ip6-localnet", "ip6-mcastprefix", "ip6-allnodes", "ip6-allrouters", "ip6-allhosts", "localhost6",
      "localhost6.localdomain6", "localhost4", "localhost4.localdomain4",
    ].compactMap { HostName($0) })

  /// Gives out the entries of `text`, which has no line end but may have a carriage return, and counts it in
  /// `report`.
  func read(_ text: RawSpan, line: Int, report: inout ListReport, emit: (ListEntry) -> Void) {
    let content = Self.trimmed(text, isFirst: line == 1, semicolons: format == .cidr)
    guard content.byteCount > 0 else { return }
    for index in 0..<content.byteCount where content.byte(at: index) == 0 {
      report.note(line, "holds a NUL byte")
      return
    }
    let before = report.entries
    do throws(LineFault) {
      switch format {
      case .domains: try domain(content, line, &report, emit)
      case .cidr: try network(content, line, &report, emit)
      case .hosts: try hosts(content, line, &report, emit)
      }
    } catch {
      report.note(line, error.reason)
    }
    if report.entries > before { report.goodLines += 1 }
  }

  private struct LineFault: Error { var reason: String }

  private static func fault(_ text: RawSpan, _ fault: TargetFault) -> LineFault {
    LineFault(reason: "\(quoted(TargetText.string(text))): \(fault.rawValue)")
  }

  private func domain(
    _ content: RawSpan, _ line: Int, _ report: inout ListReport, _ emit: (ListEntry) -> Void
  ) throws(LineFault) {
    try add(content, line, &report, emit)
  }

  private func add(
    _ text: RawSpan, _ line: Int, _ report: inout ListReport, _ emit: (ListEntry) -> Void
  ) throws(LineFault) {
    let name: HostName
    do throws(TargetFault) {
      name = try TargetText.name(text)
      if suffixes.isRegistrySuffix(name) { throw .registrySuffix }
    } catch {
      throw Self.fault(text, error)
    }
    report.entries += 1
    emit(ListEntry(line: line, target: .name(name)))
  }

  private func network(
    _ content: RawSpan, _ line: Int, _ report: inout ListReport, _ emit: (ListEntry) -> Void
  ) throws(LineFault) {
    let network: IPNetwork
    do throws(TargetFault) {
      network = try TargetText.network(content)
      if network.prefixLength < TargetText.shortestDeniedPrefix { throw .tooWide }
    } catch {
      throw Self.fault(content, error)
    }
    report.entries += 1
    emit(ListEntry(line: line, target: .network(network)))
  }

  /// `ADDRESS NAME...`: the address only says "nowhere"; names of the host itself are passed over.
  private func hosts(
    _ content: RawSpan, _ line: Int, _ report: inout ListReport, _ emit: (ListEntry) -> Void
  ) throws(LineFault) {
    var position = 0
    guard let first = Self.word(content, &position) else { return }
    let addressText = content.extracting(first)
    guard let address = Self.address(addressText) else {
      throw LineFault(reason: "\(quoted(TargetText.string(addressText))): does not start with an address")
    }
    var names = 0
    var onlyOwnNames = true
    var failure: LineFault?
    while let range = Self.word(content, &position) {
      names += 1
      let text = content.extracting(range)
      // "0.0.0.0 0.0.0.0" is customary.
      if text.equals(addressText) || Self.isOwnName(text) { continue }
      onlyOwnNames = false
      guard Self.isSink(address) else {
        throw LineFault(
          reason: "\(address) is a real address; a deny-list in hosts format points to 0.0.0.0 or 127.0.0.1")
      }
      do throws(LineFault) {
        try add(text, line, &report, emit)
      } catch {
        failure = failure ?? error
      }
    }
    if names == 0 { throw LineFault(reason: "an address without a name") }
    if !onlyOwnNames, let failure { throw failure }
  }

  /// Unspecified or loopback.
  private static func isSink(_ address: IPAddress) -> Bool {
    address.isIPv4 ? address.v4 == 0 || address.v4 >> 24 == 127 : address.high == 0 && address.low <= 1
  }

  private static func isOwnName(_ text: RawSpan) -> Bool {
    // Most names can be told by their first letter; hashing every name of a large list would double its time.
    let first = text.byte(at: 0) | 0x20
    guard first == UInt8(ascii: "l") || first == UInt8(ascii: "i") || first == UInt8(ascii: "b") else { return false }
    return HostName(text).map { hostsOwnNames.contains($0) } ?? false
  }

  private static func address(_ text: RawSpan) -> IPAddress? {
    // Nearly every line begins with one of these.
    if text.equals(unspecifiedText.rawSpan) { return IPAddress(v4: 0) }
    if text.equals(loopbackText.rawSpan) { return IPAddress(v4: 0x7f00_0001) }
    // 45 characters of address, a percent sign, an interface name of 15.
    guard text.byteCount <= 61 else { return nil }
    return IPAddress(String(TargetText.string(text).prefix { $0 != "%" }))
  }

  private static let unspecifiedText = Array("0.0.0.0".utf8)
  private static let loopbackText = Array("127.0.0.1".utf8)

  /// The next run of bytes that are no blanks.
  private static func word(_ text: RawSpan, _ position: inout Int) -> Range<Int>? {
    while position < text.byteCount, isBlank(text.byte(at: position)) { position += 1 }
    let start = position
    while position < text.byteCount, !isBlank(text.byte(at: position)) { position += 1 }
    return start < position ? start..<position : nil
  }

  private static func isBlank(_ byte: UInt8) -> Bool { byte == 0x20 || byte == 0x09 || byte == 0x0d }

  /// Without byte order mark, comment and surrounding blanks.
  @_lifetime(copy text)
  private static func trimmed(_ text: RawSpan, isFirst: Bool, semicolons: Bool) -> RawSpan {
    var start = 0
    if isFirst, text.byteCount >= 3, text.byte(at: 0) == 0xef, text.byte(at: 1) == 0xbb, text.byte(at: 2) == 0xbf {
      start = 3
    }
    var end = start
    while end < text.byteCount, text.byte(at: end) != UInt8(ascii: "#"),
      !(semicolons && text.byte(at: end) == UInt8(ascii: ";"))
    {
      end += 1
    }
    while start < end, isBlank(text.byte(at: start)) { start += 1 }
    while start < end, isBlank(text.byte(at: end - 1)) { end -= 1 }
    return text.extracting(start..<end)
  }
}
