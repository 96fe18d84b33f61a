/// What this build is called.
let blobloVersion = "0.1.0"
