#!/usr/bin/env python3
"""What the filling of the bucket promises, asked of the built program between nginx, SeaweedFS and servers
that misbehave (faulty.py).

    test_fill.py [--bloblo PATH] [--clients 100] [--size MIB] [--kills 100] [Test.test …]
"""

import argparse
import concurrent.futures
import contextlib
import hashlib
import http.client
import json
import os
import pathlib
import random
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import threading
import time
import unittest
import xml.etree.ElementTree as xml

sys.path.insert(0, str(pathlib.Path(__file__).parent))
import faulty
import stack
import written

MIB = 1 << 20
ARGUMENTS = argparse.Namespace(
    bloblo=os.environ.get("BLOBLO", str(stack.ROOT / ".build/debug/bloblo")), clients=100, size=256, kills=100, memory=64)


class Pull:
    """What a client got: status, number of bytes, their SHA-256, and whether the body was whole."""

    def __init__(self, url, path, headers=None, rate=None, timeout=60, stop=None):
        host = url.split("//")[1]
        connection = http.client.HTTPConnection(host, timeout=timeout)
        self.status, self.count, self.is_whole, self.headers, self.is_stuck = None, 0, False, {}, False
        digest = hashlib.sha256()
        self.body = b""
        try:
            connection.request("GET", path, headers=headers or {})
            answer = connection.getresponse()
            self.status, self.headers = answer.status, answer.headers
            buffer = bytearray(4096 if rate else 262144)
            while count := answer.readinto(buffer):
                self.count += count
                digest.update(memoryview(buffer)[:count])
                if self.count <= 65536:
                    self.body += bytes(buffer[:count])
                if rate:
                    time.sleep(count / rate)
                if stop and stop.is_set():
                    break
            self.is_whole = answer.length in (None, 0)
        except TimeoutError:
            self.is_stuck = True
        except (OSError, http.client.HTTPException):
            pass
        finally:
            connection.close()
        self.sha256 = digest.hexdigest()

    @property
    def seen(self):
        return self.status, self.count if self.is_whole else "broken off", self.sha256 if self.is_whole else None


def path(digest, repository="good"):
    return f"/v2/test/{repository}/blobs/{digest}"


def eventually(condition, seconds=10):
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if value := condition():
            return value
        time.sleep(0.05)
    return condition()


class FillTest(unittest.TestCase):
    environment = {}
    rate = None

    @classmethod
    def setUpClass(cls):
        cls.exit = contextlib.ExitStack()
        cls.registry = faulty.Registry(rate=cls.rate)
        cls.exit.callback(cls.registry.close)
        options = stack.options(["up", "--services", "s3,nginx,bloblo", "--bloblo", ARGUMENTS.bloblo,
                                 "--registry", cls.registry.address, "--log-level", "debug"])
        servers = stack.Stack(options)
        cls.exit.callback(servers.down)
        cls.servers = servers
        cls.s3 = servers.services["s3"]
        cls.relay = faulty.Relay(cls.s3.port)
        cls.exit.callback(cls.relay.close)
        options.env = {"BLOBLO_S3_ENDPOINT_URL": cls.relay.url, **cls.environment}
        try:
            servers.up()
        except BaseException:
            cls.exit.close()
            raise
        cls.nginx = servers.services["nginx"].url
        cls.bloblo = servers.services["bloblo"]

    @classmethod
    def tearDownClass(cls):
        cls.exit.close()

    def setUp(self):
        self.relay.heal()

    # the bucket

    def object(self, digest):
        """The SHA-256 (or what the digest says) of an object, or None."""
        status, _, body = self.s3.client.call("GET", f"/{stack.BUCKET}/{digest}")
        return f"{digest.split(':')[0]}:{hashlib.new(digest.split(':')[0], body).hexdigest()}" if status == 200 else None

    def keys(self):
        root = xml.fromstring(self.s3.client.call("GET", f"/{stack.BUCKET}", query=[("list-type", "2")])[2])
        return [each.text for each in root.findall(".//{*}Contents/{*}Key")]

    def uploads(self, digest=None):
        """The keys of uploads that were begun and not ended; of one blob, or of all."""
        root = xml.fromstring(self.s3.client.call("GET", f"/{stack.BUCKET}", query=[("uploads", "")])[2])
        return [each.text for each in root.findall(".//{*}Upload/{*}Key") if digest in (None, each.text)]

    def sweep(self):
        time.sleep(1.1)
        swept = self.tool("sweep", "--older-than", "1s")
        self.assertEqual((swept.returncode, self.uploads()), (0, []), swept)

    def assert_published(self, digest, seconds=20):
        self.assertTrue(eventually(lambda: self.s3.client.size(digest) is not None, seconds), self.log())
        self.assertEqual(self.object(digest), digest)

    def assert_absent(self, digest):
        """Nothing is published, nothing is left, and no fill goes on."""
        self.assertTrue(eventually(lambda: self.spool_files() == 0), "a spool is still open")
        self.assertIsNone(self.s3.client.size(digest))
        self.assertTrue(eventually(lambda: not self.uploads(digest)), self.log())

    # bloblo

    def pull(self, digest, repository="good", **more):
        return Pull(self.nginx, path(digest, repository), **more)

    def log(self):
        return self.bloblo.log.read_text(errors="replace")[-3000:]

    def lines(self, word):
        return [json.loads(line) for line in self.bloblo.log.read_text(errors="replace").splitlines()
                if line.startswith("{") and word in line]

    def said(self, digest, words):
        return any(digest in line["blob.digest"] for line in self.lines(words) if "blob.digest" in line)

    def spool_files(self):
        """Files of the spool folder that bloblo holds open; they have no name."""
        folder, count = f"/proc/{self.bloblo.pid}/fd", 0
        for each in os.listdir(folder):
            with contextlib.suppress(OSError):
                count += str(self.bloblo.spool) in os.readlink(f"{folder}/{each}")
        return count

    def memory(self):
        """Bytes that bloblo had resident at most since it started."""
        for line in pathlib.Path(f"/proc/{self.bloblo.pid}/status").read_text().splitlines():
            if line.startswith("VmHWM"):
                return int(line.split()[1]) << 10

    @contextlib.contextmanager
    def restarted(self, **environment):
        """Bloblo with other settings."""
        old = dict(self.servers.options.env)
        self.bloblo.stop()
        self.servers.options.env = {**old, **environment}
        self.bloblo.start()
        try:
            yield
        finally:
            self.bloblo.stop()
            self.servers.options.env = old
            self.bloblo.start()

    def tool(self, *words, **environment):
        return subprocess.run([ARGUMENTS.bloblo, *words], env={**self.bloblo.environment(), **environment},
                              capture_output=True, text=True, timeout=120)


