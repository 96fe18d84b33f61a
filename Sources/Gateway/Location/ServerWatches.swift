internal import Offload
internal import Registry
internal import S3
internal import Settings
internal import Synchronization

/// Which watch is whose server: locations that ask the same one share it.
final class ServerWatches: Sendable {
  private let upstreams = Mutex<[String: ServerWatch<RepositoryName>]>([:])
  private let stores = Mutex<[String: ServerWatch<Digest>]>([:])

  func watches(of settings: LocationSettings) -> Watches {
    let upstream = upstreams.withLock { all in
      let watch = all[settings.upstream.url] ?? ServerWatch()
      all[settings.upstream.url] = watch
      return watch
    }
    let store = stores.withLock { all in
      let name = "\(settings.bucket.endpoint)"
      let watch = all[name] ?? ServerWatch()
      all[name] = watch
      return watch
    }
    return Watches(upstream: upstream, store: store)
  }
}
