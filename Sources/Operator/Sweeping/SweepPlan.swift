/// When each bucket is looked at again: a day after it could be; until it can be, in growing pauses.
struct SweepPlan<Place: Hashable> {
  private struct Appointment {
    var due: ContinuousClock.Instant
    var failures = 0
  }

  /// Between two looks that succeed; up to an hour more, by chance, so that instances started together do
  /// not stay together.
  static var interval: Duration { .seconds(86_400) }

  private var appointments: [Place: Appointment] = [:]

  /// The places whose time has come: at once for one that was never looked at. Those that are no more are
  /// forgotten.
  mutating func due(of places: Set<Place>, at now: ContinuousClock.Instant) -> Set<Place> {
    appointments = appointments.filter { places.contains($0.key) }
    return places.filter { place in appointments[place].map { $0.due <= now } ?? true }
  }

  /// - Returns: whether it had failed before, which is told.
  mutating func succeeded(_ place: Place, at now: ContinuousClock.Instant, chance: Double) -> Bool {
    let before = appointments[place]
    appointments[place] = Appointment(due: now + Self.interval + .seconds(3600) * chance)
    return before.map { $0.failures > 0 } ?? false
  }

  /// The next look is in 2, 4, 8 s … an hour, and of that the half to the whole.
  ///
  /// - Returns: whether it is the first failure in a row, which is told.
  mutating func failed(_ place: Place, at now: ContinuousClock.Instant, chance: Double) -> Bool {
    let failures = appointments[place].map { $0.failures + 1 } ?? 1
    let longest = Duration.seconds(min(3600, 1 << min(failures, 12)))
    appointments[place] = Appointment(
      due: now + longest / 2 + longest / 2 * chance, failures: failures)
    return failures == 1
  }
}
