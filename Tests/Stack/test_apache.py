#!/usr/bin/env python3
"""What the shipped apache/ does with each answer of a responder, with nonsense, and with none: real Apache,
real registry.

    python3 Tests/Stack/test_apache.py
"""

import http.client
import pathlib
import select
import socket
import subprocess
import time
import unittest

import faulty
import stack
from fake_responder import NONSENSE, FakeResponder, plain
from shipped_front import ALICE, BLOB, CONTENT, SIGNED, ShippedFront

TIMEOUT = 2


def hangs(_, connection):
    time.sleep(TIMEOUT * 2)
    connection.cut()


def hangs_in_the_header(_, connection):
    connection.out(b"Status: 200 OK\r\nX-Bloblo: tee\r\n")
    hangs(_, connection)


# What nginx makes a header of, and hands on, as it would any responder's.
FOREIGN = {
    "a header, then none": plain("Status: 200 OK\r\nX-Bloblo: tee\r\nnonsense"),
    "a line that is too long": plain("Status: 200 OK\r\nX-Bloblo: tee\r\nLocation: https://" + "a" * 9000),
    "an empty head": plain(""),
    "a page of something else": plain("Status: 200 OK\r\nContent-Type: text/html", b"<h1>It works!</h1>"),
    "no status, no mark": plain("Content-Type: text/plain", b"hello"),
}


class TestShippedApache(ShippedFront, unittest.TestCase):
    front, token_bytes = "apache", 7_500
    options = "--read-timeout", str(TIMEOUT), "--apache-server", "Protocols h2c http/1.1"
    passes = staticmethod(plain("Status: 424 Failed Dependency\r\nX-Bloblo: pass\r\nContent-Length: 0"))
    nonsense = {**NONSENSE, **FOREIGN}
    heard_head = "GET"  # ErrorDocument has made a GET of it: see docs/fronts.md

    def marked(self, head, mark):
        return f"{head}\r\nX-Bloblo: {mark}"

    def responder(self, answer):
        responder = super().responder(answer)
        self.stack.socket.chmod(0o777)  # of Apache only its first process is root
        return responder

    def assert_registry_answers(self):
        self.assertEqual(super().assert_registry_answers().get_all("X-Bloblo"), ["pass"])

    def assert_asked(self, times):
        self.assertEqual(times, 5)

    def test_hangs(self):
        for answer in (hangs, hangs_in_the_header):
            responder = self.responder(answer)
            status, headers, body = self.ask(headers={**ALICE, "Range": "bytes=5-9"})
            self.assertEqual((status, body, len(responder.params)), (206, CONTENT[5:10], 1))

    def test_several_requests_on_one_connection(self):
        """What is held back of an answer disturbs none that follows."""
        connection = http.client.HTTPConnection("127.0.0.1", self.server.port, timeout=10)
        self.addCleanup(connection.close)
        for name in ("no header", "nothing at all", "a page of something else") * 2:
            self.responder(self.nonsense[name])
            connection.request("GET", BLOB, headers=ALICE)
            response = connection.getresponse()
            self.assertEqual((name, response.status, response.read()), (name, 200, CONTENT))

    def test_http_2(self):
        """The same, but for malformed headers: see docs/fronts.md."""
        roads = {name: NONSENSE[name] for name in NONSENSE.keys() - {"no header", "a header without an end"}}
        for name, answer in {"pass": self.passes, "redirect": self.redirects, **roads}.items():
            self.responder(answer)
            for words, status, body in (([], 200, CONTENT), (["--range", "5-9"], 206, CONTENT[5:10]), (["--head"], 200, None)):
                with self.subTest(name, words=words):
                    done = subprocess.run(
                        ["curl", "--silent", "--http2-prior-knowledge", "--user", f"alice:{stack.USERS['alice']}", *words,
                         "--write-out", "%{stderr}%{http_version} %{http_code} %{redirect_url}", self.server.url + BLOB],
                        capture_output=True, timeout=20)
                    if name == "redirect":
                        self.assertEqual(done.stderr.decode(), f"2 307 {SIGNED}")
                        continue
                    self.assertEqual(done.stderr.decode(), f"2 {status} ")
                    self.assertTrue(body is None or done.stdout == body)

    def test_the_responder_hears_what_it_needs_and_nothing_forged(self):
        self.assert_responder_hears("Apache/", {"BLOBLO_S3_BUCKET_NAME": "mine"}, {})

    def test_a_restarted_responder_is_used_at_once(self):
        self.responder(self.redirects).close()
        self.assert_registry_answers()
        self.responder(self.redirects)
        self.assertEqual(self.ask()[0], 307)

    def test_an_upload_streams_without_a_copy_and_without_a_limit(self):
        """In chunks, and with a Content-Length; none of it is kept by Apache, in memory or on disk."""
        for as_chunks in (True, False):
            with self.subTest(as_chunks=as_chunks):
                headers = ALICE if as_chunks else {**ALICE, "Content-Length": str(96 << 20)}
                stored, held = self.upload(96, self.held, headers)
                self.assertGreater(stored, (96 - 4) << 20, "the registry had nearly all before the end")
                self.assertLess(held, 16 << 20, "Apache keeps files")

    def held(self):
        """Bytes of files, with a name or without, that Apache's processes have open."""
        held = 0
        for process in pathlib.Path("/proc").glob("[0-9]*"):
            try:
                parent = int((process / "stat").read_text().rsplit(")", 1)[1].split()[1])
                if self.server.pid not in (parent, int(process.name)):
                    continue
                held += sum(path.stat().st_size for path in (process / "fd").iterdir() if path.is_file()
                            and path.resolve() not in (self.server.log, self.server.access_log))
            except (OSError, ValueError):  # a process that has ended meanwhile
                pass
        return held

    def test_a_whole_url_in_the_request(self):
        """Whatever its scheme's spelling: RFC 9110, 4.2.3."""
        for scheme in ("http", "HTTP", "hTTpS"):
            for end in ("", "?ns=docker.io"):
                with self.subTest(scheme=scheme, end=end):
                    self.responder(self.passes)
                    connection = http.client.HTTPConnection("127.0.0.1", self.server.port, timeout=10)
                    self.addCleanup(connection.close)
                    connection.request("GET", f"{scheme}://registry.example{BLOB}{end}", headers=ALICE)
                    response = connection.getresponse()
                    self.assertEqual((response.status, response.read()), (200, CONTENT))

    def test_paths_that_are_not_plain_reach_the_responder_as_they_were_sent(self):
        self.assert_reach_the_responder_as_they_were_sent(
            [f"/v2/x/../y/blobs/sha256:{'a' * 64}", f"/v2//x/blobs/sha256:{'a' * 64}"])


