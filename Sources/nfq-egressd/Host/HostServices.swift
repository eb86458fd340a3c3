import ArgumentParser
import Glibc

/// The libraries every subcommand starts with, and the way it complains.
struct HostServices {
  let suffixes: PublicSuffixes
  let digest: LibcryptoDigest
  let quic: LibcryptoQUIC

  /// Opens them, or says what is missing and exits 1. From here on a crash tells nothing of what is read.
  static func open() throws -> HostServices {
    PrivateMemory.keep()
    guard let suffixes = try? PublicSuffixes() else {
      complain("no public suffix list can be opened; install the package publicsuffix")
      throw ExitCode(1)
    }
    guard let digest = try? LibcryptoDigest() else {
      complain("libcrypto offers no SHA-256; mend the host's OpenSSL configuration")
      throw ExitCode(1)
    }
    guard let quic = try? LibcryptoQUIC() else {
      complain("libcrypto offers no HKDF or AES-128-GCM; mend the host's OpenSSL configuration")
      throw ExitCode(1)
    }
    return HostServices(suffixes: suffixes, digest: digest, quic: quic)
  }

  /// One line on standard error.
  static func complain(_ text: String) {
    writeAll(Array((text + "\n").utf8), to: STDERR_FILENO)
  }

  /// Writes all bytes; false when the reader is gone or the disk full.
  @discardableResult
  static func writeAll(_ bytes: [UInt8], to descriptor: Int32) -> Bool {
    var offset = 0
    while offset < bytes.count {
      let count = unsafe bytes.withUnsafeBytes { buffer in
        unsafe write(descriptor, buffer.baseAddress.map { unsafe $0 + offset }, buffer.count - offset)
      }
      if count < 0, errno == EINTR { continue }
      if count <= 0 { return false }
      offset += count
    }
    return true
  }
}

extension ExitCode {
  /// sysexits.h, EX_CONFIG: the configuration cannot be used.
  static let badConfiguration = ExitCode(78)
}
