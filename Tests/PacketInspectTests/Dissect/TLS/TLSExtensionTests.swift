import PacketInspect
import Testing

private typealias Build = TLSHelloBuilder

/// The hello with these extensions alone.
private func hello(_ extensions: [(UInt16, [UInt8])]?, lengthsOff: (Int, Int)? = nil) -> ClientHello {
  var builder = TLSHelloBuilder()
  builder.extensions = extensions
  return read(builder.stream)
}

private func read(_ bytes: [UInt8]) -> ClientHello {
  var hello = ClientHello()
  var scratch: [UInt8] = []
  let outcome = TLSHello.parse(bytes.rawSpan, into: &hello, scratch: &scratch)
  #expect(outcome == .complete(length: bytes.count))
  return hello
}

@Suite("TLS extensions")
struct TLSExtensionTests {
  @Test(
    "a hello without an extension block, or with an empty one, has no name and is not odd", arguments: [true, false])
  func none(absent: Bool) {
    let result = hello(absent ? nil : [])
    #expect(result.serverName == nil)
    #expect(result.oddities == [])
  }

  @Test("an empty server name list or an empty name is odd and no name")
  func emptyNames() {
    for body in [[], Build.vector16([]), Build.serverName("")] as [[UInt8]] {
      let result = hello([(0, body)])
      #expect(result.serverName == nil)
      #expect(result.oddities.contains(.oddServerName))
    }
  }

  @Test("of several names the first counts")
  func severalNames() {
    let list = Build.nameEntry(Array("one.example".utf8)) + Build.nameEntry(Array("two.example".utf8))
    let result = hello([(0, Build.vector16(list))])
    #expect(result.serverName == HostName("one.example"))
    #expect(result.oddities == .oddServerName)
  }

  @Test("a name of another type before the host name is read past")
  func otherType() {
    let list = Build.nameEntry([1, 2, 3], type: 9) + Build.nameEntry(Array("one.example".utf8))
    let result = hello([(0, Build.vector16(list))])
    #expect(result.serverName == HostName("one.example"))
    #expect(result.oddities == .oddServerName)
  }

  @Test("of two server name extensions the first counts, and the second is noted")
  func duplicate() {
    let result = hello([(0, Build.serverName("one.example")), (0, Build.serverName("two.example"))])
    #expect(result.serverName == HostName("one.example"))
    #expect(result.oddities == .duplicateExtension)
  }

  @Test("a name with a zero byte keeps it")
  func zeroByte() {
    let result = hello([(0, Build.serverName("good.example\0.bad.example"))])
    #expect(result.serverName?.text == "good.example\\000.bad.example")
    #expect(result.oddities == [.oddServerName, .oddNameBytes])
  }

  @Test("a name longer than any host name is odd and no name")
  func longName() {
    let result = hello([(0, Build.serverName(String(repeating: "a", count: 254)))])
    #expect(result.serverName == nil)
    #expect(result.oddities == .oddServerName)
  }

  @Test("an address as a name is kept and marked", arguments: ["192.0.2.7", "2001:db8::1"])
  func addressLiteral(text: String) {
    let result = hello([(0, Build.serverName(text))])
    #expect(result.serverName == HostName(text))
    #expect(result.oddities.contains(.addressLiteralName))
  }

  @Test("a name that only looks like an address is a name", arguments: ["1.2.3.4.example", "1.2.3.400", "1.2.3"])
  func noAddressLiteral(text: String) {
    #expect(hello([(0, Build.serverName(text))]).oddities == [])
  }

  @Test("lengths that lie inside the server name do not hide it")
  func lyingLengths() {
    let name = Array("liar.example".utf8)
    // The list claims more than there is, the name claims more than there is, and junk follows the list.
    let longList = Build.words([200]) + Build.nameEntry(name)
    let longName = Build.vector16([0] + Build.words([200]) + name)
    let junk = Build.vector16(Build.nameEntry(name)) + [1, 2, 3]
    for (body, oddity) in [
      (longList, Oddities.inconsistentLength), (longName, .inconsistentLength), (junk, .trailingBytes),
    ] {
      let result = hello([(0, body)])
      #expect(result.serverName == HostName("liar.example"))
      #expect(result.oddities == oddity)
    }
  }

  @Test("an extension block that claims too much or too little keeps what was read")
  func lyingBlock() {
    var builder = TLSHelloBuilder()
    builder.extensions = [(0, Build.serverName("block.example")), (23, [])]
    var bytes = builder.stream
    let blockLength = Build.words([UInt16(4 + Build.serverName("block.example").count + 4)])
    let position = bytes.count - Int(blockLength[1]) - 1
    #expect(bytes[position] == blockLength[1])
    bytes[position] += 9
    #expect(read(bytes).serverName == HostName("block.example"))
    #expect(read(bytes).oddities == .inconsistentLength)
    bytes[position] -= 13
    #expect(read(bytes).serverName == HostName("block.example"))
    #expect(read(bytes).oddities == .trailingBytes)
  }

  @Test("encrypted_client_hello and its ancestor are noticed", arguments: [0xfe0d, 0xffce] as [UInt16])
  func encrypted(type: UInt16) {
    #expect(hello([(type, [0])]).hasEncryptedClientHello)
  }

  @Test("the highest version offered counts, drafts of TLS 1.3 too, GREASE not at all")
  func versions() {
    #expect(hello([(43, Build.vector8(Build.words([0x7f17, 0x0303])))]).highestVersion == 0x7f17)
    #expect(hello([(43, Build.vector8(Build.words([0xfafa, 0x0302])))]).highestVersion == 0x0302)
    #expect(hello([(43, Build.vector8(Build.words([0xfafa])))]).highestVersion == 0x0303)
  }

  @Test("application protocols beyond the cap are cut")
  func manyProtocols() {
    let result = hello([(16, Build.vector16((0..<40).flatMap { Build.vector8([UInt8($0)]) }))])
    #expect(result.alpn.count == ClientHello.maximumALPN)
    #expect(result.oddities == .cut)
  }

  @Test("a hello of nothing but extensions keeps a bounded list and its name")
  func manyExtensions() {
    var list = (0..<1000).map { (UInt16(0x1000 + $0), [UInt8]()) }
    list.append((0, Build.serverName("last.example")))
    let result = hello(list)
    #expect(result.extensions.count == ClientHello.maximumExtensions)
    #expect(result.serverName == HostName("last.example"))
    #expect(result.oddities == .cut)
  }

  @Test("a vector with half a value at its end is read up to there")
  func halfValue() {
    let result = hello([(13, Build.vector16([4, 3, 8]))])
    #expect(result.signatureAlgorithms == [0x0403])
    #expect(result.oddities == .inconsistentLength)
  }
}
