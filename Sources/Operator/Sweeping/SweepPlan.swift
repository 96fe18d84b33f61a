/// When each bucket is swept again: a day after a sweep that succeeded, and after growing pauses until one does.
struct SweepPlan<Place: Hashable> {
  private struct Appointment {
    var due: ContinuousClock.Instant
    var failures = 0
  }

  /// The pause after a sweep that succeeded. Up to an hour is added by chance, so that instances that started
  /// together spread out.
  static var interval: Duration { .seconds(86_400) }

  private var appointments: [Place: Appointment] = [:]

  /// The places that are due now; a new place is due at once. Forgets places that no longer exist.
  mutating func due(of places: Set<Place>, at now: ContinuousClock.Instant) -> Set<Place> {
    appointments = appointments.filter { places.contains($0.key) }
    return places.filter { place in appointments[place].map { $0.due <= now } ?? true }
  }

  /// - Returns: whether the sweep before had failed; then the log says that it succeeds again.
  mutating func succeeded(_ place: Place, at now: ContinuousClock.Instant, chance: Double) -> Bool {
    let before = appointments[place]
    appointments[place] = Appointment(due: now + Self.interval + .seconds(3600) * chance)
    return before.map { $0.failures > 0 } ?? false
  }

  /// The next sweep is after 2, 4, 8 s … an hour, of which half is fixed and the rest chance.
  ///
  /// - Returns: whether it is the first failure in a row, which the log reports.
  mutating func failed(_ place: Place, at now: ContinuousClock.Instant, chance: Double) -> Bool {
    let failures = appointments[place].map { $0.failures + 1 } ?? 1
    let longest = Duration.seconds(min(3600, 1 << min(failures, 12)))
    appointments[place] = Appointment(
      due: now + longest / 2 + longest / 2 * chance, failures: failures)
    return failures == 1
  }
}
