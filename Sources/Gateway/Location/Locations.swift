internal import FastCGI
package import Offload
internal import Primitives
internal import Registry
internal import Settings
internal import Store
internal import Synchronization
internal import Telemetry

/// Finds the location of each request. Most requests use the process's settings; some override a part of them by
/// FastCGI params of the settings' names.
///
/// A client can't set such a param: its fields arrive as `HTTP_…`.
package final class Locations: Sendable {
  /// A web server's configuration has a few locations. Many mean that a client's values get into a param.
  private static let limit = 256

  package let standard: Location
  private let environment: [String: String]
  private let credentials: SigningCredentials
  package let cache: DecisionCache
  private let servers = ServerWatches()
  private let roads: Roads
  private let rule: ParamRule
  /// The longest life, in seconds, of a URL that any location has signed since the start, forgotten locations
  /// included.
  private let lifeOfURLs: Atomic<Int64>
  private let log: DecisionLog
  /// By the params as they came; `nil` for wrong settings.
  private let others = Mutex(Others())

  private struct Others {
    var locations: [[UInt8]: Location?] = [:]
    var lastID: UInt32 = 0
    /// The last request's `BLOBLO_` params and location: the next request nearly always has the same.
    var last: (asked: [UInt8], location: Location?)?
    /// The params of the current request.
    var asked: [UInt8] = []
  }

  /// - Parameters:
  ///   - environment: the process's; the params override it.
  ///   - rule: which settings a param may set.
  init(
    _ settings: ProcessSettings, _ credentials: SigningCredentials, environment: [String: String],
    rule: ParamRule, log: DecisionLog
  ) {
    cache = DecisionCache(settings.lifetimes)
    roads = Roads(isOn: settings.looksAsClient)
    let experience = servers.experience(of: settings.location.upstream)
    standard = Location(
      number: 0, settings: settings.location.sharing(experience), credentials: credentials,
      cache: cache, watches: servers.watches(of: settings.location), roads: roads)
    lifeOfURLs = Atomic(settings.location.presignLifetime.components.seconds)
    self.credentials = credentials
    // Only what is read again is kept of the environment: no secret.
    self.environment = environment.filter {
      LocationSettings.names.contains($0.key) || LocationSettings.sharedNames.contains($0.key)
    }
    self.rule = rule
    self.log = log
  }

  /// Forgets all that is known of a blob, in every location.
  func forget(_ digest: Digest) { cache.forget(digest) }

  /// The longest life, in seconds, of any URL signed so far.
  package var longestLifeOfURLs: Duration { .seconds(lifeOfURLs.load(ordering: .relaxed)) }

  package var cacheCounts: [(name: String, counts: CacheCounts)] { cache.counts }

  /// The locations that requests have used lately, and the standard one.
  package var all: [Location] {
    [standard] + others.withLock { $0.locations.values.compactMap(\.self) }
  }

  /// Ends a deletion for every location that asks the same registry.
  func end(
    _ deletion: BlobDeletion, _ outcome: BlobDeletion.Outcome, in location: Location,
    at now: Moment
  ) {
    let ids = all.map(\.id).filter { $0.registry == location.id.registry }
    deletion.end(outcome, in: ids, cache, at: now)
  }

  /// The location of this number, if requests have used it lately.
  package func location(_ id: LocationID) -> Location? {
    if id == standard.id { return standard }
    return others.withLock { $0.locations.values.compactMap(\.self).first { $0.id == id } }
  }

  /// The location of a request, as far as it is known without reading settings.
  enum Found {
    /// `nil` when the request's params are wrong.
    case known(Location?)
    /// No request has come with these params lately: `make` reads their settings.
    case unknown(params: [UInt8])
  }

  /// Reads no settings.
  func find(of request: Request) -> Found {
    // A CGI process reads its settings from the same place at its start.
    if request.isOfOwnProcess || !request.hasParameters(prefix: "BLOBLO_") {
      return .known(standard)
    }
    if rule.isForFields {
      let objections = fieldObjections(to: request)
      guard objections.isEmpty else {
        log.wrongParams(objections)
        return .known(nil)
      }
    }
    return others.withLock { others in
      others.asked.become(paramsOf: request)
      if let last = others.last, last.asked == others.asked { return .known(last.location) }
      let key = request.overrides
      guard let location = key.isEmpty ? standard : others.locations[key] else {
        return .unknown(params: key)
      }
      others.last = (others.asked, location)
      return .known(location)
    }
  }

  /// Reads the settings of new params, and files that they name: never on the loop's thread.
  ///
  /// - Returns: `nil` when the params are wrong.
  func make(of params: [UInt8]) -> Location? {
    // A number is never used twice, so that nothing remembered of one location is used for another.
    let number = others.withLock { others in
      others.lastID += 1
      return others.lastID
    }
    let location = make(params, number)
    others.withLock { others in
      if others.locations.count >= Self.limit {
        others.locations.removeAll()
        others.last = nil
      }
      others.locations[params] = .some(location)
    }
    return location
  }

  /// Whether the params about the user may not be believed.
  func refusesFields(of request: Request) -> Bool {
    !request.isOfOwnProcess && rule.isForFields && !fieldObjections(to: request).isEmpty
  }

  private func fieldObjections(to request: Request) -> [String] {
    var objections: [String] = []
    request.forEachParameter(prefix: SiteFields.prefix) { name, value in
      let value = String(decoding: value.withArray { $0 }, as: UTF8.self)
      if let objection = rule.objection(to: name, value: value) { objections.append(objection) }
    }
    return objections
  }

  private func make(_ key: [UInt8], _ number: UInt32) -> Location? {
    var environment = environment
    var objections: [String] = []
    var seen: Set<String> = []
    for line in key.split(separator: 0) {
      let pair = line.split(separator: UInt8(ascii: "="), maxSplits: 1)
      guard pair.count == 2 else { continue }
      let name = String(decoding: pair[0], as: UTF8.self)
      let value = String(decoding: pair[1], as: UTF8.self)
      if let objection = rule.objection(to: name, value: value) { objections.append(objection) }
      // The first of several counts: the site's own params stand above those of the shipped files.
      if seen.insert(name).inserted { environment[name] = value }
    }
    guard objections.isEmpty else {
      log.wrongParams(objections)
      return nil
    }
    var reader = SettingsReader(environment)
    let settings = LocationSettings(&reader)
    guard reader.problems.isEmpty, let settings else {
      log.wrongParams(reader.problems)
      return nil
    }
    lifeOfURLs.max(settings.presignLifetime.components.seconds, ordering: .relaxed)
    let experience = servers.experience(of: settings.upstream)
    return Location(
      number: number, settings: settings.sharing(experience), credentials: credentials,
      cache: cache, watches: servers.watches(of: settings), roads: roads)
  }
}

