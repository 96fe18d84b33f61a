import Testing

@testable import Warm

struct RegistryCatalogTests {
  @Test(
    arguments: [
      ("</v2/_catalog?last=b&n=1000>; rel=\"next\"", "/v2/_catalog?last=b&n=1000"),
      (
        "<https://registry.example.com/v2/a/tags/list?last=x>; rel=\"next\"",
        "/v2/a/tags/list?last=x"
      ),
      ("</v2/_catalog>; rel=\"prev\"", nil), ("next", nil), ("</elsewhere>; rel=next", nil),
      (">next<", nil),
    ] as [(String, String?)])
  func `the next page is asked for at the registry itself`(link: String, path: String?) {
    #expect(RegistryCatalog.next(in: link) == path)
  }
}
