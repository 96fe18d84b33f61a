"""A bloblo that fills the bucket between nginx, SeaweedFS behind a relay, and a registry that misbehaves."""

import contextlib
import hashlib
import http.client
import json
import os
import pathlib
import subprocess
import threading
import time
import xml.etree.ElementTree as xml

import pytest

import stack
from fakes.registry import Registry
from fakes.relay import Relay
from fakes.waiting import PATIENCE, eventually
from front_site import stacks

MIB = 1 << 20


class Pull:
    """What a client got: status, number of bytes, their SHA-256, and whether the body was whole.

    `begun` is a barrier at which it waits with the first bytes.
    """

    def __init__(self, url, path, headers=None, rate=None, timeout=120, stop=None, begun=None):
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
                if begun:
                    begun.wait(timeout)
                    begun = None
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


def faults_of_s3(lines):
    """How often S3 was at fault, as on a busy machine, by these lines of the log: a blob passed, or was not filled."""
    return sum("s3" in (line.get("reason"), line.get("cause")) for line in lines)


def pull_until_published(pull, is_published, faults, log, begun=False):
    """What `pull` gave, each time, until the bucket has the blob: again only where S3 was at fault.

    `begun`: somebody has pulled it already.
    """
    pulls = []

    def is_published_after(before):
        eventually(lambda: is_published() or faults() > before, otherwise=log)
        return is_published()

    def attempt():
        before = faults()
        if not is_published():
            pulls.append(pull())
        return is_published_after(before)

    if not begun or not is_published_after(0):
        eventually(attempt, pause=1, otherwise=log)
    return pulls


def path(digest, repository="good"):
    return f"/v2/test/{repository}/blobs/{digest}"


class Filling:
    """`rate` is the registry's, bytes a second, at the start of each test."""

    def __init__(self, make, ends, rate=None, tls=None, **environment):
        self.rate, self.registry = rate, Registry(rate=rate)
        ends.callback(self.registry.close)
        self.servers = make("s3,nginx,bloblo", "--registry", self.registry.address, "--log-level", "debug", start=False, tls=tls)
        self.s3 = self.servers.services["s3"]
        if tls:
            self.relay = self.servers.s3_relay
        else:
            self.relay = Relay(self.s3.port)
            ends.callback(self.relay.close)
            self.servers.options.env["BLOBLO_S3_ENDPOINT_URL"] = self.relay.url
        self.servers.options.env |= environment
        self.servers.up()
        self.nginx = self.servers.services["nginx"].url
        self.bloblo = self.servers.services["bloblo"]
        self.any_blob = self.registry.add(1000)

    def reset(self):
        """Registry and store are as at the start."""
        self.relay.heal()
        self.registry.rate = self.rate
        self.registry.gate = None
        self.registry.strangers = set()
        self.bloblo.start()
        # For some seconds bloblo leaves a store alone that was bad in the test before.
        eventually(lambda: self.pull(self.any_blob).headers.get("X-Bloblo") in ("tee", "redirect"), otherwise=self.log)

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
        assert (swept.returncode, self.uploads()) == (0, []), swept

    def assert_published(self, digest, seconds=PATIENCE):
        eventually(lambda: self.s3.client.size(digest) is not None, seconds, otherwise=self.log)
        assert self.object(digest) == digest

    def assert_absent(self, digest):
        """Nothing is published, nothing is left, and no fill goes on."""
        eventually(lambda: self.spool_files() == 0, otherwise=lambda: "a spool is still open")
        assert self.s3.client.size(digest) is None
        eventually(lambda: not self.uploads(digest), otherwise=self.log)

    def pull(self, digest, repository="good", **more):
        return Pull(self.nginx, path(digest, repository), **more)

    def faults(self, digest):
        """How often S3 was at fault for a blob."""
        return faults_of_s3(line for line in self.lines(digest) if line.get("blob.digest") == digest)

    def fill(self, digest, begun=False, **more):
        """Pulls a blob until it is published, again only where S3 was at fault: those pulls."""
        size = len(self.registry.blobs[digest])
        pulls = pull_until_published(lambda: self.pull(digest, **more), lambda: self.s3.client.size(digest) == size,
                                     lambda: self.faults(digest), self.log, begun)
        assert self.object(digest) == digest
        return pulls

    def whole(self, digest):
        """What a pull has `seen` that got the blob."""
        content = self.registry.blobs[digest]
        return 200, len(content), hashlib.sha256(content).hexdigest()

    def reads(self, digest):
        """GETs of the blob that are not for a range."""
        return self.registry.gets.get(digest, 0) - self.registry.rests.get(digest, 0)

    def begin(self, pool, size, gated=False):
        """Digest, future and gate of a pull of a new blob that is in the spool; another blob where S3 was at fault.

        `gated`: only half of it comes until the gate is set.
        """
        eventually(lambda: self.spool_files() == 0, otherwise=self.log)

        def attempt():
            digest, gate, stop = self.registry.add(size), threading.Event(), threading.Event()
            self.registry.gate = gate if gated else None
            pull = pool.submit(self.pull, digest, stop=stop)
            eventually(lambda: self.spool_files() or pull.done() or self.faults(digest), otherwise=self.log)
            if self.spool_files():
                return digest, pull, gate
            for each in (gate, stop):
                each.set()

        return eventually(attempt, pause=1, otherwise=self.log)

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
        return subprocess.run([os.environ["BLOBLO"], *words], env={**self.bloblo.environment(), **environment},
                              capture_output=True, text=True, timeout=120)

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


def fixtures(rate=None, tls=None, **environment):
    """The fixtures `shared` and `site` of a module: `shared, site = fixtures(…)`; `tls` as in front_site.py."""
    @pytest.fixture(scope="module")
    def shared():
        with stacks() as make, contextlib.ExitStack() as ends:
            yield Filling(make, ends, rate, tls, **environment)

    @pytest.fixture
    def site(shared):
        shared.reset()
        yield shared
        shared.reset()

    return shared, site
