internal import Glibc

/// The process's environment.
package func processEnvironment() -> [String: String] {
  var all: [String: String] = [:]
  var entry = unsafe environ
  while let pair = unsafe entry.pointee {
    let text = unsafe String(cString: pair)
    if let equals = text.firstIndex(of: "=") {
      all[String(text[..<equals])] = String(text[text.index(after: equals)...])
    }
    unsafe entry += 1
  }
  return all
}

/// The words of the command line, the program's first.
///
/// Swift looks for them behind `environ`, which a preloaded library moves when it sets a variable.
package func processArguments() -> [String] {
  guard let bytes = SmallFile.bytes("/proc/self/cmdline"), bytes.last == 0 else {
    return CommandLine.arguments
  }
  return bytes.dropLast().split(separator: 0, omittingEmptySubsequences: false)
    .map { String(decoding: $0, as: UTF8.self) }
}

package func isReadable(_ path: String) -> Bool { unsafe access(path, R_OK) == 0 }

package func isWritableFolder(_ path: String) -> Bool {
  var facts = stat()
  return unsafe stat(path, &facts) == 0 && facts.st_mode & S_IFMT == S_IFDIR
    && access(path, W_OK | X_OK) == 0
}

/// The number of a group that is given by name or number.
package func groupID(_ group: String) -> UInt32? {
  if let number = UInt32(group) { return number }
  guard let entry = unsafe getgrnam(group) else { return nil }
  return unsafe entry.pointee.gr_gid
}
