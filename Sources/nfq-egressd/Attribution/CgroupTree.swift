import CNetfilterQueue
import Glibc
import PacketInspect

/// What is known of a cgroup's place.
enum CgroupLocation: Hashable, Sendable {
  /// It is there.
  case path(String)
  /// It was removed; its path if it was asked for while it was there. Ids are not used again.
  case gone(lastPath: String?)
  /// Nobody can say: the tree may not be read, or is larger than what is searched.
  case unknown
}

/// The cgroup v2 tree: from a cgroup's id to its path. One thread at a time.
struct CgroupTree: ~Copyable {
  /// Locations that are remembered, twice (see `older`). An agent to whom a subtree is delegated can make cgroups at
  /// will; a host has some hundreds.
  static let maximumRemembered = 4096
  /// Directories that a search looks at; some milliseconds.
  static let maximumSearched = 20_000
  /// Nanoseconds after which a path is looked up again, to notice that the cgroup was removed. A path never changes:
  /// cgroups of v2 cannot be renamed.
  static let pathLifetime: Int64 = 10_000_000_000
  /// Nanoseconds for which a failure is remembered, and between two searches.
  static let failureLifetime: Int64 = 1_000_000_000
  /// The root cgroup's id, also that of every socket when net_cls or net_prio defeat the ids (before Linux 5.15).
  static let rootID: UInt64 = 1

  /// How ids are turned into paths.
  enum Method: Hashable, Sendable {
    /// open_by_handle_at: microseconds, and it needs CAP_DAC_READ_SEARCH.
    case handle
    /// Reading directories until the id is found.
    case search
  }

  private struct Remembered {
    var location: CgroupLocation
    var checked: Timestamp
  }

  /// The mount in use.
  let mount: CgroupMount
  /// The way in use: `handle` until it was refused.
  private(set) var method: Method
  private let descriptor: Int32
  private var recent: [UInt64: Remembered] = [:]
  /// What `recent` was when it was last full: forgetting the long unused costs no bookkeeping per use.
  private var older: [UInt64: Remembered] = [:]
  private var lastSearch: Timestamp?

  /// Opens the tree at a mount; nil when it cannot be opened.
  init?(_ mount: CgroupMount, method: Method = .handle) {
    let descriptor = unsafe open(mount.point, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
    guard descriptor >= 0 else { return nil }
    self.mount = mount
    self.method = method
    self.descriptor = descriptor
  }

  deinit { close(descriptor) }

  /// Where the cgroup with an id is.
  mutating func location(of id: UInt64, now: Timestamp) -> CgroupLocation {
    let known = recent[id] ?? older[id]
    if let known {
      let age = now.since(known.checked)
      let lifetime: Int64 =
        switch known.location {
        case .path: Self.pathLifetime
        // A search may have missed a cgroup that was made while it ran; the kernel's own answer is final.
        case .gone: method == .handle ? .max : Self.failureLifetime
        case .unknown: Self.failureLifetime
        }
      if age >= 0, age < lifetime {
        if recent[id] == nil { remember(known, as: id) }
        return known.location
      }
    }
    var location = find(id, now: now)
    switch (location, known?.location) {
    case (.gone, .path(let path)): location = .gone(lastPath: path)
    case (.gone, .gone(let path)): location = .gone(lastPath: path)
    default: break
    }
    remember(Remembered(location: location, checked: now), as: id)
    return location
  }

  /// The id of the cgroup at a path; nil when there is none.
  func id(ofCgroup path: String) -> UInt64? { Self.inode(mount.directory(ofCgroup: path)) }

  private mutating func remember(_ entry: Remembered, as id: UInt64) {
    if recent.count >= Self.maximumRemembered, recent[id] == nil {
      older = recent
      recent = [:]
    }
    recent[id] = entry
  }

  private mutating func find(_ id: UInt64, now: Timestamp) -> CgroupLocation {
    if id == Self.rootID, mount.root == "/" { return .path("/") }
    if method == .handle {
      var buffer = [CChar](repeating: 0, count: Int(PATH_MAX) + 1)
      var number: Int32 = 0
      switch unsafe csd_cgroup_path(descriptor, id, &buffer, buffer.count, &number) {
      case CSD_PATH_FOUND: return location(ofDirectory: Self.text(buffer), id: id)
      case CSD_PATH_GONE: return .gone(lastPath: nil)
      case CSD_PATH_NOT_PERMITTED: method = .search
      default: return .unknown
      }
    }
    if let lastSearch {
      let age = now.since(lastSearch)
      if age >= 0, age < Self.failureLifetime { return .unknown }
    }
    lastSearch = now
    return search(for: id, now: now)
  }

  private func location(ofDirectory directory: String, id: UInt64) -> CgroupLocation {
    // The directory may have been removed since it was opened, which the link's text says with a suffix that a name
    // could have as well.
    guard Self.inode(directory) == id else { return mount.root == "/" ? .gone(lastPath: nil) : .unknown }
    return mount.cgroupPath(ofDirectory: directory).map { .path($0) } ?? .unknown
  }

  /// Reads directories, breadth first, and remembers all of them on the way.
  private mutating func search(for id: UInt64, now: Timestamp) -> CgroupLocation {
    var found: CgroupLocation?
    var waiting = [mount.point]
    var next = 0
    while next < waiting.count {
      let directory = waiting[next]
      next += 1
      for (name, inode) in Self.subdirectories(of: directory) {
        guard waiting.count < Self.maximumSearched else { return found ?? .unknown }
        let path = "\(directory)/\(name)"
        waiting.append(path)
        guard let cgroup = mount.cgroupPath(ofDirectory: path) else { continue }
        if inode == id { found = .path(cgroup) }
        if recent.count < Self.maximumRemembered {
          recent[inode] = Remembered(location: .path(cgroup), checked: now)
        }
      }
    }
    // Not in the tree: removed, for sock_diag had it from the kernel. In a part of the tree one cannot know.
    return found ?? (mount.root == "/" ? .gone(lastPath: nil) : .unknown)
  }

  private static func subdirectories(of directory: String) -> [(name: String, inode: UInt64)] {
    guard let stream = unsafe opendir(directory) else { return [] }
    defer { unsafe closedir(stream) }
    var result: [(String, UInt64)] = []
    while let entry = unsafe readdir(stream) {
      guard unsafe entry.pointee.d_type == UInt8(DT_DIR) else { continue }
      let name = unsafe withUnsafePointer(to: &entry.pointee.d_name) { pointer in
        unsafe pointer.withMemoryRebound(to: CChar.self, capacity: 256) { unsafe String(cString: $0) }
      }
      if name != ".", name != ".." { result.append((name, UInt64(unsafe entry.pointee.d_ino))) }
    }
    return result
  }

  private static func inode(_ path: String) -> UInt64? {
    var status = stat()
    guard unsafe lstat(path, &status) == 0 else { return nil }
    return UInt64(status.st_ino)
  }

  private static func text(_ buffer: [CChar]) -> String {
    String(decoding: buffer.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
  }
}
