package import Fill
internal import Gateway
package import S3
package import Settings
package import Store

/// The settings of commands that serve nobody: no listening address, and no log.
package struct ToolSettings {
  /// What is wrong, line by line, for people.
  package struct Failure: Error {
    package let lines: [String]
  }

  package let location: LocationSettings
  package let store: S3BlobStore
  /// By which clients know the registry, if that is said.
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
      // What is told of a tool's credential goes with its result.
      try credentials.start()
    } catch {
      throw Failure(lines: error.problems.map { "bloblo: \($0)" })
    }
  }
}
