import FoundationEssentials
import PacketInspect

/// Containers as people and programs read them. Names come from whoever starts containers: control bytes are shown as
/// question marks, so that no terminal obeys them.
enum ContainerText {
  /// One line for a change.
  static func plain(_ change: ContainerChange) -> String {
    switch change {
    case .started(let container):
      let addresses =
        container.addresses.isEmpty ? network(container) : container.addresses.map(text).joined(separator: " ")
      return "started  \(container.shortID)  \(session(container))  \(container.agentType)  \(addresses)"
    case .ended(let id, let at): return "ended    \(id.prefix(12))  at \(at.eveText)"
    case .networks(let networks):
      return "networks \(networks.map { "\(safe($0.name)) \($0.subnet)" }.joined(separator: ", "))"
    }
  }

  /// All at once.
  static func table(_ containers: [Container], _ networks: [ContainerNetwork]) -> String {
    var rows = [["CONTAINER", "NAME", "SESSION", "TYPE", "NETWORK", "ADDRESS", "HARDWARE ADDRESS", "VIA"]]
    for container in containers {
      let head = [container.shortID, safe(container.name), session(container), container.agentType]
      if container.addresses.isEmpty { rows.append(head + [network(container), "-", "-", "-"]) }
      for (index, address) in container.addresses.enumerated() {
        let leased = address.leased
        rows.append(
          (index == 0 ? head : ["", "", "", ""]) + [
            safe(address.network), leased.address.description, leased.hardwareAddress?.description ?? "-",
            leased.interface.map { "ifindex \($0)" } ?? "-",
          ])
      }
    }
    let widths = rows[0].indices.map { column in rows.map { $0[column].count }.max() ?? 0 }
    var lines = rows.map { row in
      var line = ""
      for (cell, width) in zip(row, widths) { line += cell + String(repeating: " ", count: width - cell.count + 2) }
      return String(line.reversed().drop { $0 == " " }.reversed())
    }
    lines.append("")
    lines += networks.map { "network \(safe($0.name)): \($0.subnet)\($0.gateway.map { ", gateway \($0)" } ?? "")" }
    return lines.joined(separator: "\n")
  }

  /// One JSON object for a change.
  static func json(_ change: ContainerChange) -> String {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
    guard let data = try? encoder.encode(Line(change)) else { return "{}" }
    return String(decoding: data, as: UTF8.self)
  }

  /// A change as JSON has it.
  private struct Line: Encodable {
    struct Address: Encodable {
      var network: String
      var address: String
      var mac: String?
      var ifindex: UInt32?
    }

    struct Network: Encodable {
      var name: String
      var subnet: String
      var gateway: String?
    }

    var change: String
    var id: String?
    var name: String?
    var session: String?
    var labelled: Bool?
    var agentType: String?
    var addresses: [Address]?
    var sharesNetworkOf: String?
    var at: String?
    var networks: [Network]?

    enum CodingKeys: String, CodingKey {
      case change, id, name, session, labelled, addresses, at, networks
      case agentType = "agent_type"
      case sharesNetworkOf = "shares_network_of"
    }

    init(_ change: ContainerChange) {
      switch change {
      case .started(let container):
        self.change = "started"
        id = container.id
        name = container.name
        session = container.session
        labelled = container.isLabelled
        agentType = container.agentType
        sharesNetworkOf = container.sharesNetworkOf
        addresses = container.addresses.map {
          Address(
            network: $0.network, address: $0.leased.address.description, mac: $0.leased.hardwareAddress?.description,
            ifindex: $0.leased.interface)
        }
      case .ended(let id, let at):
        self.change = "ended"
        self.id = id
        self.at = at.eveText
      case .networks(let networks):
        self.change = "networks"
        self.networks = networks.map {
          Network(name: $0.name, subnet: $0.subnet.description, gateway: $0.gateway?.description)
        }
      }
    }
  }

  private static func session(_ container: Container) -> String {
    container.session + (container.isLabelled ? "" : "*")
  }

  private static func network(_ container: Container) -> String {
    container.sharesNetworkOf.map { "that of \(safe(String($0.prefix(12))))" } ?? "none of its own"
  }

  private static func text(_ address: ContainerAddress) -> String {
    "\(address.leased.address)" + (address.leased.hardwareAddress.map { " (\($0))" } ?? "")
  }

  private static func safe(_ text: String) -> String {
    text.unicodeScalars.prefix(128).map { $0.value < 0x20 || (0x7f..<0xa0).contains($0.value) ? "?" : String($0) }
      .joined()
  }
}
