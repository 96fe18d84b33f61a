import Testing

@testable import Settings

/// Files of settings as people write them.
struct EnvironmentFileTests {
  @Test func `names, values, quotes and comments are read as systemd reads them`() {
    let file = EnvironmentFile(
      "bloblo.env",
      """
      # a comment
      ; another

      BLOBLO_S3_BUCKET_NAME = layers
      AWS_REGION="eu-west-1"
      BLOBLO_FILL='tee'
      """)
    #expect(
      file.settings == [
        "BLOBLO_S3_BUCKET_NAME": "layers", "AWS_REGION": "eu-west-1", "BLOBLO_FILL": "tee",
      ])
    #expect(file.ignoredLines.isEmpty)
  }

  /// Source: systemd's `src/basic/env-file.c`, whose lines end at either.
  @Test func `lines may end as on Windows`() {
    let file = EnvironmentFile(
      "bloblo.env", "AWS_REGION=eu-west-1\r\n# a comment\r\n\r\nAWS_SECRET_ACCESS_KEY=secret\r\n")
    #expect(
      file.settings == ["AWS_REGION": "eu-west-1", "AWS_SECRET_ACCESS_KEY": "secret"])
    #expect(file.ignoredLines.isEmpty)
  }

  @Test func `lines that set nothing have their numbers told`() {
    let file = EnvironmentFile(
      "bloblo.env", "AWS_REGION=a\n\nexport AWS_REGION=b\nAWS_REGION: c\n=d\n# e\n")
    #expect(file.settings == ["AWS_REGION": "a"])
    #expect(file.ignoredLines == [3, 4, 5])
    #expect(
      file.complaints.first
        == "bloblo: bloblo.env, line 3: ignored; want NAME=value, without export, or # and a comment"
    )
  }
}
