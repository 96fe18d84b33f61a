"""Parts on their way up: what each S3 server that is here compares them with over TLS, and how many go at a time."""

import base64
import concurrent.futures
import hashlib
import re
import threading
import time

import pytest

import stack
from fakes.handler import Handler
from fakes.relay import Relay
from fakes.waiting import PATIENCE, eventually
from front_site import Site, stacks
from s3_servers import JuiceFS, LocalStack, Moto, settings

pytestmark = pytest.mark.long
# A part that a busy machine answers late would go up again.
PATIENT = {"BLOBLO_S3_TIMEOUT": "60s"}


class Watching(Relay):
    """Notes the heads of requests for parts."""

    def heal(self):
        super().heal()
        self.parts = []

    def look(self, data, state):
        super().look(data, state)
        if re.match(rb"PUT [^ ]*partNumber=", data):
            self.parts.append(data.split(b"\r\n\r\n")[0].decode().lower().split("\r\n"))


@pytest.fixture(scope="module")
def servers():
    with stacks() as make:
        yield make("s3")


@pytest.fixture(params=[None, JuiceFS, Moto, LocalStack], ids=["seaweedfs", "juicefs", "moto", "localstack"])
def server(request, servers, ends):
    if request.param is None:
        return servers.services["s3"]
    server = request.param(servers)
    ends.callback(server.stop)
    server.start()
    return server


def test_a_part_is_summed_once(server, authority, ends, fake_registry, make_stack):
    relay = Watching(server.port, authority.context("localhost"))
    ends.callback(relay.close)
    keys = {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test"} if isinstance(server, LocalStack) else {}
    site = Site(make_stack("nginx,bloblo", "--registry", fake_registry.address, env=settings(
        relay.url, BLOBLO_S3_CA_FILE=str(authority.file), BLOBLO_S3_PUBLIC_ENDPOINT_URL=server.url,
        BLOBLO_UPSTREAM_URL=f"http://{fake_registry.address}", **PATIENT, **keys)), "nginx")
    for _ in range(2):
        digest = fake_registry.add(20_000_000)
        assert site.get(digest)[::2] == (200, fake_registry.blobs[digest])
        _, fields = site.fill(digest)
        assert stack.request("GET", fields["Location"])[::2] == (200, fake_registry.blobs[digest])
    assert len(relay.parts) == 6
    for part in relay.parts:
        assert "x-amz-content-sha256: unsigned-payload" in part
        assert any(field.startswith("x-amz-checksum-crc32c: ") for field in part)


class Bucket(Handler):
    """Takes uploads in parts, and forgets them."""

    def do_HEAD(self):
        self.answer(404)

    def do_POST(self):
        self.rfile.read(int(self.headers.get("Content-Length") or 0))
        kind = "Initiate" if "uploads" in self.path else "Complete"
        self.answer(200, f"<{kind}MultipartUploadResult><UploadId>u</UploadId></{kind}MultipartUploadResult>".encode())

    def do_PUT(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        if "partNumber" in self.path:
            self.take(body)
        self.answer(200, ETag='"t"')


class OldBucket(Bucket):
    """Knows no CRC-32C. `server.taken` says of each part whether it came with its SHA-256."""

    def do_POST(self):
        if self.headers["x-amz-checksum-algorithm"] == "CRC32C":
            message = "Checksum algorithm provided is unsupported. Please try again with any of the valid types: [SHA256]"
            self.answer(400, f"<Error><Code>InvalidRequest</Code><Message>{message}</Message></Error>".encode())
        else:
            super().do_POST()

    def take(self, body):
        digest = hashlib.sha256(body)
        self.server.taken.append((self.headers["x-amz-checksum-sha256"], self.headers["x-amz-content-sha256"]) == (
            base64.b64encode(digest.digest()).decode(), digest.hexdigest()))


def test_a_server_without_crc_32c_gets_sha_256(serve, authority, ends, fake_registry, make_stack):
    bucket = serve(OldBucket)
    bucket.taken = []
    relay = Relay(bucket.server_port, authority.context("localhost"))
    ends.callback(relay.close)
    site = Site(make_stack("nginx,bloblo", "--registry", fake_registry.address, env=settings(
        relay.url, BLOBLO_S3_CA_FILE=str(authority.file), BLOBLO_UPSTREAM_URL=f"http://{fake_registry.address}")), "nginx")
    digest = fake_registry.add(20_000_000)
    assert site.get(digest)[::2] == (200, fake_registry.blobs[digest])
    eventually(lambda: site.lines('"filled"', digest), otherwise=site.bloblo.tail)
    assert bucket.taken == [True] * 3


class HeldBucket(Bucket):
    """Answers to parts when `server.gate` is set. `server.now` of them wait."""

    def take(self, body):
        with self.server.lock:
            self.server.now += 1
        self.server.gate.wait(PATIENCE)


def test_one_part_at_a_time_while_a_client_reads_what_comes_in(serve, fake_registry, make_stack):
    bucket = serve(HeldBucket)
    bucket.lock, bucket.now, bucket.gate = threading.Lock(), 0, threading.Event()
    site = Site(make_stack("nginx,bloblo", "--registry", fake_registry.address, env=settings(
        f"http://127.0.0.1:{bucket.server_port}", BLOBLO_UPSTREAM_URL=f"http://{fake_registry.address}",
        BLOBLO_FILL_PART_SIZE="5MiB", **PATIENT)), "nginx")
    fake_registry.gate = half = threading.Event()
    digest = fake_registry.add(40 << 20)
    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        pull = pool.submit(site.get, digest)
        # Four parts are whole when the registry stops in the middle.
        eventually(lambda: bucket.now, otherwise=site.bloblo.tail)
        eventually(lambda: fake_registry.bytes.get(digest, 0) == 20 << 20)
        time.sleep(2)  # others would have come
        assert bucket.now == 1
        half.set()
        assert pull.result()[::2] == (200, fake_registry.blobs[digest])
    eventually(lambda: bucket.now == 4, otherwise=site.bloblo.tail)
    bucket.gate.set()
    eventually(lambda: site.lines('"filled"', digest), otherwise=site.bloblo.tail)
