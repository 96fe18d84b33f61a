import Testing

@testable import bloblo

struct HTMLTests {
  @Test func `what is put in is escaped, HTML is not`() {
    let evil = "<script>alert('x')</script>&\"\u{0}\u{7F}"
    let inner: HTML = "<b>\(evil)</b>"
    let outer: HTML = "<p title=\"\(evil)\">\(inner)\([inner, "<i>"])\(7)</p>"
    let escaped = "&lt;script&gt;alert(&#39;x&#39;)&lt;/script&gt;&amp;&quot;\u{FFFD}\u{FFFD}"
    #expect(
      outer.text
        == "<p title=\"\(escaped)\"><b>\(escaped)</b><b>\(escaped)</b><i>7</p>")
  }

  @Test func `neither style nor script can end its element`() {
    for asset in [StatusPage.style.text, StatusPage.script.text] { #expect(!asset.contains("</")) }
    #expect(StatusPage.securityPolicy.hasPrefix("default-src 'none'; style-src 'sha256-"))
    #expect(!StatusPage.securityPolicy.contains("unsafe"))
  }

  @Test func `an hour without bytes is said in words`() {
    let none = [History.Bytes](repeating: History.Bytes(), count: 60)
    #expect(Chart(minutes: none).html.text == "<p>No bytes of blobs in the last hour.</p>")
  }

  @Test func `a bar shows both parts however small one is`() {
    var minutes = [History.Bytes](repeating: History.Bytes(), count: 60)
    minutes[59].roads[Road.redirected.rawValue] = 1_000_000_000
    minutes[59].roads[Road.passed.rawValue] = 1
    let text = Chart(minutes: minutes).html.text
    #expect(text.contains(#"class="other" x="590" y="0" width="8" height="1""#))
    #expect(text.contains(#"class="offloaded" x="590" y="1" width="8" height="119""#))
  }
}

struct HealthTests {
  @Test func `not ready before all has been looked at, and while something is missing`() {
    let health = Health()
    #expect(health.reasonsNotReady.count == 3)
    for need in Need.allCases { _ = health.learn(need, .good("")) }
    #expect(health.reasonsNotReady.isEmpty)
    _ = health.learn(.upstream, .bad("down"))
    _ = health.learn(.spool, .bad("full"))
    #expect(health.reasonsNotReady.isEmpty, "what is in the bucket is given out")
    #expect(health.learn(.bucket, .bad("gone")) == .good(""))
    #expect(health.reasonsNotReady == ["bucket: gone"])
    health.beginStop()
    #expect(health.reasonsNotReady == ["listener: bloblo stops", "bucket: gone"])
  }
}

struct SettingsInForceTests {
  private func shown(_ environment: [String: String]) throws -> [String: SettingInForce] {
    let settings = try ProcessSettings(environment: SettingsTests.least.merging(environment) { $1 })
    return Dictionary(uniqueKeysWithValues: settings.inForce.map { ($0.name, $0) })
  }

  @Test func `each is there, as it would be written`() throws {
    let shown = try shown(["BLOBLO_PROOF_TTL": "7s"])
    #expect(shown.count == UnknownSettings.known.count)
    #expect(
      shown["BLOBLO_PROOF_TTL"] == .init(name: "BLOBLO_PROOF_TTL", value: "7s", isDefault: false))
    let defaults = [
      "BLOBLO_PRESIGN_EXPIRES": "5m", "BLOBLO_SPOOL_MAX_BYTES": "16GiB",
      "BLOBLO_LISTEN_MODE": "0660",
      "BLOBLO_FILL": "tee", "BLOBLO_S3_TAGS": "", "BLOBLO_S3_SSE": "", "BLOBLO_THREADS": "32",
      "BLOBLO_LISTEN_ADDR": "127.0.0.1:7777", "BLOBLO_MIN_BLOB_SIZE": "0",
    ]
    for (name, value) in defaults {
      #expect(shown[name] == .init(name: name, value: value, isDefault: true))
    }
  }

  @Test func `no secret is shown`() throws {
    let shown = try shown([
      "BLOBLO_PRESIGN_ACCESS_KEY_ID": "AKIDOTHER", "BLOBLO_PRESIGN_SECRET_ACCESS_KEY": "hush-1",
      "BLOBLO_PRESIGN_SESSION_TOKEN": "hush-2", "BLOBLO_CHECK_AUTHORIZATION": "Basic hush-3",
    ])
    #expect(
      shown.values.allSatisfy { !$0.value.contains("hush") && !$0.value.contains("secret-word") })
    #expect(shown["BLOBLO_PRESIGN_SECRET_ACCESS_KEY"]?.value == "<redacted>")
  }
}
