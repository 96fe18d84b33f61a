/// `12.3 MiB`.
package func bytesInWords(_ bytes: Int64) -> String {
  var (value, unit) = (min(bytes, .max / 10) * 10, 0)
  let units = ["B", "KiB", "MiB", "GiB", "TiB"]
  while value >= 10_240, unit + 1 < units.count {
    value /= 1024
    unit += 1
  }
  return unit == 0 ? "\(bytes) B" : "\(value / 10).\(value % 10) \(units[unit])"
}
