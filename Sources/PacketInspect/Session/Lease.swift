/// Who an address is leased to.
public struct LeaseHolder: Hashable, Sendable {
  /// What tells two holders apart: a container's full id. Unique for the life of the host.
  public let owner: String
  /// The session that the address's packets belong to. Several owners may share one.
  public let session: String
  /// The session's agent type.
  public let agentType: String

  /// A holder.
  public init(owner: String, session: String, agentType: String) {
    self.owner = owner
    self.session = session
    self.agentType = agentType
  }
}

/// An address of a holder, with what its packets must look like where that is known.
public struct LeasedAddress: Hashable, Sendable {
  /// The address, in its canonical form.
  public let address: IPAddress
  /// The link-layer address of the holder's interface.
  public let hardwareAddress: HardwareAddress?
  /// Index of the interface on the host through which the holder's packets come: its bridge, or its own device.
  public let interface: UInt32?

  /// An address; an all-zero hardware address and interface 0 count as not known.
  public init(_ address: IPAddress, hardwareAddress: HardwareAddress? = nil, interface: UInt32? = nil) {
    self.address = address.canonical
    self.hardwareAddress = hardwareAddress.flatMap { $0.isZero ? nil : $0 }
    self.interface = interface == 0 ? nil : interface
  }
}

/// A time in which an address belongs to one holder.
public struct Lease: Hashable, Sendable {
  /// The address, and what its packets must look like.
  public let leased: LeasedAddress
  /// Whose it is.
  public let holder: LeaseHolder
  /// When it began.
  public let since: Timestamp
  /// Counts the leases of the table from 1: no two leases have the same, whatever their addresses and owners.
  public let generation: UInt64

  /// The address.
  public var address: IPAddress { leased.address }
  /// The session that the address's packets belong to.
  public var session: String { holder.session }
}

extension Lease {
  /// Compares where a packet came from with where the lease's packets come from. The hardware address weighs first: on
  /// a bridge every container has the same interface.
  public func check(hardwareAddress: HardwareAddress?, interface: UInt32?) -> SourceCheck {
    var known = false
    if let expected = leased.hardwareAddress, let observed = hardwareAddress {
      guard expected == observed else { return .mismatch(.hardwareAddress) }
      known = true
    }
    if let expected = leased.interface, let observed = interface, observed != 0 {
      guard expected == observed else { return .mismatch(.interface) }
      known = true
    }
    return known ? .match : .unknown
  }
}

/// Whether a packet comes from where its source address says.
public enum SourceCheck: Hashable, Sendable {
  /// All that could be compared agrees.
  case match
  /// It does not: somebody uses an address that is not theirs.
  case mismatch(SourceAspect)
  /// Nothing could be compared.
  case unknown
}

/// What betrays a false source address. The names stand in events.
public enum SourceAspect: String, Sendable, CaseIterable {
  /// Another interface's link-layer address.
  case hardwareAddress = "hardware-address"
  /// It came in by another interface.
  case interface = "interface"
}