class Coalescing(FillTest):
    rate = 150 * MIB

    def test_many_clients_are_one_upstream_get(self):
        size = ARGUMENTS.size * MIB
        digest = self.registry.add(size)
        with concurrent.futures.ThreadPoolExecutor(ARGUMENTS.clients) as pool:
            # The last tenth comes late, and reads along from the start.
            def client(number):
                time.sleep(0.05 if number % 10 == 0 else 0)
                return self.pull(digest, timeout=300)
            pulls = list(pool.map(client, range(ARGUMENTS.clients)))
        wrong = [pull for pull in pulls if (pull.status, pull.count) != (200, size) or f"sha256:{pull.sha256}" != digest]
        self.assertFalse(wrong, self.log())
        self.assertEqual(self.registry.gets[digest], 1, self.log())
        self.assertEqual(self.registry.bytes[digest], size)
        self.assert_published(digest)
        self.assertEqual(self.pull(digest).status, 307)
        print(f"\n{ARGUMENTS.clients} clients × {ARGUMENTS.size} MiB: upstream GETs {self.registry.gets[digest]}, "
              f"peak memory {self.memory() / MIB:.1f} MiB", file=sys.stderr)
        self.assertLess(self.memory(), ARGUMENTS.memory * MIB)

    def test_who_comes_late_reads_along_from_the_start(self):
        size = 24 * MIB
        digest = self.registry.add(size)
        self.registry.gate = gate = threading.Event()
        self.addCleanup(gate.set)
        with contextlib.ExitStack() as stack:
            def client(number):
                connection = stack.enter_context(contextlib.closing(
                    http.client.HTTPConnection(self.nginx.split("//")[1], timeout=60)))
                # Each has a credential of its own, and so needs a proof of its own.
                connection.request("GET", path(digest), headers={"Authorization": f"Basic {number}"})
                return connection.getresponse()
            answers = [client(0)]
            self.assertTrue(eventually(lambda: self.registry.bytes.get(digest) == size // 2))
            answers += [client(number) for number in range(1, 6)]
            halves = [answer.read(size // 2) for answer in answers]
            # All of the first half, and upstream has given no more.
            self.assertEqual(set(halves), {self.registry.blobs[digest][:size // 2]})
            self.assertEqual((self.registry.gets[digest], self.registry.bytes[digest]), (1, size // 2))
            self.assertIsNone(self.s3.client.size(digest))
            gate.set()
            for answer in answers:
                self.assertEqual(answer.read(), self.registry.blobs[digest][size // 2:])
        self.assertEqual(self.registry.gets[digest], 1)
        self.assertEqual(len(self.registry.proofs[digest]), 6)
        self.assert_published(digest)

    def test_who_comes_at_the_very_end_costs_no_second_read(self):
        # Small blobs are filled in the time between a client's question to the bucket and its answer.
        def client(digest, number, start):
            start.wait()
            time.sleep(random.uniform(0, 0.05))
            pull = self.pull(digest, headers={"Authorization": f"Basic {number}"})
            return pull.status == 307 or (pull.status == 200 and f"sha256:{pull.sha256}" == digest)
        for lives in ({}, {"BLOBLO_PRESENCE_TTL": "0s", "BLOBLO_PROOF_TTL": "0s"}):
            with self.subTest(**lives), self.restarted(**lives), concurrent.futures.ThreadPoolExecutor(12) as pool:
                for _ in range(15):
                    digest, start = self.registry.add(50_000), threading.Event()
                    pulls = [pool.submit(client, digest, number, start) for number in range(12)]
                    start.set()
                    self.assertTrue(all(pull.result() for pull in pulls), self.log())
                    self.assertEqual(self.registry.gets[digest], 1, self.log())


class Independence(FillTest):
    rate = 100 * MIB

    def test_a_slow_client_holds_up_neither_the_bucket_nor_others(self):
        digest = self.registry.add(20 * MIB)
        with self.slow_client(digest) as slow:
            fast = self.pull(digest)
            self.assertEqual(fast.seen, (200, 20 * MIB, digest.split(":")[1]))
            self.assert_published(digest)
            # It would take half an hour.
            self.assertTrue(slow.is_alive())
            self.assertEqual(self.registry.gets[digest], 1)

    def test_a_store_that_stalls_holds_up_no_client(self):
        digest, other = self.registry.add(20 * MIB), self.registry.add(MIB)
        pulls = []
        first = threading.Thread(target=lambda: pulls.append(self.pull(digest)))
        first.start()
        self.assertTrue(eventually(lambda: self.registry.gets.get(digest)))
        self.relay.stalled = True
        first.join()
        self.assertEqual(pulls[0].seen, (200, 20 * MIB, digest.split(":")[1]), self.log())
        # A third client asks for another blob: whether it is there S3 does not say, so the registry answers.
        third = self.pull(other)
        self.assertEqual(third.seen, (200, MIB, other.split(":")[1]))
        self.relay.stalled = False
        self.assert_published(digest, 40)

    def test_a_slow_client_and_a_stalled_store_disturb_nobody(self):
        digest, other = self.registry.add(20 * MIB), self.registry.add(20 * MIB)
        with self.slow_client(digest) as slow:
            self.assertTrue(eventually(lambda: self.uploads(digest)), self.log())
            self.relay.stalled = True
            self.assertEqual(self.pull(digest).seen, (200, 20 * MIB, digest.split(":")[1]))
            self.assertEqual(self.pull(other).seen, (200, 20 * MIB, other.split(":")[1]))
            self.assertTrue(slow.is_alive())
            self.assertEqual(self.registry.gets[digest], 1)
            self.relay.heal()
            self.assert_published(digest, 60)
            self.assertTrue(slow.is_alive())

    @contextlib.contextmanager
    def slow_client(self, digest):
        stop = threading.Event()
        client = threading.Thread(target=self.pull, args=(digest,), kwargs={"rate": 10 << 10, "stop": stop})
        client.start()
        try:
            yield client
        finally:
            stop.set()
            client.join()

    def test_a_slow_client_keeps_its_room_in_the_spool(self):
        first, second = self.registry.add(16 * MIB), self.registry.add(16 * MIB)
        with self.restarted(BLOBLO_SPOOL_MAX_BYTES="20MiB"):
            with self.slow_client(first):
                self.assert_published(first)
                # Its bytes are still in the spool: another blob has no room, and passes.
                self.assertEqual(self.spool_files(), 1)
                self.assertEqual(self.pull(second).seen, (200, 16 * MIB, second.split(":")[1]))
                self.assertTrue(self.said(second, "no room"), self.log())
            self.assertTrue(eventually(lambda: self.spool_files() == 0))
            self.pull(second)
            self.assert_published(second)

    def test_the_end_of_the_client_is_not_the_end_of_the_fill(self):
        digest = self.registry.add(20 * MIB)
        with contextlib.closing(http.client.HTTPConnection(self.nginx.split("//")[1])) as connection:
            connection.request("GET", path(digest))
            connection.getresponse().read(1000)
        self.assert_published(digest)

    def test_what_nobody_needs_is_not_read(self):
        self.registry.rate = 10 * MIB
        digest = self.registry.add(100 * MIB)
        with contextlib.closing(http.client.HTTPConnection(self.nginx.split("//")[1])) as connection:
            connection.request("GET", path(digest))
            connection.getresponse().read(1000)
            self.relay.refuse = faulty.slow_down(403, "AccessDenied")
            self.relay.cut()
            self.assertTrue(eventually(lambda: self.registry.bytes.get(digest, 0) > 20 * MIB))
        self.assertTrue(eventually(lambda: self.spool_files() == 0), self.log())
        self.assertLess(self.registry.bytes[digest], 60 * MIB)
        self.registry.rate = self.rate
        self.relay.heal()
        self.assert_absent(digest)


class Truth(FillTest):
    """Nothing is published, and the client sees what the registry would have shown it."""

    sizes = (MIB, 20 * MIB)

    def test_bodies_that_are_not_the_blob(self):
        for fault in ("cut", "reset", "wrong", "encoded", "partial", "page", "error", "busy", "redirect", "shorter",
                      "longer", "chunkedcut", "otherdigest"):
            for size in self.sizes:
                with self.subTest(fault=fault, size=size):
                    digest = self.registry.add(size)
                    direct = Pull(f"http://{self.registry.address}", path(digest, fault))
                    ours = self.pull(digest, fault)
                    self.assertEqual(ours.seen, direct.seen, self.log())
                    self.assertEqual(ours.headers.get("Location"), direct.headers.get("Location"))
                    self.assert_absent(digest)

    def test_a_body_without_a_length_is_the_blob_if_its_digest_is(self):
        for fault in ("chunked", "nolength"):
            for size in self.sizes:
                with self.subTest(fault=fault, size=size):
                    digest = self.registry.add(size)
                    self.assertEqual(self.pull(digest, fault).seen, (200, size, digest.split(":")[1]), self.log())
                    self.assert_published(digest)

    def test_a_sha512_that_is_another(self):
        for fault in ("wrong", "cut"):
            for size in self.sizes:
                with self.subTest(fault=fault, size=size):
                    digest = self.registry.add(size, "sha512")
                    self.pull(digest, fault)
                    self.assert_absent(digest)

    def test_a_body_that_breaks_off_is_broken_off(self):
        # As curl says it: 18 is "a file was only partially transferred".
        for fault in ("cut", "reset"):
            for size in self.sizes:
                with self.subTest(fault=fault, size=size):
                    digest = self.registry.add(size)
                    curl = subprocess.run(
                        ["curl", "--disable", "-sS", "--max-time", "60", self.nginx + path(digest, fault)],
                        capture_output=True)
                    self.assertEqual(curl.returncode, 18, curl.stderr)
                    self.assertEqual(curl.stdout, self.registry.blobs[digest][:len(curl.stdout)])
                    self.assert_absent(digest)

    def test_a_body_that_breaks_off_is_not_held_up_by_the_store(self):
        # What was begun there can't be aborted; nobody waits for that.
        digest = self.registry.add(40 * MIB)
        self.registry.rate = 40 * MIB
        with concurrent.futures.ThreadPoolExecutor(1) as pool:
            pull = pool.submit(self.pull, digest, "cut")
            self.assertTrue(eventually(lambda: self.uploads(digest)), self.log())
            self.relay.stalled = True
            self.assertFalse(pull.result().is_whole)
            # Who comes now is given to the registry, and gets what it has.
            self.assertEqual(self.spool_files(), 1, "the fill is still clearing up")
            second = self.pull(digest)
            self.assertEqual(second.seen, (200, 40 * MIB, digest.split(":")[1]), self.log())
        self.registry.rate = None
        self.relay.heal()
        self.assertTrue(eventually(lambda: self.spool_files() == 0, 60), self.log())
        self.sweep()

    def test_the_same_blob_is_filled_by_the_next_right_answer(self):
        digest = self.registry.add(20 * MIB)
        self.pull(digest, "wrong")
        self.assert_absent(digest)
        self.pull(digest)
        self.assert_published(digest)

    def test_an_upstream_that_pauses_or_drips_is_waited_for_with_its_client(self):
        with self.restarted(BLOBLO_UPSTREAM_TIMEOUT="500ms"):
            for fault in ("stall", "drip"):
                with self.subTest(fault=fault):
                    digest = self.registry.add(MIB)
                    self.assertEqual(self.pull(digest, fault).seen, (200, MIB, digest.split(":")[1]))
                    self.assert_published(digest)

    def test_an_upstream_that_drips_or_stalls_for_nobody_is_left(self):
        # Six seconds of next to nothing are enough then.
        with self.restarted(BLOBLO_UPSTREAM_TIMEOUT="500ms", BLOBLO_FILL="background"):
            for fault, size in zip(("drip", "standstill"), self.sizes):
                with self.subTest(fault=fault, size=size):
                    digest = self.registry.add(size)
                    client = threading.Thread(target=self.pull, args=(digest, fault))
                    client.start()
                    self.assertTrue(eventually(lambda: self.said(digest, "fewer than"), 30), self.log())
                    self.assert_absent(digest)
                    client.join()

    def test_sha512(self):
        for size in self.sizes:
            digest = self.registry.add(size, "sha512")
            self.assertEqual(self.pull(digest).count, size)
            self.assert_published(digest)

    def test_an_object_of_the_wrong_size_is_replaced(self):
        for size in self.sizes:
            digest = self.registry.add(size)
            self.s3.client.call("PUT", f"/{stack.BUCKET}/{digest}", b"poison")
            self.assertEqual(self.pull(digest).seen, (200, size, digest.split(":")[1]))
            self.assertTrue(eventually(lambda: self.s3.client.size(digest) == size), self.log())
            self.assertEqual(self.object(digest), digest)
            self.assertTrue(self.lines("wrong size"))


class StoreFaults(FillTest):
    def filled_in_spite_of(self, sizes=(MIB, 30 * MIB), **fault):
        for size in sizes:
            with self.subTest(size=size, **fault):
                digest = self.registry.add(size)
                self.registry.rate = 60 * MIB
                puller = concurrent.futures.ThreadPoolExecutor(1)
                pull = puller.submit(self.pull, digest)
                eventually(lambda: self.registry.gets.get(digest))
                self.relay.cut()
                for name, value in fault.items():
                    setattr(self.relay, name, value)
                self.assertEqual(pull.result().seen, (200, size, digest.split(":")[1]))
                self.assert_published(digest, 60)
                self.relay.heal()
                self.assertTrue(eventually(lambda: self.spool_files() == 0))
                # Of an upload whose beginning was lost nobody knows the name: a sweep aborts it.
                if "uploads=" in str(fault.get("victims")):
                    # libcurl asks again by itself, and tells nobody, where a connection was used before and breaks.
                    self.assertTrue("forget" in fault or self.said(digest, "multipart upload left"), self.log())
                    self.sweep()
                else:
                    self.assertFalse(self.uploads(digest))

    def test_503_slow_down(self):
        self.filled_in_spite_of(refuse=faulty.slow_down(), times=3)

    def test_500(self):
        self.filled_in_spite_of(refuse=faulty.slow_down(500, "InternalError"), times=3)

    def test_a_request_timeout(self):
        self.filled_in_spite_of(refuse=faulty.slow_down(400, "RequestTimeout"), times=2)

    def test_a_reset_in_the_middle_of_a_part(self):
        self.filled_in_spite_of(reset_at=700_000)

    def test_a_cut_in_the_middle_of_a_part(self):
        self.filled_in_spite_of(cut_at=700_000)

    def test_a_slow_store(self):
        self.filled_in_spite_of(rate=8 * MIB)

    def test_answers_that_are_lost(self):
        # S3 has done what it was asked for, and nobody knows: nothing is made twice, nothing is left.
        self.filled_in_spite_of(forget=1)
        for victims in (b"POST .*uploads=", b"POST .*uploadId="):
            self.filled_in_spite_of(forget=1, victims=victims, sizes=(30 * MIB,))

    def test_a_drip(self):
        # Connections that never get well again: without a limit by progress the upload would take hours.
        with self.restarted(BLOBLO_S3_TIMEOUT="500ms"):
            for drip in ("up", "down"):
                self.filled_in_spite_of(drip=drip, times=2)
                self.filled_in_spite_of(drip=drip, times=2, victims=b"POST .*uploads=", sizes=(30 * MIB,))

    def test_a_drip_without_an_end(self):
        with self.restarted(BLOBLO_S3_TIMEOUT="500ms"):
            digest = self.registry.add(20 * MIB)
            self.relay.drip = "down"
            self.assertEqual(self.pull(digest).seen, (200, 20 * MIB, digest.split(":")[1]))
            self.assertTrue(eventually(lambda: self.said(digest, "not filled"), 60), self.log())
            self.assert_absent(digest)

    def test_a_stall_without_an_end(self):
        with self.restarted(BLOBLO_S3_TIMEOUT="500ms"):
            digest = self.registry.add(20 * MIB)
            self.registry.gate = gate = threading.Event()
            with concurrent.futures.ThreadPoolExecutor(1) as pool:
                pull = pool.submit(self.pull, digest)
                self.assertTrue(eventually(lambda: self.uploads(digest)), self.log())
                self.relay.stalled = True
                gate.set()
                self.assertEqual(pull.result().seen, (200, 20 * MIB, digest.split(":")[1]))
            self.assertTrue(eventually(lambda: self.said(digest, "multipart upload left"), 90), self.log())
            self.assertEqual(self.spool_files(), 0)
            self.relay.heal()
            self.assertIsNone(self.s3.client.size(digest))
            self.sweep()

    def test_a_stop_aborts_what_it_can(self):
        digest = self.registry.add(60 * MIB)
        with self.restarted(BLOBLO_STOP_TIMEOUT="1s", BLOBLO_FILL_PART_SIZE="5MiB"):
            self.relay.rate = 4 * MIB
            self.assertEqual(self.pull(digest).count, 60 * MIB)
            self.assertTrue(eventually(lambda: self.uploads(digest)), self.log())
            self.bloblo.stop()
            self.assertEqual(self.uploads(digest), [])
            self.assertIsNone(self.s3.client.size(digest))
            self.relay.heal()
            self.bloblo.start()

    def test_a_store_that_is_down(self):
        digest = self.registry.add(20 * MIB)
        self.relay.refuse = faulty.slow_down()
        self.relay.cut()
        self.assertEqual(self.pull(digest).seen, (200, 20 * MIB, digest.split(":")[1]))
        self.relay.heal()
        self.assert_absent(digest)


class Modes(FillTest):
    def test_background(self):
        with self.restarted(BLOBLO_FILL="background"):
            digest = self.registry.add(20 * MIB)
            pull = self.pull(digest, headers={"Authorization": "Basic YTpi"})
            self.assertEqual(pull.seen, (200, 20 * MIB, digest.split(":")[1]))
            self.assertNotEqual(pull.headers.get("X-Bloblo"), "tee")
            self.assert_published(digest)
            self.assertEqual(self.registry.gets[digest], 2)
            # The client's own GET, and the fill's with the credential it was given.
            self.assertEqual(self.registry.credentials[digest], ["Basic YTpi"] * 2)

    def test_a_range_queues_a_fill_in_the_background(self):
        with self.restarted(BLOBLO_FILL="background"):
            digest = self.registry.add(MIB)
            pull = self.pull(digest, headers={"Range": "bytes=5-9"})
            self.assertEqual((pull.status, pull.body), (206, self.registry.blobs[digest][5:10]))
            self.assert_published(digest)

    def test_the_queue_is_bounded(self):
        self.registry.rate = MIB
        with self.restarted(BLOBLO_FILL="background", BLOBLO_FILL_CONCURRENCY="1", BLOBLO_FILL_QUEUE="1",
                            BLOBLO_STOP_TIMEOUT="0s"):
            before = len(self.lines("cold-limit"))
            digests = [self.registry.add(3 * MIB) for _ in range(4)]
            for digest in digests:
                pull = self.pull(digest, headers={"Range": "bytes=0-0"})
                self.assertEqual(pull.status, 206)
            self.assertEqual(len(self.lines("cold-limit")) - before, 2)
            for digest in digests[:2]:
                self.assert_published(digest)
            self.assertIsNone(self.s3.client.size(digests[3]))
        self.registry.rate = None

    def test_a_range_of_a_cold_blob_passes_and_fills_nothing(self):
        digest = self.registry.add(MIB)
        pull = self.pull(digest, headers={"Range": "bytes=5-9"})
        self.assertEqual((pull.status, pull.body), (206, self.registry.blobs[digest][5:10]))
        self.assertEqual(self.registry.gets[digest], 1)
        self.assert_absent(digest)

    def test_off(self):
        with self.restarted(BLOBLO_FILL="off"):
            digest = self.registry.add(MIB)
            self.assertEqual(self.pull(digest).seen, (200, MIB, digest.split(":")[1]))
            self.assert_absent(digest)


class Limits(FillTest):
    def passes(self, digest, size):
        self.assertEqual(self.pull(digest).seen, (200, size, digest.split(":")[1]), self.log())
        self.assert_absent(digest)

    def test_beyond_the_spool(self):
        with self.restarted(BLOBLO_SPOOL_MAX_BYTES="1MiB"):
            self.passes(self.registry.add(MIB + 1), MIB + 1)
            digest = self.registry.add(MIB)
            self.pull(digest)
            self.assert_published(digest)

    def test_the_spool_is_never_larger_than_it_may_be(self):
        self.registry.rate = 4 * MIB
        with self.restarted(BLOBLO_SPOOL_MAX_BYTES="9MiB"), concurrent.futures.ThreadPoolExecutor(8) as pool:
            digests = [self.registry.add(4 * MIB) for _ in range(8)]
            pulls = [pool.submit(self.pull, digest) for digest in digests]
            most = 0
            while not all(pull.done() for pull in pulls):
                most = max(most, self.spool_bytes())
                time.sleep(0.02)
            self.assertTrue(all(pull.result().count == 4 * MIB for pull in pulls))
            self.assertLessEqual(most, 9 * MIB)
            self.assertGreaterEqual(most, 8 * MIB)
        self.registry.rate = None

    def spool_bytes(self):
        folder, total = f"/proc/{self.bloblo.pid}/fd", 0
        for each in os.listdir(folder):
            with contextlib.suppress(OSError):
                if str(self.bloblo.spool) in os.readlink(f"{folder}/{each}"):
                    total += os.stat(f"{folder}/{each}").st_blocks * 512
        return total

    def test_beyond_concurrency_and_threads(self):
        for limit in ("BLOBLO_FILL_CONCURRENCY", "BLOBLO_STREAM_THREADS"):
            self.registry.rate = 4 * MIB
            with self.subTest(limit=limit), self.restarted(**{limit: "1"}):
                before = len(self.lines("cold-limit"))
                first, second = self.registry.add(8 * MIB), self.registry.add(MIB)
                with concurrent.futures.ThreadPoolExecutor(1) as pool:
                    pull = pool.submit(self.pull, first)
                    eventually(lambda: self.registry.gets.get(first))
                    self.assertEqual(self.pull(second).seen, (200, MIB, second.split(":")[1]))
                    self.assertEqual(len(self.lines("cold-limit")) - before, 1, self.log())
                    self.assertEqual(pull.result().count, 8 * MIB)
                # Who is passed on has begun no fill: upstream is read for the client alone.
                self.assert_published(first)
                self.assert_absent(second)
                self.assertEqual(self.registry.gets[second], 1)
        self.registry.rate = None

    @unittest.skipUnless(os.geteuid() == 0, "mounts a small file system")
    def test_a_full_disk(self):
        with tempfile.TemporaryDirectory() as folder:
            subprocess.run(["mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", folder], check=True)
            try:
                with self.restarted(BLOBLO_SPOOL_DIR=folder):
                    self.passes(self.registry.add(5 * MIB), 5 * MIB)
                    digest = self.registry.add(MIB)
                    self.pull(digest)
                    self.assert_published(digest)
            finally:
                subprocess.run(["umount", "-l", folder], check=True)


    @unittest.skipUnless(os.geteuid() == 0, "mounts a small file system")
    def test_a_disk_that_fills_up_meanwhile(self):
        # ext2 can't promise room: the disk is full in the middle of the body, which can only break off.
        with self.small_file_system() as folder, self.restarted(BLOBLO_SPOOL_DIR=str(folder)):
            for size in (6 * MIB, 14 * MIB):
                with self.subTest(size=size), concurrent.futures.ThreadPoolExecutor(1) as pool:
                    digest = self.registry.add(size)
                    self.registry.gate = gate = threading.Event()
                    pull = pool.submit(self.pull, digest)
                    self.assertTrue(eventually(lambda: self.registry.bytes.get(digest) == size // 2))
                    with (folder / "other").open("wb") as other, contextlib.suppress(OSError):
                        while True:
                            other.write(bytes(65536))
                            other.flush()
                    gate.set()
                    self.assertFalse(pull.result().is_whole)
                    self.assertTrue(self.lines("spool: write: error 28"), self.log())
                    self.assert_absent(digest)
                    # The client tries again, and the registry answers.
                    self.passes(digest, size)
                    (folder / "other").unlink()
            # Two that fit alone and not together: the second is passed on, whole.
            first, second = self.registry.add(14 * MIB), self.registry.add(14 * MIB)
            self.registry.gate = gate = threading.Event()
            with concurrent.futures.ThreadPoolExecutor(1) as pool:
                pull = pool.submit(self.pull, first)
                self.assertTrue(eventually(lambda: self.registry.bytes.get(first) == 7 * MIB))
                self.assertEqual(self.pull(second).seen, (200, 14 * MIB, second.split(":")[1]))
                gate.set()
                self.assertEqual(pull.result().seen, (200, 14 * MIB, first.split(":")[1]))
            self.assert_published(first)
            self.assertIsNone(self.s3.client.size(second))

    @contextlib.contextmanager
    def small_file_system(self):
        with tempfile.TemporaryDirectory() as folder:
            image, point = pathlib.Path(folder) / "image", pathlib.Path(folder) / "point"
            point.mkdir()
            with image.open("wb") as file:
                file.truncate(24 * MIB)
            subprocess.run(["/sbin/mkfs.ext2", "-q", "-F", image], check=True)
            if subprocess.run(["mount", "-o", "loop", image, point], capture_output=True).returncode:
                self.skipTest("no loop devices here")
            try:
                yield point
            finally:
                subprocess.run(["umount", "-l", point], check=True)


class Instances(FillTest):
    """Another instance with the same bucket; its own socket is asked by cgi-fcgi."""

    def test_the_same_blob_at_the_same_time(self):
        self.registry.rate = 20 * MIB
        for size in (MIB, 60 * MIB):
            with self.subTest(size=size), self.other() as pull_by_other:
                digest = self.registry.add(size)
                with concurrent.futures.ThreadPoolExecutor(2) as pool:
                    pulls = [pool.submit(self.pull, digest), pool.submit(pull_by_other, digest)]
                    got = [pulls[0].result().sha256, hashlib.sha256(pulls[1].result()).hexdigest()]
                # Who comes after the other has published is redirected, and has no body.
                self.assertIn(digest.split(":")[1], got)
                self.assertLessEqual(set(got), {digest.split(":")[1], hashlib.sha256().hexdigest()})
                self.assert_published(digest)
                self.assertTrue(eventually(lambda: not self.uploads()))

    def test_a_fill_stops_when_another_has_published(self):
        self.registry.rate = 10 * MIB
        digest = self.registry.add(100 * MIB)
        with concurrent.futures.ThreadPoolExecutor(1) as pool:
            pull = pool.submit(self.pull, digest)
            eventually(lambda: self.uploads())
            self.s3.client.call("PUT", f"/{stack.BUCKET}/{digest}", self.registry.blobs[digest])
            self.assertEqual(pull.result().sha256, digest.split(":")[1])
        self.assertTrue(eventually(lambda: self.lines("another instance was first")), self.log())
        self.assertTrue(eventually(lambda: not self.uploads()))
        self.assertEqual(self.object(digest), digest)

    def test_the_slower_of_two_instances_stops(self):
        size = 100 * MIB
        digest = self.registry.add(size)
        self.registry.gate = gate = threading.Event()
        self.addCleanup(gate.set)
        before = self.metric('bloblo_fills_done_total{by="another"}')
        with self.other() as pull_by_other, concurrent.futures.ThreadPoolExecutor(1) as pool:
            pull = pool.submit(self.pull, digest)
            self.assertTrue(eventually(lambda: self.uploads(digest)), self.log())
            # Ours has half of the blob when the other comes, and is first.
            self.assertEqual(hashlib.sha256(pull_by_other(digest)).hexdigest(), digest.split(":")[1])
            self.assert_published(digest)
            time.sleep(2)  # between two looks
            gate.set()
            self.assertEqual(pull.result().sha256, digest.split(":")[1])
        self.assertTrue(eventually(
            lambda: self.metric('bloblo_fills_done_total{by="another"}') == before + 1), self.log())
        self.assertTrue(self.said(digest, "another instance was first"))
        self.assertTrue(eventually(lambda: not self.uploads()))
        self.assertEqual(self.object(digest), digest)
        self.assertEqual(self.registry.gets[digest], 2)

    def metric(self, name):
        _, _, text = stack.request("GET", f"{self.nginx}/bloblo/metrics")
        return int(next(line.split()[-1] for line in text.decode().splitlines() if line.startswith(name)))

    @contextlib.contextmanager
    def other(self):
        folder = self.servers.folder / "other"
        folder.mkdir(exist_ok=True)
        address = folder / "socket"
        environment = {**self.bloblo.environment(), "BLOBLO_LISTEN_ADDR": f"unix:{address}"}
        with (folder / "log").open("ab") as log:
            process = subprocess.Popen([ARGUMENTS.bloblo], env=environment, stderr=log, stdin=subprocess.DEVNULL)
        try:
            self.assertTrue(eventually(address.exists))
            yield lambda digest: ask(address, path(digest)).split(b"\r\n\r\n", 1)[1]
        finally:
            process.terminate()
            process.wait()
            written.wrote((folder / "log").read_bytes())
            (folder / "log").unlink()


def ask(address, target):
    """A responder's whole answer to a GET, over FastCGI."""

    def record(kind, content=b""):
        return struct.pack("!BBHHBB", 1, kind, 1, len(content), 0, 0) + content

    params = b"".join(bytes((len(name), 128, 0, 0, len(value))) + name + value for name, value in (
        (b"REQUEST_METHOD", b"GET"), (b"REQUEST_URI", target.encode())))
    answer = []
    with socket.socket(socket.AF_UNIX) as connection:
        connection.connect(str(address))
        connection.settimeout(60)
        connection.sendall(record(1, struct.pack("!HB5x", 1, 0)) + record(4, params) + record(4) + record(5))
        with connection.makefile("rb") as reader:
            while header := reader.read(8):
                _, kind, _, length, padding, _ = struct.unpack("!BBHHBB", header)
                content = reader.read(length)
                reader.read(padding)
                if kind == 3:
                    return b"".join(answer)
                if kind == 6:
                    answer.append(content)
    raise ConnectionError(f"the answer broke off after {sum(map(len, answer))} bytes")


class Kills(FillTest):
    rate = 120 * MIB
    environment = {"BLOBLO_SWEEP_AGE": "1d"}

    def test_kill_at_any_instant(self):
        started = time.monotonic()
        asked = []
        for number in range(ARGUMENTS.kills):
            size = random.choice((100_000, 3 * MIB, 12 * MIB, 24 * MIB))
            digest = self.registry.add(size)
            asked.append((digest, size))
            with concurrent.futures.ThreadPoolExecutor(2) as pool:
                pulls = [pool.submit(self.pull, digest, timeout=30) for _ in range(2)]
                time.sleep(random.uniform(0, 0.3 + 2.5 * size / self.rate))
                self.bloblo.process.kill()
                self.bloblo.process.wait()
                for pull in pulls:
                    seen = pull.result()
                    self.assertFalse(seen.is_stuck)
                    if seen.is_whole and seen.status == 200:
                        self.assertEqual(f"sha256:{seen.sha256}", digest)
                    else:
                        self.assertIn(seen.status, (200, 307))
            self.bloblo.start()
        published = set(self.keys())
        left = self.uploads()
        print(f"\n{ARGUMENTS.kills} kills in {time.monotonic() - started:.0f} s: {len(published)} of {len(asked)} "
              f"published, {len(left)} uploads left behind", file=sys.stderr)
        for digest, _ in asked:
            if digest in published:
                self.assertEqual(self.object(digest), digest)
        self.assertLessEqual(published, {digest for digest, _ in asked})
        self.assertEqual(list(self.bloblo.spool.iterdir()), [])
        # Somebody else's upload, which is not ours to abort.
        self.s3.client.call("POST", f"/{stack.BUCKET}/backup.tar", query=[("uploads", "")])
        young = self.tool("sweep")
        self.assertEqual((young.returncode, "0 aborted" in young.stdout), (0, True), young)
        time.sleep(1)
        swept = self.tool("sweep", "--older-than", "1s")
        self.assertEqual(swept.returncode, 0, swept)
        self.assertEqual(self.uploads(), ["backup.tar"])

    def test_a_start_sweeps(self):
        digest = self.registry.add(MIB)
        self.s3.client.call("POST", f"/{stack.BUCKET}/{digest}", query=[("uploads", "")])
        time.sleep(1.1)
        with self.restarted(BLOBLO_SWEEP_AGE="1s"):
            self.assertTrue(eventually(lambda: digest not in self.uploads()), self.log())


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--bloblo", default=ARGUMENTS.bloblo)
    for name in ("clients", "size", "kills", "memory"):
        parser.add_argument(f"--{name}", type=int, default=getattr(ARGUMENTS, name))
    _, rest = parser.parse_known_args(namespace=ARGUMENTS)
    unittest.main(argv=[sys.argv[0], *rest], verbosity=2)


if __name__ == "__main__":
    main()
