/// The name that a misspelt or shortened one probably stands for.
///
/// - Returns: the only name that begins like it, or the nearest name; `nil` when more than two letters differ.
package func nearestName(to word: String, among names: some Collection<String>) -> String? {
  let beginning = names.filter { $0.hasPrefix(word) }
  if beginning.count == 1 { return beginning.first }
  let nearest = names.min { (editDistance($0, word), $0) < (editDistance($1, word), $1) }
  return nearest.flatMap { editDistance($0, word) <= 2 ? $0 : nil }
}

/// The edit distance: letters to insert, delete or replace. Source: Wagner and Fischer, 1974.
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
