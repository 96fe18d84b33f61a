/// Room in the spool for one blob, which is given back when this value goes.
package struct FillRoom: Sendable {
  let spool: Spool
}
