import Testing

@testable import PacketInspect

@Suite("Name memory")
struct NameMemoryTests {
  let now = Timestamp(seconds: 1_000)
  private func after(_ seconds: Int64) -> Timestamp { now.advanced(byNanoseconds: seconds * 1_000_000_000) }

  @Test("corroborates a name for its address within its TTL and the grace, for any session, and no longer")
  func lifetime() {
    var memory = NameMemory()
    memory.learn(host("a.example"), address: address("93.184.216.1"), timeToLive: 30, session: 1, at: now)
    for name in ["a.example", "A.EXAMPLE"] {
      #expect(memory.corroborates(host(name), address: address("93.184.216.1"), at: after(90)))
    }
    #expect(!memory.corroborates(host("a.example"), address: address("93.184.216.1"), at: after(91)))
    #expect(!memory.corroborates(host("b.example"), address: address("93.184.216.1"), at: now))
    #expect(!memory.corroborates(host("a.example"), address: address("93.184.216.2"), at: now))
    #expect(!memory.corroborates(host("sub.a.example"), address: address("93.184.216.1"), at: now))
  }

  @Test("believes no TTL beyond a day")
  func longest() {
    var memory = NameMemory()
    memory.learn(host("a.example"), address: address("93.184.216.1"), timeToLive: .max, session: 1, at: now)
    #expect(memory.corroborates(host("a.example"), address: address("93.184.216.1"), at: after(86_400)))
    #expect(!memory.corroborates(host("a.example"), address: address("93.184.216.1"), at: after(86_400 + 61)))
  }

  @Test("is renewed by a later answer")
  func renewal() {
    var memory = NameMemory()
    for time: Int64 in [0, 80, 160] {
      memory.learn(host("a.example"), address: address("93.184.216.1"), timeToLive: 30, session: 1, at: after(time))
    }
    #expect(memory.corroborates(host("a.example"), address: address("93.184.216.1"), at: after(240)))
    #expect(memory.count == 1)
  }

  @Test("takes the v4-mapped and NAT64 forms for the IPv4 address")
  func mapped() {
    var memory = NameMemory()
    memory.learn(host("a.example"), address: address("64:ff9b::5db8:d801"), timeToLive: 30, session: 1, at: now)
    #expect(memory.corroborates(host("a.example"), address: address("93.184.216.1"), at: now))
    #expect(memory.corroborates(host("a.example"), address: address("::ffff:93.184.216.1"), at: now))
  }

  @Test("tells a session the latest name that it, and nobody else, got for an address")
  func latest() {
    var memory = NameMemory()
    let place = address("93.184.216.1")
    memory.learn(host("old.example"), address: place, timeToLive: 300, session: 1, at: now)
    memory.learn(host("new.example"), address: place, timeToLive: 30, session: 1, at: after(1))
    memory.learn(host("other.example"), address: place, timeToLive: 300, session: 2, at: after(2))
    #expect(memory.latestName(for: place, session: 1, at: after(3)) == host("new.example"))
    #expect(memory.latestName(for: place, session: 2, at: after(3)) == host("other.example"))
    #expect(memory.latestName(for: place, session: 3, at: after(3)) == nil)
    #expect(memory.latestName(for: place, session: 1, at: after(200)) == host("old.example"))
  }

  @Test("keeps the latest 64 names of an address")
  func perAddress() {
    var memory = NameMemory()
    let place = address("93.184.216.1")
    for number in 0..<100 {
      memory.learn(host("n\(number).example"), address: place, timeToLive: 300, session: 1, at: now)
    }
    #expect(!memory.corroborates(host("n35.example"), address: place, at: now))
    for number in 36..<100 { #expect(memory.corroborates(host("n\(number).example"), address: place, at: now)) }
  }

  @Test("is bounded in addresses, in names over all, and makes room in one go rather than one by one")
  func bounded() {
    var memory = NameMemory()
    // Each of these runs out at a time of its own, so that at any moment hardly any are over.
    for number in 0..<NameMemory.maximumAddresses + 3_000 {
      let time = now.advanced(byNanoseconds: Int64(number) * 1_000_000)
      memory.learn(
        host("a.example"), address: IPAddress(v4: 0x5db8_0000 + UInt32(number)), timeToLive: 0, session: 1, at: time)
      #expect(memory.count <= NameMemory.maximumAddresses)
    }
    #expect(memory.count < NameMemory.maximumAddresses - NameMemory.maximumAddresses / 16)
    let last = IPAddress(v4: 0x5db8_0000 + UInt32(NameMemory.maximumAddresses + 2_999))
    #expect(memory.corroborates(host("a.example"), address: last, at: now))

    memory = NameMemory()
    for number in 0..<200_000 {
      memory.learn(
        host("n\(number % 64).example"), address: IPAddress(v4: 0x5db8_0000 + UInt32(number / 64)), timeToLive: 300,
        session: 1, at: now)
    }
    #expect(memory.nameCount <= NameMemory.maximumNames)
    #expect(memory.nameCount > NameMemory.maximumNames / 2)
  }

  @Test("forgets the same addresses in every process, or a replay could not be repeated")
  func repeatable() {
    // Dictionaries are seeded anew in each process and each instance: what is forgotten must not depend on them.
    func survivors() -> [Bool] {
      var memory = NameMemory()
      for number in 0...NameMemory.maximumAddresses {
        memory.learn(
          host("a.example"), address: IPAddress(v4: 0x5db8_0000 + UInt32(number)), timeToLive: 300, session: 1, at: now)
      }
      return (0..<100).map { memory.corroborates(host("a.example"), address: IPAddress(v4: 0x5db8_0000 + $0), at: now) }
    }
    // The oldest go first.
    #expect(survivors() == Array(repeating: false, count: 100))
  }
}

@Suite("Outstanding questions")
struct OutstandingQuestionsTests {
  let now = Timestamp(seconds: 1_000)
  private func flow(_ port: UInt16, resolver: String = "93.184.216.53") -> FlowKey {
    FlowKey.make(
      source: address("10.88.0.7"), sourcePort: port, destination: address(resolver), destinationPort: 53, proto: 17
    ).key
  }

