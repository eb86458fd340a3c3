import TestSupport
import Testing

@testable import PacketInspect

@Suite("HPACK")
struct HPACKTests {
  private func text(_ bytes: [UInt8]) -> String { String(decoding: bytes, as: UTF8.self) }

  @Test(
    "reads the specification's requests, one after the other",
    arguments: [
      // RFC 7541 Appendix C.3, without Huffman coding.
      [
        "8286 8441 0f77 7777 2e65 7861 6d70 6c65 2e63 6f6d", "8286 84be 5808 6e6f 2d63 6163 6865",
        "8287 85bf 400a 6375 7374 6f6d 2d6b 6579 0c63 7573 746f 6d2d 7661 6c75 65",
      ],
      // RFC 7541 Appendix C.4, with it.
      [
        "8286 8441 8cf1 e3c2 e5f2 3a6b a0ab 90f4 ff", "8286 84be 5886 a8eb 1064 9cbf",
        "8287 85bf 4088 25a8 49e9 5ba9 7d7f 8925 a849 e95b b8e8 b4bf",
      ],
    ])
  func specification(blocks: [String]) {
    var decoder = HPACKDecoder()
    for (block, size) in zip(blocks, [57, 110, 164]) {
      var request = HTTP2Request()
      #expect(decoder.decode(hex(block).rawSpan, into: &request))
      #expect(text(request.authority) == "www.example.com")
      #expect(text(request.method) == "GET")
      #expect(decoder.tableSize == size)
    }
  }

  @Test("has a code for every symbol and no room for another")
  func complete() {
    #expect(HPACKHuffman.lengths.count == 257)
    #expect(HPACKHuffman.lengths.reduce(UInt64(0)) { $0 + 1 << (30 - UInt64($1)) } == 1 << 30)
  }

  @Test("reads long codes, and refuses the end symbol and false padding")
  func huffman() {
    // RFC 7541 Appendix C.6.1.
    let date = HPACKHuffman.decode(
      hex("d07a be94 1054 d444 a820 0595 040b 8166 e082 a62d 1bff").rawSpan, limit: 100)
    #expect(text(date?.bytes ?? []) == "Mon, 21 Oct 2013 20:13:21 GMT")
    #expect(HPACKHuffman.decode(hex("ffff ffff").rawSpan, limit: 100) == nil)
    #expect(HPACKHuffman.decode(hex("1f ff").rawSpan, limit: 100) == nil, "more than seven bits of padding")
    #expect(HPACKHuffman.decode(hex("18").rawSpan, limit: 100) == nil, "padding of zeros")
    let cut = HPACKHuffman.decode(hex("f1e3 c2e5 f23a 6ba0 ab90 f4ff").rawSpan, limit: 3)
    #expect(text(cut?.bytes ?? []) == "www" && cut?.length == 15)
  }

  @Test("evicts the oldest entries, and obeys a smaller table")
  func eviction() {
    var decoder = HPACKDecoder()
    var request = HTTP2Request()
    for index in 0..<1_000 {
      let block = HTTP2Builder.literal(":authority", "host-\(index).example", indexed: true)
      #expect(decoder.decode(block.rawSpan, into: &request))
      #expect(decoder.tableSize <= 4_096)
    }
    request.reset()
    #expect(decoder.decode([0xbe].rawSpan, into: &request))
    #expect(text(request.authority) == "host-999.example")
    #expect(decoder.decode([0x20].rawSpan, into: &request) && decoder.tableSize == 0)
    #expect(!decoder.decode([0xbe].rawSpan, into: &request), "nothing is left to refer to")
  }

  @Test(
    "is broken by what no server reads",
    arguments: [
      "80",  // index 0
      "be",  // nothing in the dynamic table
      "ff ff ff ff ff ff 0f",  // an index beyond everything
      "3f e2 ff 07",  // a table of 128 KiB
      "41 7f",  // a length without its end
      "41 7f ff ff ff ff ff ff ff ff 7f",  // a length that wraps
      "41 05 61",  // a string without its end
      "7f",  // an index without its end
    ])
  func broken(block: String) {
    var decoder = HPACKDecoder()
    var request = HTTP2Request()
    #expect(!decoder.decode(hex(block).rawSpan, into: &request))
  }

  @Test("keeps the first of two authorities, marks the second, and keeps no other values")
  func twice() {
    var decoder = HPACKDecoder()
    var request = HTTP2Request()
    let block =
      HTTP2Builder.block("one.example") + HTTP2Builder.literal(":authority", "two.example")
      + HTTP2Builder.literal("cookie", "secret", indexed: true)
    #expect(decoder.decode(block.rawSpan, into: &request))
    #expect(text(request.authority) == "one.example" && request.isOdd)
    #expect(!String(describing: decoder).contains("115, 101, 99, 114, 101, 116"))
    #expect(!String(describing: request).contains("secret"))
  }

  @Test("survives any bytes")
  func anyBytes() {
    var random = SplitMix64(seed: 541)
    var decoder = HPACKDecoder()
    for _ in 0..<20_000 {
      var request = HTTP2Request()
      let count = Int(random.next() % 48)
      let block = (0..<count).map { _ in UInt8(truncatingIfNeeded: random.next()) }
      if !decoder.decode(block.rawSpan, into: &request) { decoder = HPACKDecoder() }
      #expect(decoder.tableSize <= HPACKDecoder.maximumTable)
    }
  }
}
