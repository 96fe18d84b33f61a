internal import S3

extension ObjectTag {
  /// Replaces `{repository}` with the repository's name:
  ///
  ///     owner={repository}      owner=team/app
  func naming(repository: String) -> ObjectTag {
    let parts = value.split(separator: "{repository}", omittingEmptySubsequences: false)
    guard parts.count > 1 else { return self }
    return ObjectTag(name, String(parts.joined(separator: repository).prefix(256))) ?? self
  }
}
