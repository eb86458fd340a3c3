import Foundation
import Glibc

/// Helpers of the live tests. They touch the firewall, so they refuse to work in the machine's own network namespace.
enum Live {
  static var isEnabled: Bool { ProcessInfo.processInfo.environment["NFQ_LIVE"] == "1" }

  struct Failure: Error, CustomStringConvertible {
    var description: String
  }

  /// Throws unless this process is in a network namespace that was made by name, which the machine's own never is;
  /// brings loopback up.
  static func prepare() throws {
    let process = ProcessInfo.processInfo.processIdentifier
    let name = try run("ip", "netns", "identify", "\(process)")
    guard !name.trimmingCharacters(in: .whitespacesAndNewlines).isEmpty else {
      throw Failure(description: "live tests run only in a named network namespace of their own")
    }
    try run("ip", "link", "set", "lo", "up")
  }

  /// Runs a command to its end; throws with its output when it fails.
  @discardableResult
  static func run(_ command: String...) throws -> String { try run(command) }

  /// Runs a command to its end; throws with its output when it fails.
  @discardableResult
  static func run(_ command: [String]) throws -> String {
    let child = try LiveProcess(command)
    var text = ""
    while let line = child.line() { text += line + "\n" }
    guard child.wait() == 0 else { throw Failure(description: command.joined(separator: " ") + ": " + text) }
    return text
  }

  /// Packets counted by the rule of a table and chain whose text contains `part`.
  static func packets(table: String, chain: String, containing part: String) throws -> Int? {
    let rules = try run("iptables", "-w", "-t", table, "-nvxL", chain)
    let rule = rules.split(separator: "\n").first { $0.contains(part) }
    return rule?.split(separator: " ").first.flatMap { Int($0) }
  }
}

/// An iptables rule that is there as long as this value.
struct LiveRule: ~Copyable {
  private let table: String
  private let rule: [String]

  init(_ table: String, _ rule: String) throws {
    self.table = table
    self.rule = rule.split(separator: " ").map(String.init)
    try Live.run(["iptables", "-w", "-t", table, "-A"] + self.rule)
  }

  deinit { _ = try? Live.run(["iptables", "-w", "-t", table, "-D"] + rule) }
}

/// A child process that talks by lines; its standard error goes with its output.
/// Not Foundation's `Process`: its notice of a child's end depends on a run loop, which a test's thread has not.
final class LiveProcess {
  private let identifier: pid_t
  private let output: Int32
  private let input: Int32
  private var buffer: [UInt8] = []
  private var status: Int32?

  init(_ command: [String]) throws {
    var outputEnds: [Int32] = [0, 0]
    var inputEnds: [Int32] = [0, 0]
    // Closed at exec, so that no other child keeps an end open.
    guard unsafe pipe(&outputEnds) == 0, unsafe pipe(&inputEnds) == 0 else {
      throw Live.Failure(description: "no pipe")
    }
    for end in outputEnds + inputEnds { _ = fcntl(end, F_SETFD, FD_CLOEXEC) }
    var actions = unsafe posix_spawn_file_actions_t()
    unsafe posix_spawn_file_actions_init(&actions)
    unsafe posix_spawn_file_actions_adddup2(&actions, inputEnds[0], 0)
    unsafe posix_spawn_file_actions_adddup2(&actions, outputEnds[1], 1)
    unsafe posix_spawn_file_actions_adddup2(&actions, outputEnds[1], 2)
    var arguments = unsafe command.map { unsafe strdup($0) }
    unsafe arguments.append(nil)
    var child: pid_t = 0
    let failure = unsafe posix_spawnp(&child, command[0], &actions, nil, arguments, environ)
    unsafe arguments.forEach { unsafe free($0) }
    unsafe posix_spawn_file_actions_destroy(&actions)
    close(outputEnds[1])
    close(inputEnds[0])
    identifier = child
    output = outputEnds[0]
    input = inputEnds[1]
    if failure != 0 {
      status = failure
      throw Live.Failure(description: "\(command[0]): error \(failure)")
    }
  }

  deinit {
    if status == nil {
      kill(identifier, SIGKILL)
      _ = wait()
    }
    close(output)
    close(input)
  }

  /// Waits for the end: 0 when it ended well.
  func wait() -> Int32 {
    if let status { return status }
    var result: Int32 = 0
    while unsafe waitpid(identifier, &result, 0) < 0, errno == EINTR {}
    status = result
    return result
  }

  /// The next line; nil at the end. Waits for it.
  func line() -> String? {
    while true {
      if let end = buffer.firstIndex(of: 10) {
        let line = String(decoding: buffer[..<end], as: UTF8.self)
        buffer.removeSubrange(...end)
        return line
      }
      var chunk = [UInt8](repeating: 0, count: 4096)
      let count = unsafe read(output, &chunk, chunk.count)
      if count < 0, errno == EINTR { continue }
      if count <= 0 { return nil }
      buffer += chunk[..<count]
    }
  }

  /// Gives the child a line.
  func say(_ line: String) { _ = unsafe write(input, line + "\n", line.utf8.count + 1) }

  /// A Python program that ends itself after 30 s whatever happens.
  static func python(_ source: String) throws -> LiveProcess {
    let prelude = "import os, signal, socket, struct, sys, threading, time\nsignal.alarm(30)\n"
    return try LiveProcess(["/usr/bin/python3", "-u", "-c", prelude + source])
  }
}
