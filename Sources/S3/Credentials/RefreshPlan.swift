internal import Primitives

/// When a credential is fetched again.
enum RefreshPlan {
  /// Seconds before its end, for a credential that lives long: as AWS's SDKs have it.
  private static let longestLead: Int64 = 15 * 60

  /// A third of the credential's life before its end, or 15 minutes; up to a quarter of that earlier, so
  /// that instances started together do not come together.
  ///
  /// - Parameters:
  ///   - obtained: when it was fetched.
  ///   - chance: 0…1, by chance.
  static func due(expiration: UnixTime, obtained: UnixTime, chance: Double) -> UnixTime {
    let lead = min(longestLead, max(0, expiration - obtained) / 3)
    return expiration + -(lead + Int64(Double(lead) * chance / 4))
  }

  /// How long to wait after failures in a row: 1, 2, 4 … 60 s, and of that the half to the whole.
  static func pause(failures: Int, chance: Double) -> Duration {
    let longest = min(60.0, Double(1 << min(failures - 1, 6)))
    return .milliseconds(Int64(longest * 500 * (1 + chance)))
  }
}
