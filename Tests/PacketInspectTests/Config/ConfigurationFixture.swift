import Glibc
import PacketInspect

@testable import nfq_egressd

/// A directory of its own with the files of one test; removed at the end.
final class ConfigurationFixture {
  let directory: String
  private var files: [String] = []

  init() {
    var template = Array("/tmp/nfq-egressd-config-XXXXXX".utf8CString)
    let made = unsafe template.withUnsafeMutableBufferPointer { buffer in
      guard let start = buffer.baseAddress else { return false }
      return unsafe mkdtemp(start) != nil
    }
    precondition(made)
    directory = String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
  }

  deinit {
    for file in files { unsafe unlink(file) }
    unsafe rmdir(directory)
  }

  /// Writes a file and gives its path.
  @discardableResult
  func write(_ name: String, _ bytes: [UInt8]) -> String {
    let path = "\(directory)/\(name)"
    files.append(path)
    let descriptor = unsafe open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o600)
    precondition(descriptor >= 0)
    defer { close(descriptor) }
    var written = 0
    while written < bytes.count {
      let count = unsafe bytes[written...].withUnsafeBytes {
        unsafe Glibc.write(descriptor, $0.baseAddress, $0.count)
      }
      precondition(count > 0)
      written += count
    }
    return path
  }

  /// Loads `yaml` as `config.yaml`, on a host whose only nameserver is 192.0.2.53.
  func load(
    _ yaml: String, list: ((DenyListSource, Configuration) throws(FileError) -> LoadedList)? = nil
  ) throws -> LoadedConfiguration {
    let resolvers = write("resolv.conf", Array("search example\nnameserver 192.0.2.53\n".utf8))
    let file = write("config.yaml", Array(yaml.utf8))
    let loader = ConfigurationLoader(suffixes: try PublicSuffixes(), resolverFile: resolvers)
    return try loader.load(file, list: list)
  }

  /// The faults of `yaml`, each as `line:column: key: message`; empty when it can be used.
  func faults(_ yaml: String) throws -> [String] {
    do {
      _ = try load(yaml)
      return []
    } catch let error as ConfigurationFaults {
      return error.faults.map(\.description)
    }
  }

  /// A file of the repository.
  static func repositoryFile(_ path: String) -> String {
    let here = #filePath.split(separator: "/").dropLast(4)
    return "/" + (here + [Substring(path)]).joined(separator: "/")
  }

  static func repositoryText(_ path: String) throws -> String {
    String(decoding: try FileBytes.readAll(repositoryFile(path), limit: 1 << 20), as: UTF8.self)
  }
}
