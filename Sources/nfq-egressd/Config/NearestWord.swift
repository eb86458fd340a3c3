/// Finds the known word that a misspelt one was probably meant to be.
enum NearestWord {
  /// Words longer than this are not compared: the cost grows with the product of the lengths.
  static let maximumLength = 64

  /// The candidate with the smallest edit distance, if that is at most a third of the word's length (at least 2).
  /// Letter case does not count.
  static func find(_ word: String, in candidates: some Sequence<String>) -> String? {
    let wanted = Array(word.lowercased().utf8)
    guard wanted.count <= maximumLength else { return nil }
    var best: (distance: Int, candidate: String)?
    for candidate in candidates.sorted() {
      let distance = editDistance(wanted, Array(candidate.lowercased().utf8))
      if distance < best?.distance ?? .max { best = (distance, candidate) }
    }
    guard let best, best.distance <= max(2, wanted.count / 3) else { return nil }
    return best.candidate
  }

  /// Insertions, deletions, substitutions and swaps of neighbours that lead from one to the other.
  static func editDistance(_ left: [UInt8], _ right: [UInt8]) -> Int {
    guard !left.isEmpty, !right.isEmpty else { return max(left.count, right.count) }
    var beforePrevious: [Int] = []
    var previous = Array(0...right.count)
    for row in 1...left.count {
      var current = [row]
      for column in 1...right.count {
        var cost = previous[column - 1] + (left[row - 1] == right[column - 1] ? 0 : 1)
        cost = min(cost, previous[column] + 1, current[column - 1] + 1)
        if row > 1, column > 1, left[row - 1] == right[column - 2], left[row - 2] == right[column - 1] {
          cost = min(cost, beforePrevious[column - 2] + 1)
        }
        current.append(cost)
      }
      beforePrevious = previous
      previous = current
    }
    return previous[right.count]
  }
}
