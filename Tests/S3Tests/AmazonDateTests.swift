import Primitives
import S3
import Testing

struct AmazonDateTests {
  /// As `date -u -d @SECONDS +%Y%m%dT%H%M%SZ` has them.
  @Test(arguments: [
    (0, "19700101T000000Z"), (1, "19700101T000001Z"), (-1, "19691231T235959Z"),
    (951_782_399, "20000228T235959Z"), (951_782_400, "20000229T000000Z"),
    (951_868_800, "20000301T000000Z"), (1_369_353_600, "20130524T000000Z"),
    (1_709_164_800, "20240229T000000Z"), (1_735_689_599, "20241231T235959Z"),
    (4_107_542_399, "21000228T235959Z"), (4_107_542_400, "21000301T000000Z"),
    (2_147_483_648, "20380119T031408Z"), (253_402_300_799, "99991231T235959Z"),
    (-62_167_219_200, "00000101T000000Z"),
  ])
  func `an instant is written in the basic format`(seconds: Int64, text: String) {
    #expect(AmazonDate(UnixTime(seconds: seconds)).string == text)
  }

  @Test(arguments: [(Int64.max, "99991231T235959Z"), (Int64.min, "00000101T000000Z")])
  func `an instant beyond four digits of years is the nearest within`(seconds: Int64, text: String)
  {
    #expect(AmazonDate(UnixTime(seconds: seconds)).string == text)
  }

  @Test func `days follow each other for 800 years`() {
    var previous = AmazonDate(UnixTime(seconds: -400 * 365 * 86_400))
    for _ in 0..<(800 * 365) {
      let next = AmazonDate(UnixTime(seconds: (previous.day + 1) * 86_400))
      guard next.string > previous.string else {
        Issue.record("\(next.string) after \(previous.string)")
        return
      }
      previous = next
    }
  }
}
