import CFuzzer
import FuzzTargets
import Glibc

/// `Fuzz TARGET [libFuzzer's options and corpora]`: bytes made up for one target, until one breaks a
/// promise.
@main
enum Fuzz {
  /// Set once, before libFuzzer runs; it has one thread.
  nonisolated(unsafe) static var target = FuzzTarget.all[0]

  static func main() {
    let names = FuzzTarget.all.map(\.name)
    guard CommandLine.arguments.count >= 2,
      let target = FuzzTarget.all.first(where: { $0.name == CommandLine.arguments[1] })
    else {
      print(names.joined(separator: "\n"))
      exit(CommandLine.arguments.count < 2 ? EX_OK : EX_USAGE)
    }
    unsafe Self.target = target
    var arguments = unsafe CommandLine.unsafeArgv
    // The target's name is not for libFuzzer.
    unsafe arguments[1] = arguments[0]
    unsafe arguments += 1
    var count = CommandLine.argc - 1
    var handed: UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>? = unsafe arguments
    exit(unsafe LLVMFuzzerRunDriver(&count, &handed, tryOne))
  }
}

private func tryOne(_ start: UnsafePointer<UInt8>?, _ count: Int) -> Int32 {
  let bytes = unsafe Array(UnsafeBufferPointer(start: start, count: count))
  do {
    try unsafe Fuzz.target.run(bytes)
  } catch {
    fatalError("broken: \(error)")
  }
  return 0
}
