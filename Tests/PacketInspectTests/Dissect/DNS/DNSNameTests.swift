import PacketInspect
import Testing

/// The first question's name in a message whose body, from offset 12, is `body`.
private func name(_ body: [UInt8], questions: UInt16 = 1) -> (ParseError?, HostName?) {
  var message = DNSMessage()
  let error = DNSMessage.parse((DNSBuilder(questionCount: questions).bytes + body).rawSpan, into: &message)
  return (error, message.questions.last?.name)
}

@Suite("DNS names")
struct DNSNameTests {
  @Test("are lower-case and joined by dots; the root is empty")
  func ordinary() {
    #expect(name([3, 0x57, 0x77, 0x57, 2, 0x4f, 0x6b, 0, 0, 1, 0, 1]).1?.text == "www.ok")
    #expect(name([0, 0, 1, 0, 1]).1?.count == 0)
  }

  @Test("follow pointers backwards, run by run")
  func pointers() {
    let first = DNSBuilder.question(DNSBuilder.name("example"))
    let second = [3, 0x77, 0x77, 0x77] + DNSBuilder.pointer(12) + DNSBuilder.words([1, 1])
    let third = DNSBuilder.pointer(12 + first.count) + DNSBuilder.words([1, 1])
    let (error, last) = name(first + second + third, questions: 3)
    #expect(error == nil)
    #expect(last?.text == "www.example")
  }

  @Test("end at a pointer to itself, forwards, or into its own run")
  func loops() {
    let tail: [UInt8] = [0, 1, 0, 1, 1, 0x61, 0]
    #expect(name(DNSBuilder.pointer(12) + tail).0 == .badPointer, "to itself")
    #expect(name(DNSBuilder.pointer(18) + tail).0 == .badPointer, "forwards")
    #expect(name([1, 0x61] + DNSBuilder.pointer(12) + tail).0 == .badPointer, "to the start of its run")
    #expect(name([1, 0x61] + DNSBuilder.pointer(14) + tail).0 == .badPointer, "to the pointer")
  }

  @Test("end when pointers lead back and forth between two runs")
  func mutualLoop() {
    let first = [1, 0x61] + DNSBuilder.pointer(20) + DNSBuilder.words([1, 1])
    #expect(
      name(first + [1, 0x62] + DNSBuilder.pointer(12) + DNSBuilder.words([1, 1]), questions: 2).0 == .badPointer)
  }

  @Test("of 255 bytes are read, longer ones are not")
  func lengths() {
    let label = [63] + [UInt8](repeating: 0x61, count: 63)
    let longest = label + label + label + [61] + [UInt8](repeating: 0x62, count: 61) + [0]
    #expect(longest.count == 255)
    #expect(name(DNSBuilder.question(longest)).1?.count == 253)
    let tooLong = label + label + label + [62] + [UInt8](repeating: 0x62, count: 62) + [0]
    #expect(name(DNSBuilder.question(tooLong)).0 == .badName)
  }

  @Test("made endless by pointers are cut off at 255 bytes")
  func longByPointers() {
    let label = [63] + [UInt8](repeating: 0x61, count: 63)
    let first = DNSBuilder.question(label + label + label + [0])
    let (error, last) = name(first + label + DNSBuilder.pointer(12) + DNSBuilder.words([1, 1]), questions: 2)
    #expect(error == nil)
    #expect(last?.count == 191, "the second question is not kept")
  }

  @Test("with a dot inside a label are not taken for two labels")
  func innerDot() {
    let label = Array("a.b".utf8)
    let (error, read) = name(DNSBuilder.question([3] + label + DNSBuilder.name("example")))
    #expect(error == nil)
    #expect(read != HostName("a.b.example"))
    #expect(read == HostName("a\\046b.example"))
    #expect(read?.hasOddBytes == true)
  }

  @Test("of nothing but dots keep their last labels")
  func manyDots() {
    let dots = [60] + [UInt8](repeating: 0x2e, count: 60)
    let (error, read) = name(DNSBuilder.question(dots + dots + dots + DNSBuilder.name("evil.example")))
    #expect(error == nil)
    #expect(read?.suffix(12) == HostName("evil.example"))
    #expect(read?.hasOddBytes == true)
  }

  @Test("with extended label types are refused", arguments: [0x40, 0x80, 0xbf] as [UInt8])
  func extendedLabels(first: UInt8) {
    #expect(name([first, 0, 0, 1, 0, 1]).0 == .badName)
  }

  @Test("with any byte are kept")
  func anyByte() {
    let (error, read) = name(DNSBuilder.question([4, 0, 0xff, 0x20, 0x5c, 0]))
    #expect(error == nil)
    #expect(read?.text == "\\000\\255\\032\\092")
  }
}
