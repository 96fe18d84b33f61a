"""Of a HEAD that is passed Apache makes a GET, whose body is nobody's answer."""

import select
import socket
import subprocess

import pytest

import stack
from fakes.relay import serve_each
from fakes.responder import FakeResponder
from front_site import Site, stacks
from shipped import BLOB, ShippedApache


class LateRegistry:
    """The body of a GET of a blob or a token is sent when something follows on the same connection; it is an
    answer to what follows. Other methods fail, manifests are right."""

    EVIL = b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 4\r\n\r\nevil"

    def __init__(self):
        self.heard = []
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        serve_each(self.listener, self.serve)

    def serve(self, connection):
        def say(status, body, length):
            connection.sendall(f"HTTP/1.1 {status}\r\nContent-Length: {length}\r\n\r\n".encode() + body)
        try:
            with connection, connection.makefile("rb") as lines:
                while first := lines.readline():
                    while lines.readline().strip():
                        pass
                    method, path, _ = first.decode().split()
                    self.heard.append((method, path))
                    if method != "GET":
                        say("503 Busy", b"", 0)
                    elif "/manifests/" in path:
                        say("200 OK", path.encode(), len(path))
                    else:
                        say("200 OK", b"", len(self.EVIL))
                        select.select([connection], [], [], 10)
                        connection.sendall(self.EVIL)
        except OSError:
            pass

    def close(self):
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()


@pytest.fixture(scope="module")
def shared():
    late = LateRegistry()
    # All share the connections of one process.
    one = "Protocols h2c http/1.1\nStartServers 1\nServerLimit 1\nThreadsPerChild 16\nMaxRequestWorkers 16"
    with stacks() as make:
        site = Site(make("apache", "--registry", f"127.0.0.1:{late.port}", "--apache-server", one, "--apache-site",
                         "Include bloblo/bloblo.conf\n    Include bloblo/bloblo-tokens.conf"), "apache")
        site.late = late
        yield site
    late.close()


@pytest.fixture
def site(shared):
    shared.late.heard.clear()
    return shared


def assert_no_body_is_left(site, path, *words):
    for number in range(5):
        for version in ("--http1.1", "--http2-prior-knowledge"):
            done = subprocess.run(["curl", "--silent", version, "--head", *words, site.url + path],
                                  capture_output=True, timeout=120)
            assert b" 200" in done.stdout.partition(b"\r\n")[0], done
            assert site.late.heard[-1] == ("GET", path)
            manifest = f"/v2/team/app/manifests/{number}"
            assert stack.request("GET", site.url + manifest)[2] == manifest.encode()


def test_of_a_blob(site, ends):
    responder = FakeResponder(site.servers.socket, ShippedApache.passes)
    ends.callback(responder.close)
    site.servers.socket.chmod(0o777)
    assert_no_body_is_left(site, BLOB)
    assert_no_body_is_left(site, BLOB, "--header", "Range: bytes=0-")
    assert len(responder.params) == 20


def test_without_bloblo(site):
    assert_no_body_is_left(site, BLOB)


def test_what_fails_and_is_no_download_is_told_so(site, subtests):
    """And is not tried as a GET."""
    for method, path in (("POST", BLOB), ("POST", "/v2/token"), ("HEAD", "/v2/token")):
        with subtests.test(method=method, path=path):
            site.late.heard.clear()
            assert stack.request(method, site.url + path)[0] == 503
            assert site.late.heard == [(method, path)]
