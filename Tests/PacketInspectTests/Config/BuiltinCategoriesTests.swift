import Foundation
import PacketInspect
import Testing

@testable import nfq_egressd

@Suite("The built-in categories")
struct BuiltinCategoriesTests {
  private static let directory = URL(filePath: #filePath).deletingLastPathComponent()
    .appending(path: "../../../Sources/nfq-egressd/CCategories/lists").standardizedFileURL

  /// Every entry, by category, in the file's order, cut into its sections.
  private static func sections(_ file: BuiltinCategories.File) -> [[String]] {
    String(decoding: file.bytes, as: UTF8.self).split(separator: "\n", omittingEmptySubsequences: false)
      .split { $0.isEmpty || $0.hasPrefix("#") }.map { $0.map(String.init) }
  }

  @Test("are the files of the source tree, one a category, and only unknown has none")
  func files() throws {
    let names = try FileManager.default.contentsOfDirectory(atPath: Self.directory.path).sorted()
    #expect(names == BuiltinCategories.files.map { "\($0.category).txt" }.sorted())
    #expect(Set(BuiltinCategories.files.map(\.category)) == Set(CategoryNames.builtIn).subtracting(["unknown"]))
    for file in BuiltinCategories.files {
      let onDisk = try Data(contentsOf: Self.directory.appending(path: "\(file.category).txt"))
      #expect(Array(onDisk) == file.bytes, "\(file.category)")
      #expect(file.bytes.first == UInt8(ascii: "#"), "\(file.category) does not begin with what it means")
    }
  }

  @Test("hold only usable names, each in one place, in order within their sections")
  func sound() throws {
    let suffixes = try PublicSuffixes()
    var table = CategoryTable()
    #expect(BuiltinCategories.add(to: &table, suffixes: suffixes).isEmpty)
    var places: [String: String] = [:]
    for file in BuiltinCategories.files {
      for section in Self.sections(file) {
        #expect(section == section.sorted(), "\(file.category): the section of \(section.first ?? "")")
        for name in section {
          #expect(places[name] == nil, "\(name) is in \(places[name] ?? "") and in \(file.category)")
          #expect(name == name.lowercased() && name.contains("."), "\(name)")
          places[name] = file.category
        }
      }
    }
    #expect(table.count == places.count)
    // An entry below another one of its category says nothing.
    for (name, category) in places {
      var parent = name[...]
      while let dot = parent.firstIndex(of: ".") {
        parent = parent[parent.index(after: dot)...]
        guard let found = places[String(parent)] else { continue }
        #expect(found != category, "\(name) stands below \(parent) in \(category)")
        break
      }
    }
  }

  @Test("cover at least 1,900 registrable domains, and some of each category")
  func count() throws {
    let suffixes = try PublicSuffixes()
    var domains = Set<String>()
    for file in BuiltinCategories.files {
      var own = Set<String>()
      for text in Self.sections(file).joined() {
        guard let name = HostName(text) else { continue }
        let length = suffixes.registrableLength(of: name)
        // A suffix under which tenants register is no registrable domain itself.
        if length > 0 { own.insert(name.suffix(length).text) }
      }
      #expect(own.count >= 30, "\(file.category): \(own.count)")
      domains.formUnion(own)
    }
    #expect(domains.count >= 1_900, "\(domains.count)")
  }

  @Test(
    "say of well-known names what everybody would",
    arguments: [
      ("docs.python.org", "documentation"), ("developer.mozilla.org", "documentation"), ("www.google.com", "search"),
      ("en.wikipedia.org", "reference"), ("stackoverflow.com", "reference"), ("api.openai.com", "llm-api"),
      ("api.anthropic.com", "llm-api"), ("api.stripe.com", "api"), ("github.com", "code-hosting"),
      ("raw.githubusercontent.com", "code-hosting"), ("gist.github.com", "paste"),
      ("gist.githubusercontent.com", "paste"), ("registry.npmjs.org", "package-registry"),
      ("files.pythonhosted.org", "package-registry"), ("security.debian.org", "package-registry"),
      ("www.debian.org", "documentation"), ("ec2.us-east-1.amazonaws.com", "cloud-provider"),
      ("bucket.s3.eu-west-1.amazonaws.com", "user-content"), ("s3.amazonaws.com", "user-content"),
      ("alice.github.io", "user-content"), ("x.pages.dev", "user-content"), ("x.workers.dev", "user-content"),
      ("d111111abcdef8.cloudfront.net", "cdn"), ("www.bbc.co.uk", "news"), ("x.com", "social"),
      ("transfer.sh", "file-sharing"), ("drive.google.com", "file-sharing"), ("pastebin.com", "paste"),
      ("webhook.site", "webhook-and-tunnel"), ("a1b2.ngrok-free.app", "webhook-and-tunnel"),
      ("x.trycloudflare.com", "webhook-and-tunnel"), ("abc.oast.fun", "webhook-and-tunnel"),
      ("home.duckdns.org", "dynamic-dns"), ("home.ddns.net", "dynamic-dns"), ("10.0.0.1.nip.io", "dynamic-dns"),
      ("dns.google", "doh-resolver"), ("mozilla.cloudflare-dns.com", "doh-resolver"),
      ("stats.g.doubleclick.net", "advertising-and-tracking"), ("o1.ingest.sentry.io", "telemetry"),
      ("www.googleapis.com", "api"), ("generativelanguage.googleapis.com", "llm-api"),
      ("bucket.storage.googleapis.com", "user-content"), ("no-such-name.example", "unknown"),
    ])
  func wellKnown(_ name: String, _ category: String) throws {
    let table = PolicyCompiler(suffixes: try PublicSuffixes(), seed: 1).parts(Configuration()).categories
    let found = try #require(HostName(name))
    #expect(table.names[table.category(of: found)] == category)
  }
}
