/// Shapes under `egress.shape`: numbers and classes.
extension EventEncoder {
  func write(_ shape: NameShape, into json: inout JSONWriter) {
    json.key("shape")
    json.open()
    json.member("labels", shape.labels)
    json.member("longest_label", shape.longestLabel)
    if shape.encodedLabels > 0 {
      json.member("encoded_labels", shape.encodedLabels)
      json.member("encoded_characters", shape.encodedCharacters)
      json.member("encoding", shape.encoding.rawValue)
    }
    json.close()
  }

  func write(_ shape: RequestShape, into json: inout JSONWriter) {
    json.key("shape")
    json.open()
    json.member("path_bytes", shape.pathLength)
    json.member("path_depth", shape.pathDepth)
    json.member("longest_segment", shape.longestSegment)
    if shape.queryLength > 0 {
      json.member("query_bytes", shape.queryLength)
      json.member("parameters", shape.parameters)
      json.member("longest_parameter", shape.longestParameter)
    }
    if let place = shape.tokenPlace {
      json.key("token")
      json.open()
      json.member("place", place.rawValue)
      json.member("encoding", shape.token.encoding.rawValue)
      json.member("characters", shape.token.length)
      if shape.token.encoding.isEncoded { json.member("entropy_centibits", shape.token.entropy) }
      json.close()
    }
    if shape.knownTokens > 0 { json.member("known_tokens", shape.knownTokens) }
    if shape.contentType != .none { json.member("content_type", shape.contentType.rawValue) }
    if let encoding = shape.bodyEncoding { json.member("body", encoding.rawValue) }
    if let length = shape.bodyLength {
      if length > 0 { json.member("body_bytes", length) }
    } else {
      json.member("body_chunked", true)
    }
    json.close()
  }
}
