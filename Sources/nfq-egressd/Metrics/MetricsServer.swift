import Dispatch
import FlyingFox
import FlyingSocks
import Foundation
import PacketInspect
import Synchronization

/// Serves the metrics over HTTP. What is scraped more often than every half second gets the same answer, so that a
/// scraper in a hurry costs the packets nothing.
final class MetricsServer: Sendable {
  /// Nanoseconds for which an answer is good.
  private static let freshness: Int64 = 500_000_000
  /// Seconds for a request.
  private static let patience: TimeInterval = 10

  private struct Answer: Sendable {
    var text: [UInt8]
    var made: Timestamp
  }

  private let address: ListenAddress
  private let metrics: DaemonMetrics
  /// Not a logger: the server's library has a module of that name too.
  private let complain: @Sendable (String) -> Void
  private let latest = Mutex<Answer?>(nil)
  private let task = Mutex<Task<Void, Never>?>(nil)

  init(_ address: ListenAddress, metrics: DaemonMetrics, complain: @escaping @Sendable (String) -> Void) {
    self.address = address
    self.metrics = metrics
    self.complain = complain
  }

  /// Begins to listen. An address that cannot be had is complained about; the daemon goes on without metrics.
  func begin() {
    let running = Task { [self] in
      do {
        if address.address.isIPv4 {
          try await serve(.inet(ip4: address.address.description, port: address.port))
        } else {
          try await serve(.inet6(ip6: address.address.description, port: address.port))
        }
      } catch {
        guard !Task.isCancelled else { return }
        complain("no metrics at \(address): \(error); another program may have the port, see metrics.listen")
      }
    }
    task.withLock { $0 = running }
  }

  /// Ends listening. Does not wait.
  func stop() { task.withLock { $0?.cancel() } }

  private func serve(_ address: some SocketAddress) async throws {
    let server = HTTPServer(address: address, timeout: Self.patience, logger: .disabled)
    await server.appendRoute("GET /metrics") { [self] _ in await answer() }
    try await server.run()
  }

  private func answer() async -> HTTPResponse {
    // Reading waits for the packet path: not on a thread that Swift's tasks share.
    let text = await withCheckedContinuation { continuation in
      DispatchQueue.global().async { continuation.resume(returning: self.text(at: WallClock.now())) }
    }
    return HTTPResponse(
      statusCode: .ok, headers: [.contentType: "text/plain; version=0.0.4; charset=utf-8"], body: Data(text))
  }

  private func text(at now: Timestamp) -> [UInt8] {
    latest.withLock { latest in
      if let answer = latest, now >= answer.made, now.since(answer.made) < Self.freshness { return answer.text }
      let text = metrics.text(at: now)
      latest = Answer(text: text, made: now)
      return text
    }
  }
}
