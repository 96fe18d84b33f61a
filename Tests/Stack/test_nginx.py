#!/usr/bin/env python3
"""What the shipped nginx/ does with each answer of a responder, and with none: real nginx, real registry.

    python3 Tests/Stack/test_nginx.py
"""

import base64
import hashlib
import http.client
import os
import time
import unittest

import stack
from fake_responder import NONSENSE, STDERR, FakeResponder, cuts, plain

READ_TIMEOUT = 1.5
CONTENT = os.urandom(100_000)
DIGEST = "sha256:" + hashlib.sha256(CONTENT).hexdigest()
BLOB = f"/v2/some/name/blobs/{DIGEST}"
ALICE = {"Authorization": "Basic " + base64.b64encode(f"alice:{stack.USERS['alice']}".encode()).decode()}
SIGNED = "https://bucket.s3.example/sha256%3Aab?X-Amz-Credential=AKIA%2F20260101&X-Amz-Signature=ab%2Bcd%3D"


def hangs(_, connection):
    time.sleep(READ_TIMEOUT * 3)
    connection.cut()


REDIRECTS = plain(f"Location: {SIGNED}\r\nStatus: 307 Temporary Redirect\r\nContent-Length: 0\r\n"
                  f"Docker-Content-Digest: {DIGEST}")
PASSES = plain("Status: 424 Failed Dependency\r\nX-Accel-Redirect: @bloblo_registry")


