import Testing

@testable import PacketInspect

@Suite("The pool of QUIC flows")
struct QUICPoolTests {
  private func open(_ pool: inout QUICPool, _ index: Int32, _ packet: [UInt8]) {
    let cryptography = QUICInitialBuilder.cryptography()
    guard let header = try? QUICLongHeader(packet.rawSpan, at: 0) else { return }
    var plain: [UInt8] = []
    var left = QUICFlow.maximumOpenings
    let datagram = packet.rawSpan
    _ = pool.update(index) {
      $0.open(header, datagram, cryptography, isReplay: false, &left, Timestamp(seconds: 1), &plain)
    }
  }

  @Test("counts what its flows hold and gives it back with them")
  func counting() {
    var pool = QUICPool()
    let index = pool.take()
    open(&pool, index, QUICInitialBuilder().packet(QUICInitialBuilder.crypto([UInt8](repeating: 1, count: 500))))
    #expect(pool.heldBytes == 500)
    pool.release(index)
    #expect(pool.heldBytes == 0)
    #expect(pool.inUse == 0)
    #expect(pool.take() == index)
  }

  @Test("gives up bytes of judged hellos first, then others', whose hello is then never known")
  func eviction() {
    var pool = QUICPool(limit: 1_200)
    let packet = QUICInitialBuilder().packet(QUICInitialBuilder.crypto([UInt8](repeating: 1, count: 500)))
    let indices = [pool.take(), pool.take(), pool.take()]
    open(&pool, indices[0], packet)
    open(&pool, indices[1], packet)
    pool.update(indices[1]) { $0.connections[0].phase = .judged }
    open(&pool, indices[2], packet)
    #expect(pool.heldBytes == 1_000)
    #expect(pool[indices[0]].isAssembling)
    #expect(pool[indices[1]].heldBytes == 0)
    let more = pool.take()
    open(&pool, more, packet)
    #expect(pool.heldBytes <= 1_200)
    #expect(pool[more].isAssembling)
  }
}
