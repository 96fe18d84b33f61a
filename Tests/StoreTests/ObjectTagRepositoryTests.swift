import S3
import Testing

@testable import Store

struct ObjectTagRepositoryTests {
  @Test func `a repository stands where it is asked for`() {
    #expect(ObjectTag("r", "x/{repository}")?.naming(repository: "a/b").value == "x/a/b")
    #expect(ObjectTag("r", "plain")?.naming(repository: "a/b").value == "plain")
    let long = String(repeating: "a", count: 300)
    #expect(ObjectTag("r", "{repository}")?.naming(repository: long).value.count == 256)
  }
}
