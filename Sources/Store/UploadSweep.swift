internal import HTTPTransport
package import Primitives
package import S3

/// Aborts multipart uploads that an instance left behind when it was killed.
///
/// Aborts only uploads under keys that the template can make; all else in the bucket is not bloblo's. An upload
/// without an age stays.
package struct UploadSweep: Sendable {
  package struct Report: Sendable, Equatable {
    /// Uploads of ours that were old enough.
    package var aborted = 0
    /// Uploads that S3 did not abort.
    package var failed = 0
    /// Uploads of ours that may be in progress.
    package var young = 0
    /// Uploads that are not ours.
    package var foreign = 0

    /// For people.
    package func summary(olderThan age: Duration) -> String {
      "\(aborted) aborted, \(failed) failed, \(young) younger than \(age.short), \(foreign) not ours"
    }
  }

  private let bucket: BucketClient
  private let template: ObjectKeyTemplate
  private let age: Duration

  /// - Parameter age: how old an upload must be.
  package init(_ bucket: BucketClient, _ template: ObjectKeyTemplate, olderThan age: Duration) {
    self.bucket = bucket
    self.template = template
    self.age = age
  }

  /// - Parameter now: read before each page: S3 refuses what was signed a quarter of an hour ago, and a sweep may
  ///   take longer.
  package func run(now: @autoclosure () -> UnixTime) throws(S3Error) -> Report {
    var http = HTTPClient()
    return try run(over: &http, now: now())
  }

  package func run<Client: HTTPSending & ~Copyable>(
    over http: inout Client, now: @autoclosure () -> UnixTime
  ) throws(S3Error) -> Report {
    var report = Report()
    var marker: MultipartUploadPage.Marker?
    repeat {
      let now = now()
      // Some servers take no prefix that ends in the middle of a name: then all uploads are listed.
      let page = try bucket.listMultipartUploads(
        prefix: template.prefix, after: marker, over: &http, now: now)
      for upload in page.uploads { sweep(upload, over: &http, now: now, &report) }
      // A server that repeats a page would cause an endless loop.
      guard page.next != marker else { break }
      marker = page.next
    } while marker != nil
    return report
  }

  private func sweep<Client: HTTPSending & ~Copyable>(
    _ upload: MultipartUpload, over http: inout Client, now: UnixTime, _ report: inout Report
  ) {
    guard template.canMake(upload.key) else {
      report.foreign += 1
      return
    }
    // By S3's clock, like the upload's own time; ours may be a day ahead.
    let time = bucket.site.clock.time(at: now)
    guard let initiated = upload.initiated, .seconds(time - initiated) >= age else {
      report.young += 1
      return
    }
    do throws(S3Error) {
      try bucket.abortMultipartUpload(upload, over: &http, now: .now())
      report.aborted += 1
    } catch {
      report.failed += 1
    }
  }
}
