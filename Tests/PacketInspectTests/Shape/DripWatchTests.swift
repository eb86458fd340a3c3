import Testing

@testable import PacketInspect

@Suite("Drips")
struct DripWatchTests {
  private static let hour: Int64 = 3_600

  @Test("are a little to each of many, also over a day")
  func spread() {
    for step: Int64 in [10, 700] {
      var watch = DripWatch()
      var found: [DripFinding] = []
      for number in 0..<120 {
        let now = Timestamp(seconds: Int64(number) * step)
        if let finding = watch.note(
          UInt32(number % 60 + 1), sent: 12_000, received: 400, policy: ShapePolicy(), at: now)
        {
          found.append(finding)
        }
      }
      #expect(found.count == 1)
      #expect(found.first?.isSpread == true && (found.first?.destinations ?? 0) >= 16)
    }
  }

  @Test("begin at the threshold, not a byte before, and not with fewer than sixteen destinations")
  func boundary() {
    var policy = ShapePolicy()
    policy.dripBytes = 160_000
    for (last, isFound) in [(9_999, false), (10_000, true)] {
      var watch = DripWatch()
      for tag in 1...15 {
        #expect(watch.note(UInt32(tag), sent: 10_000, received: 0, policy: policy, at: Timestamp(seconds: 1)) == nil)
      }
      let found = watch.note(16, sent: UInt64(last), received: 0, policy: policy, at: Timestamp(seconds: 1))
      #expect((found != nil) == isFound)
    }
    var watch = DripWatch()
    for number in 0..<150 {
      let found = watch.note(
        UInt32(number % 15 + 1), sent: 40_000, received: 30_000, policy: policy, at: Timestamp(seconds: 1))
      #expect(found == nil)
    }
  }

  @Test("are not downloads, requests alone, or uploads that are large by themselves")
  func others() {
    var watch = DripWatch()
    let policy = ShapePolicy()
    for number in 0..<10_000 {
      let now = Timestamp(seconds: Int64(number))
      let tag = UInt32(number % 90 + 1)
      #expect(watch.note(tag, sent: 2_000, received: 1_001, policy: policy, at: now) == nil)
      #expect(watch.note(tag, sent: 511, received: 0, policy: policy, at: now) == nil)
      #expect(watch.note(tag, sent: policy.uploadBytes, received: 0, policy: policy, at: now) == nil)
    }
  }

  @Test("to one destination need many uploads, four times the bytes, and little in return")
  func oneDestination() {
    for (sent, received, isFound) in [(25_000, 500, true), (25_000, 9_000, false), (19_000, 500, false)] {
      var watch = DripWatch()
      var found: [DripFinding] = []
      for number in 0..<210 {
        let now = Timestamp(seconds: Int64(number) * 60)
        if let finding = watch.note(
          9, sent: UInt64(sent), received: UInt64(received), policy: ShapePolicy(), at: now)
        {
          found.append(finding)
        }
      }
      #expect(!found.isEmpty == isFound)
      #expect(found.allSatisfy { !$0.isSpread && $0.uploads >= 200 && $0.bytes >= 4_000_000 })
    }
  }

  @Test("are not what pages report to dozens of hosts, unless it is much to one of them")
  func reports() {
    var watch = DripWatch()
    let policy = ShapePolicy()
    for number in 0..<3_000 {
      let now = Timestamp(seconds: Int64(number))
      let tag = UInt32(number % 30 + 1)
      #expect(watch.note(tag, sent: 2_000, received: 100, isAlone: true, policy: policy, at: now) == nil)
    }
    var found: DripFinding?
    for _ in 0..<300 where found == nil {
      found = watch.note(
        900, sent: 20_000, received: 100, isAlone: true, policy: policy, at: Timestamp(seconds: 3_000))
    }
    #expect(found?.isSpread == false && (found?.bytes ?? 0) >= 4_000_000)
  }

  @Test("fade by half every twelve hours, and what is slower than that adds up no further")
  func fading() {
    var watch = DripWatch()
    for number in 0..<1_000 {
      // 250 kB in twelve hours come to 500 kB at the most.
      let now = Timestamp(seconds: Int64(number) * 12 * Self.hour / 20)
      let found = watch.note(
        UInt32(number % 40 + 1), sent: 12_500, received: 0, policy: ShapePolicy(), at: now)
      #expect(found == nil)
    }
  }

  @Test("over more destinations than are told apart gain nothing by it")
  func cap() {
    var watch = DripWatch()
    var found: DripFinding?
    for number in 1...5_000 where found == nil {
      found = watch.note(UInt32(number), sent: 1_000, received: 0, policy: ShapePolicy(), at: Timestamp(seconds: 9))
    }
    #expect(found?.uploads == 1_000 && found?.destinations == 1_000)
  }
}

@Suite("What sessions send in a day")
struct SessionTrafficTests {
  @Test("is flagged when it passes the threshold, by the hour, and again when it was below")
  func volume() {
    var traffic = SessionTraffic()
    var policy = ShapePolicy()
    policy.uploadVolume = 1_000
    func send(_ bytes: UInt64, hour: Int64, toService: Bool = false) -> VolumeFinding? {
      traffic.noteSent(bytes, toService: toService, policy: policy, at: Timestamp(seconds: hour * 3_600))
    }
    #expect(send(999, hour: 1) == nil)
    #expect(send(1, hour: 2)?.bytes == 1_000)
    #expect(send(500, hour: 3) == nil)
    #expect(send(100, hour: 25) == nil)
    // Hour 1 is over: 601 so far. By hour 30 only the 100 of hour 25 are left.
    #expect(send(899, hour: 30) == nil)
    #expect(send(1, hour: 30)?.bytes == 1_000)
    // Services have a threshold and a sum of their own.
    #expect(send(9_999, hour: 30, toService: true) == nil)
    #expect(send(1, hour: 30, toService: true)?.isToServices == true)
  }

  @Test("is not counted twice when hours come out of order")
  func disorder() {
    var bytes = HourlyBytes()
    bytes.add(10, at: Timestamp(seconds: 10 * 3_600))
    bytes.add(10, at: Timestamp(seconds: 3 * 3_600))
    bytes.add(10, at: Timestamp(seconds: 33 * 3_600))
    #expect(bytes.sum == 30)
    bytes.add(0, at: Timestamp(seconds: 34 * 3_600))
    #expect(bytes.sum == 10)
    bytes.add(1, at: Timestamp(nanoseconds: .max))
    #expect(bytes.sum == 1)
  }

  @Test("is named by at most so many flags of a kind")
  func flags() {
    var traffic = SessionTraffic()
    let first = (0..<1_000).filter { traffic.isFirst(.port, UInt32($0)) }
    #expect(first.count == SessionTraffic.maximumFlags)
    let literals = (0..<2).map { _ in traffic.isFirst(.literal, 1) }
    #expect(literals == [true, false])
  }
}
