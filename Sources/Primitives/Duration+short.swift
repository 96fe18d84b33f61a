extension Duration {
  /// As a setting is written.
  package var short: String {
    let (seconds, attoseconds) = components
    if attoseconds != 0 || seconds == 0 {
      return "\(seconds * 1000 + attoseconds / 1_000_000_000_000_000)ms"
    }
    if seconds.isMultiple(of: 86_400) { return "\(seconds / 86_400)d" }
    if seconds.isMultiple(of: 3600) { return "\(seconds / 3600)h" }
    return seconds.isMultiple(of: 60) ? "\(seconds / 60)m" : "\(seconds)s"
  }
}
