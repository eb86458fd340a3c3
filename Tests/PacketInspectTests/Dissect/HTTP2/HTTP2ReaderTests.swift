import TestSupport
import Testing

@testable import PacketInspect

@Suite("An HTTP/2 client's frames")
struct HTTP2ReaderTests {
  /// Authorities of all requests in `bytes`, and whether it was all read.
  private func authorities(_ bytes: [UInt8]) -> (names: [String], step: HTTP2Reader.Step?) {
    var reader = HTTP2Reader()
    var request = HTTP2Request()
    var block: [UInt8] = []
    var names: [String] = []
    var offset = 0
    while offset < bytes.count {
      let step = reader.next(bytes.rawSpan.extracting(droppingFirst: offset), into: &request, block: &block)
      switch step {
      case .needMore, .malformed: return (names, step)
      case .skip(let head, let payload): offset += head + payload
      case .trailers(let length): offset += length
      case .request(let length):
        offset += length
        names.append(String(decoding: request.authority, as: UTF8.self))
      }
    }
    return (names, nil)
  }

  @Test("name every request, whatever lies between them")
  func requests() {
    let trailers = HTTP2Builder.frame(1, flags: 0x05, stream: 1, HTTP2Builder.literal("grpc-status", "0"))
    let bytes =
      HTTP2Builder.opening + HTTP2Builder.get("one.example")
      + HTTP2Builder.frame(0, stream: 1, [UInt8](repeating: 0x16, count: 300)) + trailers
      + HTTP2Builder.frame(0xfa, stream: 9, [1, 2, 3]) + HTTP2Builder.get("two.example", stream: 3)
    #expect(authorities(bytes) == (["one.example", "two.example"], nil))
  }

  @Test("are read through padding, priority and continuations")
  func forms() {
    let block = HTTP2Builder.block("one.example")
    let padded = HTTP2Builder.frame(1, flags: 0x2d, stream: 1, [4, 0, 0, 0, 0, 15] + block + [0, 0, 0, 0])
    #expect(authorities(HTTP2Builder.preface + padded) == (["one.example"], nil))
    for cut in 0...block.count {
      let pieces =
        HTTP2Builder.frame(1, flags: 0x01, stream: 1, Array(block[..<cut])) + HTTP2Builder.frame(9, stream: 1, [])
        + HTTP2Builder.frame(9, flags: 0x04, stream: 1, Array(block[cut...]))
      #expect(authorities(HTTP2Builder.preface + pieces) == (["one.example"], nil), "\(cut)")
    }
  }

  @Test("wait for what is cut at any byte, and give no name before its end")
  func truncation() {
    let bytes = HTTP2Builder.preface + HTTP2Builder.get("one.example", more: [0x40] + HTTP2Builder.string("a") + [0])
    for count in 1..<bytes.count where count != HTTP2Builder.preface.count {
      #expect(authorities(Array(bytes[..<count])) == ([], .needMore), "\(count)")
    }
  }

  @Test(
    "end where a server ends the connection",
    arguments: [
      HTTP2Builder.frame(9, flags: 0x04, stream: 1, [0x82]),  // a continuation of nothing
      HTTP2Builder.frame(5, flags: 0x04, stream: 1, [0, 0, 0, 2, 0x82]),  // a promise
      HTTP2Builder.frame(1, flags: 0x05, stream: 2, [0x82]),  // a server's stream
      HTTP2Builder.frame(1, flags: 0x05, stream: 0, [0x82]),
      HTTP2Builder.frame(1, flags: 0x0d, stream: 1, [9, 0x82]),  // more padding than payload
      HTTP2Builder.frame(1, flags: 0x0d, stream: 1, []),
      HTTP2Builder.frame(1, flags: 0x25, stream: 1, [0, 0]),  // no room for the priority
      HTTP2Builder.frame(1, stream: 1, [0x82]) + HTTP2Builder.frame(0, stream: 1, [1, 2, 3]),  // interrupted
      HTTP2Builder.frame(1, stream: 1, [0x82]) + HTTP2Builder.frame(9, flags: 0x04, stream: 3, [0x84]),
      HTTP2Builder.frame(1, flags: 0x05, stream: 1, [0x80]),
    ])
  func malformed(frames: [UInt8]) {
    #expect(authorities(HTTP2Builder.preface + frames) == ([], .malformed))
  }

  @Test("begin with the whole preface")
  func preface() {
    var bytes = HTTP2Builder.preface
    bytes[20] = 0
    #expect(authorities(bytes) == ([], .malformed))
  }

  @Test("survive any bytes")
  func anyBytes() {
    var random = SplitMix64(seed: 9113)
    for _ in 0..<5_000 {
      var bytes = HTTP2Builder.opening + HTTP2Builder.get("one.example") + HTTP2Builder.get("two.example", stream: 3)
      for _ in 0..<Int(random.next() % 6) {
        bytes[Int(random.next() % UInt64(bytes.count))] = UInt8(truncatingIfNeeded: random.next())
      }
      _ = authorities(bytes)
    }
  }
}
