import PacketInspect
import Testing

@Suite("Defragmenter")
struct DefragmenterTests {
  static let start = Timestamp(seconds: 1_700_000_000)

  /// A datagram, large enough to be cut, of each family.
  static let packets = PacketViewTests.pairs.map { source, destination in
    PacketBuilder.udp(from: source, to: destination, payload: (0..<84).map { UInt8($0) })
  }

  /// What is returned when all of `fragments` are added in order; nil unless it is the last that completes.
  private func add(_ fragments: [[UInt8]], to defragmenter: inout Defragmenter) -> [UInt8]? {
    for (index, fragment) in fragments.enumerated() {
      if let whole = defragmenter.add(fragment, at: Self.start) {
        return index == fragments.count - 1 ? whole : nil
      }
    }
    return nil
  }

  static func permutations(_ count: Int) -> [[Int]] {
    guard count > 0 else { return [[]] }
    return permutations(count - 1).flatMap { shorter in
      (0..<count).map { position in
        var longer = shorter
        longer.insert(count - 1, at: position)
        return longer
      }
    }
  }

  @Test("rebuilds the packet from fragments in every order", arguments: packets)
  func orders(packet: [UInt8]) throws {
    let original = try PacketSummary(packet)
    let fragments = PacketBuilder.fragments(of: packet, size: 24)
    #expect(fragments.count == 4)
    for order in Self.permutations(4) {
      var defragmenter = Defragmenter()
      let whole = try #require(add(order.map { fragments[$0] }, to: &defragmenter))
      #expect(try PacketSummary(whole) == original)
      #expect(PacketView.headerChecksumIsValid(whole.rawSpan) != false)
      #expect(whole.count == packet.count)
      #expect(defragmenter.datagramCount == 0)
      #expect(defragmenter.losses == Defragmenter.Losses())
    }
  }

  @Test("keeps IPv4 options and IPv6 headers before the fragment header, and drops link padding")
  func headers() throws {
    let payload = Array(Self.packets[0][20...])
    let options = PacketBuilder.ip(
      from: IPAddress(v4: 1), to: IPAddress(v4: 2), .udp, payload, options: [148, 4, 0, 0])
    var defragmenter = Defragmenter()
    let padded = PacketBuilder.fragments(of: options, size: 48).map { $0 + [0xee, 0xee] }
    let whole = try #require(add(padded, to: &defragmenter))
    #expect(whole.count == options.count)
    #expect(Array(whole[20..<24]) == [148, 4, 0, 0])
    #expect(try PacketSummary(whole).payload == PacketSummary(options).payload)

    let extended = PacketBuilder.fragments(of: Self.packets[1], size: 48).map {
      PacketBuilder.inserting([(.hopByHopOptions, [0, 1, 4, 0, 0, 0, 0])], into: $0)
    }
    let rebuilt = try #require(add(extended, to: &defragmenter))
    #expect(rebuilt[6] == IPProtocol.hopByHopOptions.rawValue)
    #expect(rebuilt[40] == IPProtocol.udp.rawValue)
    #expect(try PacketSummary(rebuilt) == PacketSummary(Self.packets[1]))
  }

  @Test("rebuilds a whole TCP header that fragments split", arguments: PacketViewTests.pairs)
  func tiny(source: Endpoint, destination: Endpoint) throws {
    let packet = PacketBuilder.tcp(from: source, to: destination, payload: [UInt8](repeating: 5, count: 40))
    var defragmenter = Defragmenter()
    let whole = try #require(add(PacketBuilder.fragments(of: packet, size: 8), to: &defragmenter))
    #expect(try PacketSummary(whole) == PacketSummary(packet))
  }

  @Test("takes repeated and overlapping fragments whose bytes agree", arguments: packets)
  func agreeing(packet: [UInt8]) throws {
    let headerLength = packet[0] >> 4 == 4 ? 20 : 40
    let data = Array(packet[headerLength...])
    func part(_ range: Range<Int>) -> [UInt8] {
      PacketBuilder.fragment(
        of: packet, offset: range.lowerBound, more: range.upperBound < 92, data: Array(data[range]))
    }
    var defragmenter = Defragmenter()
    let parts = [part(16..<32), part(16..<32), part(8..<48), part(64..<92), part(40..<92), part(0..<16)]
    let whole = try #require(add(parts, to: &defragmenter))
    #expect(try PacketSummary(whole) == PacketSummary(packet))
    #expect(defragmenter.losses.conflicting == 0)
  }

