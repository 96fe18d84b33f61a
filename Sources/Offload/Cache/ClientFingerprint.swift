package import Registry

/// Identifies a client to the registry: 128 bits of a keyed hash of all that goes upstream with its request. The
/// credential itself is not kept.
package struct ClientFingerprint: Hashable, Sendable {
  private let high: UInt64
  let low: UInt64

  /// - Parameter hash: 16 bytes or more of a hash under a secret key.
  package init(_ hash: Span<UInt8>) {
    precondition(hash.count >= 16)
    var words: (UInt64, UInt64) = (0, 0)
    for i in 0..<8 {
      words.0 = words.0 << 8 | UInt64(hash[i])
      words.1 = words.1 << 8 | UInt64(hash[i + 8])
    }
    (high, low) = words
  }
}

/// A question to upstream: may this client read this blob?
package struct AccessQuery: CacheKey, Sendable {
  package let location: LocationID
  package let fingerprint: ClientFingerprint
  package let path: BlobPath
  /// Made once: a question is looked for in several tables.
  package let keyedHash: UInt64

  package init(location: LocationID, fingerprint: ClientFingerprint, path: BlobPath) {
    self.location = location
    self.fingerprint = fingerprint
    self.path = path
    var hasher = Hasher()
    hasher.combine(location)
    hasher.combine(fingerprint)
    hasher.combine(path)
    keyedHash = UInt64(truncatingIfNeeded: hasher.finalize())
  }
}

extension AccessQuery: Hashable {
  package static func == (a: AccessQuery, b: AccessQuery) -> Bool {
    a.keyedHash == b.keyedHash && a.fingerprint == b.fingerprint && a.location == b.location
      && a.path == b.path
  }

  package func hash(into hasher: inout Hasher) { hasher.combine(keyedHash) }
}

/// Identifies a location. Nothing that is remembered for one is used for another.
package struct LocationID: Sendable {
  private let number: UInt32
  package let registry: RegistryID

  /// The number, for hashes.
  var bits: UInt64 { UInt64(number) << 32 }

  package init(_ number: UInt32, registry: RegistryID = RegistryID(url: "")) {
    self.number = number
    self.registry = registry
  }
}

extension LocationID: Hashable {
  package static func == (a: LocationID, b: LocationID) -> Bool { a.number == b.number }

  package func hash(into hasher: inout Hasher) { hasher.combine(number) }
}

/// Identifies the registry of a location. Locations with the same registry share deletions.
package struct RegistryID: Hashable, Sendable {
  private let number: Int

  /// - Parameter url: of the upstream. If two registries get the same number, bloblo only forgets more than it must.
  package init(url: String) { number = url.hashValue }
}
