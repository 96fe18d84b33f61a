"""What the web server could not read from S3, it tells bloblo: log, metric and page say so, the object is looked at
again, and no signed URL is in any log. Real nginx and Apache; bloblo asks the same S3 at another port.
"""

import html
import re
import signal
import time

import pytest

import stack
from fakes.client import blob_path
from fakes.registry import Registry
from fakes.s3 import FakeS3
from fakes.waiting import eventually

METRIC = 'bloblo_decisions_total{decision="%s",reason="%s"}'
BYTES = 'bloblo_blob_bytes_total{path="%s"}'


class Reading:
    """A front that reads the port `s3.public_port`, of which bloblo knows nothing."""

    def __init__(self, make_stack, ends, front, *words, **environment):
        self.registry, self.s3 = Registry(), FakeS3()
        ends.callback(self.registry.close)
        ends.callback(self.s3.close)
        self.servers = make_stack(
            f"{front},bloblo", "--registry", self.registry.address, "--bucket", self.s3.public_url, *words, env={
                "BLOBLO_S3_ENDPOINT_URL": self.s3.url, "BLOBLO_DELIVERY": "accelerate", **environment})
        self.front, self.bloblo = self.servers.services[front], self.servers.services["bloblo"]

    def get(self, digest, path=None, **headers):
        return stack.request("GET", self.front.url + (path or blob_path(digest, "good")), headers)

    def warm(self, size=100_000):
        """The digest of a blob that the front has read from S3."""
        digest = self.registry.add(size)
        self.s3.put(digest, self.registry.blobs[digest])
        eventually(lambda: self.get(digest)[1]["X-Bloblo"] == "accelerate", otherwise=self.bloblo.tail)
        return digest

    def forget(self):
        """nginx has no blob on its disk. A file that it has just written gets its last name meanwhile."""
        while paths := list(self.front.folder.glob("cache/*")):
            for path in paths:
                path.unlink(missing_ok=True)

    def page(self, name=""):
        return stack.request("GET", f"{self.front.url}/bloblo/{name}")[2].decode()

    def metrics(self):
        return {name: float(value) for name, value in (
            line.rsplit(" ", 1) for line in self.page("metrics").splitlines() if not line.startswith("#"))}

    def text(self):
        return html.unescape(re.sub(r"<[^>]+>", " ", self.page()))

    def logs(self):
        """All that the front and bloblo have written."""
        return "".join(path.read_text(errors="replace") for path in
                       (self.front.log, self.front.access_log, self.bloblo.log) if path.exists())


KINDS = {"nginx": ("nginx",), "nginx_cache": ("nginx", "--cache"), "apache": ("apache",)}


@pytest.fixture(params=KINDS)
def reading(request, make_stack, ends):
    site = Reading(make_stack, ends, *KINDS[request.param])
    yield site
    logs = site.logs()
    assert "X-Amz-Signature" not in logs and "X-Amz-Credential" not in logs


def is_whole(reading, digest, answer):
    status, _, body = answer
    return status == 200 and body == reading.registry.blobs[digest]


def test_an_object_that_is_gone_is_filled_by_the_next_pull(reading):
    digest = reading.warm()
    before = reading.metrics()
    reading.forget()
    del reading.s3.objects[reading.s3.key(digest)]
    # For a client that comes back bloblo would look anew.
    answer = reading.get(digest, **{"X-Forwarded-For": "203.0.113.7"})
    assert is_whole(reading, digest, answer) and answer[1]["X-Bloblo"] != "accelerate"
    answer = reading.get(digest)
    assert is_whole(reading, digest, answer) and answer[1]["X-Bloblo"] == "tee"
    eventually(lambda: reading.s3.key(digest), otherwise=reading.bloblo.tail)
    after = reading.metrics()
    changes = {name: after[name] - before[name] for name in after if name in before}
    assert changes[METRIC % ("accelerate", "")] == 0
    assert changes[METRIC % ("pass", "unread")] == 1
    assert (changes[BYTES % "accelerated"], changes[BYTES % "passed"]) == (0, 100_000)
    [line] = [line for line in reading.bloblo.log.read_text().splitlines() if "could not read from S3, and" in line]
    assert digest in line and "status 404" in line and "?" not in line
    assert "unread-by-web-server" in reading.page("metrics")
    assert "could not read from" in reading.text()


