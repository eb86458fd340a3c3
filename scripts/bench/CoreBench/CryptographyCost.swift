import Foundation
import PacketInspect

/// What opening an Initial packet costs in the library alone: the floor under every QUIC hello.
enum CryptographyCost {
  /// Nanoseconds of each step, as JSON: the least of all rounds, where the library's code and data are in the cache,
  /// and the median of rounds that begin with other data there, as between an agent's packets.
  static func measure(_ cryptography: LibcryptoQUIC, rounds: Int) -> String {
    guard let version = QUICVersion(1) else { return "{}" }
    let sealed = [UInt8](repeating: 7, count: 1_200)
    let header = [UInt8](repeating: 1, count: 30)
    var other = [UInt8](repeating: 0, count: 4 << 20)
    var plain: [UInt8] = []
    var warm: [UInt64] = []
    var cold: [UInt64] = []
    for round in 0..<rounds {
      let isCold = round % 8 == 0
      if isCold { for place in stride(from: 0, to: other.count, by: 64) { other[place] &+= 1 } }
      let begin = DispatchTime.now().uptimeNanoseconds
      let id = [UInt8](repeating: UInt8(truncatingIfNeeded: round), count: 8)
      guard let keys = cryptography.clientInitialKeys(version: version, destinationConnectionID: id) else {
        return "{}"
      }
      _ = cryptography.headerProtectionMask(keys, sample: sealed.rawSpan.extracting(first: 16))
      _ = cryptography.open(keys, packetNumber: 0, header: header, payload: sealed.rawSpan, into: &plain)
      let cost = DispatchTime.now().uptimeNanoseconds &- begin
      if isCold { cold.append(cost) } else { warm.append(cost) }
    }
    cold.sort()
    return "{\"warm\":\(warm.min() ?? 0),\"cold\":\(cold[cold.count / 2])}"
  }
}
