"""Modes and limits: background and off, queue, spool, concurrency and disk."""

import base64
import concurrent.futures
import contextlib
import json
import os
import pathlib
import subprocess
import tempfile
import threading
import time

import pytest

import stack
from fakes.waiting import eventually
from filling import MIB, fixtures
from operating import small_file_system

BASIC = {"Authorization": "Basic YTpi"}

shared, site = fixtures()


def passes(site, digest, size):
    assert site.pull(digest).seen == (200, size, digest.split(":")[1]), site.log()
    site.assert_absent(digest)


def spool_bytes(site):
    folder, total = f"/proc/{site.bloblo.pid}/fd", 0
    for each in os.listdir(folder):
        with contextlib.suppress(OSError):
            if str(site.bloblo.spool) in os.readlink(f"{folder}/{each}"):
                total += os.stat(f"{folder}/{each}").st_blocks * 512
    return total


@contextlib.contextmanager
def ext2():
    """The folder of a small file system that can't promise room."""
    with tempfile.TemporaryDirectory() as folder:
        image, point = pathlib.Path(folder) / "image", pathlib.Path(folder) / "point"
        point.mkdir()
        with image.open("wb") as file:
            file.truncate(24 * MIB)
        subprocess.run(["/sbin/mkfs.ext2", "-q", "-F", image], check=True)
        if subprocess.run(["mount", "-o", "loop", image, point], capture_output=True).returncode:
            pytest.skip("no loop devices here")
        try:
            yield point
        finally:
            subprocess.run(["umount", "-l", point], check=True)


def test_background(site):
    with site.restarted(BLOBLO_FILL="background"):
        digest = site.registry.add(20 * MIB)
        for pull in site.fill(digest, headers=BASIC):
            assert pull.seen == site.whole(digest)
            assert pull.headers.get("X-Bloblo") != "tee"
        # The client's own GET, and the fill's with the credential it was given.
        assert site.reads(digest) == 2 or site.faults(digest)
        assert set(site.registry.credentials[digest]) == {BASIC["Authorization"]}


def test_a_range_queues_a_fill_in_the_background(site):
    with site.restarted(BLOBLO_FILL="background"):
        digest = site.registry.add(MIB)
        for pull in site.fill(digest, headers={"Range": "bytes=5-9"}):
            assert (pull.status, pull.body) == (206, site.registry.blobs[digest][5:10])


def test_the_queue_is_bounded(site):
    site.registry.rate = 64 << 10  # the first takes until all have come
    with site.restarted(BLOBLO_FILL="background", BLOBLO_FILL_CONCURRENCY="1", BLOBLO_FILL_QUEUE="1",
                        BLOBLO_STOP_TIMEOUT="0s"):
        before = len(site.lines("cold-limit"))
        digests = [site.registry.add(3 * MIB) for _ in range(4)]
        for digest in digests:
            pull = site.pull(digest, headers={"Range": "bytes=0-0"})
            assert pull.status == 206
        assert len(site.lines("cold-limit")) - before == 2
        site.registry.rate = None
        for digest in digests[:2]:
            site.assert_published(digest)
        assert site.s3.client.size(digests[3]) is None


def test_a_range_of_a_cold_blob_passes_and_queues_one_fill(site):
    digest = site.registry.add(MIB)
    for pull in site.fill(digest, headers={"Range": "bytes=5-9"}):
        assert (pull.status, pull.body) == (206, site.registry.blobs[digest][5:10])
    # The fill's; the client's own is for a range.
    assert site.reads(digest) == 1 or site.faults(digest)


@pytest.mark.parametrize("setting", ["off", "1023KiB"])
def test_where_ranges_fill_nothing_or_only_smaller_blobs(site, setting):
    with site.restarted(BLOBLO_FILL_RANGES=setting):
        digest = site.registry.add(MIB)
        pull = site.pull(digest, headers={"Range": "bytes=5-9"})
        assert (pull.status, pull.body) == (206, site.registry.blobs[digest][5:10])
        site.assert_absent(digest)
        assert site.registry.gets[digest] == 1


def test_off(site):
    """Nothing is read, and nobody's credential is kept for later."""
    with site.restarted(BLOBLO_FILL="off"):
        digest = site.registry.add(MIB)
        assert site.pull(digest, headers=BASIC).seen == (200, MIB, digest.split(":")[1])
        for wanted in ("bytes=5-9", "bytes=0-", "bytes=0-1,7-8"):
            assert site.pull(digest, headers={**BASIC, "Range": wanted}).status in (200, 206)
            metrics = stack.request("GET", site.nginx + "/bloblo/metrics")[2].decode()
            assert 'bloblo_fills{state="running"} 0' in metrics and 'bloblo_fills{state="waiting"} 0' in metrics
        site.assert_absent(digest)
        # The client's own.
        assert site.registry.gets[digest] == 4


def bearer(seconds):
    """A token that says when it ends, and a mark in it."""
    mark = os.urandom(24).hex()
    claims = base64.urlsafe_b64encode(json.dumps({"exp": int(time.time()) + seconds}).encode()).decode().rstrip("=")
    return f"Bearer eyJhbGciOiJFUzI1NiJ9.{claims}.{mark}"


