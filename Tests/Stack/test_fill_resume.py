"""A bad connection to the registry hurts one reading, and not those who read along; ranges; many blobs at once."""

import concurrent.futures
import contextlib
import http.client
import time

import pytest

import front_site
from fakes.resuming import ResumingRegistry
from fakes.waiting import eventually
from filling import MIB, Pull, path


@pytest.fixture(scope="module")
def place():
    with contextlib.closing(ResumingRegistry()) as registry, front_site.stacks() as make:
        site = front_site.Site(
            make("s3,nginx,bloblo", "--registry", registry.address, "--log-level", "debug"), "nginx")
        site.registry = registry
        yield site


@pytest.fixture
def site(place):
    place.registry.fault, place.registry.rate = None, None
    place.registry.gate.clear()
    yield place
    place.registry.gate.set()


def pull(site, digest, **more):
    return Pull(site.url, path(digest), **more)


def whole(size, digest):
    return 200, size, digest.split(":")[1]


@pytest.mark.parametrize("fault", ["cut", "stall"])
def test_one_bad_body_breaks_no_reader(site, fault):
    registry, size = site.registry, 12 * MIB
    registry.fault, registry.at = fault, 5 * MIB
    digest = registry.add(size)
    with concurrent.futures.ThreadPoolExecutor(32) as pool:
        pulls = [pool.submit(pull, site, digest) for _ in range(32)]
        eventually(lambda: registry.sent.get(digest, 0) >= 5 * MIB, otherwise=site.bloblo.tail)
        registry.gate.set()
        assert {each.result().seen for each in pulls} == {whole(size, digest)}, site.bloblo.tail()
    eventually(lambda: site.s3.client.size(digest) == size, otherwise=site.bloblo.tail)


def test_who_comes_to_a_reading_that_stands_still_passes(site):
    registry, size = site.registry, 4 * MIB
    registry.fault, registry.at = "hold", MIB
    digest = registry.add(size)
    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        first = pool.submit(pull, site, digest)
        eventually(lambda: registry.sent.get(digest, 0) >= MIB, otherwise=site.bloblo.tail)
        # After 5 s bloblo asks for the rest; who comes after 4 s passes.
        eventually(lambda: any(each == digest and wanted for each, wanted in list(registry.ranges)), otherwise=site.bloblo.tail)
        second = pull(site, digest)
        registry.gate.set()
        assert second.seen == whole(size, digest)
        assert second.headers.get("X-Bloblo") != "tee"
        assert first.result().seen == whole(size, digest)


def chunk(site, digest, first, count):
    """`count` bytes of an open range, and then the client leaves, as containerd does: (status, bytes)."""
    connection = http.client.HTTPConnection(site.url.split("//")[1], timeout=120)
    try:
        connection.request("GET", path(digest), headers={"Range": f"bytes={first}-"})
        answer = connection.getresponse()
        if answer.status == 307:
            answer.read()
            where = answer.headers["Location"].split("/", 3)
            connection.close()
            connection = http.client.HTTPConnection(where[2], timeout=120)
            connection.request("GET", "/" + where[3], headers={"Range": f"bytes={first}-"})
            answer = connection.getresponse()
        return answer.status, answer.headers.get("Content-Range"), answer.read(count)
    finally:
        connection.close()


def test_parallel_fetch_of_a_cold_blob_reads_it_little_more_than_once(site):
    registry, size, piece = site.registry, 64 * MIB, 8 * MIB
    registry.rate = 40 * MIB
    digest = registry.add(size)
    content = registry.blobs[digest]

    def node(_):
        for first in range(0, size, piece):
            status, where, body = chunk(site, digest, first, piece)
            assert (status, where) == (206, f"bytes {first}-{size - 1}/{size}")
            assert body == content[first:first + piece]

    with concurrent.futures.ThreadPoolExecutor(20) as pool:
        list(pool.map(node, range(20)))
    assert registry.sent[digest] <= 2 * size
    eventually(lambda: site.s3.client.size(digest) == size, otherwise=site.bloblo.tail)
    status, fields = site.fill(digest, "test/good", headers={})
    assert status == 307


def test_a_range_whose_bytes_have_come_is_cut_from_the_spool(site):
    # It comes for two minutes, and does not stand still meanwhile.
    registry, size = site.registry, 32 * MIB
    registry.rate = 256 << 10
    digest = registry.add(size)
    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        first = pool.submit(pull, site, digest)
        eventually(lambda: registry.sent.get(digest, 0) >= MIB, otherwise=site.bloblo.tail)
        ranged = pull(site, digest, headers={"Range": "bytes=100-199"})
        assert (ranged.status, ranged.body) == (206, registry.blobs[digest][100:200])
        assert (ranged.headers["X-Bloblo"], ranged.headers["Content-Range"]) == ("tee", f"bytes 100-199/{size}")
        # Where the reading stands still for seconds, the fill asks for its rest.
        assert (digest, "bytes=100-199") not in registry.ranges
        registry.rate = None
        assert first.result().seen == whole(size, digest)


def test_if_range_that_is_another_blobs_gets_the_whole(site):
    digest = site.registry.add(MIB)
    other = pull(site, digest, headers={"Range": "bytes=0-", "If-Range": '"other"'})
    assert other.seen == whole(MIB, digest)
    digest = site.registry.add(MIB)
    right = pull(site, digest, headers={"Range": "bytes=0-", "If-Range": f'"{digest}"'})
    assert (right.status, right.sha256) == (206, digest.split(":")[1])


def test_a_thousand_cold_blobs_at_once_are_all_filled(site):
    digests = [site.registry.add(65536) for _ in range(1000)]
    start = time.monotonic()
    with concurrent.futures.ThreadPoolExecutor(200) as pool:
        pulls = list(pool.map(lambda digest: pull(site, digest).seen, digests))
    assert pulls == [whole(65536, digest) for digest in digests]
    missing = set(digests)

    def all_there():
        missing.difference_update([each for each in list(missing) if site.s3.client.size(each)])
        return not missing

    eventually(all_there, otherwise=lambda: f"{len(missing)} are missing")
    print(f"1000 blobs in {time.monotonic() - start:.1f} s")
    assert max(site.registry.gets[digest] for digest in digests) <= 2
