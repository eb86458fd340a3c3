/// Which labels below the registrable domain are written as class, length and keyed hash wherever a name leaves the
/// process (design, section 6, "Privacy").
public enum LabelRedaction: String, Sendable, CaseIterable {
  /// None: names are written as they are.
  case never
  /// Those that the classifier calls encoded.
  case encoded
  /// All.
  case all
}
