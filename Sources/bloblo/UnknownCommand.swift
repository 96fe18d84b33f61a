import ArgumentParser
import Settings

/// A misspelt first argument. The parser would take it for an argument of `serve`, and suggest no other command.
struct UnknownCommand {
  /// The error's text.
  let sentence: String

  /// - Returns: `nil` when the parser itself gives the better error.
  init?(_ argument: String?) {
    guard let argument, argument != "-h" else { return nil }
    let isOption = argument.hasPrefix("-")
    let known = isOption ? ["--help", "--version"] : Bloblo.names + ["help"]
    guard !known.contains(argument) else { return nil }
    let nearest = nearestName(to: argument, among: known)
    // An option of `serve`'s, or the parser's own.
    if isOption && nearest == nil { return nil }
    let offer = nearest.map { "did you mean \($0)?" } ?? "bloblo --help lists all"
    sentence = "bloblo: there is no \(isOption ? "option" : "command") \"\(argument)\"; \(offer)"
  }

  /// A misspelt or shortened option of a command. The parser suggests nothing for shortened ones.
  ///
  /// - Parameter arguments: the command first.
  init?(optionIn arguments: some Collection<String>) {
    guard let name = arguments.first, let command = Bloblo.commands[name] else { return nil }
    let words = command.helpMessage().split { $0 != "-" && !$0.isLetter }.map(String.init)
    let known = Set(words.filter { $0.hasPrefix("--") } + ["--version"])
    let options = arguments.prefix { $0 != "--" }.filter { $0.hasPrefix("--") }
      .map { String($0.prefix { $0 != "=" }) }
    guard let argument = options.first(where: { !known.contains($0) }) else { return nil }
    let offer = nearestName(to: argument, among: known).map { "did you mean \($0)?" }
    sentence =
      "bloblo: there is no option \"\(argument)\"; \(offer ?? "bloblo help \(name) lists all")"
  }
}

extension Bloblo {
  fileprivate static var names: [String] { commands.keys.sorted() }

  fileprivate static var commands: [String: any ParsableCommand.Type] {
    let all = configuration.subcommands.map {
      ($0.configuration.commandName ?? "\($0)".lowercased(), $0)
    }
    return Dictionary(uniqueKeysWithValues: all)
  }
}
