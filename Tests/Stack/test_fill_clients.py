"""Clients of a fill: many are one GET upstream, none holds up another, and their end is not the fill's."""

import concurrent.futures
import contextlib
import http.client
import threading
import time

import pytest

from fakes.relay import slow_down
from fakes.waiting import PATIENCE, eventually
from filling import MIB, fixtures, path

shared, site = fixtures(rate=100 * MIB)


@pytest.mark.long
def test_many_clients_are_one_upstream_get(site, pytestconfig):
    count, memory = pytestconfig.getoption("clients"), pytestconfig.getoption("memory")
    size = pytestconfig.getoption("size") * MIB
    digest = site.registry.add(size)
    # Without the relay: it is a thread of this process, as the clients are, and would seem to be an S3 in trouble.
    with site.restarted(BLOBLO_S3_ENDPOINT_URL=site.s3.url):
        with concurrent.futures.ThreadPoolExecutor(count) as pool:
            # The last tenth comes late, and reads along from the start.
            def client(number):
                time.sleep(0.05 if number % 10 == 0 else 0)
                return site.pull(digest, timeout=300)
            pulls = list(pool.map(client, range(count)))
        wrong = [pull for pull in pulls
                 if (pull.status, pull.count) != (200, size) or f"sha256:{pull.sha256}" != digest]
        assert not wrong, site.log()
        passes = [line for line in site.lines("passed") if line.get("blob.digest") == digest]
        assert site.reads(digest) == 1, passes or site.log()
        # Who asks for the rest of what stands still gets some bytes twice.
        assert site.registry.bytes[digest] == size or site.registry.rests[digest]
        site.assert_published(digest)
        eventually(lambda: site.pull(digest).status == 307, otherwise=site.log)
        print(f"{count} clients × {size // MIB} MiB: upstream GETs {site.registry.gets[digest]}, "
              f"peak memory {site.memory() / MIB:.1f} MiB")
        assert site.memory() < memory * MIB


def test_who_comes_late_reads_along_from_the_start(site):
    # It comes for a minute, and does not stand still meanwhile.
    size, site.registry.rate = 16 * MIB, MIB // 4
    digest = site.registry.add(size)
    with contextlib.ExitStack() as stack:
        def client(number):
            connection = stack.enter_context(contextlib.closing(
                http.client.HTTPConnection(site.nginx.split("//")[1], timeout=120)))
            # Each has a credential of its own, and so needs a proof of its own.
            connection.request("GET", path(digest), headers={"Authorization": f"Basic {number}"})
            return connection.getresponse()
        answers = [client(0)]
        eventually(lambda: site.registry.bytes.get(digest, 0) > 2 * MIB)
        answers += [client(number) for number in range(1, 6)]
        site.registry.rate = site.rate
        for answer in answers:
            assert answer.read() == site.registry.blobs[digest]
    assert site.reads(digest) == 1
    assert len(site.registry.proofs[digest]) == 6
    site.assert_published(digest)


def test_who_comes_at_the_very_end_costs_no_second_read(site, subtests, chance):
    # Small blobs are filled in the time between a client's question to the bucket and its answer.
    def client(digest, number, start):
        start.wait()
        time.sleep(chance.uniform(0, 0.05))
        pull = site.pull(digest, headers={"Authorization": f"Basic {number}"})
        return pull.status == 307 or (pull.status == 200 and f"sha256:{pull.sha256}" == digest)
    for lives in ({}, {"BLOBLO_PRESENCE_TTL": "0s", "BLOBLO_PROOF_TTL": "0s"}):
        with subtests.test(**lives), site.restarted(**lives), concurrent.futures.ThreadPoolExecutor(12) as pool:
            for _ in range(15):
                digest, start = site.registry.add(50_000), threading.Event()
                pulls = [pool.submit(client, digest, number, start) for number in range(12)]
                start.set()
                assert all(pull.result() for pull in pulls), site.log()
                assert site.reads(digest) == 1, site.log()
                eventually(lambda: site.spool_files() == 0, otherwise=site.log)


def test_a_slow_client_holds_up_neither_the_bucket_nor_others(site):
    digest = site.registry.add(20 * MIB)
    with site.slow_client(digest) as slow:
        fast = site.pull(digest)
        assert fast.seen == (200, 20 * MIB, digest.split(":")[1])
        site.assert_published(digest)
        # It would take half an hour.
        assert slow.is_alive()
        assert site.reads(digest) == 1


def test_a_store_that_stalls_holds_up_no_client(site):
    digest, other = site.registry.add(20 * MIB), site.registry.add(MIB)
    pulls = []
    first = threading.Thread(target=lambda: pulls.append(site.pull(digest)))
    first.start()
    eventually(lambda: site.registry.gets.get(digest))
    site.relay.stalled = True
    first.join()
    assert pulls[0].seen == (200, 20 * MIB, digest.split(":")[1]), site.log()
    # A third client asks for another blob: whether it is there S3 does not say, so the registry answers.
    third = site.pull(other)
    assert third.seen == (200, MIB, other.split(":")[1])
    site.relay.stalled = False
    site.assert_published(digest)


