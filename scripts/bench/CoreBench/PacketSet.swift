import CoreC
import PacketInspect

/// Packets one after another in one buffer, as both sides of the benchmark read them.
struct PacketSet {
  private(set) var bytes: [UInt8] = []
  private(set) var places: [corec_packet] = []

  var count: Int { places.count }

  mutating func add(_ packet: [UInt8]) {
    places.append(corec_packet(offset: UInt32(bytes.count), length: UInt32(packet.count)))
    bytes += packet
  }

  /// Hands each packet to `body`, `rounds` times through.
  @inline(__always)
  func forEach(rounds: Int = 1, _ body: (RawSpan) -> Void) {
    let all = bytes.rawSpan
    for _ in 0..<rounds {
      for place in places {
        let start = Int(place.offset)
        body(all.extracting(start..<start + Int(place.length)))
      }
    }
  }

  /// Moves a TCP packet on: later sequence and acknowledgement numbers, as in the next request of a connection.
  mutating func advanceTCP(_ index: Int, sequence: UInt32, acknowledgement: UInt32) {
    let tcp = Int(places[index].offset) + 20
    add(sequence, at: tcp + 4)
    add(acknowledgement, at: tcp + 8)
  }

  private mutating func add(_ value: UInt32, at offset: Int) {
    let sum = bytes.rawSpan.u32(at: offset) &+ value
    for index in 0..<4 { bytes[offset + index] = UInt8(truncatingIfNeeded: sum >> (24 - 8 * UInt32(index))) }
  }
}
