"""Bodies that break off and a bloblo that hangs or waits, behind Apache: over HTTP/1.1 and HTTP/2.

    .build/venv/bin/python -m pytest Tests/Stack/test_apache_lasting.py
"""

import os
import signal
import subprocess
import threading
import time

import pytest

import stack
from apache_sites import BLOB, CONTENT, DIGEST, Recorder, Sites, recorder
from fakes.client import ALICE, push
from fakes.responder import FakeResponder
from fakes.waiting import PATIENCE, eventually
from front_site import Site, stacks

HALF = CONTENT[:20_000]
SHIPPED = "4"  # seconds for which Apache waits for a word of bloblo's
VERSIONS = {"1.1": "--http1.1", "2": "--http2-prior-knowledge"}


def curl(version, url, *words, half=None):
    """(HTTP version, status, X-Bloblo, bytes, curl's exit status: 28 when its patience was over, seconds)

    `half`, an Event, is set when curl has HALF; curl writes without a buffer, else it would keep the end of HALF back.
    """
    started = time.monotonic()
    with subprocess.Popen(
            ["curl", "--silent", "--no-buffer", VERSIONS[version], "--max-time", str(PATIENCE), "--user", f"alice:{stack.USERS['alice']}",
             *words, "--write-out", "%{stderr}%{http_version} %{http_code} %header{x-bloblo}", url],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        body = process.stdout.read(len(HALF)) if half else b""
        if half:
            half.set()
        rest, said = process.communicate()
    spoken, status, mark = said.decode().split(" ")
    return spoken, int(status), mark, body + rest, process.returncode, time.monotonic() - started


@pytest.fixture(scope="module")
def servers():
    with stacks() as make:
        yield make("registry,s3,apache,bloblo", "--apache-server", "Protocols h2c http/1.1")


@pytest.mark.parametrize("version", VERSIONS)
def test_a_cold_blob_is_read_along_where_a_cut_would_be_seen(servers, version):
    content = os.urandom(300_000)
    url = servers.services["apache"].url
    digest = push(url, content)
    path = f"/v2/some/name/blobs/{digest}"
    spoken, status, mark, body, code, _ = curl(version, url + path)
    assert (spoken, status, mark, code) == (version, 200, "tee" if version == "1.1" else "pass", 0)
    assert body == content
    eventually(lambda: servers.services["s3"].client.size(digest) == len(content),  # by either way
               otherwise=servers.services["bloblo"].tail)
    # The object is there before bloblo has S3's word for it.
    eventually(lambda: curl(version, url + path)[1] == 307, otherwise=servers.services["bloblo"].tail)


def test_a_bloblo_that_hangs_costs_each_request_few_seconds(servers):
    url = servers.services["apache"].url
    content = os.urandom(1000)
    path = f"/v2/some/name/blobs/{push(url, content)}"
    with Site(servers, "apache").waiting_for(SHIPPED):
        servers.services["bloblo"].signal(signal.SIGSTOP)
        try:
            for version in VERSIONS:
                _, status, mark, body, _, seconds = curl(version, url + path)
                assert (status, mark, body) == (200, "pass", content)
                assert seconds < 55, "Apache's own Timeout is a minute"
        finally:
            servers.services["bloblo"].signal(signal.SIGCONT)
    assert stack.request("HEAD", url + path, ALICE)[1]["X-Bloblo"] == "answer"


class Slow(Recorder):
    """A registry whose HEAD takes longer than Apache waits for a word of bloblo's."""

    def answer(self):
        if self.command == "HEAD":
            time.sleep(7)
        super().answer()

    do_GET = do_HEAD = answer


def test_a_bloblo_that_waits_is_waited_for():
    with recorder() as registry, stacks() as make:
        registry.RequestHandlerClass = Slow
        servers = make("apache,bloblo", "--registry", f"127.0.0.1:{registry.server_port}", read_timeout=SHIPPED,
                       env={"BLOBLO_UPSTREAM_TIMEOUT": "60s", "BLOBLO_S3_ENDPOINT_URL": "http://127.0.0.1:1"})
        status, fields, _ = stack.request("HEAD", servers.services["apache"].url + BLOB, timeout=120)
        assert (status, fields["X-Bloblo"], fields["Docker-Content-Digest"]) == (200, "answer", DIGEST)


class Cut(Recorder):
    """A registry that breaks a blob off when the client has HALF."""

    def answer(self):
        self.send_response(200)
        self.send_header("Content-Length", str(len(CONTENT)))
        self.end_headers()
        self.wfile.write(HALF)
        self.wfile.flush()
        self.server.half.wait(PATIENCE)
        self.close_connection = True

    do_GET = answer


@pytest.fixture(scope="module")
def site():
    with recorder() as registry:
        registry.RequestHandlerClass = Cut
        with Sites(lambda _: {"plain": "«Include»"}, "--services", "apache", "--registry",
                   f"127.0.0.1:{registry.server_port}", server="Protocols h2c http/1.1") as site:
            site.registry = registry
            yield site


@pytest.mark.parametrize("version", VERSIONS)
def test_a_pass_that_breaks_off_is_seen_at_once(site, version):
    half = site.registry.half = threading.Event()
    _, status, _, body, code, seconds = curl(version, site.url("plain") + BLOB, half=half)
    assert (status, body) == (200, HALF)
    assert code not in (0, 28)
    assert seconds < 55, "Apache's own Timeout is a minute"


@pytest.mark.parametrize("length", (f"\r\nContent-Length: {len(CONTENT)}", ""))
def test_a_tee_that_breaks_off_is_seen_at_once(site, length):
    half = threading.Event()

    def dies(_, connection):
        connection.out(f"Status: 200\r\nX-Bloblo: tee{length}\r\n\r\n".encode() + HALF)
        half.wait(PATIENCE)
        connection.cut()

    responder = FakeResponder(site.stack.socket, dies)
    site.stack.socket.chmod(0o777)
    try:
        _, status, _, body, code, seconds = curl("1.1", site.url("plain") + BLOB, half=half)
        assert (status, body) == (200, HALF)
        assert code not in (0, 28)
        assert seconds < 55, "Apache's own Timeout is a minute"
    finally:
        responder.close()
