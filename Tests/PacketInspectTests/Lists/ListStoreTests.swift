import Glibc
import PacketInspect
import Synchronization
import Testing

@testable import nfq_egressd

@Suite("List store")
struct ListStoreTests {
  /// A directory with a list, and a store in it.
  private final class Place {
    let fixture = ConfigurationFixture()
    let list: String
    var store: ListStore

    init(_ lines: String) throws {
      list = fixture.write("a.txt", Array(lines.utf8))
      store = ListStore(suffixes: try PublicSuffixes(), directory: "\(fixture.directory)/lists", making: .whenChanged)
    }

    deinit {
      for name in fixtureFiles { unsafe unlink("\(fixture.directory)/lists/\(name)") }
      unsafe rmdir("\(fixture.directory)/lists")
    }

    var fixtureFiles: [String] {
      guard let folder = unsafe opendir("\(fixture.directory)/lists") else { return [] }
      defer { unsafe closedir(folder) }
      var names: [String] = []
      while let entry = unsafe readdir(folder) {
        let name = unsafe withUnsafePointer(to: &entry.pointee.d_name) {
          unsafe $0.withMemoryRebound(to: CChar.self, capacity: 256) { unsafe String(cString: $0) }
        }
        if name != ".", name != ".." { names.append(name) }
      }
      return names
    }

    var source: DenyListSource {
      DenyListSource(name: "a", origin: .file(path: list, format: .domains), action: .reject)
    }

    func write(_ lines: String, modified seconds: Int? = nil) {
      fixture.write("a.txt", Array(lines.utf8))
      if let seconds { touch(seconds) }
    }

    /// Sets the list's time, in seconds since 1970.
    func touch(_ seconds: Int) {
      let times = [timespec(tv_sec: seconds, tv_nsec: 0), timespec(tv_sec: seconds, tv_nsec: 0)]
      #expect(unsafe utimensat(AT_FDCWD, list, times, 0) == 0)
    }

    func load() throws -> LoadedList { try store.load(source) }
  }

  @Test("makes a snapshot once, and opens it while the list is the same, with the same report")
  func unchanged() throws {
    let place = try Place("one.example\nnot a name\ntwo.example\n")
    place.touch(1_700_000_000)
    let first = try place.load()
    #expect(first.wasCompiled)
    let second = try place.load()
    #expect(!second.wasCompiled)
    #expect(second.report == first.report)
    #expect(second.report.samples.map(\.line) == [2])
    #expect(second.modified == Timestamp(seconds: 1_700_000_000))
    #expect(second.entries?.match(host("a.two.example"))?.line == 3)
    #expect(place.fixtureFiles == ["a.snapshot"])
  }

  @Test("a list that was only touched has another age and the same snapshot")
  func touched() throws {
    let place = try Place("one.example\n")
    place.touch(1_700_000_000)
    _ = try place.load()
    place.touch(1_700_000_500)
    let again = try place.load()
    #expect(!again.wasCompiled)
    #expect(again.modified == Timestamp(seconds: 1_700_000_500))
  }

  @Test("a list that changed is read again, even when its size is the same, or its time")
  func changed() throws {
    let place = try Place("one.example\n")
    place.touch(1_700_000_000)
    _ = try place.load()
    place.write("two.example\n", modified: 1_700_000_001)
    let second = try place.load()
    #expect(second.wasCompiled && second.entries?.match(host("two.example")) != nil)
    place.write("three.example\n", modified: 1_700_000_001)
    let third = try place.load()
    #expect(third.wasCompiled && third.entries?.match(host("three.example")) != nil)
    #expect(third.entries?.match(host("one.example")) == nil)
  }

  @Test("a list that was written a moment ago is not trusted to show a change by its time")
  func young() throws {
    let place = try Place("one.example\n")
    var status = stat()
    #expect(unsafe stat(place.list, &status) == 0)
    _ = try place.load()
    place.write("two.example\n")
    // The same size and, set so, the very same time.
    let times = [status.st_atim, status.st_mtim]
    #expect(unsafe utimensat(AT_FDCWD, place.list, times, 0) == 0)
    #expect(try place.load().entries?.match(host("two.example")) != nil)
  }

  @Test("a list read as another format is read again")
  func format() throws {
    let place = try Place("0.0.0.0 one.example\n0.0.0.0 two.example\n")
    let source = DenyListSource(name: "a", origin: .file(path: place.list, format: .hosts), action: .reject)
    #expect(try place.store.load(source).entries?.domains == 2)
    #expect(throws: FileError.self) { try place.load() }
    #expect(try place.store.load(source).wasCompiled == false)
  }

