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
}
