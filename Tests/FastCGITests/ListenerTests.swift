import Foundation
import Glibc
import TestSupport
import Testing

@testable import FastCGI

struct ListenerTests {
  let path = "/tmp/bloblo-\(UUID().uuidString.prefix(8)).sock"

  private func mode() throws -> (Int, String) {
    let facts = try FileManager.default.attributesOfItem(atPath: path)
    return (
      (facts[.posixPermissions] as? Int) ?? -1, (facts[.type] as? FileAttributeType)?.rawValue ?? ""
    )
  }

  @Test(arguments: [UInt32(0o660), 0o600, 0o666]) func `a socket has its mode, and goes`(
    wanted: UInt32
  ) throws {
    let listener = try Listener(.unix(path: path), mode: wanted)
    #expect(try mode() == (Int(wanted), FileAttributeType.typeSocket.rawValue))
    listener.stopListening()
    #expect(!FileManager.default.fileExists(atPath: path))
  }

  @Test func `a stale socket is replaced, a live one and another file are not`() throws {
    let first = try Listener(.unix(path: path))
    #expect(throws: ListenError.self) { _ = try Listener(.unix(path: path)) }
    #expect(try mode().1 == FileAttributeType.typeSocket.rawValue)
    _ = shutdown(first.descriptor, Int32(SHUT_RDWR))
    let second = try Listener(.unix(path: path))
    second.stopListening()
    try Data("mine".utf8).write(to: URL(filePath: path))
    #expect(throws: ListenError.self) { _ = try Listener(.unix(path: path)) }
    #expect(try String(contentsOfFile: path, encoding: .utf8) == "mine")
    try FileManager.default.removeItem(atPath: path)
  }

  @Test func `who came before the listening ended is still accepted, and then nobody`() throws {
    let listener = try Listener(.unix(path: path))
    let client = try LoopbackSocket.connect(unix: path)
    listener.stopListening()
    let accepted = listener.accept()
    let connection = try #require(accepted)
    client.send([1])
    var byte: UInt8 = 0
    let count = unsafe recv(connection, &byte, 1, 0)
    #expect(count == 1)
    close(connection)
    let next = listener.accept()
    #expect(next == nil)
    #expect(throws: (any Error).self) { try LoopbackSocket.connect(unix: path) }
  }

  @Test func `a file that is another's is left`() throws {
    let listener = try Listener(.unix(path: path))
    try FileManager.default.removeItem(atPath: path)
    try Data().write(to: URL(filePath: path))
    listener.stopListening()
    #expect(FileManager.default.fileExists(atPath: path))
    try FileManager.default.removeItem(atPath: path)
  }

  @Test func `an address is no name, though it be the host's only one of its kind`() {
    do {
      try Listener(.tcp(host: "::1", port: 0)).stopListening()
    } catch {
      // Where there is no IPv6 at all.
      #expect("\(error)".contains("socket") || "\(error)".contains("bind"), "\(error)")
    }
  }

  @Test func `port 0 is any`() throws {
    let listener = try Listener(.tcp(host: "", port: 0))
    let port = listener.port ?? 0
    #expect(port > 0)
    listener.stopListening()
  }

  @Test func `a descriptor that does not listen is refused`() {
    let descriptor = unsafe open("/dev/null", O_RDONLY | O_CLOEXEC)
    defer { close(descriptor) }
    for each in [descriptor, -1] {
      #expect(throws: ListenError.self) { _ = try Listener(.inherited(descriptor: each)) }
    }
  }
}