  @Test("a refused list leaves the snapshot of the last good one, and nothing half made")
  func refused() throws {
    let place = try Place("one.example\n")
    place.touch(1_700_000_000)
    _ = try place.load()
    place.write("<html>\n")
    #expect(throws: FileError.self) { try place.load() }
    #expect(place.fixtureFiles == ["a.snapshot"])
    place.write("one.example\n", modified: 1_700_000_000)
    #expect(try place.load().wasCompiled == false)
  }

  @Test("a damaged snapshot is complained of and made again")
  func damaged() throws {
    let place = try Place("one.example\n")
    _ = try place.load()
    let path = try #require(place.store.path(of: "a"))
    let whole = try FileBytes.readAll(path, limit: 1 << 20)
    for damage in [Array(whole.dropLast()), [], Array("<html>".utf8), whole.map { $0 ^ 1 }] {
      #expect(unsafe unlink(path) == 0)
      let descriptor = unsafe open(path, O_WRONLY | O_CREAT, 0o600)
      #expect(unsafe write(descriptor, damage, damage.count) == damage.count)
      close(descriptor)
      let complaints = Mutex<[String]>([])
      place.store.watch.warn = { text in complaints.withLock { $0.append(text) } }
      let list = try place.load()
      #expect(list.wasCompiled && list.entries?.match(host("one.example")) != nil)
      #expect(complaints.withLock { $0.count } == 1)
    }
  }

  @Test("a reading that is told to end leaves nothing")
  func stopped() throws {
    let place = try Place("one.example\n")
    place.store.watch.isStopped = { true }
    #expect(throws: FileError.self) { try place.load() }
    #expect(place.fixtureFiles.isEmpty)
  }

  @Test("where no file can be made the list is kept in memory, with a word about it")
  func noDirectory() throws {
    let place = try Place("one.example\n")
    place.store.directory = "\(place.list)/lists"
    let complaints = Mutex<[String]>([])
    place.store.watch.warn = { text in complaints.withLock { $0.append(text) } }
    #expect(try place.load().entries?.match(host("one.example"))?.line == 1)
    #expect(complaints.withLock { $0.first?.contains("kept in memory") } == true)
  }

  @Test("a command that leaves everything as it is makes no file")
  func asFound() throws {
    let place = try Place("one.example\n")
    place.store.making = .never
    #expect(try place.load().entries?.match(host("one.example"))?.line == 1)
    #expect(place.fixtureFiles.isEmpty)
  }

  @Test("networks and names of a list in a file are found there as in memory")
  func sameAsMemory() throws {
    let lines = (0..<20_000).map { "h\($0 % 17_000).d\($0 % 1_000).example\n" }.joined()
    let place = try Place(lines)
    let file = try #require(try place.load().entries)
    place.store.directory = nil
    let memory = try #require(try place.load().entries)
    #expect(file.domains == memory.domains && file.domains == 17_000)
    for number in stride(from: 0, to: 20_000, by: 7) {
      let name = host("x.h\(number).d\(number % 1_000).example")
      #expect(file.match(name) == memory.match(name))
    }
  }

  @Test("the directory is 'lists' beside the store, and none without a store")
  func directory() {
    var configuration = Configuration()
    #expect(ListStore.directory(of: configuration) == "/var/lib/nfq-egressd/lists")
    configuration.store.path = nil
    #expect(ListStore.directory(of: configuration) == nil)
  }

  @Test("a list that its maxAge has passed is told once, and once more when it was fresh between")
  func ages() throws {
    let place = try Place("one.example\n")
    place.touch(1_700_000_000)
    var source = place.source
    source.maxAge = TimeSpan(seconds: 3_600)
    let list = LoadedList(source: source, report: ListReport(), modified: Timestamp(seconds: 1_700_000_000))
    var ages = ListAges()
    #expect(ages.look([list], at: Timestamp(seconds: 1_700_003_600)) == [])
    let stale = ListAges.Stale(list: "a", age: 3_601, limit: 3_600)
    #expect(ages.look([list], at: Timestamp(seconds: 1_700_003_601)) == [stale])
    #expect(ages.look([list], at: Timestamp(seconds: 1_700_009_999)) == [] && ages.count == 1)
    place.touch(1_700_009_000)
    #expect(ages.look([list], at: Timestamp(seconds: 1_700_010_000)) == [] && ages.count == 0)
    #expect(ages.look([list], at: Timestamp(seconds: 1_700_020_000)).map(\.age) == [11_000])
  }
}
