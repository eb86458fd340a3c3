/// A QUIC version whose Initial packets can be read: their layout, labels and salt are known.
///
/// Versions 1 (RFC 9000) and 2 (RFC 9369 and the number its drafts used), drafts 22 to 34, and the deployed versions
/// that differ from a draft in nothing but number and salt: Meta's mvfst and Google's T050 and T051. What is not here
/// is reported as what it claims to be, never guessed.
public struct QUICVersion: Hashable, Sendable {
  /// The version field.
  public let wireValue: UInt32
  /// The labels of RFC 9369 section 3.3.2 instead of those of RFC 9001, and its packet types (section 3.2).
  public let isSecondGeneration: Bool
  private let salt: Salt

  private enum Salt: UInt8 {
    case draft22, draft23, draft29, version1, draftOf2, version2, googleT050, googleT051
  }

  /// The version with this field; nil when it is not one that can be read.
  public init?(_ wireValue: UInt32) {
    switch wireValue {
    case 0x0000_0001, 0xff00_0021...0xff00_0022: salt = .version1
    case 0x6b33_43cf: salt = .version2
    case 0x709a_50c4: salt = .draftOf2
    case 0xff00_001d...0xff00_0020: salt = .draft29
    case 0xff00_0017...0xff00_001c, 0xface_b002, 0xface_b00e: salt = .draft23
    case 0xff00_0016, 0xface_b001: salt = .draft22
    case 0x5430_3530: salt = .googleT050
    case 0x5430_3531: salt = .googleT051
    default: return nil
    }
    self.wireValue = wireValue
    isSecondGeneration = wireValue == 0x6b33_43cf || wireValue == 0x709a_50c4
  }

  /// The salt of the version's Initial secrets (RFC 9001 section 5.2), 20 bytes. Public by design.
  public var initialSalt: [UInt8] {
    switch salt {
    case .draft22: Self.bytes(0x7fbc_db0e_7c66_bbe9, 0x193a_96cd_2151_9ebd, 0x7a02_644a)
    case .draft23: Self.bytes(0xc3ee_f712_c72e_bb5a, 0x11a7_d243_2bb4_6365, 0xbef9_f502)
    case .draft29: Self.bytes(0xafbf_ec28_9993_d24c, 0x9e97_86f1_9c61_11e0, 0x4390_a899)
    case .version1: Self.bytes(0x3876_2cf7_f559_34b3, 0x4d17_9ae6_a4c8_0cad, 0xccbb_7f0a)
    case .draftOf2: Self.bytes(0xa707_c203_a59b_4718, 0x4a1d_62ca_5704_06ea, 0x7ae3_e5d3)
    case .version2: Self.bytes(0x0ded_e3de_f700_a6db, 0x8193_81be_6e26_9dcb, 0xf9bd_2ed9)
    case .googleT050: Self.bytes(0x7ff5_79e5_acd0_7291, 0x5580_304c_43a2_367c, 0x6048_8310)
    case .googleT051: Self.bytes(0x7a4e_def4_e7cc_ee5f, 0xa450_6c19_124f_c8cc, 0xda6e_033d)
    }
  }

  /// What stands before `key`, `iv` and `hp` in the labels of packet protection keys.
  public var labelPrefix: String { isSecondGeneration ? "quicv2 " : "quic " }

  private static func bytes(_ first: UInt64, _ second: UInt64, _ third: UInt32) -> [UInt8] {
    var out: [UInt8] = []
    out.reserveCapacity(20)
    for shift in stride(from: UInt64(56), through: 0, by: -8) { out.append(UInt8(truncatingIfNeeded: first >> shift)) }
    for shift in stride(from: UInt64(56), through: 0, by: -8) { out.append(UInt8(truncatingIfNeeded: second >> shift)) }
    for shift in stride(from: UInt32(24), through: 0, by: -8) { out.append(UInt8(truncatingIfNeeded: third >> shift)) }
    return out
  }

  /// A version field as events write it: hexadecimal without leading zeros, so that version 1 is `1`, or the text it
  /// spells (Google's `Q050`).
  public static func text(_ wireValue: UInt32) -> String {
    let bytes = [24, 16, 8, 0].map { UInt8(truncatingIfNeeded: wireValue >> $0) }
    if bytes[0] >= 0x41, bytes[0] <= 0x5a, bytes[1...].allSatisfy({ $0 >= 0x30 && $0 <= 0x39 }) {
      return String(decoding: bytes, as: UTF8.self)
    }
    return String(wireValue, radix: 16)
  }
}