  @Test("are answered once, by the answer with their id, name, addresses and ports")
  func matching() {
    var questions = OutstandingQuestions(seed: 5)
    questions.ask(host("a.example"), id: 7, flow: flow(4_000), session: 3, at: now)
    #expect(questions.answer(host("a.example"), id: 8, flow: flow(4_000), at: now) == nil)
    #expect(questions.answer(host("b.example"), id: 7, flow: flow(4_000), at: now) == nil)
    #expect(questions.answer(host("a.example"), id: 7, flow: flow(4_001), at: now) == nil)
    #expect(questions.answer(host("a.example"), id: 7, flow: flow(4_000, resolver: "93.184.216.54"), at: now) == nil)
    #expect(questions.answer(host("a.example"), id: 7, flow: flow(4_000), at: now) == 3)
    #expect(questions.answer(host("a.example"), id: 7, flow: flow(4_000), at: now) == nil)
  }

  @Test("are forgotten after half a minute")
  func patience() {
    var questions = OutstandingQuestions(seed: 5)
    questions.ask(host("a.example"), id: 7, flow: flow(4_000), session: 3, at: now)
    let late = now.advanced(byNanoseconds: OutstandingQuestions.patience + 1)
    #expect(questions.answer(host("a.example"), id: 7, flow: flow(4_000), at: late) == nil)
  }

  @Test("never give a wrong session under a flood of them")
  func flood() {
    var questions = OutstandingQuestions(seed: 5)
    let count = 3 * OutstandingQuestions.slots
    for number in 0..<count {
      questions.ask(
        host("n\(number).example"), id: UInt16(number % 65_536), flow: flow(UInt16(number % 60_000)),
        session: Int32(number), at: now)
    }
    var answered = 0
    for number in 0..<count {
      let session = questions.answer(
        host("n\(number).example"), id: UInt16(number % 65_536), flow: flow(UInt16(number % 60_000)), at: now)
      if let session {
        answered += 1
        #expect(session == Int32(number))
      }
    }
    #expect(answered > OutstandingQuestions.slots / 2 && answered <= OutstandingQuestions.slots)
  }
}

@Suite("Nameless deadlines")
struct NamelessDeadlinesTests {
  @Test("come due in order, five seconds after each flow, and are bounded")
  func order() {
    var deadlines = NamelessDeadlines(capacity: 3_000)
    let start = Timestamp(seconds: 50)
    for number in 0..<4_000 {
      deadlines.push(flow: Int32(number), id: UInt64(number), at: start.advanced(byNanoseconds: Int64(number)))
    }
    let due = start.advanced(byNanoseconds: NamelessDeadlines.patience)
    var early = deadlines.popDue(at: due.advanced(byNanoseconds: -1))
    #expect(early == nil)
    for number in 0...1_500 {
      let next = deadlines.popDue(at: due.advanced(byNanoseconds: 1_500))
      #expect(next?.flow == Int32(number) && next?.id == UInt64(number))
    }
    early = deadlines.popDue(at: due.advanced(byNanoseconds: 1_500))
    #expect(early == nil)
    deadlines.push(flow: 9, id: 9, at: start.advanced(byNanoseconds: 5_000))
    var left = 0
    while deadlines.popDue(at: due.advanced(byNanoseconds: 5_000)) != nil { left += 1 }
    #expect(left == 3_000 - 1_501 + 1)
  }
}