@pytest.mark.parametrize("fault", [500, 503, "closed"])
def test_an_s3_in_trouble_is_left_alone(reading, fault):
    digest, other = reading.warm(), reading.warm()
    reading.forget()
    reading.s3.faults[reading.s3.public_port] = fault
    asked = len(reading.s3.requests)
    assert is_whole(reading, digest, reading.get(digest))

    def heard():
        """When S3 was asked at clients' port."""
        return [each[4] for each in list(reading.s3.requests)[asked:] if each[3] == reading.s3.public_port]

    # For 10 s from some moment after the failure. What a busy machine answers later may have been read again.
    failed, end, in_time = heard(), heard()[0] + 10, 0
    for each in (digest, other, digest):
        answer = reading.get(each)
        assert is_whole(reading, each, answer)
        if time.monotonic() > end:
            break
        in_time += 1
        assert answer[1]["X-Bloblo"] != "accelerate"
    assert in_time
    assert [each for each in heard() if each <= end] == failed
    assert in_time <= reading.metrics()[METRIC % ("pass", "road")] <= min(in_time + 1, 3)
    eventually(lambda: "The web server can't read from" in reading.text(), otherwise=reading.text)


def test_an_s3_that_hangs_is_left_alone(make_stack, ends):
    reading = Reading(make_stack, ends, "nginx")
    site = reading.front.folder / "snippets/bloblo-s3-request.conf"
    site.write_text(site.read_text().replace("proxy_read_timeout 15s", "proxy_read_timeout 1s"))
    digest = reading.warm()
    reading.front.signal(signal.SIGHUP)
    reading.s3.faults[reading.s3.public_port] = "silent"
    assert is_whole(reading, digest, reading.get(digest))
    answer = reading.get(digest)
    assert is_whole(reading, digest, answer) and answer[1]["X-Bloblo"] != "accelerate"


def test_an_object_that_nobody_may_read_passes(reading):
    digest = reading.warm()
    reading.forget()
    reading.s3.refuses = (403, "AccessDenied")
    assert is_whole(reading, digest, reading.get(digest))
    eventually(lambda: reading.s3.count("HEAD", digest) >= 2, otherwise=reading.bloblo.tail)

    def is_left_alone():
        asked = reading.s3.count("GET", digest, presigned=True)
        assert is_whole(reading, digest, reading.get(digest))
        return reading.s3.count("GET", digest, presigned=True) == asked
    eventually(is_left_alone, otherwise=reading.bloblo.tail)


def test_a_refusal_that_only_one_client_meets_stops_no_other(reading):
    digest = reading.warm()
    reading.forget()
    reading.s3.faults[reading.s3.public_port] = 400
    assert is_whole(reading, digest, reading.get(digest))
    reading.s3.faults.clear()
    eventually(lambda: reading.get(digest)[1]["X-Bloblo"] == "accelerate", otherwise=reading.bloblo.tail)


def test_a_range_that_could_not_be_read(reading):
    digest = reading.warm()
    before = reading.metrics()
    reading.forget()
    reading.s3.faults[reading.s3.public_port] = 503
    status, _, body = reading.get(digest, Range="bytes=10-19")
    assert (status, body) == (206, reading.registry.blobs[digest][10:20])
    after = reading.metrics()
    assert after[BYTES % "accelerated"] == before[BYTES % "accelerated"]
    assert after[BYTES % "passed"] == before[BYTES % "passed"] + 10


def test_no_client_can_say_so(reading):
    digest = reading.warm()
    target = f"/bloblo-blobs/{digest}"
    lies = {"Bloblo-S3-Status": "503", "BLOBLO_S3_STATUS": "503", "Bloblo-S3-Target": target, "Bloblo-S3-Digest": digest,
            "X-Bloblo-Digest": digest, "X-Bloblo-Target": target}
    for path in ("/.bloblo/unread", "//.bloblo/unread", "/v2/../.bloblo/unread", f"/.bloblo/s3{target}", "/%2ebloblo/unread",
                 blob_path(digest, "good"), f"/v2/good/blobs/{digest}/../../../../.bloblo/unread"):
        assert not (reading.get(digest, path, **lies)[1]["X-Bloblo"] or "") == "unread"
    assert reading.metrics()[METRIC % ("pass", "unread")] == 0
    assert reading.get(digest)[1]["X-Bloblo"] == "accelerate"
