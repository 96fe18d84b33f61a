package import HTTPTransport
package import Primitives

/// One place where AWS's SDKs look for a credential.
package protocol CredentialSource: Sendable {
  /// What people call it.
  var name: String { get }

  /// - Parameter http: the calling thread's own client.
  /// - Throws: when the source is set up, but gives nothing. Those that come after it are not asked
  ///   then: a process must not go on under another identity because one server is down.
  func find(over http: inout HTTPClient, now: UnixTime) throws(CredentialError) -> CredentialFinding
}

/// What a source says.
package enum CredentialFinding: Sendable {
  /// - Parameter by: the source, with what tells it from others of its kind: a profile's name, a role.
  case found(Credential, by: String)
  /// The source is not set up; the reason is for people.
  case absent(String)
}
