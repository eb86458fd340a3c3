import ArgumentParser
import Glibc
import PacketInspect

/// `nfq-egressd replay`.
struct Replay: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "replay",
    abstract: "Send a capture through the same engine.",
    discussion: """
      Reads a pcap or pcapng file and prints what the daemon would have recorded, as JSON lines on standard output,
      with the capture's own time; a summary goes to standard error. The same file and configuration give the same
      output. Without a configuration nothing is denied and every source address is a session of its own.

      A damaged file gives what could be read, then an error. Exit status: 0 done, 1 the capture could not be read to
      its end, 78 bad configuration.
      """
  )

  @Argument(help: "The capture.", completion: .file(extensions: ["pcap", "pcapng"]))
  var capture: String

  @Option(help: "The configuration file.", completion: .file(extensions: ["yaml", "yml"]))
  var config: String?

  @Flag(help: "Print only what was parsed, for tests of parsers. The one mode that shows request targets.")
  var facts = false

  /// Captures are read as a whole; larger ones are cut with the tools that made them.
  private static let maximumSize = 4 << 30

  func run() throws {
    let host = try HostServices.open()
    let policy = try policy(host)
    let bytes: [UInt8]
    do throws(FileError) {
      bytes = try FileBytes.readAll(capture, limit: Self.maximumSize)
    } catch {
      HostServices.complain("\(capture): \(error.description)")
      throw ExitCode(1)
    }
    // Whoever has the capture has the names; from the output alone nobody can find out the key or try names.
    let digest = host.digest.sha256(bytes)
    let words = stride(from: 0, to: 16, by: 8).map { start in
      digest[start..<start + 8].reduce(0) { $0 << 8 | UInt64($1) }
    }
    let key = (words[0], words[1])
    var inspector = Inspector(
      policy: policy, domains: host.suffixes, quicCryptography: host.quic, nameHash: KeyedHash(key: key))
    let summary: ReplaySummary
    if facts {
      var sink = FactPrinter(digest: host.digest)
      summary = ReplayDriver.replay(bytes.rawSpan, through: &inspector, into: &sink)
      sink.flush()
    } else {
      var sink = EventPrinter(digest: host.digest, names: NameText(key: key, domains: host.suffixes))
      summary = ReplayDriver.replay(bytes.rawSpan, through: &inspector, into: &sink)
      sink.flush()
      report(summary, inspector.counters, sessions: inspector.sessions.count)
    }
    if let error = summary.error {
      HostServices.complain("\(capture): \(error); what came before it was replayed")
      throw ExitCode(1)
    }
  }

  private func policy(_ host: HostServices) throws -> PolicySnapshot {
    // A fixed seed: the same capture gives the same output.
    let compiler = PolicyCompiler(suffixes: host.suffixes, seed: 1)
    guard let config else {
      var parts = compiler.parts(Configuration())
      parts.mode = .observe
      parts.agentTypes = [:]
      parts.idleEnd = nil
      return PolicySnapshot(parts, epoch: 1)
    }
    do throws(ConfigurationFaults) {
      let compiled = try compiler.compile(file: config, epoch: 1)
      for warning in compiled.loaded.warnings { HostServices.complain("\(config):\(warning) (warning)") }
      return compiled.snapshot
    } catch {
      HostServices.complain(error.description)
      throw ExitCode.badConfiguration
    }
  }

  private func report(_ summary: ReplaySummary, _ counters: InspectorCounters, sessions: Int) {
    var parts = [
      "\(summary.frames) frames", "\(counters.packets) packets", "\(counters.flows) flows", "\(sessions) sessions",
      "\(counters.accepted) accepted", "\(counters.rejected) rejected", "\(counters.dropped) dropped",
    ]
    if summary.withoutIP > 0 { parts.append("\(summary.withoutIP) frames without IP") }
    if summary.cut > 0 { parts.append("\(summary.cut) frames cut by the snapshot length: not wholly inspected") }
    if counters.malformed > 0 { parts.append("\(counters.malformed) malformed") }
    HostServices.complain("\(capture): " + parts.joined(separator: ", "))
  }
}

/// Prints events.
private struct EventPrinter: EventSink {
  private let encoder: EventEncoder<LibcryptoDigest>
  private var output = BufferedOutput()

  init(digest: LibcryptoDigest, names: NameText) { encoder = EventEncoder(digest: digest, names: names) }

  mutating func record(_ event: Event) { output.append(encoder.line(event)) }

  mutating func flush() { output.flush() }
}

/// Prints facts.
private struct FactPrinter: EventSink {
  private let encoder: FactEncoder<LibcryptoDigest>
  private var output = BufferedOutput()

  init(digest: LibcryptoDigest) { encoder = FactEncoder(digest: digest) }

  var wantsFacts: Bool { true }

  mutating func record(_ event: Event) {}

  mutating func record(_ fact: Fact) { output.append(encoder.lines(fact)) }

  mutating func flush() { output.flush() }
}

/// Standard output in large pieces.
private struct BufferedOutput {
  private var bytes: [UInt8] = []

  mutating func append(_ line: [UInt8]) {
    bytes += line
    if bytes.count > 1 << 16 { flush() }
  }

  mutating func flush() {
    HostServices.writeAll(bytes, to: STDOUT_FILENO)
    bytes.removeAll(keepingCapacity: true)
  }
}
