"""Two blobs for suites that need but a warm one and one that stays cold."""

import random

from fakes.client import basic, blob_path, digest_of

# The same at each run, for names of tests may show a digest.
CONTENT = random.Random(3).randbytes(3_000_000)
DIGEST = digest_of(CONTENT)
# Asked for by ranges only, which fill nothing.
COLD = random.Random(4).randbytes(200_000)
COLD_DIGEST = digest_of(COLD)
ABSENT = "sha256:" + "0" * 64
MALLORY = basic("alice", "wrong")


def blob(digest=DIGEST, name="some/name"):
    return blob_path(digest, name)
