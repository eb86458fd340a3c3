/// Why the store cannot be used just now.
enum StoreFailure: Error, CustomStringConvertible {
  /// The file is damaged, or no database.
  case corrupt(String)
  /// Full disk, lock, permission: it may come back.
  case unavailable(String)

  var description: String {
    switch self {
    case .corrupt(let text), .unavailable(let text): text
    }
  }
}
