/// What an image of an index runs on: `os/architecture[/variant]`.
///
/// Source: OCI image-spec, image-index.md, "platform".
package struct Platform: Hashable, Sendable {
  package let os: String
  package let architecture: String
  /// `nil`, in a wish, is any.
  package let variant: String?

  package init(os: String, architecture: String, variant: String? = nil) {
    self.os = os
    self.architecture = architecture
    self.variant = variant
  }

  /// Reads `linux/amd64` or `linux/arm/v7`.
  package init?(_ text: String) {
    let parts = text.split(separator: "/", omittingEmptySubsequences: false)
    guard (2...3).contains(parts.count), parts.allSatisfy({ !$0.isEmpty }) else { return nil }
    self.init(
      os: String(parts[0]), architecture: String(parts[1]),
      variant: parts.count == 3 ? String(parts[2]) : nil)
  }

  /// Whether an image for `other` is one that is wished for.
  package func matches(_ other: Platform) -> Bool {
    os == other.os && architecture == other.architecture
      && (variant == nil || variant == other.variant)
  }
}
