import S3
import Testing

struct ObjectTagTests {
  @Test(arguments: [("a", ""), ("cost center", "x+y-z=1._:/@"), ("é", "ü1")])
  func `what S3 takes is taken`(name: String, value: String) {
    #expect(ObjectTag(name, value) != nil)
  }

  @Test(arguments: [
    ("", "v"), ("aws:x", "v"), ("a&b", "v"), ("a", "v;w"), ("a", "v\n"),
    (String(repeating: "a", count: 129), "v"), ("a", String(repeating: "v", count: 257)),
  ])
  func `what S3 does not take is refused`(name: String, value: String) {
    #expect(ObjectTag(name, value) == nil)
  }
}
