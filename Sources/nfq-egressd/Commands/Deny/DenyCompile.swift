import ArgumentParser
import PacketInspect

/// `nfq-egressd deny compile`.
struct DenyCompile: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "compile",
    abstract: "Make the snapshots of deny-lists, so that the daemon is ready at once; or check a list.",
    discussion: """
      Reads the lists of the configuration that have changed since their snapshots were made, and puts new ones in \
      their place, in the directory 'lists' beside the store. The daemon does the same at its start and at a reload; \
      done before, it only has to open them.

      With --check FILE a file is read as a list of the format of --format, and nothing is written: whether it may \
      replace a list.

      Exit status: 0 done or fit for use, 1 not so, 64 usage, 78 bad configuration.
      """
  )

  @OptionGroup var options: DenyOptions

  @Argument(help: "Names of lists; all of them without.")
  var lists: [String] = []

  @Flag(help: "Make snapshots again even where nothing has changed.")
  var force = false

  @Option(help: "Only check this file.", completion: .file())
  var check: String?

  @Option(help: "The format of the file of --check: domains, hosts or cidr.")
  var format: ListFormat?

  @Option(help: "Entries that the file of --check must have at least.")
  var minimum = 1

  @Option(help: "Entries that the file of --check may have at most.")
  var maximum = Int.max

  func validate() throws {
    if check != nil, format == nil { throw ValidationError("--check needs --format") }
    if check == nil, format != nil { throw ValidationError("--format goes with --check") }
    if check != nil, !lists.isEmpty { throw ValidationError("--check takes no names of lists") }
  }

  func run() throws {
    let host = try HostServices.open()
    if let check, let format {
      try Self.check(check, format, minimum...max(minimum, maximum), host.suffixes)
    } else {
      try compile(host)
    }
  }

  private static func check(
    _ path: String, _ format: ListFormat, _ expected: ClosedRange<Int>, _ suffixes: PublicSuffixes
  ) throws {
    do throws(FileError) {
      let report = try ListFile.read(path, format, suffixes: suffixes, of: path, emit: { _ in }).report
      guard expected.contains(report.entries) else {
        let bound =
          report.entries < expected.lowerBound
          ? "fewer than the \(expected.lowerBound)" : "more than the \(expected.upperBound)"
        throw FileError(description: "has \(report.entries) entries, \(bound) that are expected")
      }
      print("\(path): \(report.entries) entries, \(report.badLines) lines that are not usable")
    } catch {
      HostServices.complain("\(path) \(error.description)")
      throw ExitCode(1)
    }
  }

  private func compile(_ host: HostServices) throws {
    var watch = ListWatch()
    watch.tell = { HostServices.complain("\($0)") }
    watch.warn = { HostServices.complain($0) }
    var known: [String] = []
    var isKept = true
    var faults = 0
    let wanted = Set(lists)
    let making = force ? ListStore.Making.always : .whenChanged
    _ = try options.read(host) { source, configuration throws(FileError) in
      var store = ListStore(
        suffixes: host.suffixes, directory: ListStore.directory(of: configuration), watch: watch)
      store.making = making
      isKept = store.directory != nil
      known.append(source.name)
      // What is not asked for is not read.
      let empty = LoadedList(source: source, report: ListReport())
      guard wanted.isEmpty || wanted.contains(source.name), case .file = source.origin, isKept else { return empty }
      let before = WallClock.now()
      do throws(FileError) {
        let list = try store.load(source)
        print(Self.line(list, nanoseconds: WallClock.now().since(before), store.path(of: source.name) ?? ""))
        return list
      } catch {
        // One bad list keeps none of the others from being made.
        HostServices.complain("list \(quoted(source.name)) \(error.description)")
        faults += 1
        return empty
      }
    }
    for name in lists where !known.contains(name) {
      HostServices.complain("\(options.config) has no list \(quoted(name))")
      faults += 1
    }
    guard isKept else {
      HostServices.complain("\(options.config): store.path is none, so that lists are in the daemon's memory alone")
      throw ExitCode(1)
    }
    if faults > 0 { throw ExitCode(1) }
  }

  private static func line(_ list: LoadedList, nanoseconds: Int64, _ path: String) -> String {
    let milliseconds = max(1, nanoseconds / 1_000_000)
    guard let entries = list.entries else { return "" }
    var what = "\(list.source.name): \(entries.domains) names, \(entries.networks) networks, \(entries.size) bytes"
    if entries.domains > 0 {
      let tenths = entries.index.count * 10 / entries.domains
      what += " (\(tenths / 10).\(tenths % 10) of index a name)"
    }
    guard list.wasCompiled else { return "\(what), unchanged, ready in \(milliseconds) ms: \(path)" }
    let rate = Int64(list.report.lines) * 1_000 / milliseconds
    return "\(what), made of \(list.report.lines) lines in \(milliseconds) ms (\(rate) a second): \(path)"
  }
}

extension ListFormat: ExpressibleByArgument {}
