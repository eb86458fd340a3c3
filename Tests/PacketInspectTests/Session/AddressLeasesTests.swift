import PacketInspect
import Testing

@Suite("Leases of addresses")
struct AddressLeasesTests {
  static let v4 = IPAddress(v4: 0x0a58_0007)
  static let v6 = IPAddress(v6High: 0xfd88 << 48, low: 7)
  static let other = IPAddress(v4: 0x0a58_0008)
  static let macA = HardwareAddress(0x8aa9_9e2d_55c7)
  static let macB = HardwareAddress(0x0242_0a58_0007)
  let first = LeaseHolder(owner: "aaaa", session: "s1", agentType: "research")
  let second = LeaseHolder(owner: "bbbb", session: "s2", agentType: "coder")

  private func at(_ seconds: Int64) -> Timestamp { Timestamp(seconds: seconds) }

  private func lease(_ lookup: LeaseLookup) -> Lease? {
    if case .leased(let lease) = lookup { return lease }
    return nil
  }

  private func withNetworks() -> AddressLeases {
    var leases = AddressLeases()
    leases.setNetworks(
      ["10.88.0.0/16", "fd88::/64"].compactMap { IPNetwork($0) },
      hostAddresses: ["10.88.0.1", "fd88::1"].compactMap { IPAddress($0) })
    return leases
  }

  @Test("an address belongs to its holder from the announcement to the end, and to nobody after it")
  func life() throws {
    var leases = withNetworks()
    #expect(leases.lookup(Self.v4, at: at(1)) == .pending)
    let begun = leases.assign([LeasedAddress(Self.v4), LeasedAddress(Self.v6)], to: first, at: at(2))
    #expect(begun.ended.isEmpty)
    #expect(begun.begun.map(\.address) == [Self.v4, Self.v6])
    #expect(lease(leases.lookup(Self.v4, at: at(3)))?.session == "s1")
    #expect(lease(leases.lookup(Self.v6, at: at(3)))?.since == at(2))
    let ended = leases.release(owner: "aaaa", at: at(4))
    #expect(Set(ended.ended.map(\.address)) == [Self.v4, Self.v6])
    #expect(leases.count == 0)
    #expect(leases.lookup(Self.v4, at: at(5)) == .pending)
    #expect(leases.lookup(Self.v6, at: at(5)) == .pending)
  }

  @Test("an address that moves ends the former lease first and begins one of another generation")
  func move() throws {
    var leases = withNetworks()
    let before = try #require(leases.assign([LeasedAddress(Self.v4)], to: first, at: at(1)).begun.first)
    let changes = leases.assign([LeasedAddress(Self.v4)], to: second, at: at(2))
    let after = try #require(changes.begun.first)
    #expect(changes.ended == [before])
    #expect(after.session == "s2")
    #expect(after.generation != before.generation)
    #expect(leases.isCurrent(Self.v4, generation: after.generation))
    #expect(!leases.isCurrent(Self.v4, generation: before.generation))
    // The former owner's end, announced late, takes nothing away.
    #expect(leases.release(owner: "aaaa", at: at(3)).isEmpty)
    #expect(leases.release(Self.v4, owner: "aaaa", at: at(3)).isEmpty)
    #expect(lease(leases.lookup(Self.v4, at: at(3)))?.session == "s2")
  }

  @Test("the same announcement again changes nothing; one without an address releases it")
  func repeated() {
    var leases = withNetworks()
    let both = [LeasedAddress(Self.v4, hardwareAddress: Self.macA), LeasedAddress(Self.v6)]
    let begun = leases.assign(both, to: first, at: at(1)).begun
    #expect(leases.assign(both, to: first, at: at(2)).isEmpty)
    // The interface becomes known later: no other lease.
    let known = [LeasedAddress(Self.v4, hardwareAddress: Self.macA, interface: 4), LeasedAddress(Self.v6)]
    #expect(leases.assign(known, to: first, at: at(3)).isEmpty)
    #expect(lease(leases.lookup(Self.v4, at: at(3)))?.generation == begun.first?.generation)
    #expect(lease(leases.lookup(Self.v4, at: at(3)))?.leased.interface == 4)
    #expect(leases.assign([known[0]], to: first, at: at(4)).ended.map(\.address) == [Self.v6])
    #expect(leases.count == 1)
  }

  @Test("a restart of the same container and a change of its session each begin another lease")
  func restart() {
    var leases = withNetworks()
    let one = leases.assign([LeasedAddress(Self.v4)], to: first, at: at(1)).begun.first?.generation
    _ = leases.release(owner: "aaaa", at: at(2))
    let two = leases.assign([LeasedAddress(Self.v4)], to: first, at: at(3)).begun.first?.generation
    let renamed = LeaseHolder(owner: "aaaa", session: "s9", agentType: "research")
    let changes = leases.assign([LeasedAddress(Self.v4)], to: renamed, at: at(4))
    #expect(Set([one, two, changes.begun.first?.generation]).count == 3)
    #expect(changes.ended.map(\.session) == ["s1"])
  }

  @Test("the host's own addresses and those outside of the networks are no container's")
  func unknown() throws {
    let leases = withNetworks()
    for text in ["10.88.0.1", "fd88::1", "192.0.2.1", "fe80::1"] {
      #expect(leases.lookup(try #require(IPAddress(text)), at: at(1)) == .unknown, "\(text)")
    }
  }

  @Test("an address whose network is gone with its container stays pending for the grace, then is unknown")
  func released() {
    var leases = AddressLeases()
    _ = leases.assign([LeasedAddress(Self.v4)], to: first, at: at(1))
    _ = leases.release(owner: "aaaa", at: at(10))
    #expect(leases.lookup(Self.v4, at: at(11)) == .pending)
    #expect(leases.lookup(Self.v4, at: at(10).advanced(byNanoseconds: AddressLeases.releasedGrace)) == .unknown)
  }

