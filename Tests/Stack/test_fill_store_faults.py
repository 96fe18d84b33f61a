"""A store that refuses, resets, loses answers, drips or stalls: the client is served, and the bucket is filled in the end."""

import concurrent.futures
import contextlib
import threading

import pytest

from fakes.relay import slow_down
from fakes.waiting import eventually
from filling import MIB, fixtures

pytestmark = pytest.mark.long

shared, site = fixtures()


def filled_in_spite_of(site, sizes=(MIB, 30 * MIB), **fault):
    for size in sizes:
        site.registry.rate = 60 * MIB
        with concurrent.futures.ThreadPoolExecutor(1) as pool:
            digest, pull, gate = site.begin(pool, size, gated=True)
            site.relay.cut()
            for name, value in fault.items():
                setattr(site.relay, name, value)
            gate.set()
            assert pull.result().seen == (200, size, digest.split(":")[1]), (size, fault)
        site.assert_published(digest)
        site.relay.heal()
        eventually(lambda: site.spool_files() == 0)
        # Of an upload whose beginning was lost nobody knows the name: a sweep aborts it.
        if "uploads=" in str(fault.get("victims")):
            # libcurl asks again by itself, and tells nobody, where a connection was used before and breaks.
            assert "forget" in fault or site.said(digest, "multipart upload left"), site.log()
            site.sweep()
        else:
            assert not site.uploads(digest)


def test_503_slow_down(site):
    filled_in_spite_of(site, refuse=slow_down(), times=3)


def test_500(site):
    filled_in_spite_of(site, refuse=slow_down(500, "InternalError"), times=3)


def test_a_request_timeout(site):
    filled_in_spite_of(site, refuse=slow_down(400, "RequestTimeout"), times=2)


def test_a_reset_in_the_middle_of_a_part(site):
    filled_in_spite_of(site, reset_at=700_000)


def test_a_cut_in_the_middle_of_a_part(site):
    filled_in_spite_of(site, cut_at=700_000)


def test_a_slow_store(site):
    filled_in_spite_of(site, rate=8 * MIB)


def test_answers_that_are_lost(site):
    # S3 has done what it was asked for, and nobody knows: nothing is made twice, nothing is left.
    filled_in_spite_of(site, forget=1)
    for victims in (b"POST .*uploads=", b"POST .*uploadId="):
        filled_in_spite_of(site, forget=1, victims=victims, sizes=(30 * MIB,))


def test_a_drip(site):
    # Connections that never get well again: without a limit by progress the upload would take hours.
    with site.restarted(BLOBLO_S3_TIMEOUT="1s"):
        for drip in ("up", "down"):
            filled_in_spite_of(site, drip=drip, times=2)
            filled_in_spite_of(site, drip=drip, times=2, victims=b"POST .*uploads=", sizes=(30 * MIB,))


def test_a_drip_without_an_end(site):
    with site.restarted(BLOBLO_S3_TIMEOUT="1s"):
        with concurrent.futures.ThreadPoolExecutor(1) as pool:
            digest, pull, gate = site.begin(pool, 20 * MIB, gated=True)
            site.relay.drip = "down"
            gate.set()
            assert pull.result().seen == site.whole(digest)
        eventually(lambda: site.said(digest, "not filled"), otherwise=site.log)
        site.assert_absent(digest)


def test_a_stall_without_an_end(site):
    with site.restarted(BLOBLO_S3_TIMEOUT="1s"):
        with concurrent.futures.ThreadPoolExecutor(1) as pool:
            digest, pull, gate = site.begin(pool, 20 * MIB, gated=True)
            eventually(lambda: site.uploads(digest), otherwise=site.log)
            site.relay.stalled = True
            gate.set()
            assert pull.result().seen == (200, 20 * MIB, digest.split(":")[1])
        eventually(lambda: site.said(digest, "multipart upload left"), otherwise=site.log)
        assert site.spool_files() == 0
        site.relay.heal()
        assert site.s3.client.size(digest) is None
        site.sweep()


@contextlib.contextmanager
def half_uploaded(site):
    """The digest of a blob that is filled, and whose second half does not come before the end."""
    digest = site.registry.add(60 * MIB)
    site.registry.gate = gate = threading.Event()
    with site.restarted(BLOBLO_STOP_TIMEOUT="1s", BLOBLO_FILL_PART_SIZE="5MiB"), concurrent.futures.ThreadPoolExecutor(1) as pool:
        pull = pool.submit(site.pull, digest)
        try:
            eventually(lambda: site.uploads(digest), otherwise=site.log)
            yield digest
        finally:
            gate.set()
        assert not pull.result().is_whole


def test_a_stop_aborts_what_it_can(site):
    with half_uploaded(site) as digest:
        site.bloblo.stop()
        assert site.said(digest, "not filled"), site.log()
        assert site.uploads(digest) == [], site.log()
        assert site.s3.client.size(digest) is None


def test_a_stop_says_what_it_leaves_behind(site):
    with half_uploaded(site) as digest:
        site.relay.stalled = True
        site.bloblo.stop()
        assert site.said(digest, "multipart upload left"), site.log()
        # What bloblo has sent meanwhile does not come any more.
        site.relay.cut()
        site.relay.heal()
        assert site.uploads(digest) == [digest]
    site.sweep()


def test_a_store_that_is_down(site):
    digest = site.registry.add(20 * MIB)
    site.relay.refuse = slow_down()
    site.relay.cut()
    assert site.pull(digest).seen == (200, 20 * MIB, digest.split(":")[1])
    site.relay.heal()
    site.assert_absent(digest)
