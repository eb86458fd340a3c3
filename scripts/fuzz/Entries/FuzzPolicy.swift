public import PacketInspect

/// A policy with something of everything, so that every rule is met.
public enum FuzzPolicy {
  /// Enforcing, with room.
  public static let firstChoice: UInt8 = 0

  /// The policy of a choice: bit 0 observe, bit 2 hold at the budget and accept what does not end.
  public static func snapshot(_ choice: UInt8, epoch: UInt32) -> PolicySnapshot {
    var parts = PolicySnapshot.Parts()
    parts.mode = choice & 1 == 0 ? .enforce : .observe
    let names = ["denied.net", "evil-paste.com", "blocked.org"].enumerated().compactMap { place, text in
      HostName(text).map { (name: $0, line: place + 1) }
    }
    let networks = ["93.184.216.66/32", "2606:2800:220:1::66/128"].enumerated().compactMap { place, text in
      IPNetwork(text).map { (network: $0, line: place + 1) }
    }
    parts.lists = [DenyList(name: "bad", action: .reject, entries: ListSnapshot(names: names, networks: networks))]
    if let name = HostName("good.denied.net") { parts.exceptedDomains.insert(name, at: ListPosition(list: 0, line: 0)) }
    for text in ["10.0.0.0/8", "fd00::/8"] {
      if let network = IPNetwork(text) { parts.internalNetworks.insert(network, true) }
    }
    if let name = HostName("internal") { parts.internalNames.insert(name, at: ListPosition(list: 0, line: 0)) }
    for text in ["93.184.216.53", "2606:2800:220:1::53"] {
      if let address = IPAddress(text) { parts.trustedResolvers.insert(address.canonical) }
    }
    let reach: BudgetReach = choice & 4 == 0 ? .flag : .hold
    if choice & 4 != 0 { parts.exceptions.helloIncomplete = .accept }
    let budget = BudgetPolicy(destinations: 3, window: .session, onReach: reach, warnAt: 0.5)
    let upload = UploadBudgetPolicy(bytes: 10_000, window: .day, onReach: reach)
    for name in ["research", AgentType.unattributedName] {
      parts.agentTypes[name] = AgentType(name: name, budget: budget, uploadBudget: upload)
    }
    parts.idleEnd = 3_600_000_000_000
    if let agent = IPNetwork("10.88.0.7/32") {
      parts.sessionSources.insert(agent, ConfiguredSession(id: "task-1", agentType: "research"))
    }
    return PolicySnapshot(parts, epoch: epoch)
  }
}

/// Wraps a fuzzer's payload in IPv4: eight connections of one agent, to the ports that mean something.
struct FuzzPacket {
  private static let serverPorts: [UInt16] = [443, 80, 53, 25, 443, 8_080, 853, 3_128]
  /// The last of each server's address: the resolver at .53, a denied address at .66.
  private static let servers: [UInt8] = [10, 10, 53, 11, 66, 12, 13, 20]

  private let number: Int
  private let isFromServer: Bool

  init(choice: UInt8) {
    number = Int(choice & 7)
    isFromServer = choice & 8 != 0
  }

  /// A segment. The client's first byte has number 1,001, the server's 9,001.
  func segment(flags: UInt8, offset: Int32, acknowledged: UInt8, _ payload: [UInt8]) -> [UInt8] {
    let first: UInt32 = isFromServer ? 9_001 : 1_001
    let other: UInt32 = isFromServer ? 1_001 : 9_001
    let sequence = first &+ UInt32(bitPattern: offset) &- (flags & 2 != 0 ? 1 : 0)
    var header = ports + Self.be32(sequence) + Self.be32(other &+ UInt32(acknowledged) &* 16)
    header += [0x50, flags, 0xfa, 0xf0, 0, 0, 0, 0]
    return ip(6, header + payload)
  }

  func datagram(_ payload: [UInt8]) -> [UInt8] {
    let length = UInt16(truncatingIfNeeded: 8 + payload.count)
    return ip(17, ports + [UInt8(length >> 8), UInt8(truncatingIfNeeded: length), 0, 0] + payload)
  }

  private var ports: [UInt8] {
    let client = UInt16(40_000 + number)
    let server = Self.serverPorts[number]
    let (source, destination) = isFromServer ? (server, client) : (client, server)
    return [source, destination].flatMap { [UInt8($0 >> 8), UInt8(truncatingIfNeeded: $0)] }
  }

  private func ip(_ proto: UInt8, _ payload: [UInt8]) -> [UInt8] {
    let body = payload.prefix(65_515)
    let length = UInt16(20 + body.count)
    let client: [UInt8] = [10, 88, 0, 7]
    let server: [UInt8] = [93, 184, 216, Self.servers[number]]
    let header: [UInt8] = [0x45, 0, UInt8(length >> 8), UInt8(truncatingIfNeeded: length), 0, 0, 0, 0, 64, proto, 0, 0]
    return header + (isFromServer ? server + client : client + server) + body
  }

  private static func be32(_ value: UInt32) -> [UInt8] {
    [24, 16, 8, 0].map { UInt8(truncatingIfNeeded: value >> $0) }
  }
}
