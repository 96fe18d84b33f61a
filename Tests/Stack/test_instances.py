"""Four instances before one bucket, behind nginx and Apache with the shipped examples: the registry is read once for a
blob, and one that is killed harms nobody whom it was not just sending to.
"""

import concurrent.futures
import contextlib
import os
import re
import signal
import socket
import threading

import pytest

import stack
from fakes.registry import Registry
from filling import MIB, Pull, path

CLIENTS = 6  # of each blob


class Instance(stack.Bloblo):
    def __init__(self, owner, number):
        self.name = f"bloblo-{number}"
        super().__init__(owner)
        self.socket = owner.folder / f"{number}.sock"

    def environment(self):
        return {**super().environment(), "BLOBLO_LISTEN_ADDR": f"unix:{self.socket}"}

    def answers(self):
        with contextlib.closing(socket.socket(socket.AF_UNIX)) as client:
            client.connect(str(self.socket))
            return True

    def spools(self):
        """How many blobs it holds."""
        folder, count = f"/proc/{self.pid}/fd", 0
        for each in os.listdir(folder):
            with contextlib.suppress(OSError):
                count += str(self.spool) in os.readlink(f"{folder}/{each}")
        return count


def with_instances(servers, front):
    """The front's files as shipped, but for the example and where the sockets are."""
    example = (stack.ROOT / front / "example-instances.conf").read_text().replace("/run/bloblo/", f"{servers.folder}/")
    if front == "apache":
        example = stack.Nginx.replaced(example, "timeout=4 ", "timeout=20 ")  # as in servers/apache.py
    server = servers.services[front]
    command = server.command

    def changed():
        words = command()
        # Apache's stands in the virtual host, below the Define that it takes back.
        name, pattern = {"nginx": ("snippets/bloblo-upstreams.conf", r"(?ms)^upstream bloblo \{.*?^\}\n"),
                         "apache": ("example-site.conf", r"(?m)^(?= *Include bloblo/bloblo.conf)")}[front]
        text, count = re.subn(pattern, lambda _: example, (server.folder / name).read_text())
        assert count == 1
        (server.folder / name).write_text(text)
        return words

    server.command = changed


@pytest.fixture
def four(front, make_stack, ends):
    """A test's own: for a second a web server leaves an instance alone that was down in the test before."""
    registry = ends.enter_context(contextlib.closing(Registry()))
    servers = make_stack(f"s3,{front}", "--registry", registry.address, start=False)
    with_instances(servers, front)
    instances = [Instance(servers, number) for number in range(1, 5)]
    servers.up()
    for instance in instances:
        ends.callback(instance.stop)
        instance.start()
    return servers.services[front].url, registry, instances


def pull_all(url, digests, pool, **more):
    return [(digest, pool.submit(Pull, url, path(digest), **more)) for digest in digests * CLIENTS]


def reads(registry, digests, pulls):
    """How often blobs were read from their beginning for these pulls, those that passed left out.

    A busy machine's registry stands still: after 4 s a client that comes passes, after 5 s the instance that reads asks
    for the rest.
    """
    passed = sum(pull.headers.get("X-Bloblo") not in ("tee", "redirect") for pull in pulls)
    return sum(registry.gets.get(digest, 0) - registry.rests.get(digest, 0) for digest in digests) - passed


def test_a_cold_blob_is_read_once(four):
    url, registry, _ = four
    registry.rate = MIB
    digests = [registry.add(4 * MIB) for _ in range(6)]
    with concurrent.futures.ThreadPoolExecutor(len(digests) * CLIENTS) as pool:
        pulls = pull_all(url, digests, pool)
    done = [(digest, pull.result()) for digest, pull in pulls]
    # Who comes when all is over is redirected.
    assert all(pull.seen == (200, 4 * MIB, digest.split(":")[1]) or pull.status == 307 for digest, pull in done)
    assert reads(registry, digests, [pull for _, pull in done]) == 6


def test_one_is_killed_in_the_middle(four):
    """Who was being sent to asks again, as clients do; nobody else notices anything."""
    url, registry, instances = four
    registry.rate = MIB // 8  # no blob is filled before the kill, however busy the machine
    digests = [registry.add(12 * MIB) for _ in range(6)]
    begun = threading.Barrier(len(digests) * CLIENTS + 1)
    with concurrent.futures.ThreadPoolExecutor(len(digests) * CLIENTS) as pool:
        pulls = pull_all(url, digests, pool, begun=begun)
        begun.wait(120)  # all have got bytes
        victim = max(instances, key=Instance.spools)
        held = victim.spools()
        victim.signal(signal.SIGKILL)
        registry.rate = 4 * MIB
        done = [(digest, pull.result()) for digest, pull in pulls]
        cut = [digest for digest, pull in done if not pull.is_whole]
        again = [(digest, pool.submit(Pull, url, path(digest))) for digest in cut]
    assert all(pull.sha256 == digest.split(":")[1] for digest, pull in done if pull.is_whole)
    # The clients that the victim was sending its blobs to, and nobody else. On a busy machine some have passed: those
    # get the registry's bytes.
    assert len(set(cut)) == held
    assert cut == [digest for digest, pull in done if digest in set(cut) and pull.headers.get("X-Bloblo") == "tee"]
    again = [(digest, pull.result()) for digest, pull in again]
    assert all(pull.sha256 == digest.split(":")[1] for digest, pull in again)
    # While the web server finds out who is dead, clients of one blob can come to different instances; not each to its own.
    everyone = [pull for _, pull in done + again]
    filled = {digest for digest, pull in again if pull.headers.get("X-Bloblo") == "tee"}
    assert 6 + len(filled) <= reads(registry, digests, everyone) <= 6 + held * (len(instances) - 1)
