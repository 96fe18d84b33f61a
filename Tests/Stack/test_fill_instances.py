"""Two instances with the same bucket."""

import concurrent.futures
import contextlib
import hashlib
import os
import subprocess
import threading
import time

import stack
import written
from doors import listens
from fakes import fastcgi
from fakes.waiting import eventually
from filling import MIB, fixtures, path

shared, site = fixtures()


def metric(site, name):
    _, _, text = stack.request("GET", f"{site.nginx}/bloblo/metrics")
    return int(next(line.split()[-1] for line in text.decode().splitlines() if line.startswith(name)))

@contextlib.contextmanager
def other(site):
    """Another instance with the same bucket; its own socket is asked."""
    folder = site.servers.folder / "other"
    folder.mkdir(exist_ok=True)
    address = folder / "socket"
    environment = {**site.bloblo.environment(), "BLOBLO_LISTEN_ADDR": f"unix:{address}"}
    with (folder / "log").open("ab") as log:
        process = stack.child([os.environ["BLOBLO"]], env=environment, stderr=log, stdin=subprocess.DEVNULL)
    try:
        eventually(lambda: listens(address))
        yield lambda digest: fastcgi.ask(address, path(digest))
    finally:
        process.terminate()
        process.wait()
        written.wrote((folder / "log").read_bytes())
        (folder / "log").unlink()


def test_the_same_blob_at_the_same_time(site, subtests):
    site.registry.rate = 20 * MIB
    for size in (MIB, 60 * MIB):
        with subtests.test(size=size), other(site) as pull_by_other:
            digest = site.registry.add(size)
            with concurrent.futures.ThreadPoolExecutor(2) as pool:
                pulls = [pool.submit(site.pull, digest), pool.submit(pull_by_other, digest)]
                ours, theirs = (pull.result() for pull in pulls)
            got = [(ours.status, ours.sha256), (theirs.status, hashlib.sha256(theirs.body).hexdigest())]
            whole, redirected = (200, digest.split(":")[1]), (307, hashlib.sha256().hexdigest())
            # The second of the two may come when the first has published.
            assert whole in got
            assert set(got) <= {whole, redirected}
            site.assert_published(digest)
            eventually(lambda: not site.uploads())


def test_a_fill_stops_when_another_has_published(site, ends):
    digest = site.registry.add(100 * MIB)
    site.registry.gate = gate = threading.Event()
    ends.callback(gate.set)
    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        pull = pool.submit(site.pull, digest)
        eventually(lambda: site.uploads())
        site.s3.client.call("PUT", f"/{stack.BUCKET}/{digest}", site.registry.blobs[digest])
        gate.set()
        assert pull.result().sha256 == digest.split(":")[1]
    eventually(lambda: site.lines("another instance was first"), otherwise=site.log)
    eventually(lambda: not site.uploads())
    assert site.object(digest) == digest


def test_the_slower_of_two_instances_stops(site, ends):
    size = 100 * MIB
    digest = site.registry.add(size)
    site.registry.gate = gate = threading.Event()
    ends.callback(gate.set)
    before = metric(site, 'bloblo_fills_completed_total{by="another"}')
    with other(site) as pull_by_other, concurrent.futures.ThreadPoolExecutor(1) as pool:
        pull = pool.submit(site.pull, digest)
        eventually(lambda: site.uploads(digest), otherwise=site.log)
        # Ours has half of the blob when the other comes, and is first.
        assert hashlib.sha256(pull_by_other(digest).body).hexdigest() == digest.split(":")[1]
        site.assert_published(digest)
        time.sleep(2)  # between two looks
        gate.set()
        assert pull.result().sha256 == digest.split(":")[1]
    eventually(
        lambda: metric(site, 'bloblo_fills_completed_total{by="another"}') == before + 1, otherwise=site.log)
    eventually(lambda: site.said(digest, "another instance was first"), otherwise=site.log)
    eventually(lambda: not site.uploads())
    assert site.object(digest) == digest
    # Ours asks anew while the registry holds it back: after 5 s, 20 s more, and 60 s more.
    assert 2 <= site.registry.gets[digest] <= 5
