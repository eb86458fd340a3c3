/// Words by which what stands beside a token is known.
enum KnownWords {
  /// Digest algorithms, as they stand before a digest.
  static let algorithms = ["md5", "sha1", "sha224", "sha256", "sha384", "sha512", "blake3", "blake2b"].map {
    Array($0.utf8)
  }
  /// Kinds of files that are served under digests.
  static let assetExtensions = [
    "js", "mjs", "css", "map", "woff", "woff2", "ttf", "otf", "png", "jpg", "jpeg", "gif", "svg", "webp", "avif", "ico",
    "mp4", "webm", "m3u8", "m4s", "mp3", "whl", "gz", "xz", "bz2", "zst", "tgz", "zip", "deb", "rpm", "jar", "wasm",
    "json", "html", "pdf", "crate", "nar", "ts",
  ].map { Array($0.utf8) }
}
