import Foundation
import Glibc
import Testing

@testable import nfq_egressd

@Suite("The script that repairs rules")
final class RepairScriptTests {
  private let folder: String

  init() throws {
    // The temporary directory is root's and sticky, as a rule.
    var name = Array("\(FileManager.default.temporaryDirectory.path)/repair-XXXXXX".utf8CString)
    folder = try #require(unsafe mkdtemp(&name).map { unsafe String(cString: $0) })
  }

  deinit { try? FileManager.default.removeItem(atPath: folder) }

  private func script(_ text: String = "#!/bin/sh\nexit 0\n", mode: mode_t = 0o755) throws -> String {
    let path = "\(folder)/script"
    try Data(text.utf8).write(to: URL(fileURLWithPath: path))
    _ = unsafe chmod(path, mode)
    return path
  }

  private func fault(_ path: String) -> String? {
    do throws(FileError) {
      _ = try RepairScript(checking: path)
      return nil
    } catch {
      return error.description
    }
  }

  @Test("may be run when nobody but root can change it", .enabled(if: getuid() == 0))
  func usable() throws {
    #expect(fault(try script()) == nil)
  }

  @Test("may not be run when it is not there, no program, named from here, or behind a link")
  func unusable() throws {
    #expect(fault("scripts/iptables-setup.sh")?.contains("absolute") == true)
    #expect(fault("\(folder)/none")?.contains("does not exist") == true)
    #expect(fault(folder)?.contains("no program") == true)
    let path = try script(mode: 0o644)
    #expect(fault(path)?.contains("no program") == true)
    _ = unsafe chmod(path, 0o755)
    _ = unsafe symlink(path, "\(folder)/link")
    #expect(fault("\(folder)/link")?.contains("symbolic link") == true)
    #expect(fault("\(folder)/../\(folder.split(separator: "/").last ?? "")/script")?.contains("symbolic link") == true)
  }

  @Test("may not be run when others can change it or what it is in", .enabled(if: getuid() == 0))
  func foreign() throws {
    let path = try script()
    for mode: mode_t in [0o775, 0o757] {
      _ = unsafe chmod(path, mode)
      #expect(fault(path)?.contains("others than root may write it") == true)
    }
    _ = unsafe chmod(path, 0o755)
    _ = unsafe chmod(folder, 0o777)
    #expect(fault(path)?.contains("others than root may write \(folder)") == true)
    _ = unsafe chmod(folder, 0o755)
    _ = unsafe chown(path, 4711, 0)
    #expect(fault(path)?.contains("belongs to user 4711") == true)
    _ = unsafe chown(path, 0, 0)
    _ = unsafe chown(folder, 4711, 0)
    #expect(fault(path)?.contains("\(folder) belongs to user 4711") == true)
  }

  @Test("is run with its own environment and nothing of ours, and what it prints is kept")
  func child() throws {
    let path = try script("#!/bin/sh\nenv | sort\necho $1 >&2\nls /proc/self/fd | wc -l\nread -r x || echo no input\n")
    let held = unsafe open("/dev/null", O_RDONLY)
    defer { close(held) }
    let outcome = BoundedChild.run([path, "repair"], environment: ["PATH=/usr/bin:/bin", "A=b"], stopping: EndFlag())
    #expect(outcome.trouble == nil)
    #expect(
      outcome.lines.filter { !$0.hasPrefix("PWD=") && !$0.hasPrefix("_=") && !$0.hasPrefix("SHLVL=") }
        == ["A=b", "PATH=/usr/bin:/bin", "repair", "4", "no input"])
  }

  @Test("a failure is told with its status and last words")
  func failure() throws {
    let path = try script("#!/bin/sh\necho first\necho the reason >&2\nexit 3\n")
    let outcome = BoundedChild.run([path, "repair"], environment: [], stopping: EndFlag())
    #expect(outcome.trouble == "exit status 3: the reason")
    #expect(outcome.lines == ["first", "the reason"])
    #expect(
      BoundedChild.run(["\(folder)/none"], environment: [], stopping: EndFlag()).trouble?.contains("cannot be run")
        == true)
  }

  @Test("is ended, with all it started, when the daemon stops")
  func stopped() throws {
    let path = try script("#!/bin/sh\ntrap 'echo put back; exit 1' TERM\nsleep 300 &\nwait\n")
    let flag = EndFlag()
    let thread = PlainThread {
      usleep(300_000)
      flag.set()
    }
    let outcome = BoundedChild.run([path, "repair"], environment: ["PATH=/usr/bin:/bin"], stopping: flag)
    thread?.join()
    #expect(outcome.trouble == "ended before it was done")
    #expect(outcome.lines == ["put back"])
  }
}
