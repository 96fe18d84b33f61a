import ArgumentParser
import Glibc

/// A first argument that is misspelt: the parser would take it for one of `serve`'s, and name no other.
struct UnknownCommand {
  /// What to say of it.
  let sentence: String

  /// - Returns: `nil` when the parser knows better.
  init?(_ argument: String?) {
    guard let argument, argument != "-h" else { return nil }
    let commands = Bloblo.configuration.subcommands.map {
      $0.configuration.commandName ?? "\($0)".lowercased()
    }
    let isOption = argument.hasPrefix("-")
    let known = isOption ? ["--help", "--version"] : commands + ["help"]
    guard !known.contains(argument) else { return nil }
    let nearest = known.min { editDistance($0, argument) < editDistance($1, argument) }
    let isNear = nearest.map { editDistance($0, argument) <= 2 } ?? false
    // An option of `serve`'s, or the parser's own.
    if isOption && !isNear { return nil }
    let kind = isOption ? "option" : "command"
    let offer = isNear ? "did you mean \(nearest ?? "")?" : "bloblo --help names all"
    sentence = "bloblo: there is no \(kind) \"\(argument)\"; \(offer)"
  }
}
