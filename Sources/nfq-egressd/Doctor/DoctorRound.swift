import Glibc
import PacketInspect

/// Gathers the facts. Changes nothing on the host.
struct DoctorRound {
  /// Time between two looks at the queues, in milliseconds: longer than the second for which a packet may be held.
  private static let sample = 1_500
  /// Bytes of the script's status that are read: every rule of both families can be missing, and is told.
  private static let longestStatus = 1 << 20

  /// The configuration's file.
  var file: String

  func gather() -> DoctorFacts {
    let suffixes = try? PublicSuffixes()
    var facts = DoctorFacts(file: configuration(suffixes))
    facts.suffixes = suffixes.map { DoctorFacts.Suffixes(source: $0.source, madeAt: $0.madeAt) }
    facts.now = WallClock.now().nanoseconds / 1_000_000_000
    HostFacts.fill(&facts)
    // Without a file that can be used, what is recorded at the usual places is looked at all the same.
    let configuration = facts.file.configuration ?? Configuration()
    var rules = configuration.rules
    if let directory = unsafe getenv("NFQ_EGRESSD_RUN_DIR") { rules.directory = unsafe String(cString: directory) }
    facts.rules = status(rules, facts.rights)
    facts.repairObstacle = facts.rights.isRoot ? RulesRecord.obstacle(rules) : nil
    guard facts.file.configuration != nil else { return facts }
    facts.store = configuration.store.path.map(FileFacts.place)
    facts.events = configuration.events.path == "-" ? nil : FileFacts.place(configuration.events.path)
    facts.control = control(configuration.control.socket)
    facts.containers = configuration.sessions.containers.map { reach($0.socket) }
    facts.sampled = Self.sample
    facts.queues = HostFacts.queues(facts.queues, after: Self.sample)
    return facts
  }

  private func configuration(_ suffixes: PublicSuffixes?) -> DoctorFacts.ConfigurationFile {
    guard let suffixes else { return DoctorFacts.ConfigurationFile(path: file) }
    do throws(ConfigurationFaults) {
      let loaded = try ConfigurationLoader(suffixes: suffixes).load(file)
      return DoctorFacts.ConfigurationFile(
        path: file, configuration: loaded.configuration, summary: loaded.summary,
        warnings: loaded.warnings.map { "\(file):\($0)" })
    } catch {
      let lines = error.description.split(separator: "\n").map(String.init)
      return DoctorFacts.ConfigurationFile(path: file, faults: lines)
    }
  }

  /// What the rules' script says of them: the one that the configuration names, else the one that install recorded.
  private func status(_ rules: Configuration.Rules, _ rights: DoctorFacts.Rights) -> DoctorFacts.Rules {
    var rules = rules
    // Who may repair them is another question than who can look.
    if rules.repair == .off { rules.repair = .recorded }
    let record = CgroupSlotFile(runDirectory: rules.directory).path
    if rules.repair == .recorded, unsafe access(record, F_OK) != 0, rights.isRoot || errno == ENOENT {
      return .unrecorded(record)
    }
    guard rights.isRoot else { return .hidden }
    let script: RepairScript
    do throws(FileError) {
      script = try RulesRecord.script(rules, stateFile: record)
    } catch {
      return .refused(error.description)
    }
    let outcome = BoundedChild.run(
      [script.path, "status", "--json"], environment: RulesRecord.environment(rules), stopping: EndFlag(),
      keeping: Self.longestStatus)
    if let status = RulesStatus.find(in: outcome.lines) { return .told(status) }
    return .failed("\(script.path): \(outcome.trouble ?? "no status in what it wrote")")
  }

  /// Whether a daemon answers. A session that is not there is an answer too.
  private func control(_ socket: String) -> DoctorFacts.Peer {
    let peer = reach(socket)
    guard peer == .answers else { return peer }
    do throws(ControlClient.Failure) {
      _ = try ControlClient(path: socket).send(ControlRequest(.show, id: "doctor"))
      return .answers
    } catch {
      return .silent(error.description)
    }
  }

  /// Whether something listens.
  private func reach(_ socket: String) -> DoctorFacts.Peer {
    switch UnixAddress.connect(socket) {
    case .success(let descriptor):
      close(descriptor)
      return .answers
    case .failure(let failure) where failure.number == EACCES || failure.number == EPERM: return .hidden
    case .failure(let failure): return .silent("\(socket) cannot be reached: \(failure.text)")
    }
  }
}
