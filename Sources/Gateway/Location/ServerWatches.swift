internal import HTTPTransport
internal import Offload
internal import Registry
internal import S3
internal import Settings
internal import Synchronization

/// What is known about each server. Locations that use the same server share it.
final class ServerWatches: Sendable {
  private let experiences = Mutex<[String: HeadExperience]>([:])
  private let upstreams = Mutex<[String: ServerWatch<RepositoryName>]>([:])
  private let stores = Mutex<[String: ServerWatch<Digest>]>([:])

  /// Whether the registry answers HEAD, so that ten locations don't try a wrong password ten times.
  func experience(of upstream: UpstreamRegistry) -> HeadExperience {
    experiences.withLock { all in
      let experience = all[upstream.url] ?? upstream.experience
      all[upstream.url] = experience
      return experience
    }
  }

  func watches(of settings: LocationSettings) -> Watches {
    let upstream = upstreams.withLock { all in
      let times = LookTimes(timeout: settings.upstream.limits.head)
      let watch = all[settings.upstream.url] ?? ServerWatch(times)
      all[settings.upstream.url] = watch
      return watch
    }
    let store = stores.withLock { all in
      let name = "\(settings.bucket.endpoint)"
      let watch = all[name] ?? ServerWatch(LookTimes(timeout: settings.s3Limits.head))
      all[name] = watch
      return watch
    }
    return Watches(upstream: upstream, store: store)
  }
}
