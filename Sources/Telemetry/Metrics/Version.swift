/// What this build is called.
package let blobloVersion = "0.1.0"
