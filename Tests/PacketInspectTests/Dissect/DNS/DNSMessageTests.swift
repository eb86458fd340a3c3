import PacketInspect
import Testing

private typealias Build = DNSBuilder

private func parse(_ bytes: [UInt8]) -> (ParseError?, DNSMessage) {
  var message = DNSMessage()
  let error = DNSMessage.parse(bytes.rawSpan, into: &message)
  return (error, message)
}

/// An answer with an alias, an address of either family and a service binding.
private var answer: DNSBuilder {
  let service =
    Build.words([1]) + [0] + Build.words([1, 3]) + [2, 0x68, 0x32]
    + Build.words([4, 8, 0xc000, 0x0207, 0xc000, 0x0208])
    + Build.words([5, 2, 0xabcd]) + Build.words([6, 16, 0x2001, 0xdb8, 0, 0, 0, 0, 0, 2])
  var builder = DNSBuilder(flags: 0x8180)
  builder.questions = [Build.question(Build.name("www.example"), type: 65)]
  builder.answers = [
    Build.record(Build.pointer(12), type: 5, Build.name("edge.example")),
    Build.record(Build.name("edge.example"), type: 1, [192, 0, 2, 7]),
    Build.record(Build.name("edge.example"), type: 28, Build.words([0x2001, 0xdb8, 0, 0, 0, 0, 0, 1])),
    Build.record(Build.name("edge.example"), type: 65, service),
    Build.record(Build.name("edge.example"), type: 16, [3, 0x61, 0x62, 0x63]),
  ]
  builder.others = [Build.opt]
  return builder
}

@Suite("DNS messages")
struct DNSMessageTests {
  @Test("a question gives its name, type and class")
  func question() {
    let builder = DNSBuilder(questions: [Build.question(Build.name("API.example"), type: 28)], others: [Build.opt])
    let (error, message) = parse(builder.bytes)
    #expect(error == nil)
    #expect(message.id == 0x1234 && !message.isResponse && message.opcode == 0)
    #expect(message.questions.count == 1)
    #expect(message.questions[0].name == HostName("api.example"))
    #expect(message.questions[0].type == 28 && message.questions[0].recordClass == 1)
    #expect(message.oddities == [])
  }

  @Test("an answer gives aliases, addresses and service bindings")
  func answers() throws {
    let (error, message) = parse(answer.bytes)
    #expect(error == nil)
    #expect(message.isResponse && message.oddities == [])
    #expect(message.answers.map(\.type) == [5, 1, 28, 65, 16])
    #expect(message.answers[0].name == HostName("www.example") && message.answers[0].timeToLive == 300)
    guard case .alias(let target) = message.answers[0].data, case .address(let four) = message.answers[1].data,
      case .address(let six) = message.answers[2].data,
      case .service(let owner, let hints, let hasECH) = message.answers[3].data, case .other = message.answers[4].data
    else {
      Issue.record("the records are not of their kinds")
      return
    }
    #expect(target == HostName("edge.example"))
    #expect(four == IPAddress("192.0.2.7") && six == IPAddress("2001:db8::1"))
    #expect(owner.count == 0 && hasECH)
    #expect(hints == [IPAddress("192.0.2.7"), IPAddress("192.0.2.8"), IPAddress("2001:db8::2")].compactMap { $0 })
  }

  @Test("a message cut anywhere gives an error or what came before, marked")
  func prefixes() {
    let bytes = answer.bytes
    let questionEnd = 12 + Build.name("www.example").count + 4
    for count in 0..<bytes.count {
      let (error, message) = parse(Array(bytes[..<count]))
      if count < questionEnd {
        #expect(error == .truncated, "cut at \(count)")
      } else {
        #expect(error == nil && message.questions.count == 1, "cut at \(count)")
        #expect(message.oddities.contains(.inconsistentLength), "cut at \(count)")
      }
    }
  }

  @Test("no single changed byte traps")
  func mutations() {
    var bytes = answer.bytes
    var message = DNSMessage()
    for index in bytes.indices {
      let original = bytes[index]
      for value in UInt8.min...UInt8.max {
        bytes[index] = value
        _ = DNSMessage.parse(bytes.rawSpan, into: &message)
        _ = DNSMessage.looksLikeResponse(bytes)
        #expect(message.answers.count <= bytes.count / 11)
      }
      bytes[index] = original
    }
  }

  @Test("several questions are all kept, up to the cap")
  func severalQuestions() {
    let two = parse(DNSBuilder(questions: [Build.question(Build.name("a")), Build.question(Build.name("b"))]).bytes).1
    #expect(two.questions.map(\.name.text) == ["a", "b"])
    #expect(two.oddities == .severalQuestions)
    let many = parse(DNSBuilder(questions: Array(repeating: Build.question(Build.name("a")), count: 40)).bytes).1
    #expect(many.questions.count == DNSMessage.maximumQuestions)
    #expect(many.oddities == [.severalQuestions, .cut])
  }