extension LocationSettings {
  fileprivate func sharing(_ experience: HeadExperience) -> LocationSettings {
    var settings = self
    settings.upstream.experience = experience
    return settings
  }
}

extension [UInt8] {
  /// Becomes the `BLOBLO_` params of a request, with a NUL after each name and value, without the fields of the site:
  /// these choose no location and differ from user to user.
  fileprivate mutating func become(paramsOf request: Request) {
    removeAll(keepingCapacity: true)
    request.forEachParameter(withPrefix: "BLOBLO_") { name, value in
      guard !name.begins(with: SiteFields.prefix) else { return }
      unsafe name.withUnsafeBufferPointer { unsafe append(contentsOf: $0) }
      append(0)
      unsafe value.withUnsafeBufferPointer { unsafe append(contentsOf: $0) }
      append(0)
    }
  }
}

extension Request {
  /// The params that override settings, as `NAME=value` with a NUL after each; an empty value overrides
  /// nothing, so that a `map` of the web server can leave a setting alone.
  fileprivate var overrides: [UInt8] {
    var all: [UInt8] = []
    forEachParameter(prefix: "BLOBLO_") { name, value in
      guard value.count > 0, LocationSettings.names.contains(name) else { return }
      all.append(contentsOf: name.utf8)
      all.append(UInt8(ascii: "="))
      for i in value.indices { all.append(value[i]) }
      all.append(0)
    }
    return all
  }
}
