/// Where netfilter met a packet (uapi/linux/netfilter.h, `enum nf_inet_hooks`).
public enum Hook: UInt8, Sendable {
  /// NF_INET_PRE_ROUTING
  case prerouting = 0
  /// NF_INET_LOCAL_IN
  case input = 1
  /// NF_INET_FORWARD
  case forward = 2
  /// NF_INET_LOCAL_OUT
  case output = 3
  /// NF_INET_POST_ROUTING
  case postrouting = 4
  /// No hook: the packet comes from a capture.
  case replay = 255
}

/// What is known of a packet beside its bytes. In replay all but the lengths is unknown.
public struct PacketMeta: Sendable {
  /// The netfilter hook.
  public var hook: Hook
  /// The packet's mark as it arrived (NFQA_MARK), zero when absent.
  public var mark: UInt32
  /// Ingress interface index (NFQA_IFINDEX_INDEV), zero when absent.
  public var inputInterface: UInt32
  /// Egress interface index (NFQA_IFINDEX_OUTDEV), zero when absent.
  public var outputInterface: UInt32
  /// Owner of the sending socket (NFQA_UID), where the kernel has a socket.
  public var uid: UInt32?
  /// The packet's length before any copy range or snap length cut it, in bytes.
  public var originalLength: Int
  /// True when the kernel says checksums are still to be computed (NFQA_SKB_CSUMNOTREADY) or nothing is known:
  /// a wrong checksum then means nothing.
  public var checksumsUnreliable: Bool
  /// The sender's link-layer address (NFQA_HWADDR), where the packet came in by a link that has one.
  public var hardwareAddress: HardwareAddress?
  /// The rules' `--cgroup` that the sending socket is in, from the mark: 1 to 63, or 0 for none.
  public var slot: UInt8 = 0
  /// True when the packet was held for want of attribution and cannot be held again.
  public var hasWaited = false

  /// Metadata; the defaults are those of a captured packet.
  public init(
    hook: Hook = .replay, mark: UInt32 = 0, inputInterface: UInt32 = 0, outputInterface: UInt32 = 0,
    uid: UInt32? = nil, originalLength: Int, checksumsUnreliable: Bool = true
  ) {
    self.hook = hook
    self.mark = mark
    self.inputInterface = inputInterface
    self.outputInterface = outputInterface
    self.uid = uid
    self.originalLength = originalLength
    self.checksumsUnreliable = checksumsUnreliable
  }
}