def test_a_credential_waits_no_longer_than_its_token_says(site):
    site.registry.rate = MIB
    with site.restarted(BLOBLO_FILL="background", BLOBLO_FILL_CONCURRENCY="1", BLOBLO_STOP_TIMEOUT="0s"):
        first, ending, lasting = (site.registry.add(size) for size in (25 * MIB, 1000, 1000))
        tokens = {}
        for digest, seconds in ((first, 600), (ending, 12), (lasting, 600)):
            tokens[digest] = {"Authorization": bearer(seconds), "Range": "bytes=0-0"}

            def is_queued(digest=digest):
                before = site.faults(digest)
                assert site.pull(digest, headers=tokens[digest]).status == 206
                return site.faults(digest) == before

            eventually(is_queued, pause=1, otherwise=site.log)
        assert site.reads(lasting) == 0, "both wait for the first"
        pulls = site.fill(lasting, begun=True, headers=tokens[lasting])
        # The clients' own GETs are for a range; one of the two has the fill's too.
        assert site.reads(ending) == 0
        assert site.reads(lasting) == 1 or pulls
        for digest in (ending, lasting):
            assert set(site.registry.credentials[digest]) == {tokens[digest]["Authorization"]}
        assert site.said(ending, "not filled"), site.log()


def test_beyond_the_spool(site):
    with site.restarted(BLOBLO_SPOOL_MAX_BYTES="1MiB"):
        passes(site, site.registry.add(MIB + 1), MIB + 1)
        site.fill(site.registry.add(MIB))


def test_the_spool_is_never_larger_than_it_may_be(site):
    site.registry.rate = MIB // 2  # until two are there at a time
    with site.restarted(BLOBLO_SPOOL_MAX_BYTES="9MiB"), concurrent.futures.ThreadPoolExecutor(8) as pool:
        digests = [site.registry.add(4 * MIB) for _ in range(8)]
        pulls = [pool.submit(site.pull, digest) for digest in digests]
        most = 0
        while not all(pull.done() for pull in pulls):
            most = max(most, spool_bytes(site))
            if most >= 8 * MIB:
                site.registry.rate = 4 * MIB
            time.sleep(0.02)
        assert all(pull.result().count == 4 * MIB for pull in pulls)
        assert most <= 9 * MIB
        assert most >= 8 * MIB


def test_beyond_concurrency(site, subtests, ends):
    for limit in ("BLOBLO_FILL_CONCURRENCY",):
        with subtests.test(limit=limit), site.restarted(**{limit: "1"}):
            second = site.registry.add(MIB)

            def is_beyond():
                before = site.faults(second)
                assert site.pull(second).seen == site.whole(second)
                return site.faults(second) == before

            with concurrent.futures.ThreadPoolExecutor(1) as pool:
                first, pull, gate = site.begin(pool, 8 * MIB, gated=True)
                ends.callback(gate.set)
                eventually(is_beyond, pause=1, otherwise=site.log)
                told = [line.get("blob.digest") for line in site.lines("cold-limit")]
                assert [each for each in told if each in (first, second)] == [second], site.log()
                gate.set()
                assert pull.result().seen == site.whole(first)
            # The client that is passed on has queued a fill: that is the second reading.
            for digest in (first, second):
                site.fill(digest, begun=True)
            assert site.reads(second) == 2 or site.faults(second)


@pytest.mark.root
def test_a_full_disk(site, ends):
    with site.restarted(BLOBLO_SPOOL_DIR=small_file_system(ends, "4m")):
        passes(site, site.registry.add(5 * MIB), 5 * MIB)
        site.fill(site.registry.add(MIB))


@pytest.mark.root
def test_a_disk_that_fills_up_meanwhile(site, subtests):
    # ext2 can't promise room: the disk is full in the middle of the body, which can only break off.
    with ext2() as folder, site.restarted(BLOBLO_SPOOL_DIR=str(folder)):
        for size in (6 * MIB, 14 * MIB):
            with subtests.test(size=size), concurrent.futures.ThreadPoolExecutor(1) as pool:
                digest = site.registry.add(size)
                site.registry.gate = gate = threading.Event()
                pull = pool.submit(site.pull, digest)
                eventually(lambda: site.registry.bytes.get(digest) == size // 2)
                with (folder / "other").open("wb") as other, contextlib.suppress(OSError):
                    while True:
                        other.write(bytes(65536))
                        other.flush()
                gate.set()
                assert not pull.result().is_whole
                eventually(lambda: site.lines("spool: write: No space left on device"), otherwise=site.log)
                site.assert_absent(digest)
                # The client tries again, and the registry answers.
                passes(site, digest, size)
                (folder / "other").unlink()
        # Two that fit alone and not together: the second is passed on, whole.
        first, second = site.registry.add(14 * MIB), site.registry.add(14 * MIB)
        site.registry.gate = gate = threading.Event()
        with concurrent.futures.ThreadPoolExecutor(1) as pool:
            pull = pool.submit(site.pull, first)
            eventually(lambda: site.registry.bytes.get(first) == 7 * MIB)
            assert site.pull(second).seen == (200, 14 * MIB, second.split(":")[1])
            gate.set()
            assert pull.result().seen == (200, 14 * MIB, first.split(":")[1])
        site.assert_published(first)
        assert site.s3.client.size(second) is None
