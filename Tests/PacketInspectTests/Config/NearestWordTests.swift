import Testing

@testable import nfq_egressd

@Suite("Nearest word")
struct NearestWordTests {
  @Test(
    "edit distance counts insertions, deletions, substitutions and swaps",
    arguments: [
      ("", "abc", 3), ("abc", "abc", 0), ("abc", "abd", 1), ("abc", "acb", 1), ("ab", "xaby", 2),
      ("kitten", "sitting", 3),
    ])
  func distance(left: String, right: String, expected: Int) {
    #expect(NearestWord.editDistance(Array(left.utf8), Array(right.utf8)) == expected)
    #expect(NearestWord.editDistance(Array(right.utf8), Array(left.utf8)) == expected)
  }

  @Test("finds what was probably meant, whatever the letter case, and nothing when nothing is near")
  func finds() {
    let words = ["queues", "marks", "limits", "mode"]
    #expect(NearestWord.find("quees", in: words) == "queues")
    #expect(NearestWord.find("MODE", in: words) == "mode")
    #expect(NearestWord.find("zebra", in: words) == nil)
    #expect(NearestWord.find(String(repeating: "q", count: 100_000), in: words) == nil)
    #expect(NearestWord.find("x", in: []) == nil)
  }
}
