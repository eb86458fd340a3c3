import Foundation
import PacketInspect
import Testing

@Suite("The vocabulary of events")
struct EventVocabularyTests {
  private func words(_ path: [String]) throws -> Set<String> {
    let file = ConfigurationFixture.repositoryFile("docs/event.schema.json")
    var node: Any? = try JSONSerialization.jsonObject(with: Data(contentsOf: URL(fileURLWithPath: file)))
    for key in path { node = (node as? [String: Any])?[key] }
    return Set(try #require(node as? [String]))
  }

  private func egress(_ path: String...) throws -> Set<String> {
    try words(["$defs", "egress", "properties"] + path + ["enum"])
  }

  @Test("is the schema's, word for word")
  func matches() throws {
    #expect(try words(["$defs", "flagKind", "enum"]) == Set(FlagKind.allCases.map(\.rawValue)))
    let flowShape = ["$defs", "egress", "properties", "shape", "properties"]
    #expect(try words(flowShape + ["protocol", "enum"]) == Set(ProtocolClass.allCases.map(\.word)))
    #expect(try words(flowShape + ["naming", "enum"]) == Set(FlowShape.Naming.allCases.map(\.word)))
    #expect(try egress("attribution") == Set(Attribution.allCases.map(\.rawValue)))
    #expect(try egress("destination", "properties", "evidence") == Set(Evidence.allCases.map(\.rawValue)))
    #expect(try egress("destination", "properties", "resolution") == Set(Resolution.allCases.map(\.rawValue)))
    #expect(try egress("verdict", "properties", "reason") == Set(Reason.allCases.map(\.rawValue)))
  }
}
