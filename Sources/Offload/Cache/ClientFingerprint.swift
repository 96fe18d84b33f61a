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
package struct AccessQuery: Spread, Sendable {
  package let location: LocationID
  package let fingerprint: ClientFingerprint
  package let path: BlobPath

  package var spread: UInt64 { fingerprint.low ^ path.digest.spread }

  package init(location: LocationID, fingerprint: ClientFingerprint, path: BlobPath) {
    self.location = location
    self.fingerprint = fingerprint
    self.path = path
  }
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

extension Digest {
  /// The last hexadecimal digits; the lowest four bits of each count.
  var spread: UInt64 {
    let (a, b) = (bytes[bytes.count - 1], bytes[bytes.count - 2])
    return UInt64(a & 0xF ^ a >> 6) ^ UInt64(b) << 4
  }
}
