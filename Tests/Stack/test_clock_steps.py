"""The calendar is set while bloblo runs: signed URLs go by the steady clock and by S3's time."""

import time

import pytest

from fakes.calendar import Calendar
from fakes.s3 import FakeS3
from test_presence import Pulling

pytestmark = pytest.mark.long


@pytest.mark.parametrize("before, after", [(0, -3600), (0, 3600), (-1200, 0), (1200, 0)])
def test_no_client_gets_a_url_that_s3_refuses(make_stack, ends, tmp_path, before, after):
    calendar = Calendar(tmp_path)
    calendar.set(before)
    s3 = FakeS3()
    s3.checks_time = True
    pulling = Pulling(make_stack, ends, "nginx", s3, BLOBLO_PRESIGN_EXPIRES="20s", **calendar.environment)
    digests = [pulling.registry.add(1000) for _ in range(3)]
    for digest in digests:
        pulling.warm(digest)
    # The first URLs may be dated by a calendar that S3 has not corrected yet.
    time.sleep(1)
    results = []

    def pull(seconds):
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            for digest in digests:
                results.append(pulling.pull(digest, f"10.0.{len(results) // 250}.{len(results) % 250}"))
            time.sleep(0.1)
    pull(2)
    calendar.set(after)
    pull(25)
    assert all(results), (results.count(False), len(results), pulling.bloblo.tail())
    offloaded = sum(pulling.s3.count("GET", digest, presigned=True) for digest in digests)
    assert offloaded > len(results) / 2, "blobs are offloaded all the time"