class TestShippedNginx(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.stack = stack.Stack(stack.options(
            ["up", "--services", "registry,nginx", "--read-timeout", f"{READ_TIMEOUT * 1000:.0f}ms"]))
        cls.addClassCleanup(cls.stack.down)
        cls.stack.up()
        cls.nginx = cls.stack.services["nginx"]
        cls.registry = cls.stack.services["registry"]
        status, headers, _ = stack.request("POST", cls.nginx.url + "/v2/some/name/blobs/uploads/", ALICE)
        assert status == 202, status
        location = headers["Location"]
        assert location.startswith(cls.nginx.url), f"not where the client came from: {location}"
        upload = f"{location}&digest={DIGEST}"
        status, _, _ = stack.request("PUT", upload, ALICE, CONTENT)
        assert status == 201, status

    def setUp(self):
        # nginx remembers a responder that failed.
        self.nginx.stop()
        self.nginx.start()

    def responder(self, answer):
        responder = FakeResponder(self.stack.socket, answer)
        self.addCleanup(responder.close)
        return responder

    def ask(self, method="GET", path=BLOB, headers=ALICE):
        return stack.request(method, self.nginx.url + path, headers)

    def assert_registry_answers(self):
        """The registry's own answers, to the request as it was sent."""
        status, headers, body = self.ask()
        self.assertEqual((status, headers["Docker-Content-Digest"], body), (200, DIGEST, CONTENT))
        status, headers, body = self.ask(headers={**ALICE, "Range": "bytes=5-9"})
        self.assertEqual((status, body), (206, CONTENT[5:10]))
        status, headers, body = self.ask("HEAD", BLOB + "?ns=docker.io")
        self.assertEqual((status, headers["Content-Length"], body), (200, str(len(CONTENT)), b""))
        # The registry writes its line after its answer.
        deadline = time.monotonic() + 10
        while f"HEAD {BLOB}?ns=docker.io " not in self.registry.access_log.read_text():
            self.assertLess(time.monotonic(), deadline, "the registry was not asked as the client asked")
            time.sleep(0.05)
        status, headers, _ = self.ask(headers={})
        self.assertEqual(status, 401)
        self.assertIn("Basic", headers["WWW-Authenticate"])
        self.assertEqual(self.ask(path=BLOB[:-4] + "0000")[0], 404)

    def assert_registry_answers_when(self, answer):
        responder = self.responder(answer)
        self.assert_registry_answers()
        self.assertGreater(len(responder.params), 0)

    def test_a_redirect_reaches_the_client_byte_for_byte(self):
        self.responder(REDIRECTS)
        for method in ("GET", "HEAD"):
            status, headers, body = self.ask(method)
            self.assertEqual((status, headers["Location"], body), (307, SIGNED, b""))
            self.assertEqual(headers["Docker-Content-Digest"], DIGEST)

    def test_signed_urls_do_not_reach_the_logs(self):
        self.responder(REDIRECTS)
        self.ask()
        time.sleep(0.2)
        logs = self.nginx.access_log.read_text() + self.nginx.log.read_text()
        self.assertIn(BLOB, logs)
        self.assertNotIn("X-Amz", logs)

    def test_a_long_signed_url_fits(self):
        url = SIGNED + "&X-Amz-Security-Token=" + "a" * 30_000
        self.responder(plain(f"Location: {url}\r\nStatus: 307\r\nContent-Length: 0"))
        self.assertEqual(self.ask()[1]["Location"], url)

    def test_a_body_of_the_responder_reaches_the_client(self):
        body = os.urandom(10_000_000)
        self.responder(plain(f"Status: 200\r\nContent-Length: {len(body)}", body))
        self.assertEqual(self.ask()[2], body)

    def test_the_responder_hears_what_it_needs_and_nothing_forged(self):
        responder = self.responder(REDIRECTS)
        self.ask(path=BLOB + "?ns=x%2fy", headers={
            **ALICE, "Range": "bytes=0-1", "Host": "registry.example:8443", "User-Agent": "a client",
            "X-Forwarded-Proto": "gopher", "X-Forwarded-For": "1.2.3.4", "BLOBLO-S3-BUCKET-NAME": "mine"})
        [params] = responder.params
        self.assertEqual(params | {
            "REQUEST_METHOD": "GET", "REQUEST_URI": BLOB + "?ns=x%2fy", "HTTP_HOST": "registry.example:8443",
            "HTTP_AUTHORIZATION": ALICE["Authorization"], "HTTP_RANGE": "bytes=0-1",
            "HTTP_USER_AGENT": "a client", "HTTP_X_FORWARDED_PROTO": "http",
            "HTTP_X_FORWARDED_FOR": "1.2.3.4, 127.0.0.1", "REMOTE_ADDR": "127.0.0.1",
            "SERVER_PROTOCOL": "HTTP/1.1"}, params)
        self.assertTrue(params["SERVER_SOFTWARE"].startswith("nginx/"))
        self.assertNotIn("BLOBLO_S3_BUCKET_NAME", params)

    def test_pass(self):
        self.assert_registry_answers_when(PASSES)

    def test_pass_without_accel(self):
        self.assert_registry_answers_when(plain("Status: 424"))

    def test_pass_with_accel_only(self):
        self.assert_registry_answers_when(plain("X-Accel-Redirect: @bloblo_registry"))

    def test_down(self):
        self.assert_registry_answers()

    def test_refused(self):
        self.responder(PASSES).listener.close()
        self.assert_registry_answers()

    def test_hangs(self):
        began = time.monotonic()
        self.assert_registry_answers_when(hangs)
        # Both entries of the group are asked once, then left alone.
        self.assertLess(time.monotonic() - began, READ_TIMEOUT * 2 + 1)

    def test_dies_before_an_answer(self):
        self.assert_registry_answers_when(cuts)

    def test_server_errors(self):
        for status in (500, 502, 503, 504):
            with self.subTest(status=status):
                self.setUp()
                self.assert_registry_answers_when(plain(f"Status: {status}\r\nRetry-After: 5", b"sorry"))

    def test_nonsense(self):
        for name, answer in NONSENSE.items():
            with self.subTest(name):
                self.setUp()
                self.assert_registry_answers_when(answer)

    def test_an_unknown_road(self):
        self.assert_registry_answers_when(plain("Status: 200\r\nX-Accel-Redirect: @nowhere"))

    def test_a_body_that_is_cut_is_seen_to_be_cut(self):
        def dies(head):
            def answer(_, connection):
                connection.out(head.encode() + b"\r\n\r\n" + CONTENT[:50_000])
                time.sleep(0.2)
                connection.cut()
            return answer
        for head in ("Status: 200", f"Status: 200\r\nContent-Length: {len(CONTENT)}"):
            with self.subTest(head=head):
                self.setUp()
                self.responder(dies(head))
                with self.assertRaises((http.client.IncompleteRead, ConnectionError)):
                    self.ask()

    def test_a_body_that_stalls_goes_on_while_the_responder_gives_a_sign(self):
        def stalls(_, connection):
            connection.out(f"Status: 200\r\nContent-Length: {len(CONTENT)}\r\n\r\n".encode() + CONTENT[:50_000])
            for _ in range(6):
                time.sleep(READ_TIMEOUT / 2)
                connection.send(STDERR, b"")
            connection.out(CONTENT[50_000:])
            connection.end()
        self.responder(stalls)
        self.assertEqual(self.ask()[2], CONTENT)

    def test_a_restarted_responder_is_used_again(self):
        self.responder(REDIRECTS).close()
        self.assert_registry_answers()
        self.responder(REDIRECTS)
        deadline = time.monotonic() + 15  # fail_timeout is 10 s
        while (status := self.ask()[0]) != 307 and time.monotonic() < deadline:
            self.assertEqual(status, 200)
            time.sleep(0.2)
        self.assertEqual(status, 307)

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
        self.responder(REDIRECTS)
        location = self.ask("POST", "/v2/some/name/blobs/uploads/")[1]["Location"]
        chunk, count, seen = os.urandom(1 << 20), 64, []

        def chunks():
            for _ in range(count):
                yield chunk
            time.sleep(0.5)
            seen.append(sum(path.stat().st_size for path in self.registry.storage.rglob("_uploads/*/data")))
            seen.append(sum(path.stat().st_size for path in self.nginx.folder.glob("*_temp/**/*") if path.is_file()))

        status, headers, _ = stack.request("PATCH", location, ALICE, chunks())
        self.assertEqual((status, headers["Range"]), (202, f"0-{(count << 20) - 1}"))
        self.assertGreater(seen[0], (count - 2) << 20, "the registry had nearly all before the end")
        self.assertEqual(seen[1], 0, "nginx kept a copy on disk")

    def test_paths_that_are_not_plain_reach_the_responder_as_they_were_sent(self):
        responder = self.responder(PASSES)
        paths = [f"/v2/x/blobs/sha256%3a{'a' * 64}", f"//v2//x/blobs/sha256:{'a' * 64}",
                 f"/v2/y/../x/blobs/sha256:{'a' * 64}"]
        for path in paths:
            self.assertGreaterEqual(self.ask(path=path)[0], 300)
        self.assertEqual([params["REQUEST_URI"] for params in responder.params], paths)
        log = self.registry.access_log.read_text()
        for path in paths:
            self.assertIn(f"GET {path} ", log)


if __name__ == "__main__":
    stack.end_by_signal()
    unittest.main(verbosity=2)