  @Test("never completes a datagram whose fragments disagree, whichever comes first", arguments: packets)
  func conflicting(packet: [UInt8]) {
    let fragments = PacketBuilder.fragments(of: packet, size: 24)
    var other = fragments[1]
    other[other.count - 1] ^= 1
    for order in [[fragments[1], other], [other, fragments[1]]] {
      var defragmenter = Defragmenter()
      for fragment in order + [fragments[0], fragments[2], fragments[3], fragments[1], fragments[0]] {
        #expect(defragmenter.add(fragment, at: Self.start) == nil)
      }
      #expect(defragmenter.losses.conflicting == 1)
    }
  }

  @Test("never completes a datagram with two ends, or with data behind its end", arguments: packets)
  func ends(packet: [UInt8]) {
    func fragment(_ offset: Int, more: Bool) -> [UInt8] {
      PacketBuilder.fragment(of: packet, offset: offset, more: more, data: [UInt8](repeating: 1, count: 8))
    }
    let cases: [[[UInt8]]] = [
      [fragment(8, more: false), fragment(16, more: false)],
      [fragment(16, more: false), fragment(8, more: false)],
      [fragment(8, more: false), fragment(16, more: true)],
      [fragment(16, more: true), fragment(8, more: false)],
    ]
    for fragments in cases {
      var defragmenter = Defragmenter()
      for fragment in fragments + [fragment(0, more: true)] {
        #expect(defragmenter.add(fragment, at: Self.start) == nil)
      }
      #expect(defragmenter.losses.conflicting == 1)
    }
  }

  @Test("keeps datagrams apart by addresses, identification and IPv4 protocol")
  func keys() throws {
    var defragmenter = Defragmenter()
    let packet = Self.packets[0]
    let fragments = PacketBuilder.fragments(of: packet, size: 48)
    for offset in [12, 16, 5, 9] {
      var other = fragments[1]
      other[offset] ^= 1
      #expect(add([fragments[0], other], to: &defragmenter) == nil)
      defragmenter = Defragmenter()
    }
    #expect(add(fragments, to: &defragmenter) != nil)
  }

  @Test("gives a datagram up at its age, so that a reused identification starts anew", arguments: packets)
  func age(packet: [UInt8]) throws {
    let fragments = PacketBuilder.fragments(of: packet, size: 48)
    let limit = Defragmenter.maximumAge
    var defragmenter = Defragmenter()
    #expect(defragmenter.add(fragments[0], at: Self.start) == nil)
    #expect(defragmenter.add(fragments[1], at: Self.start.advanced(byNanoseconds: limit)) != nil)
    #expect(defragmenter.add(fragments[0], at: Self.start) == nil)
    #expect(defragmenter.add(fragments[1], at: Self.start.advanced(byNanoseconds: limit + 1)) == nil)
    #expect(defragmenter.losses.expired == 1)
    #expect(defragmenter.datagramCount == 1)
  }

  @Test("is bounded in datagrams, the oldest making room")
  func datagramCap() {
    let packet = Self.packets[1]
    var defragmenter = Defragmenter()
    // Datagrams that became whole behind the oldest one, before the flood, make no room when their turn comes.
    let oldest = PacketBuilder.fragments(of: packet, size: 48, identification: .max)
    #expect(defragmenter.add(oldest[0], at: Self.start) == nil)
    for identification in UInt32.max - 50..<UInt32.max {
      let fragments = PacketBuilder.fragments(of: packet, size: 48, identification: identification)
      #expect(add(fragments, to: &defragmenter) != nil)
    }
    for identification in 0..<UInt32(Defragmenter.maximumDatagrams + 10) {
      let fragment = PacketBuilder.fragment(
        of: packet, offset: 0, more: true, data: Array(packet[40..<88]), identification: identification)
      #expect(defragmenter.add(fragment, at: Self.start) == nil)
    }
    #expect(defragmenter.datagramCount == Defragmenter.maximumDatagrams)
    #expect(defragmenter.losses.evicted == 11)
    func finish(_ identification: UInt32) -> [UInt8]? {
      let last = PacketBuilder.fragment(
        of: packet, offset: 48, more: false, data: Array(packet[88...]), identification: identification)
      return defragmenter.add(last, at: Self.start)
    }
    #expect(finish(UInt32(Defragmenter.maximumDatagrams)) != nil)
    #expect(finish(3) == nil)
  }

