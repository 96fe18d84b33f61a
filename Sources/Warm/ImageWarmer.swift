internal import HTTPTransport
package import Registry

/// Fills the bucket with the blobs of images, one image after the other.
package struct ImageWarmer {
  private let registry: RegistryChoice
  private let warmer: BlobWarmer
  private let report: WarmReport
  private let platforms: [Platform]
  private let threads: Int

  /// - Parameters:
  ///   - platforms: those of an index that are wanted; none is all.
  ///   - threads: how many blobs are filled at a time.
  package init(
    _ registry: RegistryChoice, by warmer: BlobWarmer, report: WarmReport, platforms: [Platform],
    threads: Int
  ) {
    self.registry = registry
    self.warmer = warmer
    self.report = report
    self.platforms = platforms
    self.threads = threads
  }

  package func warm(_ images: [ImageReference]) {
    var http = HTTPClient()
    for reference in images {
      let session = registry.session(for: reference)
      var walk = ImageWalk(session, platforms: platforms)
      do {
        try walk.run(over: &http)
        report.add(image: "\(reference)", walk.blobs)
        for (manifest, error) in walk.failures {
          report.failed(image: "\(reference) \(manifest)", error.description)
        }
        warmer.warm(walk.blobs, session, threads: threads)
      } catch {
        report.failed(image: "\(reference)", error.description)
      }
    }
  }
}
