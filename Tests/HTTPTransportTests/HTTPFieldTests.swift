import HTTPTransport
import Testing

struct HTTPFieldTests {
  private let fields = [HTTPField("Content-Type", "a"), HTTPField("ETAG", "b")]

  @Test(arguments: ["content-type", "Content-Type", "CONTENT-TYPE"])
  func `case makes no difference to a name`(name: String) {
    #expect(fields.first(named: HTTPField.Name(name))?.text == "a")
  }

  @Test func `a literal may have capitals`() {
    #expect(fields.first(named: "ETag")?.text == "b")
    #expect(fields.first(named: "E[ag") == nil)
    #expect(fields.first(named: "ETa") == nil)
  }

  /// These bytes differ as the cases of a letter do.
  @Test func `only letters have a case`() {
    let fields = [HTTPField("a^", "1"), HTTPField("a~", "2"), HTTPField("^a", "3")]
    #expect(fields.first(named: "A~")?.text == "2")
    #expect(fields.first(named: "~A") == nil)
  }
}
