import Glibc
import PacketInspect
import Yams

/// A configuration that has no faults, with its lists read.
struct LoadedConfiguration: Sendable {
  /// The file as it was named.
  var file: String
  var configuration: Configuration
  /// One for each of `configuration.denyLists`, in their order.
  var lists: [LoadedList]
  /// What is odd but no fault: bad lines of usable lists, and the like.
  var warnings: [ConfigurationFault]

  /// `n lists, n entries, n sessions`.
  var summary: String {
    func count(_ number: Int, _ singular: String, _ plural: String) -> String {
      "\(number) \(number == 1 ? singular : plural)"
    }
    let entries = lists.reduce(0) { $0 + $1.report.entries }
    return [
      count(lists.count, "list", "lists"), count(entries, "entry", "entries"),
      count(configuration.sessions.addresses.count, "session", "sessions"),
      count(configuration.agentTypes.count, "agent type", "agent types"),
    ].joined(separator: ", ")
  }
}

/// Reads configuration files and the lists that they name.
struct ConfigurationLoader {
  /// A policy of any size that people write by hand; lists are files of their own.
  static let maximumSize = 1 << 20
  static let defaultFile = "/etc/nfq-egressd/config.yaml"

  var suffixes: PublicSuffixes
  /// Where the host names its resolvers.
  var resolverFile = "/etc/resolv.conf"

  /// Reads `file`. Each deny-list is loaded by `list`, or else only looked through. The entries of category files go to
  /// `categoryEntry`, with the index in `categories`, the last file first: its entries count before those of the files
  /// above it; when this throws, what was given must be thrown away.
  func load(
    _ file: String, list: ((DenyListSource, Configuration) throws(FileError) -> LoadedList)? = nil,
    categoryEntry: (Int, ListEntry) -> Void = { _, _ in }
  ) throws(ConfigurationFaults) -> LoadedConfiguration {
    let log = FaultLog()
    var decoded = ConfigurationDecoder.Result()
    if let text = text(of: file, log), let root = ConfigurationDocument.compose(text, log: log) {
      let decoder = ConfigurationDecoder(
        baseDirectory: Self.directory(of: file), systemResolvers: systemResolvers(), suffixes: suffixes)
      decoded = decoder.decode(ConfigurationValue(node: root, path: "", schemaPath: "", log: log))
    }
    let lists = loadLists(decoded, log, list)
    loadCategories(decoded, log, categoryEntry)
    guard log.faults.isEmpty else { throw ConfigurationFaults(file: file, faults: log.sorted) }
    return LoadedConfiguration(
      file: file, configuration: decoded.configuration, lists: lists, warnings: log.warnings)
  }

  private func text(of file: String, _ log: FaultLog) -> String? {
    func whole(_ message: String) -> String? {
      log.add(ConfigurationFault(line: 0, column: 0, key: "", message: message))
      return nil
    }
    do throws(FileError) {
      var bytes = try FileBytes.readAll(file, limit: Self.maximumSize)
      if bytes.starts(with: [0xef, 0xbb, 0xbf]) { bytes.removeFirst(3) }
      guard let text = String(validating: bytes, as: UTF8.self) else { return whole("is not UTF-8; convert it") }
      return text
    } catch {
      return whole(error.description)
    }
  }

  private func loadLists(
    _ decoded: ConfigurationDecoder.Result, _ log: FaultLog,
    _ load: ((DenyListSource, Configuration) throws(FileError) -> LoadedList)?
  ) -> [LoadedList] {
    var lists: [LoadedList] = []
    for (index, source) in decoded.configuration.denyLists.enumerated() {
      let place = index < decoded.listPlaces.count ? decoded.listPlaces[index] : nil
      do throws(FileError) {
        let list: LoadedList
        if let load {
          list = try load(source, decoded.configuration)
        } else {
          list = try ListFile.load(source, suffixes: suffixes)
        }
        lists.append(list)
        for bad in list.report.samples { place?.warn("list \(quoted(source.name)), \(bad)") }
        let unshown = list.report.badLines - list.report.samples.count
        if unshown > 0 { place?.warn("list \(quoted(source.name)), \(unshown) more lines are not usable") }
      } catch {
        place?.fault("list \(quoted(source.name)) \(error)")
      }
    }
    return lists
  }

  private func loadCategories(
    _ decoded: ConfigurationDecoder.Result, _ log: FaultLog, _ entry: (Int, ListEntry) -> Void
  ) {
    for (index, source) in decoded.configuration.categories.enumerated().reversed() {
      guard case .file(let category, let path, let format) = source else { continue }
      let place = index < decoded.categoryPlaces.count ? decoded.categoryPlaces[index] : nil
      let list = "the names of category \(quoted(category))"
      do throws(FileError) {
        let report = try ListFile.read(path, format, suffixes: suffixes, of: category) { entry(index, $0) }.report
        for bad in report.samples { place?.warn("\(list), \(bad)") }
        let unshown = report.badLines - report.samples.count
        if unshown > 0 { place?.warn("\(list), \(unshown) more lines are not usable") }
      } catch {
        place?.fault("\(list): the file \(error)")
      }
    }
  }

  private func systemResolvers() -> [IPAddress] {
    // A host without the file asks its own loopback (resolv.conf(5)); larger ones are no resolv.conf.
    guard let bytes = try? FileBytes.readAll(resolverFile, limit: 65_536) else { return [IPAddress(v4: 0x7f00_0001)] }
    return SystemResolvers.parse(String(decoding: bytes, as: UTF8.self))
  }

  /// The directory of `file`, absolute.
  private static func directory(of file: String) -> String {
    let cut = file.lastIndex(of: "/")
    let directory = cut.map { String(file[..<$0]) } ?? "."
    if file.hasPrefix("/") { return directory }
    guard let buffer = unsafe getcwd(nil, 0) else { return directory }
    defer { unsafe free(buffer) }
    let current = unsafe String(cString: buffer)
    return directory == "." ? current : "\(current)/\(directory)"
  }
}