  @Test("a name that cannot be read does not hide what follows it")
  func unreadableName() {
    var builder = answer
    builder.questions.insert(Build.question(Build.pointer(500)), at: 0)
    builder.answers = [
      Build.record(Build.pointer(500), type: 1, [1, 2, 3, 4]), Build.record([0], type: 1, [5, 6, 7, 8]),
    ]
    let (error, message) = parse(builder.bytes)
    #expect(error == nil)
    #expect(message.questions.map(\.name) == [HostName("www.example")])
    #expect(message.answers.count == 1)
    #expect(message.oddities == .inconsistentLength)
  }

  @Test("answers beyond the cap are cut")
  func manyAnswers() {
    var builder = answer
    builder.answers = Array(repeating: Build.record([0], type: 1, [1, 2, 3, 4]), count: 300)
    let (error, message) = parse(builder.bytes)
    #expect(error == nil)
    #expect(message.answers.count == DNSMessage.maximumAnswers)
    #expect(message.oddities == .cut)
  }

  @Test("an address of the wrong size is no address, and the records after it are read")
  func wrongSize() {
    var builder = answer
    builder.answers = [Build.record([0], type: 1, [1, 2, 3]), Build.record([0], type: 1, [192, 0, 2, 7])]
    let message = parse(builder.bytes).1
    #expect(message.answers.count == 2)
    guard case .other = message.answers[0].data, case .address = message.answers[1].data else {
      Issue.record("the wrong record was taken for an address")
      return
    }
    #expect(message.oddities == .inconsistentLength)
  }

  @Test("an address in another class than IN is none")
  func otherClass() {
    var builder = answer
    builder.answers = [Build.record([0], type: 1, recordClass: 3, [1, 2, 3, 4])]
    guard case .other? = parse(builder.bytes).1.answers.first?.data else {
      Issue.record("a CHAOS address was taken for an Internet one")
      return
    }
  }

  @Test("bytes after the last record are noticed")
  func trailing() {
    #expect(parse(answer.bytes + [1]).1.oddities == .trailingBytes)
  }

  @Test("a header that promises what is not there is an error")
  func empty() {
    #expect(parse(DNSBuilder(questionCount: 1).bytes).0 == .truncated)
    #expect(parse([1, 2, 3]).0 == .truncated)
    #expect(parse(DNSBuilder(flags: 0x8001).bytes).0 == nil, "a refusal without its question is a message")
  }

  @Test("the length before a message on TCP is read once both bytes are there")
  func tcpLength() {
    #expect(DNSMessage.tcpLength(([1] as [UInt8])) == nil)
    #expect(DNSMessage.tcpLength(([1, 2, 3] as [UInt8])) == 258)
  }
}

@Suite("DNS on any port")
struct DNSRecogniserTests {
  private let query = DNSBuilder(questions: [Build.question(Build.name("a.example"))], others: [Build.opt])

  @Test("an ordinary query and an ordinary answer are recognised, each as what it is")
  func recognised() {
    #expect(DNSMessage.looksLikeQuery(query.bytes))
    #expect(!DNSMessage.looksLikeResponse(query.bytes))
    #expect(DNSMessage.looksLikeResponse(answer.bytes))
    #expect(!DNSMessage.looksLikeQuery(answer.bytes))
  }

  @Test("nothing shorter or longer is")
  func exact() {
    let bytes = query.bytes
    for count in 0..<bytes.count { #expect(!DNSMessage.looksLikeQuery(Array(bytes[..<count]))) }
    #expect(!DNSMessage.looksLikeQuery((bytes + [0])))
  }

  @Test("flags that no query has rule it out", arguments: [0x8000, 0x0800, 0x0400, 0x0200, 0x0080, 0x0040, 0x0001])
  func flags(bit: Int) {
    var other = query
    other.flags |= UInt16(bit)
    #expect(!DNSMessage.looksLikeQuery(other.bytes))
  }

  @Test("zeros, text and a class that is none are not queries")
  func others() {
    #expect(!DNSMessage.looksLikeQuery([UInt8](repeating: 0, count: 40)))
    #expect(!DNSMessage.looksLikeQuery(Array("M-SEARCH * HTTP/1.1\r\nHost: x\r\n\r\n".utf8)))
    let strange = DNSBuilder(questions: [Build.question(Build.name("a"), recordClass: 77)])
    #expect(!DNSMessage.looksLikeQuery(strange.bytes))
  }
}
