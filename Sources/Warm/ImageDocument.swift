internal import FoundationEssentials
internal import Registry

/// An index or a manifest, of the OCI's type or Docker's type of the same shape.
///
/// Source: OCI image-spec, image-index.md and manifest.md.
struct ImageDocument: Decodable {
  struct Descriptor: Decodable {
    struct DescriptorPlatform: Decodable {
      var os: String
      var architecture: String
      var variant: String?
    }

    var mediaType: String?
    var digest: String
    var size: Int64
    var urls: [String]?
    var platform: DescriptorPlatform?
  }

  var manifests: [Descriptor]?
  var config: Descriptor?
  var layers: [Descriptor]?

  static let mediaTypes = [
    "application/vnd.oci.image.index.v1+json", "application/vnd.oci.image.manifest.v1+json",
    "application/vnd.docker.distribution.manifest.list.v2+json",
    "application/vnd.docker.distribution.manifest.v2+json",
  ]

  init(parsing body: [UInt8]) throws(WarmError) {
    do {
      self = try JSONDecoder().decode(ImageDocument.self, from: Data(body))
    } catch {
      throw WarmError("neither an index nor a manifest: \(error)")
    }
    guard manifests != nil || config != nil || layers != nil else {
      throw WarmError("neither an index nor a manifest; Docker's first schema is not read")
    }
  }
}

/// A blob that an image is made of.
package struct ImageBlob: Hashable, Sendable {
  let digest: Digest
  let size: Int64
  /// Whether the blob is published elsewhere, so that registries need not have it.
  let isForeign: Bool

  init(_ descriptor: ImageDocument.Descriptor) throws(WarmError) {
    guard let digest = Digest(descriptor.digest),
      (0...BlobProof.largestSize).contains(descriptor.size)
    else {
      throw WarmError("a descriptor with digest \(descriptor.digest), size \(descriptor.size)")
    }
    self.digest = digest
    size = descriptor.size
    let type = descriptor.mediaType ?? ""
    isForeign =
      descriptor.urls?.isEmpty == false || type.contains(".nondistributable.")
      || type.contains(".foreign.")
  }
}
