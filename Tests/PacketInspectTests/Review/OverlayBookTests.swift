import PacketInspect
import Testing

@testable import nfq_egressd

@Suite("The book of overlays")
struct OverlayBookTests {
  private let now = Timestamp(seconds: 1_800_000_000)

  private func draft(
    _ kind: OverlayKind, _ subject: String = "", _ scope: OverlayScope = .all, lasts: Int64? = nil
  ) -> OverlayDraft {
    OverlayDraft(
      kind: kind, subject: subject, scope: scope, author: OverlayAuthor(who: "anna", peer: "root", why: "because"),
      lasts: lasts)
  }

  private func later(_ seconds: Int64) -> Timestamp { now.advanced(byNanoseconds: seconds * 1_000_000_000) }

  @Test("numbers go on, and no number comes twice")
  func numbers() throws {
    var book = OverlayBook(firstID: 5)
    let added = book.add(draft(.deny, "a.example"), at: now)
    let first = try #require(added?.first?.overlay)
    #expect(first.id == 5 && first.who == "anna" && first.peer == "root" && first.made == now)
    let author = OverlayAuthor(peer: "root", why: "over")
    #expect(book.remove(5, author, at: now)?.action == .removed)
    #expect(book.remove(5, author, at: now) == nil)
    #expect(book.add(draft(.deny, "a.example"), at: now)?.last?.overlay.id == 6)
  }

  @Test("a decision on the same thing and scope takes the former's place, with a record of both")
  func replaced() throws {
    var book = OverlayBook()
    _ = book.add(draft(.deny, "a.example"), at: now)
    _ = book.add(draft(.exception, "a.example"), at: now)
    _ = book.add(draft(.deny, "a.example", .session("one")), at: now)
    let both = book.add(draft(.deny, "a.example", lasts: 60), at: later(1))
    let changes = try #require(both)
    #expect(changes.map(\.action) == [.removed, .added])
    #expect(changes.map(\.overlay.id) == [1, 4])
    #expect(changes.first?.author.why == "overlay 4 takes its place: because")
    #expect(book.sorted.map(\.id) == [2, 3, 4])
    #expect(changes.last?.overlay.expires == later(61))
  }

  @Test("what is over goes by itself, once, at its time")
  func expiry() {
    var book = OverlayBook()
    _ = book.add(draft(.deny, "a.example", lasts: 10), at: now)
    _ = book.add(draft(.deny, "b.example", lasts: 20), at: now)
    _ = book.add(draft(.deny, "c.example"), at: now)
    #expect(book.removeExpired(at: later(9)).isEmpty)
    #expect(book.removeExpired(at: later(10)).map(\.overlay.subject) == ["a.example"])
    #expect(book.removeExpired(at: later(10)).isEmpty)
    let last = book.removeExpired(at: later(1_000))
    #expect(last.map(\.action) == [.expired] && last.map(\.author.name) == ["nfq-egressd"])
    #expect(book.sorted.map(\.subject) == ["c.example"])
  }

  @Test("as many as allowed, and no more; one that takes another's place fits")
  func full() {
    let many = (1...UInt64(OverlaySet.maximumCount)).map {
      Overlay(id: $0, kind: .deny, subject: "n\($0).example", scope: .all, made: now)
    }
    var book = OverlayBook(many)
    #expect(book.add(draft(.deny, "one-more.example"), at: now) == nil)
    #expect(book.add(draft(.deny, "n7.example"), at: now)?.count == 2)
  }

  @Test("blocks of a session are found by its id alone")
  func blocks() {
    var book = OverlayBook()
    _ = book.add(draft(.block, "", .all), at: now)
    _ = book.add(draft(.block, "", .session("one")), at: now)
    #expect(book.blocks(of: "one") == [2])
    #expect(book.blocks(of: "two").isEmpty)
  }

  @Test("what is taken up late joins what was decided since, and the later decision stays")
  func late() {
    var book = OverlayBook(firstID: 1_800_000_000)
    _ = book.add(draft(.deny, "a.example"), at: now)
    book.takeUp([
      Overlay(id: 3, kind: .deny, subject: "a.example", scope: .all, made: now),
      Overlay(id: 4, kind: .deny, subject: "b.example", scope: .all, made: now),
    ])
    #expect(book.sorted.map(\.id) == [4, 1_800_000_000])
  }
}
