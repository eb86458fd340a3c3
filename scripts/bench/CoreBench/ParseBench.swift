import CoreC
import PacketInspect

/// The parsers alone: a name out of a packet, in Swift and in C, in turns.
struct ParseBench {
  private let hellos: PacketSet
  private let questions: PacketSet
  private let rounds: Int

  init(packets: Int, rounds: Int) {
    var traffic = Traffic(seed: 1)
    var hellos = PacketSet()
    var questions = PacketSet()
    for number in 0..<packets {
      let name = Traffic.hostName(number)
      let client = Endpoint(address: 0x0a07_0002, port: UInt16(20_000 + number))
      hellos.add(
        Packet.tcp(
          from: client, to: Endpoint(address: Traffic.address(number), port: 443), flags: Packet.Flags.pushAck,
          sequence: 1_001, acknowledgement: 5_001, traffic.clientHello(name, shuffled: number % 2 == 1)))
      questions.add(
        Packet.udp(
          from: client, to: Endpoint(address: 0x0a00_0035, port: 53), Traffic.dns(name, id: UInt16(number))))
    }
    self.hellos = hellos
    self.questions = questions
    self.rounds = rounds
  }

  /// What went wrong before anything was measured.
  struct Disagreement: Error, CustomStringConvertible {
    var description: String
  }

  /// Measures `repetitions` times; nanoseconds of CPU time a packet. Throws when the two parsers read differently.
  func run(repetitions: Int) throws(Disagreement) -> [Row] {
    [
      try measure("SNI from a packet: IPv4, TCP, ClientHello of 517 bytes", repetitions, hellos, swiftHellos) { set in
        unsafe corec_read_hellos(set.bytes, set.places, set.count, rounds)
      },
      try measure("DNS question from a packet: IPv4, UDP, one name", repetitions, questions, swiftQuestions) { set in
        unsafe corec_read_questions(set.bytes, set.places, set.count, rounds)
      },
    ]
  }

  private func measure(
    _ name: String, _ repetitions: Int, _ set: PacketSet, _ swift: (PacketSet) -> UInt64, _ c: (PacketSet) -> UInt64
  ) throws(Disagreement) -> Row {
    // Both caches warm, all buffers grown; and the two agree on every packet.
    guard swift(set) == c(set), c(set) != 0 else { throw Disagreement(description: "the parsers disagree: \(name)") }
    let packets = Double(set.count * rounds)
    var row = Row(name: name)
    let before = corec_allocations()
    _ = swift(set)
    row.allocations = Double(corec_allocations() - before) / packets
    for repetition in 0..<repetitions {
      // The order alternates, so that a drift of the machine favours neither.
      for turn in 0..<2 {
        let start = corec_thread_nanoseconds()
        let isSwift = (turn == 0) == (repetition % 2 == 0)
        let sum = isSwift ? swift(set) : c(set)
        let time = Double(corec_thread_nanoseconds() - start) / packets
        precondition(sum != 0)
        if isSwift { row.swift.append(time) } else { row.c.append(time) }
      }
    }
    return row
  }

  private func swiftHellos(_ set: PacketSet) -> UInt64 {
    var hello = ClientHello()
    var scratch: [UInt8] = []
    var sum: UInt64 = 0
    set.forEach(rounds: rounds) { sum &+= Self.readHello($0, &hello, &scratch) }
    return sum
  }

  @inline(never)
  private static func readHello(_ packet: RawSpan, _ hello: inout ClientHello, _ scratch: inout [UInt8]) -> UInt64 {
    guard let view = try? PacketView.parse(packet) else { return 0 }
    guard case .complete = TLSHello.parse(view.payload, into: &hello, scratch: &scratch) else { return 0 }
    guard let name = hello.serverName else { return 0 }
    return name.hash &+ UInt64(hello.cipherSuites.count + hello.extensions.count) &+ UInt64(view.destinationPort)
  }

  private func swiftQuestions(_ set: PacketSet) -> UInt64 {
    var message = DNSMessage()
    var sum: UInt64 = 0
    set.forEach(rounds: rounds) { sum &+= Self.readQuestion($0, &message) }
    return sum
  }

  @inline(never)
  private static func readQuestion(_ packet: RawSpan, _ message: inout DNSMessage) -> UInt64 {
    guard let view = try? PacketView.parse(packet), DNSMessage.parse(view.payload, into: &message) == nil,
      message.questions.count == 1
    else { return 0 }
    return message.questions[0].name.hash &+ UInt64(message.questions[0].type) &+ UInt64(message.id)
  }
}
