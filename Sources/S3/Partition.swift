/// A part of AWS with accounts and a domain of its own.
///
/// Source: <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference-arns.html>; botocore's
/// `data/partitions.json`
enum Partition: String, Sendable {
  case aws
  case china = "aws-cn"
  case usGov = "aws-us-gov"
  case iso = "aws-iso"
  case isoB = "aws-iso-b"
  case isoE = "aws-iso-e"
  case isoF = "aws-iso-f"
  case europeanSovereign = "aws-eusc"

  init(of region: String) {
    let region = region.lowercased()
    let prefixes: [(String, Partition)] = [
      ("cn-", .china), ("us-gov-", .usGov), ("us-iso-", .iso), ("us-isob-", .isoB),
      ("eu-isoe-", .isoE), ("us-isof-", .isoF), ("eusc-", .europeanSovereign),
    ]
    self = prefixes.first { region.hasPrefix($0.0) }?.1 ?? .aws
  }

  var domain: String {
    switch self {
    case .aws, .usGov: "amazonaws.com"
    case .china: "amazonaws.com.cn"
    case .iso: "c2s.ic.gov"
    case .isoB: "sc2s.sgov.gov"
    case .isoE: "cloud.adc-e.uk"
    case .isoF: "csp.hci.ic.gov"
    case .europeanSovereign: "amazonaws.eu"
    }
  }

  /// Whether S3 has endpoints with FIPS 140 modules there.
  var hasFIPS: Bool { self != .china }
}
