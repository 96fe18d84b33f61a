"""Nothing is published that is not the blob, and the client sees what the registry would have shown it."""

import concurrent.futures
import subprocess
import threading

import pytest

import stack
from fakes.waiting import PATIENCE, eventually
from filling import MIB, Pull, fixtures, path

pytestmark = pytest.mark.long

SIZES = (MIB, 20 * MIB)

# By TLS a body that is cut ends otherwise than without: it must break off all the same.
shared, site = fixtures(tls="localhost")


def test_bodies_that_are_not_the_blob(site, subtests):
    for fault in ("cut", "reset", "wrong", "encoded", "partial", "page", "error", "busy", "redirect", "shorter",
                  "longer", "chunkedcut", "otherdigest"):
        for size in SIZES:
            with subtests.test(fault=fault, size=size):
                digest = site.registry.add(size)
                direct = Pull(f"http://{site.registry.address}", path(digest, fault))
                ours = site.pull(digest, fault)
                assert ours.seen == direct.seen, site.log()
                assert ours.headers.get("Location") == direct.headers.get("Location")
                site.assert_absent(digest)


def test_a_body_without_a_length_is_the_blob_if_its_digest_is(site, subtests):
    for fault in ("chunked", "nolength"):
        for size in SIZES:
            with subtests.test(fault=fault, size=size):
                digest = site.registry.add(size)
                for pull in site.fill(digest, repository=fault):
                    assert pull.seen == site.whole(digest), site.log()


def test_a_sha512_that_is_another(site, subtests):
    for fault in ("wrong", "cut"):
        for size in SIZES:
            with subtests.test(fault=fault, size=size):
                digest = site.registry.add(size, "sha512")
                site.pull(digest, fault)
                site.assert_absent(digest)


def test_a_body_that_breaks_off_is_broken_off(site, subtests):
    # As curl says it: 18 is "a file was only partially transferred".
    for fault in ("cut", "reset"):
        for size in SIZES:
            with subtests.test(fault=fault, size=size):
                digest = site.registry.add(size)
                curl = subprocess.run(
                    ["curl", "--disable", "-sS", "--max-time", str(PATIENCE), site.nginx + path(digest, fault)],
                    capture_output=True)
                assert curl.returncode == 18, curl.stderr
                assert curl.stdout == site.registry.blobs[digest][:len(curl.stdout)]
                site.assert_absent(digest)


def test_a_body_that_breaks_off_is_not_held_up_by_the_store(site):
    # What was begun there can't be aborted; nobody waits for that.
    digest = site.registry.add(40 * MIB)
    # Slow enough that the upload begins: it leaves the machine to the client for 10 s.
    site.registry.rate = 3 * MIB // 2
    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        pull = pool.submit(site.pull, digest, "cut")
        eventually(lambda: site.uploads(digest), otherwise=site.log)
        site.relay.stalled = True
        site.registry.rate = None  # bloblo tries to read the rest some times
        assert not pull.result().is_whole
        # Who comes now is given to the registry, and gets what it has.
        assert site.spool_files() == 1, "the fill is still clearing up"
        second = site.pull(digest)
        assert second.seen == (200, 40 * MIB, digest.split(":")[1]), site.log()
    site.registry.rate = None
    site.relay.heal()
    eventually(lambda: site.spool_files() == 0, otherwise=site.log)
    site.sweep()


def test_the_same_blob_is_filled_by_the_next_right_answer(site):
    digest = site.registry.add(20 * MIB)
    site.pull(digest, "wrong")
    site.assert_absent(digest)
    for pull in site.fill(digest):
        assert pull.seen == site.whole(digest), site.log()


def test_an_upstream_that_pauses_or_drips_is_waited_for_with_its_client(site, subtests):
    with site.restarted(BLOBLO_UPSTREAM_TIMEOUT="2s"):
        for fault in ("stall", "drip"):
            with subtests.test(fault=fault):
                digest = site.registry.add(MIB)

                def is_read_along(digest=digest, fault=fault):
                    pull = site.pull(digest, fault)
                    assert pull.seen == site.whole(digest)
                    return pull.headers.get("X-Bloblo") == "tee"

                # While a busy machine's registry or S3 takes seconds to answer, the blob passes.
                eventually(is_read_along, otherwise=site.log)
                site.assert_published(digest)


def test_an_upstream_that_drips_or_stalls_for_nobody_is_left(site, subtests):
    # Twelve seconds of next to nothing are enough then.
    with site.restarted(BLOBLO_UPSTREAM_TIMEOUT="1s", BLOBLO_FILL="background"):
        for fault, size in zip(("drip", "standstill"), SIZES):
            with subtests.test(fault=fault, size=size):
                digest = site.registry.add(size)

                def pull(digest=digest, fault=fault):
                    # While a busy machine's registry takes more than a second to answer, the blob passes.
                    eventually(lambda: site.pull(digest, fault).status and site.said(digest, "fewer than"), 60)

                client = threading.Thread(target=pull)
                client.start()
                eventually(lambda: site.said(digest, "fewer than"), otherwise=site.log)
                site.assert_absent(digest)
                client.join()


def test_sha512(site):
    for size in SIZES:
        digest = site.registry.add(size, "sha512")
        for pull in site.fill(digest):
            assert pull.seen == site.whole(digest)


def test_an_object_of_the_wrong_size_is_replaced(site):
    for size in SIZES:
        digest = site.registry.add(size)
        site.s3.client.call("PUT", f"/{stack.BUCKET}/{digest}", b"poison")
        for pull in site.fill(digest):
            assert pull.seen == site.whole(digest)
        assert site.lines("wrong size")
