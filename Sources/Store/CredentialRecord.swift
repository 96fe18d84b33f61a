internal import S3
internal import Synchronization

/// Remembers why there is no credential, and hands events on to its observer.
package final class CredentialRecord: CredentialObserver, BucketObserver {
  private let observer = Mutex<(any CredentialObserver & BucketObserver)?>(nil)
  private let lastTrouble = Mutex<String?>(nil)

  /// Why the last attempt got no credential; `nil` when it got one.
  package var trouble: String? { lastTrouble.withLock { $0 } }

  /// Adds the observer.
  func begin(_ observer: any CredentialObserver & BucketObserver) {
    self.observer.withLock { $0 = observer }
  }

  private var listener: (any CredentialObserver & BucketObserver)? { observer.withLock { $0 } }

  package func obtained(accessKeyID: String, source: String, lifeLeft: Int64?) {
    lastTrouble.withLock { $0 = nil }
    listener?.obtained(accessKeyID: accessKeyID, source: source, lifeLeft: lifeLeft)
  }

  package func failed(_ reason: String, lifeLeft: Int64?) {
    lastTrouble.withLock { $0 = reason }
    listener?.failed(reason, lifeLeft: lifeLeft)
  }

  package func ended(accessKeyID: String) { listener?.ended(accessKeyID: accessKeyID) }

  package func regionLearnt(_ region: String, insteadOf old: String) {
    listener?.regionLearnt(region, insteadOf: old)
  }

  package func clockDiffers(by seconds: Int64) { listener?.clockDiffers(by: seconds) }
}
