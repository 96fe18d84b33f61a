import Glibc
import Testing

@testable import Operator

struct CapacityTests {
  @Test func `1,000 nodes need a descriptor for each connection of theirs and of ours`() {
    let capacity = Capacity(proc: "/nowhere")
    #expect(capacity.ofThisProcess(upstreamConnections: 1024, limit: 5224).isEmpty)
    let findings = capacity.ofThisProcess(upstreamConnections: 1024, limit: 5223)
    #expect(findings.map(\.subject) == ["limits.descriptors"])
  }

  @Test func `a short backlog is found`() throws {
    let proc = try Folder(["sys/net/core/somaxconn": "128\n"])
    let findings = Capacity(proc: proc.path).ofThisProcess(
      upstreamConnections: 1, limit: 1 << 20)
    #expect(findings.map(\.subject) == ["limits.backlog"])
  }

  @Test(arguments: [
    ("events { worker_connections 768; }", 768), ("events {\n\tworker_connections  1024;\n}", 1024),
    ("# worker_connections 5;\nworker_connections 6;", 6), ("events {}", nil),
    ("worker_connections", nil), ("worker_connections many;", nil),
  ])
  func `worker_connections is read`(text: String, number: Int?) {
    #expect(Capacity.workerConnections(in: text) == number)
  }

  private static func limits(_ number: Int) -> String {
    "Limit  Soft Limit  Hard Limit  Units\nMax open files            \(number)       524288     files\n"
  }

  @Test func `the nginx of this machine is found too narrow, or wide enough, or not judged`() throws
  {
    func findings(_ number: Int, _ files: Int, masters: Int = 1) throws -> [String] {
      let configuration = try Folder(["nginx.conf": "events { worker_connections \(number); }"])
      var entries = [
        "20/cmdline": "nginx: worker process\0\0", "20/limits": Self.limits(files),
        "21/cmdline": "nginx: worker process\0\0", "21/limits": Self.limits(files),
        "self/cmdline": "bloblo\0",
      ]
      for i in 0..<masters {
        entries["\(10 + i)/cmdline"] =
          "nginx: master process nginx -c \(configuration.path)/nginx.conf\0"
      }
      let proc = try Folder(entries)
      return Capacity(proc: proc.path).ofNginx().map(\.subject)
    }
    #expect(try findings(768, 1024) == ["nginx.connections", "nginx.descriptors"])
    #expect(try findings(4000, 1024) == ["nginx.descriptors"])
    #expect(try findings(4000, 8192) == [])
    // Whose workers are they?
    #expect(try findings(768, 1024, masters: 2) == [])
  }
}

/// Files in a folder that goes with it.
private final class Folder {
  let path: String

  init(_ files: [String: String]) throws {
    var template = Array("/tmp/bloblo-capacity-XXXXXX".utf8CString)
    guard let made = unsafe mkdtemp(&template) else { throw FolderError() }
    path = unsafe String(cString: made)
    for (name, text) in files {
      var folder = path
      for part in name.split(separator: "/").dropLast() {
        folder += "/\(part)"
        _ = unsafe mkdir(folder, 0o700)
      }
      let descriptor = unsafe open("\(path)/\(name)", O_WRONLY | O_CREAT, 0o600)
      guard descriptor >= 0 else { throw FolderError() }
      let bytes = Array(text.utf8)
      _ = unsafe bytes.withUnsafeBytes { unsafe write(descriptor, $0.baseAddress, $0.count) }
      close(descriptor)
    }
  }

  deinit { remove(path) }

  private func remove(_ path: String) {
    guard let folder = unsafe opendir(path) else { return }
    while let entry = unsafe readdir(folder) {
      let name = unsafe withUnsafeBytes(of: &entry.pointee.d_name) { bytes in
        unsafe String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
      }
      guard name != ".", name != ".." else { continue }
      if unsafe unlink("\(path)/\(name)") != 0 { remove("\(path)/\(name)") }
    }
    unsafe closedir(folder)
    _ = unsafe rmdir(path)
  }
}

private struct FolderError: Error {}
