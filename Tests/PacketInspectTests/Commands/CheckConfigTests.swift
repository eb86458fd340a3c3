import ArgumentParser
import Testing

@testable import nfq_egressd

@Suite("check-config")
struct CheckConfigTests {
  let fixture = ConfigurationFixture()

  @Test("ends well for the example")
  func example() throws {
    let file = ConfigurationFixture.repositoryFile("config/example.yaml")
    try CheckConfig.parse([file]).run()
    try CheckConfig.parse([file, "--effective"]).run()
  }

  @Test("ends with status 78 for a bad file and for an absent one")
  func bad() throws {
    let file = fixture.write("bad.yaml", Array("mdoe: enforce\n".utf8))
    #expect(throws: ExitCode(78)) { try CheckConfig.parse([file]).run() }
    #expect(throws: ExitCode(78)) { try CheckConfig.parse(["\(fixture.directory)/absent.yaml"]).run() }
  }

  @Test("is a subcommand of the program, and checks the usual file when none is named")
  func registered() throws {
    let command = try #require(try Egressd.parseAsRoot(["check-config"]) as? CheckConfig)
    #expect(command.file == "/etc/nfq-egressd/config.yaml")
    #expect(throws: (any Error).self) { try Egressd.parseAsRoot(["check-config", "a", "b"]) }
  }
}
