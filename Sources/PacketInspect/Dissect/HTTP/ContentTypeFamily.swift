/// The family of a declared content type: the value itself is never kept.
public enum ContentTypeFamily: String, Sendable, CaseIterable {
  /// None declared.
  case none
  /// `application/json` and what ends in `+json`.
  case json
  /// `application/x-www-form-urlencoded`.
  case form
  /// `multipart/`.
  case multipart
  /// `text/`.
  case text
  /// XML in its forms.
  case xml
  /// `image/`, `audio/`, `video/`, `font/`.
  case media
  /// Protocol buffers, gRPC and the like.
  case message
  /// `application/octet-stream`, archives and what else has no structure that is known.
  case binary
  /// Anything else.
  case other
}

extension ContentTypeFamily {
  private static let words: [(ContentTypeFamily, [UInt8])] = texts.map { ($0.0, Array($0.1.utf8)) }
  /// The first that fits counts.
  private static let texts: [(ContentTypeFamily, String)] = [
    (.json, "application/json"), (.form, "application/x-www-form-urlencoded"), (.multipart, "multipart/"),
    (.xml, "text/xml"), (.text, "text/"), (.xml, "application/xml"), (.media, "image/"), (.media, "audio/"),
    (.media, "video/"), (.media, "font/"), (.message, "application/grpc"), (.message, "application/x-protobuf"),
    (.message, "application/protobuf"), (.message, "application/x-google-protobuf"),
    (.binary, "application/octet-stream"), (.binary, "application/zip"), (.binary, "application/gzip"),
    (.binary, "application/x-tar"), (.json, "application/x-ndjson"),
  ]
  private static let suffixes: [(ContentTypeFamily, [UInt8])] = [
    (.json, Array("+json".utf8)), (.xml, Array("+xml".utf8)),
  ]

  /// The family of a media type (RFC 9110 section 8.3.1), parameters left out.
  init(_ stream: RawSpan, _ value: Range<Int>) {
    var end = stream.firstIndex(of: UInt8(ascii: ";"), from: value.lowerBound, to: value.upperBound) ?? value.upperBound
    while end > value.lowerBound, stream.byte(at: end - 1) == 0x20 || stream.byte(at: end - 1) == 0x09 { end -= 1 }
    self = value.isEmpty ? .none : .other
    for (family, word) in Self.words where end - value.lowerBound >= word.count {
      guard stream.matches(word, at: value.lowerBound) else { continue }
      if word.last == UInt8(ascii: "/") || end - value.lowerBound == word.count || family == .message {
        self = family
        return
      }
    }
    for (family, word) in Self.suffixes where end - value.lowerBound > word.count {
      if stream.matches(word, at: end - word.count) { self = family }
    }
  }
}
