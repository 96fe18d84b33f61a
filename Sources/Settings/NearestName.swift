/// The name that a misspelt or shortened one is meant to be.
///
/// - Returns: the only one that begins so, or the nearest; `nil` when more than two letters differ.
package func nearestName(to word: String, among names: some Collection<String>) -> String? {
  let beginning = names.filter { $0.hasPrefix(word) }
  if beginning.count == 1 { return beginning.first }
  let nearest = names.min { (editDistance($0, word), $0) < (editDistance($1, word), $1) }
  return nearest.flatMap { editDistance($0, word) <= 2 ? $0 : nil }
}

/// The number of letters to put in, take out or change. Source: Wagner and Fischer, 1974.
func editDistance(_ a: String, _ b: String) -> Int {
  let b = Array(b.utf8)
  var row = Array(0...b.count)
  for (i, letter) in a.utf8.enumerated() {
    var diagonal = row[0]
    row[0] = i + 1
    for j in b.indices {
      let replaced = diagonal + (b[j] == letter ? 0 : 1)
      diagonal = row[j + 1]
      row[j + 1] = min(replaced, row[j] + 1, row[j + 1] + 1)
    }
  }
  return row[b.count]
}