@contextlib.contextmanager
def stalled_store(site, is_left_alone):
    """S3 stalls while a client reads a cold blob, for half a minute or until the registry gets its rate again. Yields the
    blob's digest, and that client's pull.
    """
    site.registry.rate = MIB // 2
    with site.restarted(BLOBLO_S3_TIMEOUT="1s"), concurrent.futures.ThreadPoolExecutor(1) as pool:
        digest, first, _ = site.begin(pool, 16 * MIB)
        eventually(lambda: site.registry.bytes.get(digest, 0) > MIB)
        site.relay.stalled = True
        if is_left_alone:
            eventually(lambda: leaves_s3_alone(site), otherwise=site.log)
        yield digest, first
        site.registry.rate = site.rate
        assert first.result().seen == (200, 16 * MIB, digest.split(":")[1])
        site.relay.heal()
        site.assert_published(digest)


def leaves_s3_alone(site):
    """Whether another blob is the registry's, and S3 was not asked for it."""
    digest = site.registry.add(1000)
    assert site.pull(digest).seen == (200, 1000, digest.split(":")[1])
    return any(line["blob.digest"] == digest and "left alone" in line.get("reason.words", "")
               for line in site.lines('"passed"') if "blob.digest" in line)


@pytest.mark.parametrize("is_left_alone", [False, True])
def test_who_comes_while_s3_is_in_trouble_reads_along(site, is_left_alone):
    with stalled_store(site, is_left_alone) as (digest, first), concurrent.futures.ThreadPoolExecutor(2) as pool:
        begun = threading.Barrier(3)
        whole = pool.submit(site.pull, digest, headers={"Authorization": "Basic 2"}, begun=begun)
        part = pool.submit(site.pull, digest, headers={"Authorization": "Basic 3", "Range": "bytes=1000-1999"}, begun=begun)
        begun.wait(PATIENCE)
        site.registry.rate = site.rate
        assert whole.result().seen == (200, 16 * MIB, digest.split(":")[1]), site.log()
        assert (part.result().status, part.result().body) == (206, site.registry.blobs[digest][1000:2000]), site.log()
        first.result()
        assert site.reads(digest) == 1, site.log()
        # Each had the registry's own yes.
        assert site.registry.proofs[digest] == {None, "Basic 2", "Basic 3"}


def test_a_stranger_does_not_read_along_while_s3_is_in_trouble(site):
    with stalled_store(site, is_left_alone=True) as (digest, _):
        site.registry.strangers = {"Basic stranger"}
        assert site.pull(digest, headers={"Authorization": "Basic stranger"}).status == 401


def test_a_slow_client_and_a_stalled_store_disturb_nobody(site, ends):
    digest, other = site.registry.add(20 * MIB), site.registry.add(20 * MIB)
    site.registry.gate = gate = threading.Event()
    ends.callback(gate.set)
    with site.slow_client(digest) as slow:
        eventually(lambda: site.uploads(digest), otherwise=site.log)
        site.relay.stalled = True
        gate.set()
        eventually(lambda: site.registry.bytes[digest] >= 20 * MIB, otherwise=site.log)
        assert site.pull(digest).seen == (200, 20 * MIB, digest.split(":")[1])
        assert site.pull(other).seen == (200, 20 * MIB, other.split(":")[1])
        assert slow.is_alive()
        assert site.reads(digest) == 1
        site.relay.heal()
        site.assert_published(digest)
        assert slow.is_alive()


def test_a_slow_client_keeps_its_room_in_the_spool(site):
    first, second = site.registry.add(16 * MIB), site.registry.add(16 * MIB)
    with site.restarted(BLOBLO_SPOOL_MAX_BYTES="20MiB"):
        with site.slow_client(first):
            site.assert_published(first)
            # Its bytes are still in the spool: another blob has no room, and passes.
            assert site.spool_files() == 1
            assert site.pull(second).seen == (200, 16 * MIB, second.split(":")[1])
            assert site.said(second, "no room"), site.log()
        eventually(lambda: site.spool_files() == 0)
        site.fill(second)


def test_the_end_of_the_client_is_not_the_end_of_the_fill(site):
    digest = site.registry.add(20 * MIB)
    with contextlib.closing(http.client.HTTPConnection(site.nginx.split("//")[1])) as connection:
        connection.request("GET", path(digest))
        connection.getresponse().read(1000)
    site.assert_published(digest)


def test_what_nobody_needs_is_not_read(site):
    site.registry.rate = 10 * MIB
    digest = site.registry.add(100 * MIB)
    with contextlib.closing(http.client.HTTPConnection(site.nginx.split("//")[1])) as connection:
        connection.request("GET", path(digest))
        connection.getresponse().read(1000)
        site.relay.refuse = slow_down(403, "AccessDenied")
        site.relay.cut()
        eventually(lambda: site.registry.bytes.get(digest, 0) > 20 * MIB)
        site.registry.rate = MIB
    eventually(lambda: site.spool_files() == 0, otherwise=site.log)
    assert site.registry.bytes[digest] < 90 * MIB
    site.registry.rate = site.rate
    site.relay.heal()
    site.assert_absent(digest)
