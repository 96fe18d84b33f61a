import Glibc
import Testing

/// libFuzzer's own loop. Source: <https://llvm.org/docs/LibFuzzer.html#using-libfuzzer-as-a-library>
private typealias Driver =
  @convention(c) (
    _ count: UnsafeMutablePointer<Int32>, _ arguments: UnsafeMutablePointer<Arguments?>,
    _ one: @convention(c) (UnsafePointer<UInt8>?, Int) -> Int32
  ) -> Int32
private typealias Arguments = UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>

/// The target that `Tests/Fuzz/run` names.
private let chosen = unsafe getenv("BLOBLO_FUZZ_TARGET").flatMap { name in
  FuzzTarget.all.first { unsafe String(cString: name) == $0.name }
}

/// `make fuzz`: a test that libFuzzer ends. Without libFuzzer in the program there is nothing to run.
struct FuzzingTests {
  @Test(.enabled(if: chosen != nil)) func `bytes made up for one target keep its promises`() throws
  {
    let driver = unsafe dlsym(nil, "LLVMFuzzerRunDriver")
    let run = unsafe unsafeBitCast(try #require(unsafe driver), to: Driver.self)
    let options = unsafe getenv("BLOBLO_FUZZ_OPTIONS").map { unsafe String(cString: $0) } ?? ""
    let words = ["fuzz"] + options.split(separator: "\n").map(String.init)
    var count = Int32(words.count)
    let list = Arguments.allocate(capacity: words.count + 1)
    for (index, word) in words.enumerated() { unsafe list[index] = strdup(word) }
    unsafe list[words.count] = nil
    var arguments: Arguments? = unsafe list
    #expect(unsafe run(&count, &arguments, tryOne) == 0)
  }
}

private func tryOne(_ start: UnsafePointer<UInt8>?, _ count: Int) -> Int32 {
  let bytes = unsafe Array(UnsafeBufferPointer(start: start, count: count))
  do {
    try chosen?.run(bytes)
  } catch {
    fatalError("broken: \(error)")
  }
  return 0
}
