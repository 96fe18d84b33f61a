"""What the tests of the shipped nginx/ and apache/ have in common."""

import base64
import hashlib
import http.client
import os
import random
import time

import stack
from fake_responder import NONSENSE, FakeResponder, plain

CONTENT = random.Random(2).randbytes(100_000)
DIGEST = "sha256:" + hashlib.sha256(CONTENT).hexdigest()
BLOB = f"/v2/some/name/blobs/{DIGEST}"
ALICE = {"Authorization": "Basic " + base64.b64encode(f"alice:{stack.USERS['alice']}".encode()).decode()}
SIGNED = "https://bucket.s3.example/sha256%3Aab?X-Amz-Credential=AKIA%2F20260101&X-Amz-Signature=ab%2Bcd%3D"


class ShippedFront:
    """A real server on the files we ship, a real registry, and a responder that each test makes.

    front        the server's name
    options      what its stack takes besides
    passes       bloblo's answer that leaves a request to the registry
    nonsense     answers that are none, by name
    token_bytes  the length of a session token whose signed URL is still to fit
    heard_head   the method by which the registry hears of a HEAD
    """

    nonsense, heard_head = NONSENSE, "HEAD"

    @classmethod
    def setUpClass(cls):
        cls.stack = stack.Stack(stack.options(["up", "--services", f"registry,{cls.front}", *cls.options]))
        cls.addClassCleanup(cls.stack.down)
        cls.stack.up()
        cls.server = cls.stack.services[cls.front]
        cls.registry = cls.stack.services["registry"]
        status, headers, _ = stack.request("POST", cls.server.url + "/v2/some/name/blobs/uploads/", ALICE)
        assert status == 202, status
        location = headers["Location"]
        assert location.startswith(cls.server.url), f"not where the client came from: {location}"
        status, _, _ = stack.request("PUT", f"{location}&digest={DIGEST}", ALICE, CONTENT)
        assert status == 201, status

    def marked(self, head, mark):
        """The head of an answer, with bloblo's mark where this server is told by it whose answer it is."""
        return head

    @property
    def redirects(self):
        return plain(self.marked(f"Location: {SIGNED}\r\nStatus: 307 Temporary Redirect\r\nContent-Length: 0\r\n"
                                 f"Docker-Content-Digest: {DIGEST}", "redirect"))

    def responder(self, answer):
        responder = FakeResponder(self.stack.socket, answer)
        self.addCleanup(responder.close)
        return responder

    def ask(self, method="GET", path=BLOB, headers=ALICE):
        return stack.request(method, self.server.url + path, headers)

    def assert_registry_answers(self):
        """The registry's own answers, to the request as it was sent; the headers of the first."""
        status, first, body = self.ask()
        self.assertEqual((status, first["Docker-Content-Digest"], body), (200, DIGEST, CONTENT))
        status, headers, body = self.ask(headers={**ALICE, "Range": "bytes=5-9"})
        self.assertEqual((status, body), (206, CONTENT[5:10]))
        status, headers, body = self.ask("HEAD", BLOB + "?ns=docker.io")
        self.assertEqual((status, headers["Content-Length"], body), (200, str(len(CONTENT)), b""))
        self.assert_registry_heard(f"{self.heard_head} {BLOB}?ns=docker.io ")
        status, headers, _ = self.ask(headers={})
        self.assertEqual(status, 401)
        self.assertIn("Basic", headers["WWW-Authenticate"])
        self.assertEqual(self.ask(path=BLOB[:-4] + "0000")[0], 404)
        return first

    def assert_registry_heard(self, line):
        """It writes its log after the answer."""
        deadline = time.monotonic() + 10
        while line not in (log := self.registry.access_log.read_text()):
            self.assertLess(time.monotonic(), deadline, f"{line} not in {log}")
            time.sleep(0.01)

    def assert_registry_answers_when(self, answer):
        responder = self.responder(answer)
        self.assert_registry_answers()
        self.assert_asked(len(responder.params))

    def assert_reach_the_responder_as_they_were_sent(self, paths):
        responder = self.responder(self.passes)
        for path in paths:
            self.assertGreaterEqual(self.ask(path=path)[0], 300)
        self.assertEqual([params["REQUEST_URI"] for params in responder.params], paths)
        for path in paths:
            self.assert_registry_heard(f"GET {path} ")

    def assert_responder_hears(self, software, sent, heard):
        """What it needs, and nothing forged; `sent`: headers of this server's test, `heard`: what becomes of them."""
        responder = self.responder(self.redirects)
        self.ask(path=BLOB + "?ns=x%2fy", headers={
            **ALICE, "Range": "bytes=0-1", "Host": "registry.example:8443", "User-Agent": "a client",
            "X-Forwarded-Proto": "gopher", "BLOBLO-S3-BUCKET-NAME": "mine", **sent})
        [params] = responder.params
        self.assertEqual(params | {
            "REQUEST_METHOD": "GET", "REQUEST_URI": BLOB + "?ns=x%2fy", "HTTP_HOST": "registry.example:8443",
            "HTTP_AUTHORIZATION": ALICE["Authorization"], "HTTP_RANGE": "bytes=0-1",
            "HTTP_USER_AGENT": "a client", "HTTP_X_FORWARDED_PROTO": "http", "REMOTE_ADDR": "127.0.0.1",
            "SERVER_PROTOCOL": "HTTP/1.1", **heard}, params)
        self.assertTrue(params["SERVER_SOFTWARE"].startswith(software))
        self.assertNotIn("BLOBLO_S3_BUCKET_NAME", params)

    def upload(self, mib, kept, headers=ALICE):
        """In one PATCH that pauses before its end: (bytes that the registry has by then, what `kept()` says then)."""
        location = self.ask("POST", "/v2/some/name/blobs/uploads/")[1]["Location"]
        chunk, seen = os.urandom(1 << 20), []

        def stored():
            return sum(path.stat().st_size for path in self.registry.storage.rglob("_uploads/*/data"))

        def chunks():
            for _ in range(mib):
                yield chunk
            time.sleep(0.5)
            seen.extend((stored() - before, kept()))

        before = stored()
        status, headers, _ = stack.request("PATCH", location, headers, chunks(), timeout=60)
        self.assertEqual((status, headers["Range"]), (202, f"0-{(mib << 20) - 1}"))
        return seen

    def test_pass(self):
        self.assert_registry_answers_when(self.passes)

    def test_down(self):
        self.assert_registry_answers()

    def test_refused(self):
        self.responder(self.passes).listener.close()
        self.assert_registry_answers()

    def test_server_errors(self):
        for status in (500, 502, 503, 504):
            with self.subTest(status=status):
                self.setUp()
                self.assert_registry_answers_when(plain(f"Status: {status}\r\nRetry-After: 5", b"sorry"))

    def test_nonsense(self):
        for name, answer in self.nonsense.items():
            with self.subTest(name):
                self.setUp()
                self.assert_registry_answers_when(answer)

    def test_a_redirect_reaches_the_client_byte_for_byte(self):
        self.responder(self.redirects)
        for method in ("GET", "HEAD"):
            status, headers, body = self.ask(method)
            self.assertEqual((status, headers["Location"], body), (307, SIGNED, b""))
            self.assertEqual(headers["Docker-Content-Digest"], DIGEST)

    def test_a_long_signed_url_fits(self):
        url = SIGNED + "&X-Amz-Security-Token=" + "a" * self.token_bytes
        self.responder(plain(self.marked(f"Location: {url}\r\nStatus: 307\r\nContent-Length: 0", "redirect")))
        self.assertEqual(self.ask()[1]["Location"], url)

    def test_a_body_of_the_responder_reaches_the_client(self):
        body = os.urandom(10_000_000)
        self.responder(plain(f"{self.marked('Status: 200', 'tee')}\r\nContent-Length: {len(body)}", body))
        _, headers, got = self.ask()
        self.assertEqual(headers["Content-Length"], str(len(body)))
        self.assertTrue(got == body)  # assertEqual takes minutes to show how two differ

    def test_a_body_that_is_cut_is_seen_to_be_cut(self):
        def dies(head):
            def answer(_, connection):
                connection.out(head.encode() + b"\r\n\r\n" + CONTENT[:50_000])
                time.sleep(0.2)
                connection.cut()
            return answer
        tee = self.marked("Status: 200", "tee")
        for head in (tee, f"{tee}\r\nContent-Length: {len(CONTENT)}"):
            with self.subTest(head=head):
                self.setUp()
                self.responder(dies(head))
                with self.assertRaises((http.client.IncompleteRead, ConnectionError)):
                    self.ask()

    def test_what_is_no_download_never_reaches_the_responder(self):
        responder = self.responder(self.redirects)
        self.assertEqual(self.ask(path="/v2/")[0], 200)
        self.assertEqual(self.ask(path="/v2/_catalog")[0], 200)
        self.assertEqual(self.ask(path="/v2/some/name/tags/list")[0], 404)
        self.assertEqual(self.ask(path=f"/v2/some/name/manifests/sha256:{'a' * 64}")[0], 404)
        self.assertEqual(self.ask("POST", "/v2/some/name/blobs/uploads/")[0], 202)
        self.assertEqual(self.ask("POST", f"/v2/a/b/blobs/uploads/?mount={DIGEST}&from=some/name")[0], 201)
        self.assertEqual(self.ask("POST", BLOB)[0], 405)
        self.assertEqual(responder.params, [])
