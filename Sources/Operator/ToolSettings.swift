package import Fill
internal import Gateway
package import S3
package import Settings
package import Store

/// The settings of commands other than `serve`: no listening address, and no log.
package struct ToolSettings {
  /// All errors, line by line, for people.
  package struct Failure: Error {
    package let lines: [String]
  }

  package let location: LocationSettings
  package let store: S3BlobStore
  /// The names by which clients know the registry, if they are set.
  package let registryHosts: [String]
  package let fillLimits: Filler.Limits
  package let sweepAge: Duration

  package var bucket: BucketClient { store.bucket }

  package init(_ environment: [String: String]) throws(Failure) {
    var reader = SettingsReader(environment)
    let location = LocationSettings(&reader)
    registryHosts = reader.value(Declared.registryHost)
    let credentials = SigningCredentials(reader.credentials())
    fillLimits = reader.fillLimits()
    sweepAge = reader.value(Declared.sweepAge)
    guard reader.problems.isEmpty, let location else {
      throw Failure(lines: SettingsError(problems: reader.problems).lines(environment))
    }
    self.location = location
    store = location.store(credentials, clock: credentials.clock)
    do {
      // A command reports credential errors with its result, not in a log.
      try credentials.start()
    } catch {
      throw Failure(lines: error.problems.map { "bloblo: \($0)" })
    }
  }
}
