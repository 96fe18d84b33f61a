internal import Primitives

/// The grammar of region names: AWS's, and what S3-compatible servers let their operators choose.
enum Region {
  static func isValid(_ region: String) -> Bool {
    (1...64).contains(region.utf8.count)
      && region.utf8.allSatisfy { byte in
        PercentEncoding.isUnreserved(byte) && byte != UInt8(ascii: "~")
          && byte != UInt8(ascii: ".")
      }
  }
}
