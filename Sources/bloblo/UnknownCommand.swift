import ArgumentParser
import Glibc
import Settings

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

  /// An option of a command that is misspelt, or cut short.
  ///
  /// - Parameter arguments: the command first.
  init?(optionIn arguments: some Collection<String>) {
    guard
      let command = Bloblo.configuration.subcommands.first(where: {
        $0.configuration.commandName ?? "\($0)".lowercased() == arguments.first
      })
    else { return nil }
    let words = command.helpMessage().split { $0 != "-" && !$0.isLetter }.map(String.init)
    let known = Set(words.filter { $0.hasPrefix("--") } + ["--version"])
    let options = arguments.prefix { $0 != "--" }.filter { $0.hasPrefix("--") }
      .map { $0.prefix { $0 != "=" } }
    guard let argument = options.map(String.init).first(where: { !known.contains($0) }),
      let nearest = known.min(by: { editDistance($0, argument) < editDistance($1, argument) })
    else { return nil }
    let beginning = known.filter { $0.hasPrefix(argument) }
    let isNear = beginning.count == 1 || editDistance(nearest, argument) <= 2
    let offer =
      isNear
      ? "did you mean \(beginning.first ?? nearest)?"
      : "bloblo help \(arguments.first ?? "") names all"
    sentence = "bloblo: there is no option \"\(argument)\"; \(offer)"
  }
}