class LateRegistry:
    """The body of a GET of a blob or a token is sent when something follows on the same connection; it is an
    answer to what follows. Other methods fail, manifests are right."""

    EVIL = b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 4\r\n\r\nevil"

    def __init__(self):
        self.heard = []
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        faulty.serve_each(self.listener, self.serve)

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


class TestPassedHead(unittest.TestCase):
    """Apache makes a GET of it, whose body is nobody's answer."""

    @classmethod
    def setUpClass(cls):
        cls.registry = LateRegistry()
        cls.addClassCleanup(cls.registry.listener.close)
        # All share the connections of one process.
        one = "Protocols h2c http/1.1\nStartServers 1\nServerLimit 1\nThreadsPerChild 16\nMaxRequestWorkers 16"
        cls.stack = stack.Stack(stack.options([
            "up", "--services", "apache", "--registry", f"127.0.0.1:{cls.registry.port}", "--apache-server", one,
            "--apache-site", "Include bloblo/bloblo.conf\n    Include bloblo/bloblo-tokens.conf"]))
        cls.addClassCleanup(cls.stack.down)
        cls.stack.up()
        cls.url = cls.stack.services["apache"].url

    def setUp(self):
        self.registry.heard.clear()

    def assert_no_body_is_left(self, path, *words):
        for number in range(5):
            for version in ("--http1.1", "--http2-prior-knowledge"):
                done = subprocess.run(["curl", "--silent", version, "--head", *words, self.url + path],
                                      capture_output=True, timeout=20)
                self.assertIn(b" 200", done.stdout.splitlines()[0])
                self.assertEqual(self.registry.heard[-1], ("GET", path))
                manifest = f"/v2/team/app/manifests/{number}"
                self.assertEqual(stack.request("GET", self.url + manifest)[2], manifest.encode())

    def test_of_a_blob(self):
        responder = FakeResponder(self.stack.socket, TestShippedApache.passes)
        self.addCleanup(responder.close)
        self.stack.socket.chmod(0o777)
        self.assert_no_body_is_left(BLOB)
        self.assert_no_body_is_left(BLOB, "--header", "Range: bytes=0-")
        self.assertEqual(len(responder.params), 20)

    def test_without_bloblo(self):
        self.assert_no_body_is_left(BLOB)

    def test_what_fails_and_is_no_download_is_told_so(self):
        """And is not tried as a GET."""
        for method, path in (("POST", BLOB), ("POST", "/v2/token"), ("HEAD", "/v2/token")):
            with self.subTest(method=method, path=path):
                self.registry.heard.clear()
                self.assertEqual(stack.request(method, self.url + path)[0], 503)
                self.assertEqual(self.registry.heard, [(method, path)])


if __name__ == "__main__":
    stack.end_by_signal()
    unittest.main(verbosity=2)
