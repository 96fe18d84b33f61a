package import HTTPTransport
internal import Primitives
package import Registry
package import S3
package import Store

/// Finds, and with `--delete` removes, the objects of blobs that the registry no longer has.
///
/// A blob that a tag's manifest names stays. For any other object the sweep asks each repository just before it
/// removes the object, and removes it only when every repository answers 404.
package struct GoneSweep {
  package struct Report: Sendable, Equatable {
    package var gone = 0
    package var goneBytes: Int64 = 0
    package var removed = 0
    /// Objects that S3 did not remove.
    package var failed = 0
    package var kept = 0
    /// Objects of which the registry did not say.
    package var unknown = 0
    package var young = 0
    /// Objects whose keys belong to no digest.
    package var foreign = 0
  }

  /// An object whose blob the registry may no longer have.
  package struct Candidate {
    let key: ObjectKey
    let digest: Digest
    let size: Int64
  }

  let bucket: BucketClient
  let template: ObjectKeyTemplate
  let catalog: RegistryCatalog
  /// How old an object must be.
  let age: Duration
  let isRemoving: Bool

  package private(set) var report = Report()
  private var sessions: [RegistrySession] = []
  /// The digests that tags' manifests name.
  private var named: Set<String> = []

  package init(
    _ bucket: BucketClient, template: ObjectKeyTemplate, catalog: RegistryCatalog,
    olderThan age: Duration, isRemoving: Bool
  ) {
    self.bucket = bucket
    self.template = template
    self.catalog = catalog
    self.age = age
    self.isRemoving = isRemoving
  }

  /// The result, in words for people.
  package var summary: String {
    "\(report.gone) gone (\(bytesInWords(report.goneBytes))), \(report.kept) kept, \(report.young) younger than "
      + "\(age.short), \(report.foreign) not ours, \(report.unknown) of which the registry did not say; "
      + (isRemoving
        ? "\(report.removed) removed, \(report.failed) refused by S3"
        : "nothing is removed without --delete")
  }

  /// Finds the objects that are old enough and that no tag names. Each of them is for `judge`.
  ///
  /// - Parameter repositories: empty for the registry's own list.
  /// - Throws: when the registry or the bucket can't be read.
  package mutating func candidates(
    in repositories: [RepositoryName], over http: inout HTTPClient
  ) throws -> [Candidate] {
    let names = repositories.isEmpty ? try catalog.repositories(over: &http) : repositories
    guard !names.isEmpty else {
      throw WarmError(
        "the registry lists no repository: may this credential read the catalogue? Nothing is removed"
      )
    }
    for name in names { try look(at: name, over: &http) }
    return try unnamed(over: &http)
  }

  // MARK: the registry

  private mutating func look(
    at name: RepositoryName, over http: inout HTTPClient
  ) throws(WarmError) {
    let tags = try catalog.tags(of: name, over: &http)
    var hasWitness = false
    for tag in tags {
      guard let reference = ImageReference(name, tag: tag) else { continue }
      let session = session(reference)
      var walk = ImageWalk(session, platforms: [])
      // A manifest that can't be read names nothing: the sweep asks for its blobs one by one.
      try? walk.run(over: &http)
      for blob in walk.blobs {
        named.insert("\(blob.digest)")
        if !hasWitness { hasWitness = try session.has(blob.digest, over: &http) == true }
      }
    }
    guard let reference = ImageReference(name, tag: tags.first ?? "latest") else { return }
    // A registry that denies blobs that it has would make the sweep remove everything.
    guard tags.isEmpty || hasWitness else {
      throw WarmError(
        "\(name): the registry shows tags, and none of their blobs: may this credential pull? Nothing is removed"
      )
    }
    sessions.append(session(reference))
  }

  private func session(_ reference: ImageReference) -> RegistrySession {
    RegistrySession(
      reference, at: catalog.url, docker: DockerConfiguration(environment: [:]),
      login: catalog.credential,
      limits: catalog.limits, following: .none)
  }

  /// - Returns: `nil` when a repository does not say.
  private func isInRegistry(_ digest: Digest, over http: inout HTTPClient) -> Bool? {
    for session in sessions {
      guard let has = try? session.has(digest, over: &http) else { return nil }
      if has { return true }
    }
    return false
  }

  // MARK: the bucket

  private mutating func unnamed(over http: inout HTTPClient) throws(S3Error) -> [Candidate] {
    var candidates: [Candidate] = []
    var token: String?
    repeat {
      let page = try bucket.listObjects(
        prefix: template.prefix, after: token, over: &http, now: .now())
      for object in page.objects {
        guard let key = try? ObjectKey(object.key),
          let digest = template.digest(of: key).flatMap({ Digest($0) })
        else {
          report.foreign += 1
          continue
        }
        // By S3's clock, like the object's own time.
        let now = bucket.site.clock.time(at: .now())
        guard let modified = object.modified, .seconds(now - modified) >= age else {
          report.young += 1
          continue
        }
        guard !named.contains("\(digest)") else {
          report.kept += 1
          continue
        }
        candidates.append(Candidate(key: key, digest: digest, size: object.size))
      }
      // A server that repeats a page would cause an endless loop.
      guard page.next != token else { break }
      token = page.next
    } while token != nil
    return candidates
  }

  /// Asks the registry for an object's blob, and removes the object if the blob is gone and `isRemoving`.
  ///
  /// - Returns: a line for people; `nil` for an object that stays.
  package mutating func judge(_ candidate: Candidate, over http: inout HTTPClient) -> String? {
    switch isInRegistry(candidate.digest, over: &http) {
    case true:
      report.kept += 1
      return nil
    case nil:
      report.unknown += 1
      return nil
    case false:
      report.gone += 1
      report.goneBytes += candidate.size
      return remove(candidate, over: &http)
    }
  }

  private mutating func remove(_ candidate: Candidate, over http: inout HTTPClient) -> String {
    let name = "\(candidate.digest), \(bytesInWords(candidate.size))"
    guard isRemoving else { return "gone: \(name)" }
    do throws(S3Error) {
      try bucket.delete(candidate.key, over: &http, now: .now())
      report.removed += 1
      return "removed: \(name)"
    } catch {
      report.failed += 1
      return "not removed: \(name): \(error)"
    }
  }
}
