"""What is remembered of S3 ends: objects that are deleted, cut, replaced or archived behind bloblo's back."""

import concurrent.futures
import time

import pytest

import stack
from fakes.client import blob_path, digest_of
from fakes.registry import Registry
from fakes.s3 import FakeS3, sha256_field
from fakes.waiting import PATIENCE, eventually


class Pulling:
    """One front and bloblo at its defaults, between a registry and an S3 that change."""

    def __init__(self, make_stack, ends, front, s3=None, **environment):
        self.registry = Registry()
        ends.callback(self.registry.close)
        self.s3 = s3 or FakeS3()
        ends.callback(self.s3.close)
        self.servers = make_stack(
            f"{front},bloblo", "--registry", self.registry.address, "--bucket", self.s3.url, env={
                "BLOBLO_S3_ENDPOINT_URL": self.s3.url, "BLOBLO_S3_PUBLIC_ENDPOINT_URL": self.s3.public_url,
                **environment})
        self.url = self.servers.services[front].url
        self.bloblo = self.servers.services["bloblo"]

    def ask(self, digest, client=None, repository="good", timeout=PATIENCE, **headers):
        """One request: (status, fields, body). `client` is an address behind a proxy."""
        if client:
            headers["X-Forwarded-For"] = client
        return stack.request("GET", self.url + blob_path(digest, repository), headers, timeout=timeout)

    def pull(self, digest, client=None, **more):
        """As clients do, redirects followed: whether the blob came."""
        try:
            status, fields, body = self.ask(digest, client, **more)
            if status == 307:
                status, fields, body = stack.request("GET", fields["Location"], timeout=20)
        except OSError:
            return False
        return status == 200 and digest_of(body, digest.split(":")[0]) == digest

    def warm(self, digest):
        """Pulls until the bucket serves the blob."""
        def is_warm():
            fields = self.ask(digest, client="10.9.9.9")[1]
            return fields["X-Bloblo"] == "redirect" or self.s3.count("GET", digest, presigned=True) > 0
        eventually(is_warm, otherwise=self.bloblo.tail)


@pytest.fixture
def pulling(make_stack, ends, front):
    return Pulling(make_stack, ends, front)


@pytest.fixture
def accelerated(make_stack, ends, front):
    return Pulling(make_stack, ends, front, BLOBLO_DELIVERY="accelerate")


def delete(s3, key):
    del s3.objects[key]


def truncate(s3, key):
    s3.objects[key] = s3.objects[key][:1000]


def replace(s3, key):
    s3.objects[key] = s3.objects[key][::-1]
    s3.fields[key] = {"x-amz-checksum-sha256": sha256_field(s3.objects[key])}


def archive(s3, key):
    s3.fields[key] = {**s3.fields[key], "x-amz-storage-class": "GLACIER"}


def is_whole(s3, digest):
    key = s3.key(digest)
    return key and digest_of(s3.objects[key]) == digest and "x-amz-storage-class" not in s3.fields[key]


@pytest.mark.parametrize("change", [delete, truncate, replace, archive])
def test_a_client_fails_once_at_most(pulling, change):
    digest = pulling.registry.add(100_000)
    pulling.warm(digest)
    time.sleep(1.1)
    change(pulling.s3, pulling.s3.key(digest))
    results = []

    def is_mended():
        results.append(pulling.pull(digest, "10.0.0.1"))
        return is_whole(pulling.s3, digest)
    eventually(is_mended, otherwise=pulling.bloblo.tail)
    assert all(results[1:]), results
    # S3 shows the object before bloblo has the answer to its upload; until then clients read along.
    eventually(lambda: pulling.ask(digest, "10.0.0.2")[1]["X-Bloblo"] == "redirect", otherwise=pulling.bloblo.tail)


def test_a_busy_instance_heals_by_itself(pulling):
    """Also when no client comes back: some seconds after the deletion nobody is sent there any more."""
    digest = pulling.registry.add(100_000)
    pulling.warm(digest)
    delete(pulling.s3, pulling.s3.key(digest))
    number = 0

    def is_mended():
        nonlocal number
        number += 1
        pulling.ask(digest, f"10.1.{number // 250}.{number % 250}")
        return is_whole(pulling.s3, digest)
    eventually(is_mended, otherwise=pulling.bloblo.tail)
    assert pulling.pull(digest, "10.2.0.1")


def test_an_emptied_bucket_is_filled_again(pulling):
    digests = [pulling.registry.add(20_000) for _ in range(10)]
    for digest in digests:
        pulling.warm(digest)
    time.sleep(1.1)
    pulling.s3.objects.clear()
    failures = {digest: 0 for digest in digests}

    def are_mended():
        for digest in digests:
            failures[digest] += not pulling.pull(digest, "10.0.0.1")
        return all(is_whole(pulling.s3, digest) for digest in digests)
    eventually(are_mended, otherwise=pulling.bloblo.tail)
    assert max(failures.values()) <= 1, failures


