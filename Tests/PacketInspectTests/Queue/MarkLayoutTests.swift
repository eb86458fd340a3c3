import PacketInspect
import Testing

@testable import nfq_egressd

@Suite("The packet mark's layout")
struct MarkLayoutTests {
  private static let accept = Decision(Verdict(.accept, .allowed))
  private static let pass = Decision(Verdict(.accept, .allowed), mayPass: true)
  private static let drop = Decision(Verdict(.drop, .evasion))
  private static let rejectFlow = Decision(Verdict(.reject, .deniedName, scope: .flow))
  private static let rejectPacket = Decision(Verdict(.reject, .deniedName, scope: .packet))

  @Test(
    "A mask of eight contiguous bits is a layout, any other is not",
    arguments: [
      (0xff00_0000, true), (0x0000_00ff, true), (0x0001_fe00, true), (0x7f80_0000, true),
      (0, false), (0xff, true), (0xfe00_0000, false), (0xf00f_0000, false), (0xffff_0000, false), (0xffff_ffff, false),
      (0x8000_007f, false),
    ] as [(UInt32, Bool)])
  func masks(mask: UInt32, valid: Bool) {
    let layout = MarkLayout(mask: mask)
    #expect((layout != nil) == valid)
    if let layout { #expect(layout.mask == mask) }
  }

  @Test("The standard layout is the top byte")
  func standard() {
    #expect(MarkLayout.standard == MarkLayout(mask: 0xff00_0000))
  }

  @Test(
    "A decision becomes the kernel's verdict and our state bits",
    arguments: [
      (accept, 0x0000_1234, true, nil),
      (pass, 0x0000_1234, true, 0x0100_1234),
      (rejectFlow, 0x0000_1234, true, 0x0200_1234),
      (rejectPacket, 0x0000_1234, true, 0x0300_1234),
      (drop, 0x0000_1234, false, nil),
      // Slot 5 and foreign bits stay.
      (pass, 0x1400_00ff, true, 0x1500_00ff),
      (rejectFlow, 0x14ff_ffff, true, 0x16ff_ffff),
      // Bits that are already so need no attribute.
      (pass, 0x1500_00ff, true, nil),
      (rejectPacket, 0x0300_0000, true, nil),
      // What is accepted carries no deny mark.
      (accept, 0x0200_0001, true, 0x0000_0001),
      (accept, 0x0300_0001, true, 0x0000_0001),
    ] as [(Decision, UInt32, Bool, UInt32?)])
  func decisions(decision: Decision, received: UInt32, accepts: Bool, mark: UInt32?) {
    let verdict = MarkLayout.standard.verdict(for: decision, received: received)
    #expect(verdict == PacketVerdict(accepts: accepts, mark: mark))
  }

  @Test("A rejection never passes, whatever else is said")
  func rejectionWins() {
    let decision = Decision(Verdict(.reject, .deniedName), mayPass: true)
    #expect(MarkLayout.standard.verdict(for: decision, received: 0).mark == 0x0200_0000)
  }

  @Test("State and slot are read back from every place in the mark", arguments: 0...24)
  func readBack(shift: Int) throws {
    let layout = try #require(MarkLayout(mask: 0xff << UInt32(shift)))
    let received: UInt32 = 0xa5a5_a5a5
    for state in [MarkLayout.State.undecided, .pass, .denyFlow, .denyPacket] {
      let marked = layout.mark(received, with: state)
      #expect(layout.state(of: marked) == state)
      #expect(layout.slot(of: marked) == layout.slot(of: received))
      #expect(marked & ~layout.mask == received & ~layout.mask)
    }
    #expect(layout.slot(of: 0b101101_10 << UInt32(shift)) == 0b101101)
  }
}
