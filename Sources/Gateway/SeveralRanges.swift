internal import FastCGI
internal import HTTPTransport
internal import Logging
internal import Offload
internal import Primitives
internal import Registry
internal import S3
internal import Settings
internal import Store
internal import Telemetry
internal import Threading

/// Answers a request for several ranges of a blob that is in the bucket. (S3 would send the whole object.)
///
/// Source: RFC 9110 §14.6, §15.3.7.2.
final class SeveralRanges: Sendable {
  private let recorder: RequestRecorder
  private let passer: Passer
  /// Threads that read the bucket, each at the pace of its client.
  let pool: ThreadPool<HTTPClient>

  init(_ settings: ProcessSettings, recorder: RequestRecorder, passer: Passer) {
    self.recorder = recorder
    self.passer = passer
    pool = ThreadPool(name: "ranges", threadLimit: settings.streamThreads, queueLimit: 0) {
      HTTPClient()
    }
  }

  /// The registry can answer instead until S3 has sent the first bytes.
  func answer(_ exchange: BlobExchange, _ proof: BlobProof, size: Int64, parts: [Range<Int64>]) {
    guard let key = try? exchange.location.store.key(of: exchange.blob.path.digest) else {
      return passer.pass(exchange, because: .store("no key for this digest"))
    }
    let isTaken = pool.submit { [self] http in
      send(exchange, proof, key: key, size: size, parts: parts, over: &http)
    }
    if !isTaken { passer.pass(exchange, because: .busy) }
  }

  private func send(
    _ exchange: BlobExchange, _ proof: BlobProof, key: ObjectKey, size: Int64,
    parts: [Range<Int64>], over http: inout HTTPClient
  ) {
    let request = exchange.request
    let body = MultipartBody(proof, size: size)
    var (hasBegun, line, count) = (false, nil as Logger.Metadata?, Int64(0))
    do throws(S3Error) {
      for read in JoinedRead.reads(of: parts) {
        for piece in read.pieces {
          let bytes = try exchange.location.store.bucket.read(
            key, piece, over: &http, now: .now())
          if !hasBegun {
            hasBegun = true
            line = recorder.begin(.multipart, exchange, size: size)
            exchange.location.front.begin(
              request, proof, multipart: body, count: body.count(of: parts),
              digest: exchange.blob.path.digest)
          }
          guard put(read, piece: piece, bytes: bytes, in: body, to: request) else {
            recorder.end(line, by: .redirected, bytes: count)
            return request.abort()
          }
          count += Int64(bytes.count)
        }
      }
    } catch {
      guard hasBegun else {
        return passer.pass(exchange, because: .store(error.description))
      }
      recorder.end(line, by: .redirected, bytes: count)
      recorder.log.brokenOff(exchange.blob, after: count, of: size)
      return request.abort()
    }
    request.put(body.end)
    recorder.end(line, by: .redirected, bytes: count)
    request.finish()
  }

  /// Sends the bytes of the parts that this piece holds, and a part's head before its first byte.
  private func put(
    _ read: JoinedRead, piece: Range<Int64>, bytes: [UInt8], in body: MultipartBody,
    to request: Request
  ) -> Bool {
    for part in read.parts {
      let wanted = part.clamped(to: piece)
      if part.lowerBound == wanted.lowerBound { request.put(body.head(of: part)) }
      let start = Int(wanted.lowerBound - piece.lowerBound)
      guard request.put(Array(bytes[start..<(start + Int(wanted.upperBound - wanted.lowerBound))]))
      else { return false }
    }
    return true
  }
}

/// The framing of a `multipart/byteranges` body.
struct MultipartBody: Sendable {
  let boundary = String(UInt64.random(in: .min ... .max), radix: 36)
  private let type: [UInt8]
  private let size: Int64

  init(_ proof: BlobProof, size: Int64) {
    type =
      proof.fields.first(named: "content-type")?.value ?? Array("application/octet-stream".utf8)
    self.size = size
  }

  func head(of part: Range<Int64>) -> [UInt8] {
    Array("\r\n--\(boundary)\r\nContent-Type: ".utf8) + type
      + Array(
        "\r\nContent-Range: bytes \(part.lowerBound)-\(part.upperBound - 1)/\(size)\r\n\r\n".utf8)
  }

  var end: [UInt8] { Array("\r\n--\(boundary)--\r\n".utf8) }

  /// Bytes of the whole body.
  func count(of parts: [Range<Int64>]) -> Int64 {
    parts.reduce(Int64(end.count)) {
      $0 + Int64(head(of: $1).count) + $1.upperBound - $1.lowerBound
    }
  }
}
