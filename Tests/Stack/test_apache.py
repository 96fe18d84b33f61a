#!/usr/bin/env python3
"""What the shipped apache/ does with each answer of a responder, with nonsense, and with none: real Apache,
real registry.

    python3 Tests/Stack/test_apache.py
"""

import http.client
import os
import pathlib
import subprocess
import time
import unittest

import stack
from fake_responder import NONSENSE, FakeResponder, plain
from test_nginx import ALICE, BLOB, CONTENT, DIGEST, SIGNED

TIMEOUT = 2
REDIRECTS = plain(f"Location: {SIGNED}\r\nStatus: 307 Temporary Redirect\r\nContent-Length: 0\r\n"
                  f"Docker-Content-Digest: {DIGEST}\r\nX-Bloblo: redirect")
PASSES = plain("Status: 424 Failed Dependency\r\nX-Bloblo: pass\r\nContent-Length: 0")


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


class TestShippedApache(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.stack = stack.Stack(stack.options(
            ["up", "--services", "registry,apache", "--read-timeout", str(TIMEOUT),
             "--apache-server", "Protocols h2c http/1.1"]))
        cls.addClassCleanup(cls.stack.down)
        cls.stack.up()
        cls.apache = cls.stack.services["apache"]
        cls.registry = cls.stack.services["registry"]
        status, headers, _ = stack.request("POST", cls.apache.url + "/v2/some/name/blobs/uploads/", ALICE)
        assert status == 202, status
        location = headers["Location"]
        assert location.startswith(cls.apache.url), f"not where the client came from: {location}"
        status, _, _ = stack.request("PUT", f"{location}&digest={DIGEST}", ALICE, CONTENT)
        assert status == 201, status

    def responder(self, answer):
        responder = FakeResponder(self.stack.socket, answer)
        self.stack.socket.chmod(0o777)
        self.addCleanup(responder.close)
        return responder

    def ask(self, method="GET", path=BLOB, headers=ALICE):
        return stack.request(method, self.apache.url + path, headers)

    def assert_registry_answers(self):
        """The registry's own answers, to the request as it was sent."""
        status, headers, body = self.ask()
        self.assertEqual((status, headers["Docker-Content-Digest"], body), (200, DIGEST, CONTENT))
        self.assertEqual(headers.get_all("X-Bloblo"), ["pass"])
        status, headers, body = self.ask(headers={**ALICE, "Range": "bytes=5-9"})
        self.assertEqual((status, body), (206, CONTENT[5:10]))
        status, headers, body = self.ask("HEAD", BLOB + "?ns=docker.io")
        self.assertEqual((status, headers["Content-Length"], body), (200, str(len(CONTENT)), b""))
        self.assert_registry_heard(f"GET {BLOB}?ns=docker.io ")  # ErrorDocument has made a GET of it: see README
        status, headers, _ = self.ask(headers={})
        self.assertEqual(status, 401)
        self.assertIn("Basic", headers["WWW-Authenticate"])
        self.assertEqual(self.ask(path=BLOB[:-4] + "0000")[0], 404)

    def assert_registry_heard(self, line):
        """It writes its log after the answer."""
        deadline = time.monotonic() + 10
        while line not in (log := self.registry.access_log.read_text()):
            self.assertLess(time.monotonic(), deadline, f"{line} not in {log}")
            time.sleep(0.01)

    def assert_registry_answers_when(self, answer):
        responder = self.responder(answer)
        self.assert_registry_answers()
        self.assertEqual(len(responder.params), 5)

    def test_pass(self):
        self.assert_registry_answers_when(PASSES)

    def test_down(self):
        self.assert_registry_answers()

    def test_refused(self):
        self.responder(PASSES).listener.close()
        self.assert_registry_answers()

    def test_hangs(self):
        for answer in (hangs, hangs_in_the_header):
            responder = self.responder(answer)
            status, headers, body = self.ask(headers={**ALICE, "Range": "bytes=5-9"})
            self.assertEqual((status, body, len(responder.params)), (206, CONTENT[5:10], 1))

    def test_server_errors(self):
        for status in (500, 502, 503, 504):
            with self.subTest(status=status):
                self.assert_registry_answers_when(plain(f"Status: {status}\r\nRetry-After: 5", b"sorry"))

    def test_nonsense(self):
        for name, answer in {**NONSENSE, **FOREIGN}.items():
            with self.subTest(name):
                self.assert_registry_answers_when(answer)

    def test_several_requests_on_one_connection(self):
        """What is held back of an answer disturbs none that follows."""
        connection = http.client.HTTPConnection("127.0.0.1", self.apache.port, timeout=10)
        self.addCleanup(connection.close)
        for name in ("no header", "nothing at all", "a page of something else") * 2:
            self.responder({**NONSENSE, **FOREIGN}[name])
            connection.request("GET", BLOB, headers=ALICE)
            response = connection.getresponse()
            self.assertEqual((name, response.status, response.read()), (name, 200, CONTENT))

    def test_http_2(self):
        """The same, but for malformed headers: see the README."""
        roads = {name: NONSENSE[name] for name in NONSENSE.keys() - {"no header", "a header without an end"}}
        for name, answer in {"pass": PASSES, "redirect": REDIRECTS, **roads}.items():
            self.responder(answer)
            for words, status, body in (([], 200, CONTENT), (["--range", "5-9"], 206, CONTENT[5:10]), (["--head"], 200, None)):
                with self.subTest(name, words=words):
                    done = subprocess.run(
                        ["curl", "--silent", "--http2-prior-knowledge", "--user", f"alice:{stack.USERS['alice']}", *words,
                         "--write-out", "%{stderr}%{http_version} %{http_code} %{redirect_url}", self.apache.url + BLOB],
                        capture_output=True, timeout=20)
                    if name == "redirect":
                        self.assertEqual(done.stderr.decode(), f"2 307 {SIGNED}")
                        continue
                    self.assertEqual(done.stderr.decode(), f"2 {status} ")
                    self.assertTrue(body is None or done.stdout == body)

    def test_a_redirect_reaches_the_client_byte_for_byte(self):
        self.responder(REDIRECTS)
        for method in ("GET", "HEAD"):
            status, headers, body = self.ask(method)
            self.assertEqual((status, headers["Location"], body), (307, SIGNED, b""))
            self.assertEqual(headers["Docker-Content-Digest"], DIGEST)

    def test_a_long_signed_url_fits(self):
        url = SIGNED + "&X-Amz-Security-Token=" + "a" * 7_500
        self.responder(plain(f"Location: {url}\r\nStatus: 307\r\nContent-Length: 0\r\nX-Bloblo: redirect"))
        self.assertEqual(self.ask()[1]["Location"], url)

    def test_a_body_of_the_responder_reaches_the_client(self):
        body = os.urandom(10_000_000)
        self.responder(plain(f"Status: 200\r\nX-Bloblo: tee\r\nContent-Length: {len(body)}", body))
        status, headers, got = self.ask()
        self.assertEqual(headers["Content-Length"], str(len(body)))
        self.assertTrue(got == body)

    def test_a_body_that_is_cut_is_seen_to_be_cut(self):
        def dies(head):
            def answer(_, connection):
                connection.out(head.encode() + b"\r\n\r\n" + CONTENT[:50_000])
                time.sleep(0.2)
                connection.cut()
            return answer
        for head in ("Status: 200\r\nX-Bloblo: tee", f"Status: 200\r\nX-Bloblo: tee\r\nContent-Length: {len(CONTENT)}"):
            with self.subTest(head=head):
                self.responder(dies(head))
                with self.assertRaises((http.client.IncompleteRead, ConnectionError)):
                    self.ask()

    def test_the_responder_hears_what_it_needs_and_nothing_forged(self):
        responder = self.responder(REDIRECTS)
        self.ask(path=BLOB + "?ns=x%2fy", headers={
            **ALICE, "Range": "bytes=0-1", "Host": "registry.example:8443", "User-Agent": "a client",
            "X-Forwarded-Proto": "gopher", "BLOBLO-S3-BUCKET-NAME": "mine", "BLOBLO_S3_BUCKET_NAME": "mine"})
        [params] = responder.params
        self.assertEqual(params | {
            "REQUEST_METHOD": "GET", "REQUEST_URI": BLOB + "?ns=x%2fy", "HTTP_HOST": "registry.example:8443",
            "HTTP_AUTHORIZATION": ALICE["Authorization"], "HTTP_RANGE": "bytes=0-1",
            "HTTP_USER_AGENT": "a client", "HTTP_X_FORWARDED_PROTO": "http", "REMOTE_ADDR": "127.0.0.1",
            "SERVER_PROTOCOL": "HTTP/1.1"}, params)
        self.assertTrue(params["SERVER_SOFTWARE"].startswith("Apache/"))
        self.assertNotIn("BLOBLO_S3_BUCKET_NAME", params)

    def test_a_restarted_responder_is_used_at_once(self):
        self.responder(REDIRECTS).close()
        self.assert_registry_answers()
        self.responder(REDIRECTS)
        self.assertEqual(self.ask()[0], 307)

    def test_what_is_no_download_never_reaches_the_responder(self):
        responder = self.responder(REDIRECTS)
        self.assertEqual(self.ask(path="/v2/")[0], 200)
        self.assertEqual(self.ask(path="/v2/_catalog")[0], 200)
        self.assertEqual(self.ask(path="/v2/some/name/tags/list")[0], 404)
        self.assertEqual(self.ask(path=f"/v2/some/name/manifests/sha256:{'a' * 64}")[0], 404)
        self.assertEqual(self.ask("POST", "/v2/some/name/blobs/uploads/")[0], 202)
        self.assertEqual(self.ask("POST", f"/v2/a/b/blobs/uploads/?mount={DIGEST}&from=some/name")[0], 201)
        self.assertEqual(self.ask("DELETE", f"/v2/a/b/blobs/{DIGEST}", {})[0], 401)
        self.assertEqual(self.ask("DELETE", f"/v2/a/b/blobs/{DIGEST}")[0], 202)
        self.assertEqual(self.ask("POST", BLOB)[0], 405)
        self.assertEqual(responder.params, [])

    def test_an_upload_streams_without_a_copy_and_without_a_limit(self):
        """In chunks, and with a Content-Length; none of it is kept by Apache, in memory or on disk."""
        for as_chunks in (True, False):
            with self.subTest(as_chunks=as_chunks):
                self.upload(as_chunks)

    def upload(self, as_chunks):
        location = self.ask("POST", "/v2/some/name/blobs/uploads/")[1]["Location"]
        chunk, count, seen = os.urandom(1 << 20), 96, []

        def chunks():
            for _ in range(count):
                yield chunk
            time.sleep(0.5)
            seen.append(sum(path.stat().st_size for path in self.registry.storage.rglob("_uploads/*/data")))
            seen.append(self.held())

        before = sum(path.stat().st_size for path in self.registry.storage.rglob("_uploads/*/data"))
        headers = ALICE if as_chunks else {**ALICE, "Content-Length": str(count << 20)}
        status, headers, _ = stack.request("PATCH", location, headers, chunks(), timeout=60)
        self.assertEqual((status, headers["Range"]), (202, f"0-{(count << 20) - 1}"))
        self.assertGreater(seen[0] - before, (count - 4) << 20, "the registry had nearly all before the end")
        self.assertLess(seen[1], 16 << 20, "Apache keeps files")

    def held(self):
        """Bytes of files, with a name or without, that Apache's processes have open."""
        held = 0
        for process in pathlib.Path("/proc").glob("[0-9]*"):
            try:
                parent = int((process / "stat").read_text().rsplit(")", 1)[1].split()[1])
                if self.apache.pid not in (parent, int(process.name)):
                    continue
                held += sum(path.stat().st_size for path in (process / "fd").iterdir() if path.is_file()
                            and path.resolve() not in (self.apache.log, self.apache.access_log))
            except (OSError, ValueError):  # a process that has ended meanwhile
                pass
        return held

    def test_paths_that_are_not_plain_reach_the_responder_as_they_were_sent(self):
        responder = self.responder(PASSES)
        paths = [f"/v2/x/../y/blobs/sha256:{'a' * 64}", f"/v2//x/blobs/sha256:{'a' * 64}"]
        for path in paths:
            self.assertGreaterEqual(self.ask(path=path)[0], 300)
        self.assertEqual([params["REQUEST_URI"] for params in responder.params], paths)
        for path in paths:
            self.assert_registry_heard(f"GET {path} ")


if __name__ == "__main__":
    stack.end_by_signal()
    unittest.main(verbosity=2)
