internal import CExpat

/// The owner of one Expat parser, good for one document.
///
/// Expat has bounds of its own on what entities grow to (since 2.4); here a document type ends the
/// parsing before any entity can be declared.
///
/// Source: <https://libexpat.github.io/doc/api/latest/>
@safe
struct Parser: ~Copyable {
  private let raw: OpaquePointer
  private let context: ParserContext

  init(maximumDepth: Int) {
    guard let raw = unsafe XML_ParserCreate(nil) else {
      preconditionFailure("expat: out of memory")
    }
    unsafe self.raw = raw
    context = unsafe ParserContext(raw, TreeBuilder(maximumDepth: maximumDepth))
    unsafe XML_SetElementHandler(raw, startElement, endElement)
    unsafe XML_SetCharacterDataHandler(raw, characterData)
    unsafe XML_SetStartDoctypeDeclHandler(raw, startDocumentType)
  }

  deinit { unsafe XML_ParserFree(raw) }

  mutating func parse(_ document: Span<UInt8>) throws(XMLError) -> XMLElement {
    guard let count = Int32(exactly: document.count) else {
      throw XMLError(kind: .size, line: 1, message: "a document of \(document.count) bytes")
    }
    // The handlers reach the context without a count of their own; it lives as long as the call.
    let status = withExtendedLifetime(context) {
      unsafe XML_SetUserData(raw, Unmanaged.passUnretained(context).toOpaque())
      return unsafe document.withUnsafeBytes { buffer in
        unsafe XML_Parse(
          raw, buffer.baseAddress?.assumingMemoryBound(to: CChar.self), count, Int32(XML_TRUE))
      }
    }
    let line = unsafe Int(XML_GetCurrentLineNumber(raw))
    if let (kind, message) = context.refusal {
      throw XMLError(kind: kind, line: line, message: message)
    }
    guard status == XML_STATUS_OK, let root = context.builder.root else {
      let words = unsafe XML_ErrorString(XML_GetErrorCode(raw)).map { unsafe String(cString: $0) }
      throw XMLError(kind: .malformed, line: line, message: words ?? "no element found")
    }
    return root
  }
}

/// What Expat's handlers are given.
@safe
private final class ParserContext {
  private let parser: OpaquePointer
  let builder: TreeBuilder
  private(set) var refusal: (XMLError.Kind, String)?

  init(_ parser: OpaquePointer, _ builder: TreeBuilder) {
    unsafe self.parser = parser
    self.builder = builder
  }

  /// Ends the parsing; Expat may still call a handler for what it has begun.
  func refuse(_ kind: XMLError.Kind, _ message: String) {
    guard refusal == nil else { return }
    refusal = (kind, message)
    _ = unsafe XML_StopParser(parser, XML_Bool(XML_FALSE))
  }

  static func of(_ pointer: UnsafeMutableRawPointer?) -> ParserContext? {
    guard let pointer = unsafe pointer else { return nil }
    let context = unsafe Unmanaged<ParserContext>.fromOpaque(pointer).takeUnretainedValue()
    return context.refusal == nil ? context : nil
  }
}

private func startElement(
  context pointer: UnsafeMutableRawPointer?, name: UnsafePointer<CChar>?,
  attributes: UnsafeMutablePointer<UnsafePointer<CChar>?>?
) {
  guard let context = unsafe ParserContext.of(pointer), let name = unsafe name else { return }
  guard context.builder.open(unsafe String(cString: name)) else {
    return context.refuse(.depth, "elements are nested too deep")
  }
}

private func endElement(_ pointer: UnsafeMutableRawPointer?, _ name: UnsafePointer<CChar>?) {
  unsafe ParserContext.of(pointer)?.builder.close()
}

private func characterData(
  context pointer: UnsafeMutableRawPointer?, text: UnsafePointer<CChar>?, count: Int32
) {
  guard let context = unsafe ParserContext.of(pointer), let text = unsafe text else { return }
  unsafe text.withMemoryRebound(to: UInt8.self, capacity: Int(count)) { bytes in
    unsafe context.builder.append(UnsafeBufferPointer(start: bytes, count: Int(count)))
  }
}

private func startDocumentType(
  context pointer: UnsafeMutableRawPointer?, name: UnsafePointer<CChar>?,
  systemID: UnsafePointer<CChar>?, publicID: UnsafePointer<CChar>?, hasSubset: Int32
) {
  unsafe ParserContext.of(pointer)?.refuse(.documentType, "a document type is not accepted")
}
