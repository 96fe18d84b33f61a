/// Where the parts of a blob stand in a spool whose room is used again: that of a part that is up serves the next.
///
/// The same few pages of memory take all bytes, and hardly any goes to the disk.
/// No place ends behind the blob's size: a place beyond the first `n` is only used while `n` parts have theirs.
struct SpoolPlaces {
  private let partBytes: Int64
  /// Of each part that has one, both counted from 0.
  private var places: [Int64: Int64] = [:]
  private var freed: [Int64] = []

  init(partBytes: Int64) { self.partBytes = partBytes }

  /// Finds a byte of the blob in the file.
  ///
  /// - Returns: its position, and how many bytes of the blob stand there in a row; `nil` when the part has no place.
  func find(_ offset: Int64) -> (position: Int64, count: Int64)? {
    let (part, within) = offset.quotientAndRemainder(dividingBy: partBytes)
    return places[part].map { ($0 * partBytes + within, partBytes - within) }
  }

  /// The same, of a part that gets a place if it has none.
  mutating func take(_ offset: Int64) -> (position: Int64, count: Int64) {
    let (part, within) = offset.quotientAndRemainder(dividingBy: partBytes)
    let place = places[part] ?? freed.popLast() ?? Int64(places.count)
    places[part] = place
    return (place * partBytes + within, partBytes - within)
  }

  /// Nobody needs the part that begins at `offset` any more.
  mutating func free(_ offset: Int64) {
    if let place = places.removeValue(forKey: offset / partBytes) { freed.append(place) }
  }
}
