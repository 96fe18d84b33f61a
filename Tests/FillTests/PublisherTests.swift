import HTTPTransport
import Hashing
import Primitives
import Registry
import S3
import Testing

@testable import Fill

@Suite struct PublisherTests {
  static let blob = Array("blob".utf8)

  struct Case: Sendable, CustomTestStringConvertible {
    var testDescription: String
    /// The size of the object that is there before; the blob has 4 bytes.
    var before: Int?
    var isReplacement = false
    var answers: [FakeS3.Answer] = []
    var ending: Publication? = .stored
    var writes = ["if absent"]
    var after: Int? = 4
  }

  @Test(arguments: [
    Case(testDescription: "nothing is there"),
    Case(testDescription: "another was first", before: 4, ending: .elsewhere),
    Case(
      testDescription: "a wrong object has come there meanwhile", before: 9,
      writes: ["if absent", "always"]),
    Case(
      testDescription: "a wrong object is to be replaced", before: 9, isReplacement: true,
      writes: ["always"]),
    Case(
      testDescription: "the server knows no condition",
      answers: [.refuse(501, "NotImplemented")], writes: ["if absent", "always"]),
    Case(
      testDescription: "the server is busy", answers: [.refuse(503, "SlowDown")],
      writes: ["if absent", "if absent"]),
    Case(
      testDescription: "the answer is lost", answers: [.obeySilently], ending: .elsewhere,
      writes: ["if absent", "if absent"]),
    Case(
      testDescription: "two write at the same time",
      answers: [.refuseAfterAnother(409, "ConditionalRequestConflict", size: 4)],
      ending: .elsewhere, writes: ["if absent", "if absent"]),
    Case(
      testDescription: "two write at the same time, and neither is through",
      answers: [.refuse(409, "ConditionalRequestConflict")], writes: ["if absent", "if absent"]),
    Case(
      testDescription: "we are refused, and another was first",
      answers: [.refuseAfterAnother(403, "AccessDenied", size: 4)], ending: .elsewhere),
    Case(
      testDescription: "we are refused, and another wrote something else",
      answers: [.refuseAfterAnother(403, "AccessDenied", size: 9)], ending: nil, after: 9),
    Case(
      testDescription: "we are refused", answers: [.refuse(403, "AccessDenied")], ending: nil,
      after: nil),
    Case(
      testDescription: "the retry without a condition is refused too", before: 9,
      answers: [.obey, .refuse(403, "AccessDenied")], ending: nil,
      writes: ["if absent", "always"], after: 9),
  ])
  func `what stands there at the end decides`(_ c: Case) throws {
    let s3 = try FakeS3(size: c.before, c.answers)
    #expect(try publish(s3, c.isReplacement) { true } == c.ending)
    #expect(s3.writes == c.writes)
    #expect(s3.size == c.after)
  }

  @Test func `what is given up is not tried again`() throws {
    let s3 = try FakeS3(size: nil, [.refuse(503, "SlowDown"), .refuse(503, "SlowDown")])
    #expect(try publish(s3, false) { false } == nil)
    #expect(s3.writes == ["if absent"])
  }

  /// - Returns: nil when it failed by the store.
  private func publish(_ s3: FakeS3, _ isReplacement: Bool, _ shouldContinue: @escaping () -> Bool)
    throws
    -> Publication?
  {
    let sha256 = HashedBytes.sha256(Self.blob)
    let digest = try #require(Digest("sha256:" + Hex.string(sha256.span)))
    let target = FillTarget(
      digest: digest, size: 4, bucket: s3.client, key: try ObjectKey("\(digest)"),
      isReplacement: isReplacement)
    var http = HTTPClient()
    do throws(FillError) {
      return try Publisher(target: target, shouldContinue: shouldContinue).publish(&http) {
        http, isConditional throws(S3Error) in
        try target.bucket.put(
          target.key, .bytes(Self.blob), sha256: sha256, onlyIfAbsent: isConditional, over: &http,
          now: .now())
      }
    } catch {
      guard case .store = error else { throw error }
      return nil
    }
  }
}

enum HashedBytes {
  static func sha256(_ bytes: [UInt8]) -> [UInt8] {
    var hash = HashFunction(.sha256)
    hash.update(bytes.span)
    return hash.finalize()
  }
}

@Suite struct RetryTests {
  @Test(arguments: [
    (500, "InternalError"), (502, nil), (503, "SlowDown"), (504, nil), (429, nil), (408, nil),
    (400, "RequestTimeout"), (200, "InternalError"), (200, "SlowDown"),
    (409, "ConditionalRequestConflict"), (409, "OperationAborted"),
  ])
  func `what may pass is tried again`(_ status: Int, _ code: String?) {
    let error = S3Error.refused(.putObject, S3ErrorResponse(status: status, code: code))
    #expect(error.isWorthAnotherTry)
  }

  @Test(arguments: [
    (400, "BadDigest"), (400, nil), (403, "AccessDenied"), (404, "NoSuchUpload"), (412, nil),
    (501, "NotImplemented"), (409, "BucketAlreadyExists"),
  ])
  func `what will not pass is not`(_ status: Int, _ code: String?) {
    let error = S3Error.refused(.putObject, S3ErrorResponse(status: status, code: code))
    #expect(!error.isWorthAnotherTry)
  }

  @Test(arguments: [
    (TransportError.Kind.broken, true), (.timeout, true), (.connect, true), (.stopped, false),
    (.invalid, false),
  ])
  func `a connection that fails is tried again, a request that can't be sent is not`(
    _ kind: TransportError.Kind, _ isWorthIt: Bool
  ) {
    let error = S3Error.transport(.uploadPart, TransportFailure(TransportError(kind, "")))
    #expect(error.isWorthAnotherTry == isWorthIt)
  }
}
