import FastCGI
import Fill
import HTTPTransport
import Offload
import Registry
import Threading

extension BlobHandler {
  /// What is done with a blob that is not in the bucket, or not as it should be.
  func fill(
    _ request: Request, _ blob: BlobRequest, _ location: Location, size: Int64, isReplacement: Bool
  ) {
    let mode = location.settings.fill
    if mode == .off { return pass(request, blob, .cold(.fillIsOff)) }
    if mode == .tee, blob.range != .whole { return pass(request, blob, .cold(.range)) }
    guard let key = try? location.store.key(of: blob.path.digest) else {
      return pass(request, blob, .store("no key for this digest"))
    }
    let source = FillSource(
      request: location.settings.upstream.request(for: blob.path, from: blob.client),
      digest: blob.path.digest, size: size,
      bucket: location.store.bucket, key: key, isReplacement: isReplacement)
    if mode == .background {
      return pass(request, blob, .cold(filler.queue(source) ? .background : .limit))
    }
    guard let follower = filler.follow(source),
      streaming.submit({ _ in self.stream(follower, request, blob, location) })
    else {
      return pass(request, blob, .cold(.limit))
    }
  }

  /// Sends the client what comes in, at the client's own pace.
  private func stream(
    _ follower: FillFollower, _ request: Request, _ blob: BlobRequest, _ location: Location
  ) {
    guard let reader = follower.reader(within: location.settings.upstream.limits.head + .seconds(1))
    else {
      let why = follower.failure?.description ?? "no answer in time"
      return pass(request, blob, .cold(.upstream(why)))
    }
    log.decided("tee", blob)
    location.front.begin(request, fields: reader.head.fields, size: reader.size, blob.path.digest)
    var offset: Int64 = 0
    while offset < reader.size {
      let isGood: Bool
      switch reader.progress(beyond: offset, within: .seconds(2)) {
      case .available(let end):
        isGood = request.send(file: reader.descriptor, offset: offset, count: end - offset)
        offset = end
      case .waiting: isGood = request.keepAlive()
      case .broken: isGood = false
      }
      guard isGood else {
        log.brokenOff(blob, after: offset, of: reader.size)
        return request.abort()
      }
    }
    request.finish()
  }
}
