import FoundationEssentials
import Testing

/// Bytes that once broke a promise, and those that show each way through a reader.
struct CorpusTests {
  @Test(arguments: FuzzTarget.all.map(\.name))
  func `promises hold for all bytes of the corpus`(name: String) throws {
    let target = try #require(FuzzTarget.all.first { $0.name == name })
    let folder = Self.corpus + "/" + name
    let files = try FileManager.default.contentsOfDirectory(atPath: folder).sorted()
    #expect(!files.isEmpty, "nothing to replay in \(folder)")
    for file in files {
      let bytes = Array(try Data(contentsOf: URL(filePath: folder + "/" + file)))
      do { try target.run(bytes) } catch { Issue.record("\(name)/\(file): \(error)") }
    }
  }

  @Test func `every folder of the corpus has a target`() throws {
    let folders = try FileManager.default.contentsOfDirectory(atPath: Self.corpus)
    #expect(Set(folders) == Set(FuzzTarget.all.map(\.name)))
  }

  private static let corpus =
    #filePath.split(separator: "/", omittingEmptySubsequences: false).dropLast(2)
    .joined(separator: "/") + "/Corpus"
}
