import Testing
import XML

struct XMLElementTests {
  private func parse(_ document: String, maximumDepth: Int = 32) throws(XMLError) -> XMLElement {
    try XMLElement(parsing: Array(document.utf8), maximumDepth: maximumDepth)
  }

  @Test func `an element has its name, text and children`() throws {
    let root = try parse(
      """
      <?xml version="1.0" encoding="UTF-8"?>
      <ListMultipartUploadsResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/">
        <Bucket>b</Bucket><IsTruncated>false</IsTruncated>
        <Upload><Key>sha256:1</Key><UploadId>u1</UploadId></Upload><!-- between -->
        <Upload kind="x"><Key>sha256:2</Key><UploadId>u2</UploadId></Upload>
        <Empty/>
      </ListMultipartUploadsResult>
      """)
    #expect(root.name == "ListMultipartUploadsResult")
    #expect(root.text(of: "Bucket") == "b")
    #expect(root.text(of: "Empty") == "")
    #expect(root.text(of: "Absent") == nil)
    #expect(root.all("Upload").map { $0.text(of: "UploadId") } == ["u1", "u2"])
    #expect(root.first("Upload")?.first("Key")?.text == "sha256:1")
  }

  @Test(arguments: [
    ("<a>x&amp;y &lt;&#65;&#x42;&gt;</a>", "x&y <AB>"),
    ("<a><![CDATA[<b>&amp;</b>]]></a>", "<b>&amp;</b>"),
    ("<a>é…\u{1F433}</a>", "é…\u{1F433}"),
    ("<a>one<b>two</b>three</a>", "onethree"),
    ("<a>one\r\ntwo</a>", "one\ntwo"),
  ])
  func `text is what a reader of the document means`(document: String, text: String) throws {
    #expect(try parse(document).text == text)
  }

  @Test func `other encodings are understood`() throws {
    let declaration = "<?xml version='1.0' encoding='ISO-8859-1'?>"
    let latin = Array("\(declaration)<a>".utf8) + [0xE9] + Array("</a>".utf8)
    #expect(try XMLElement(parsing: latin).text == "é")
  }

  @Test func `a namespace's prefix is no part of a name`() throws {
    let root = try parse("<s3:Error xmlns:s3='urn:s3'><s3:Code>NoSuchKey</s3:Code></s3:Error>")
    #expect(root.name == "Error")
    #expect(root.text(of: "Code") == "NoSuchKey")
  }

  struct Refusal: Sendable {
    var document: String
    var kind: XMLError.Kind = .malformed
    var line = 1
  }

  @Test(arguments: [
    Refusal(document: ""),
    Refusal(document: "\n\nInternal Server Error", line: 3),
    Refusal(document: "<a><b></a>"),
    Refusal(document: "<a>\n<b>", line: 2),
    Refusal(document: "<a></a><b/>"),
    Refusal(document: "<a>&undeclared;</a>"),
    Refusal(document: "<a b='1' b='2'/>"),
    Refusal(document: "<!DOCTYPE html>\n<html/>", kind: .documentType),
    Refusal(
      document: "<!DOCTYPE a [<!ENTITY x 'xx'><!ENTITY y '&x;&x;&x;&x;'>]><a>&y;</a>",
      kind: .documentType),
    Refusal(
      document: "<!DOCTYPE a [<!ENTITY x SYSTEM 'file:///etc/passwd'>]><a>&x;</a>",
      kind: .documentType),
  ])
  func `what is no plain document is refused, with its line`(refusal: Refusal) {
    let error = #expect(throws: XMLError.self) { try parse(refusal.document) }
    #expect(error?.kind == refusal.kind)
    #expect(error?.line == refusal.line)
    #expect(error?.message.isEmpty == false)
  }

  @Test func `expat's words are kept`() {
    let error = #expect(throws: XMLError.self) { try parse("<a><b></a>") }
    #expect(error?.description == "XML, line 1: mismatched tag")
  }

  @Test func `the depth is bounded`() throws {
    func nested(_ depth: Int) -> String {
      String(repeating: "<a>", count: depth) + String(repeating: "</a>", count: depth)
    }
    #expect(try parse(nested(8), maximumDepth: 8).name == "a")
    for depth in [9, 100_000] {
      let error = #expect(throws: XMLError.self) { try parse(nested(depth), maximumDepth: 8) }
      #expect(error?.kind == .depth)
    }
    let empty = #expect(throws: XMLError.self) { try parse("<a><b/></a>", maximumDepth: 1) }
    #expect(empty?.kind == .depth)
  }

  @Test func `bytes that are not UTF-8 are refused`() {
    #expect(throws: XMLError.self) {
      try XMLElement(parsing: Array("<a>".utf8) + [0xFF, 0xFE] + Array("</a>".utf8))
    }
  }
}
