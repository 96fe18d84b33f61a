internal import CCurl
internal import Glibc

/// The owner of a libcurl list of header lines.
@safe
struct FieldList: ~Copyable {
  private(set) var raw: UnsafeMutablePointer<curl_slist>?

  init() { unsafe raw = nil }

  /// A credential may be among the lines: nothing of them is left in memory that is given back.
  deinit {
    var line = unsafe raw
    while let node = unsafe line {
      if let data = unsafe node.pointee.data { unsafe explicit_bzero(data, strlen(data)) }
      unsafe line = node.pointee.next
    }
    unsafe curl_slist_free_all(raw)
  }

  /// Adds one line, `Name: value`; `Name:` takes a header of libcurl's own away, and `Name;` sends an
  /// empty one. Source: <https://curl.se/libcurl/c/CURLOPT_HTTPHEADER.html>
  mutating func append(_ line: [UInt8]) {
    let next = unsafe line.withUnsafeBufferPointer { bytes in
      unsafe bytes.withMemoryRebound(to: CChar.self) {
        unsafe curl_slist_append(raw, $0.baseAddress)
      }
    }
    if let next = unsafe next { unsafe raw = unsafe next }
  }

  mutating func append(_ field: HTTPField) {
    var line: [UInt8] = []
    line.reserveCapacity(field.name.utf8.count + field.value.count + 3)
    line.append(contentsOf: field.name.utf8)
    if field.value.isEmpty {
      line.append(UInt8(ascii: ";"))
    } else {
      line.append(UInt8(ascii: ":"))
      line.append(UInt8(ascii: " "))
      line.append(contentsOf: field.value)
    }
    line.append(0)
    append(line)
  }

  /// Takes away a header that libcurl would send by itself.
  mutating func remove(_ name: String) { append(Array("\(name):\0".utf8)) }
}