  @Test("is bounded in bytes")
  func byteCap() {
    let data = [UInt8](repeating: 1, count: 65000)
    var defragmenter = Defragmenter()
    for identification: UInt32 in 0..<400 {
      let fragment = PacketBuilder.fragment(
        of: Self.packets[1], offset: 0, more: true, data: data, identification: identification)
      #expect(defragmenter.add(fragment, at: Self.start) == nil)
    }
    #expect(defragmenter.datagramCount <= Defragmenter.maximumBytes / data.count)
    #expect(defragmenter.datagramCount > 200)
    #expect(defragmenter.losses.evicted == 400 - defragmenter.datagramCount)
  }

  @Test("stays small over many datagrams that complete while one never does")
  func turnover() {
    var defragmenter = Defragmenter()
    let packet = Self.packets[1]
    let stuck = PacketBuilder.fragments(of: packet, size: 48, identification: .max)
    #expect(defragmenter.add(stuck[0], at: Self.start) == nil)
    for identification: UInt32 in 0..<1000 {
      let fragments = PacketBuilder.fragments(of: packet, size: 48, identification: identification)
      #expect(add(fragments, to: &defragmenter) != nil)
    }
    #expect(defragmenter.datagramCount == 1)
    #expect(defragmenter.add(stuck[1], at: Self.start) != nil)
  }

  @Test("counts what no datagram can use and ignores what is no fragment")
  func unusable() {
    var defragmenter = Defragmenter()
    let packet = Self.packets[0]
    let fragment = PacketBuilder.fragments(of: packet, size: 48)[0]
    #expect(defragmenter.add(packet, at: Self.start) == nil)
    #expect(defragmenter.add(([] as [UInt8]), at: Self.start) == nil)
    #expect(defragmenter.losses == Defragmenter.Losses())
    #expect(defragmenter.add(fragment.dropLast().map { $0 }, at: Self.start) == nil)
    let ends = PacketBuilder.fragment(of: packet, offset: 65528, more: false, data: [UInt8](repeating: 0, count: 8))
    #expect(defragmenter.add(ends, at: Self.start) == nil)
    let misaligned = PacketBuilder.fragment(of: packet, offset: 0, more: true, data: [1, 2, 3])
    #expect(defragmenter.add(misaligned, at: Self.start) == nil)
    #expect(defragmenter.losses.unusable == 3)
    #expect(defragmenter.datagramCount == 0)
  }

  @Test("survives every single-byte mutation of a fragment, and what it returns can be parsed", arguments: packets)
  func mutations(packet: [UInt8]) {
    let fragments = PacketBuilder.fragments(of: packet, size: 48)
    var completed = 0
    for offset in fragments[0].indices {
      for value: UInt8 in [0, 1, 0x20, 0x3c, 0x44, 0x4f, 0x60, 0x80, 0xff] {
        var mutated = fragments[0]
        mutated[offset] = value
        var defragmenter = Defragmenter()
        _ = defragmenter.add(mutated, at: Self.start)
        guard let whole = defragmenter.add(fragments[1], at: Self.start) else { continue }
        completed += 1
        #expect((try? PacketSummary(whole))?.fragment == nil)
        #expect(whole.count <= 65535 + 40)
      }
    }
    #expect(completed > 0)
  }

  @Test("drops a datagram that would be too long for its header")
  func tooLong() {
    let packet = Self.packets[0]
    var defragmenter = Defragmenter()
    let body = [UInt8](repeating: 1, count: 32768)
    #expect(
      defragmenter.add(
        PacketBuilder.fragment(of: packet, offset: 0, more: true, data: body), at: Self.start) == nil)
    let rest = PacketBuilder.fragment(of: packet, offset: 32768, more: false, data: Array(body.dropLast(10)))
    #expect(defragmenter.add(rest, at: Self.start) == nil)
    #expect(defragmenter.losses.unusable == 1)
    #expect(defragmenter.datagramCount == 0)
  }
}

extension Defragmenter {
  /// For expectations, whose macro lets no span through.
  fileprivate mutating func add(_ packet: [UInt8], at now: Timestamp) -> [UInt8]? { add(packet.rawSpan, at: now) }
}
