import FoundationEssentials
import PacketInspect

/// What the Docker-compatible API answers, as far as it is used here. Whatever may be missing or null in one of the
/// runtimes is optional; what is not named is passed over.
enum ContainerMessages {
  /// A member of `GET /containers/json`.
  struct Listed: Decodable {
    var id: String

    enum CodingKeys: String, CodingKey { case id = "Id" }
  }

  /// `GET /containers/{id}/json`.
  struct Inspected: Decodable {
    var id: String
    var name: String?
    var state: State?
    var config: Config?
    var hostConfig: HostConfig?
    var networkSettings: NetworkSettings?

    enum CodingKeys: String, CodingKey {
      case id = "Id"
      case name = "Name"
      case state = "State"
      case config = "Config"
      case hostConfig = "HostConfig"
      case networkSettings = "NetworkSettings"
    }

    struct State: Decodable {
      var status: String?
      var isRunning: Bool?
      var isPaused: Bool?

      enum CodingKeys: String, CodingKey {
        case status = "Status"
        case isRunning = "Running"
        case isPaused = "Paused"
      }
    }

    struct Config: Decodable {
      var labels: [String: String]?

      enum CodingKeys: String, CodingKey { case labels = "Labels" }
    }

    struct HostConfig: Decodable {
      var networkMode: String?

      enum CodingKeys: String, CodingKey { case networkMode = "NetworkMode" }
    }

    struct NetworkSettings: Decodable {
      var networks: [String: Endpoint?]?

      enum CodingKeys: String, CodingKey { case networks = "Networks" }
    }

    struct Endpoint: Decodable {
      var address: String?
      var globalIPv6Address: String?
      var hardwareAddress: String?

      enum CodingKeys: String, CodingKey {
        case address = "IPAddress"
        case globalIPv6Address = "GlobalIPv6Address"
        case hardwareAddress = "MacAddress"
      }
    }
  }

  /// A member of `GET /networks`.
  struct Network: Decodable {
    var name: String
    var addressing: Addressing?

    enum CodingKeys: String, CodingKey {
      case name = "Name"
      case addressing = "IPAM"
    }

    struct Addressing: Decodable {
      var subnets: [Subnet]?

      enum CodingKeys: String, CodingKey { case subnets = "Config" }
    }

    struct Subnet: Decodable {
      var subnet: String?
      var gateway: String?

      enum CodingKeys: String, CodingKey {
        case subnet = "Subnet"
        case gateway = "Gateway"
      }
    }
  }

  /// A line of `GET /events`.
  struct Event: Decodable {
    var kind: String?
    var action: String?
    var id: String?
    var actor: Actor?
    /// Nanoseconds since the Unix epoch.
    var time: Int64?

    enum CodingKeys: String, CodingKey {
      case kind = "Type"
      case action = "Action"
      case id
      case actor = "Actor"
      case time = "timeNano"
    }

    struct Actor: Decodable {
      var id: String?
      var attributes: Attributes?

      enum CodingKeys: String, CodingKey {
        case id = "ID"
        case attributes = "Attributes"
      }
    }

    /// Labels of a container stand among its events' attributes, so that anybody can write one called `container`:
    /// to be believed in events of networks only.
    struct Attributes: Decodable {
      var container: String?
    }
  }

  /// The body of an answer that is no success.
  private struct Refusal: Decodable {
    var message: String?
  }

  /// What such a body says; empty when it is not understood.
  static func refusal(_ bytes: [UInt8]) -> String { decode(Refusal.self, from: bytes)?.message ?? "" }

  /// An id as it may stand in a request's path: hexadecimal, the 64 digits of a full one at most.
  static func isContainerID(_ text: String) -> Bool {
    (12...64).contains(text.utf8.count)
      && text.utf8.allSatisfy { (0x30...0x39).contains($0) || (0x61...0x66).contains($0) }
  }

  /// Decodes an answer; nil when it is not what it should be.
  static func decode<T: Decodable>(_ type: T.Type, from bytes: some Sequence<UInt8>) -> T? {
    try? JSONDecoder().decode(type, from: Data(bytes))
  }
}

extension ContainerMessages.Network {
  /// Its subnets; none for the host's own network and for those without addresses.
  var networks: [ContainerNetwork] {
    (addressing?.subnets ?? []).compactMap { member in
      guard let subnet = member.subnet.flatMap({ IPNetwork($0) }) else { return nil }
      return ContainerNetwork(name: name, subnet: subnet, gateway: member.gateway.flatMap { IPAddress($0) })
    }
  }
}

extension ContainerMessages.Inspected {
  /// The container, or nil when it does not live: it has ended, or it was made and not started.
  /// `interface` gives the index of the host's interface through which packets of an address come.
  func container(_ identity: ContainerIdentity, interface: (IPAddress) -> UInt32?) -> Container? {
    let mode = hostConfig?.networkMode ?? ""
    let shared = mode.hasPrefix("container:") ? String(mode.dropFirst("container:".count)) : nil
    var addresses: [ContainerAddress] = []
    if shared == nil {
      for (network, endpoint) in (networkSettings?.networks ?? [:]).sorted(by: { $0.key < $1.key }) {
        guard let endpoint else { continue }
        let hardware = endpoint.hardwareAddress.flatMap { HardwareAddress($0) }
        for text in [endpoint.address, endpoint.globalIPv6Address] {
          guard let text, let address = IPAddress(text) else { continue }
          let leased = LeasedAddress(address, hardwareAddress: hardware, interface: interface(address))
          addresses.append(ContainerAddress(network: network, leased: leased))
        }
      }
    }
    let isRunning = state?.isRunning == true || state?.isPaused == true
    // Addresses are given out before the first process runs; a container that has ended may keep them for a while.
    let mayStart = ["created", "initialized", "restarting"].contains(state?.status ?? "") && !addresses.isEmpty
    guard isRunning || mayStart else { return nil }
    return Container(
      id: id, name: bareName, session: identity.session, agentType: identity.agentType,
      isLabelled: identity.isLabelled, addresses: addresses, sharesNetworkOf: shared)
  }

  /// The name without its slash.
  var bareName: String { (name ?? "").hasPrefix("/") ? String((name ?? "").dropFirst()) : name ?? "" }
}