@pytest.mark.parametrize("change", [delete, archive])
def test_accelerated_blobs_come_and_are_filled_again(accelerated, change):
    """The web server falls back to the registry by itself; bloblo does not see S3's refusal, and fills all the same."""
    digest = accelerated.registry.add(100_000)
    accelerated.warm(digest)
    time.sleep(1.1)
    change(accelerated.s3, accelerated.s3.key(digest))

    def is_mended():
        assert accelerated.pull(digest, "10.0.0.1")
        return is_whole(accelerated.s3, digest)
    eventually(is_mended, otherwise=accelerated.bloblo.tail)


def test_a_hot_blob_costs_a_look_a_second(pulling):
    """A fleet behind one address, as fast as it can."""
    digest = pulling.registry.add(1000)
    pulling.warm(digest)
    start, gets = time.monotonic(), pulling.registry.gets[digest]

    def hammer(_):
        while time.monotonic() < start + 5:
            assert pulling.ask(digest)[0] == 307
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        list(pool.map(hammer, range(8)))
    looks = pulling.s3.count("HEAD", digest, since=start)
    assert 1 <= looks <= time.monotonic() - start + 3
    assert pulling.registry.gets[digest] == gets


def test_looks_are_bounded_and_proofs_never_renewed(make_stack, ends):
    """At most so many a second, and nobody asks the registry without a client."""
    pulling = Pulling(make_stack, ends, "nginx", BLOBLO_PRESENCE_LOOKS="4")
    digests = [pulling.registry.add(1000) for _ in range(40)]
    for digest in digests:
        pulling.warm(digest)
    def looks(since):
        return sum(pulling.s3.count("HEAD", digest, since=since) for digest in digests)

    begun = time.monotonic()
    for digest in digests:
        pulling.ask(digest, "10.3.0.1")
    proofs, start = pulling.registry.heads, time.monotonic()
    time.sleep(9)
    # A busy machine asks for so long that the looks are made meanwhile.
    eventually(lambda: looks(begun) >= 4, otherwise=pulling.bloblo.tail)
    count = looks(start)
    assert count <= 4 * (time.monotonic() - start) + 4
    assert pulling.registry.heads == proofs


def test_an_object_of_a_finished_restore_serves(make_stack, ends):
    pulling = Pulling(make_stack, ends, "nginx")
    content_digest = pulling.registry.add(5000)
    pulling.s3.put(content_digest, pulling.registry.blobs[content_digest], **{
        "x-amz-storage-class": "GLACIER",
        "x-amz-restore": 'ongoing-request="false", expiry-date="Fri, 21 Dec 2046 00:00:00 GMT"'})
    assert pulling.ask(content_digest)[1]["X-Bloblo"] == "redirect"
    assert pulling.registry.gets.get(content_digest, 0) == 0


@pytest.mark.parametrize("fields", [
    {"x-amz-storage-class": "DEEP_ARCHIVE"}, {"x-amz-archive-status": "ARCHIVE_ACCESS"},
    {"x-amz-storage-class": "GLACIER", "x-amz-restore": 'ongoing-request="true"'},
    {"x-amz-meta-bloblo-digest": "sha256:" + "0" * 64}, {"x-amz-checksum-sha256": sha256_field(b"another")},
    {"x-amz-checksum-sha256": sha256_field(b"another"), "x-amz-checksum-type": "FULL_OBJECT"},
])
def test_what_can_not_be_the_blob_is_replaced(make_stack, ends, fields):
    pulling = Pulling(make_stack, ends, "nginx")
    digest = pulling.registry.add(5000)
    pulling.s3.put(digest, pulling.registry.blobs[digest][::-1], **fields)
    assert pulling.pull(digest), pulling.bloblo.tail()
    eventually(lambda: is_whole(pulling.s3, digest), otherwise=lambda: pulling.bloblo.tail() + str([r[:3] for r in pulling.s3.requests]))
    assert len(pulling.bloblo.log.read_text().split("filled again")) == 2


def test_a_checksum_of_parts_says_nothing(make_stack, ends):
    pulling = Pulling(make_stack, ends, "nginx")
    digest = pulling.registry.add(5000)
    pulling.s3.put(digest, pulling.registry.blobs[digest], **{
        "x-amz-checksum-sha256": sha256_field(b"another") + "-2", "x-amz-checksum-type": "COMPOSITE"})
    assert pulling.ask(digest)[1]["X-Bloblo"] == "redirect"
