internal import Primitives
internal import XML

/// Some of the uploads in progress.
package struct MultipartUploadPage: Hashable, Sendable {
  /// Where the next page begins.
  package struct Marker: Hashable, Sendable {
    package let key: String
    package let uploadID: String

    package init(key: String, uploadID: String) {
      self.key = key
      self.uploadID = uploadID
    }
  }

  package let uploads: [MultipartUpload]
  /// nil on the last page.
  package let next: Marker?

  init(_ document: XMLElement) throws(S3Error) {
    var uploads: [MultipartUpload] = []
    for upload in document.all("Upload") {
      guard let key = upload.text(of: "Key"), let id = upload.text(of: "UploadId") else {
        throw .unexpectedAnswer(.listMultipartUploads, reason: "an Upload without Key or UploadId")
      }
      uploads.append(
        MultipartUpload(
          key: try ObjectKey(key), id: UploadID(id),
          initiated: upload.text(of: "Initiated").flatMap { UnixTime(iso8601: $0) }))
    }
    self.uploads = uploads
    guard document.text(of: "IsTruncated") == "true" else {
      next = nil
      return
    }
    guard let key = document.text(of: "NextKeyMarker"), !key.isEmpty else {
      throw .unexpectedAnswer(.listMultipartUploads, reason: "more to come, but no NextKeyMarker")
    }
    next = Marker(key: key, uploadID: document.text(of: "NextUploadIdMarker") ?? "")
  }
}