  @Test("a mapped address is the IPv4 address that it stands for")
  func canonical() throws {
    var leases = withNetworks()
    let mapped = try #require(IPAddress("::ffff:10.88.0.7"))
    _ = leases.assign([LeasedAddress(mapped)], to: first, at: at(1))
    #expect(lease(leases.lookup(Self.v4, at: at(1)))?.session == "s1")
    #expect(lease(leases.lookup(mapped, at: at(1)))?.session == "s1")
  }

  @Test(
    "hardware address and interface are compared where both sides are known",
    arguments: [
      (macA, 4, macA, 4, SourceCheck.match),
      (macA, 4, macB, 4, .mismatch(.hardwareAddress)),
      (macA, 4, macA, 5, .mismatch(.interface)),
      (macA, 4, nil, 4, .match),
      (macA, nil, nil, 4, .unknown),
      (nil, nil, macA, 4, .unknown),
      (HardwareAddress(0), 0, macA, 4, .unknown),
      (nil, 4, macA, 0, .unknown),
    ] as [(HardwareAddress?, UInt32?, HardwareAddress?, UInt32?, SourceCheck)])
  func compare(
    _ leased: HardwareAddress?, _ interface: UInt32?, _ seen: HardwareAddress?, _ seenInterface: UInt32?,
    _ expected: SourceCheck
  ) {
    var leases = withNetworks()
    let address = LeasedAddress(Self.v4, hardwareAddress: leased, interface: interface)
    _ = leases.assign([address], to: first, at: at(1))
    #expect(leases.check(Self.v4, hardwareAddress: seen, interface: seenInterface, at: at(1)) == expected)
  }

  @Test("another's address, and one that nobody holds, are betrayed by the sender's hardware address")
  func spoofing() {
    var leases = withNetworks()
    _ = leases.assign([LeasedAddress(Self.v4, hardwareAddress: Self.macA)], to: first, at: at(1))
    _ = leases.assign([LeasedAddress(Self.other, hardwareAddress: Self.macB)], to: second, at: at(1))
    #expect(
      leases.check(Self.other, hardwareAddress: Self.macA, interface: nil, at: at(2)) == .mismatch(.hardwareAddress))
    #expect(leases.holder(of: Self.macA)?.session == "s1")
    let free = IPAddress(v4: 0x0a58_0063)
    #expect(leases.check(free, hardwareAddress: Self.macA, interface: nil, at: at(2)) == .mismatch(.hardwareAddress))
    // A newcomer's hardware address is nobody's yet, and its other family may be announced in a moment.
    #expect(leases.check(free, hardwareAddress: HardwareAddress(7), interface: nil, at: at(2)) == .unknown)
    #expect(leases.check(Self.v6, hardwareAddress: Self.macA, interface: nil, at: at(2)) == .unknown)
    _ = leases.release(owner: "aaaa", at: at(3))
    #expect(leases.holder(of: Self.macA) == nil)
    #expect(leases.check(free, hardwareAddress: Self.macA, interface: nil, at: at(4)) == .unknown)
  }

  @Test("a holder with several addresses at one hardware address is found by it until the last one ends")
  func severalAddresses() {
    var leases = withNetworks()
    let both = [
      LeasedAddress(Self.v4, hardwareAddress: Self.macA), LeasedAddress(Self.v6, hardwareAddress: Self.macA),
    ]
    _ = leases.assign(both, to: first, at: at(1))
    _ = leases.release(Self.v6, owner: "aaaa", at: at(2))
    #expect(leases.holder(of: Self.macA)?.address == Self.v4)
    _ = leases.release(Self.v4, owner: "aaaa", at: at(2))
    #expect(leases.holder(of: Self.macA) == nil)
  }

  @Test("neither the addresses of one holder nor the table grow without bound")
  func caps() {
    var leases = AddressLeases()
    var owner = 0
    while owner * AddressLeases.maximumAddressesPerHolder <= AddressLeases.maximumLeases {
      let addresses = (0..<300).map { LeasedAddress(IPAddress(v4: UInt32(owner * 300 + $0 + 1))) }
      let holder = LeaseHolder(owner: "\(owner)", session: "s", agentType: "t")
      #expect(leases.assign(addresses, to: holder, at: at(1)).begun.count <= AddressLeases.maximumAddressesPerHolder)
      owner += 1
    }
    #expect(leases.count == AddressLeases.maximumLeases)
    #expect(leases.refused == UInt64(AddressLeases.maximumAddressesPerHolder))
    // A lease that is there can still move.
    let moved = leases.assign([LeasedAddress(IPAddress(v4: 1))], to: second, at: at(2))
    #expect(moved.begun.count == 1 && moved.ended.count == 1)
  }

  @Test("hardware addresses are read in both cases and refused in any other form")
  func hardwareText() {
    #expect(HardwareAddress("02:42:0A:58:00:07")?.description == "02:42:0a:58:00:07")
    #expect(HardwareAddress("02-42-0a-58-00-07")?.value == 0x0242_0a58_0007)
    #expect(HardwareAddress(bytes: [2, 0x42, 10, 0x58, 0, 7])?.description == "02:42:0a:58:00:07")
    for text in ["", "02:42", "02:42:0a:58:00:7", "02:42:0a:58:00:0g", "02:42:0a:58:00:07:00", "+2:42:0a:58:00:07"] {
      #expect(HardwareAddress(text) == nil, "\(text)")
    }
    #expect(HardwareAddress(bytes: [1, 2, 3]) == nil)
  }
}
