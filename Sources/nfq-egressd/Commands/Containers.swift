import ArgumentParser
import Glibc
import PacketInspect
import Synchronization

/// `nfq-egressd containers`.
struct Containers: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "containers",
    abstract: "Show what the container runtime says: containers, sessions, addresses.",
    discussion: """
      Asks a runtime with a Docker-compatible API (podman, Docker) as the daemon does, and prints each container that \
      lives with the session and agent type that its labels give it, its addresses and hardware addresses, and the \
      networks. A * after the session marks one that no label names. Changes nothing.

      With --watch it goes on with every change, as the daemon would see it, and survives the runtime's restarts. \
      SIGTERM or SIGINT ends it.

      Exit status: 0 done, 1 the runtime does not answer.
      """
  )

  @Option(help: "The runtime's Unix socket, such as /run/podman/podman.sock or /var/run/docker.sock.")
  var socket = "/run/podman/podman.sock"

  @Option(help: "The label whose value is the session.")
  var sessionLabel = ContainerLabelNames().session

  @Option(help: "The label whose value is the agent type.")
  var typeLabel = ContainerLabelNames().type

  @Flag(help: "Go on with every change until stopped.")
  var watch = false

  @Flag(help: "One JSON object a line instead of a table.")
  var json = false

  /// How long a single listing waits for the runtime, in seconds.
  private static let patience = 20

  func run() throws {
    var signals = Signals()
    let printer = ContainerPrinter(json: json, follows: watch)
    let source = ContainerSource(
      socket: socket, labels: ContainerLabelNames(session: sessionLabel, type: typeLabel))
    let watcher = ContainerWatcher(
      source, onChange: { printer.show($0) }, onNotice: { printer.show($0) })
    guard let watcher else {
      HostServices.complain("no thread, or a libcurl without Unix sockets")
      throw ExitCode(1)
    }
    defer { watcher.stop() }
    if watch {
      while case .none = signals.wait(seconds: 1), !printer.readerIsGone {}
      return
    }
    var status: Bool?
    for _ in 0..<Self.patience * 50 where status == nil {
      status = printer.outcome
      if status == nil { usleep(20_000) }
    }
    guard status == true else {
      if status == nil { HostServices.complain("\(socket): no answer within \(Self.patience) s") }
      throw ExitCode(1)
    }
    printer.finish()
  }
}

/// Prints what a watcher says: as it comes, or at the end as a table.
private final class ContainerPrinter: Sendable {
  private struct State {
    var containers: [Container] = []
    var networks: [ContainerNetwork] = []
    var outcome: Bool?
    var readerIsGone = false
  }

  private let json: Bool
  private let follows: Bool
  private let state = Mutex(State())

  init(json: Bool, follows: Bool) {
    self.json = json
    self.follows = follows
  }

  /// Nil as long as it is not known whether the runtime answers.
  var outcome: Bool? { state.withLock { $0.outcome } }

  var readerIsGone: Bool { state.withLock { $0.readerIsGone } }

  func show(_ notice: ContainerNotice) {
    switch notice {
    case .connected:
      state.withLock { $0.outcome = $0.outcome ?? true }
      if follows { HostServices.complain(notice.description) }
    case .lost:
      let isFirst = state.withLock { state in
        defer { state.outcome = state.outcome ?? false }
        return state.outcome == nil
      }
      if follows || isFirst { HostServices.complain(notice.description) }
    case .warning: HostServices.complain(notice.description)
    }
  }

  func show(_ change: ContainerChange) {
    if follows {
      write(json ? ContainerText.json(change) : ContainerText.plain(change))
      return
    }
    state.withLock { state in
      switch change {
      case .started(let container):
        state.containers.removeAll { $0.id == container.id }
        state.containers.append(container)
      case .ended(let id, _): state.containers.removeAll { $0.id == id }
      case .networks(let networks): state.networks = networks
      }
    }
  }

  /// The listing.
  func finish() {
    let (containers, networks) = state.withLock { ($0.containers, $0.networks) }
    if json {
      write(ContainerText.json(.networks(networks)))
      for container in containers { write(ContainerText.json(.started(container))) }
    } else {
      write(ContainerText.table(containers.sorted { $0.name < $1.name }, networks))
    }
  }

  private func write(_ text: String) {
    if !HostServices.writeAll(Array((text + "\n").utf8), to: STDOUT_FILENO) {
      state.withLock { $0.readerIsGone = true }
    }
  }
}
