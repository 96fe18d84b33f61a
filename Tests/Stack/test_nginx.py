#!/usr/bin/env python3
"""What the shipped nginx/ does with each answer of a responder, and with none: real nginx, real registry.

    python3 Tests/Stack/test_nginx.py
"""

import concurrent.futures
import http.server
import time
import unittest

import stack
from fake_responder import STDERR, FakeResponder, cuts, plain
from shipped_front import ALICE, BLOB, CONTENT, DIGEST, ShippedFront

READ_TIMEOUT = 1.5


def hangs(_, connection):
    time.sleep(READ_TIMEOUT * 3)
    connection.cut()


class TestShippedNginx(ShippedFront, unittest.TestCase):
    front, token_bytes = "nginx", 30_000
    options = "--read-timeout", f"{READ_TIMEOUT * 1000:.0f}ms"
    passes = staticmethod(plain("Status: 424 Failed Dependency\r\nX-Accel-Redirect: @bloblo_registry"))

    def setUp(self):
        # nginx remembers a responder that failed.
        self.server.stop()
        self.server.start()

    def assert_asked(self, times):
        self.assertGreater(times, 0)

    def test_signed_urls_do_not_reach_the_logs(self):
        self.responder(self.redirects)
        self.ask()
        time.sleep(0.2)
        logs = self.server.access_log.read_text() + self.server.log.read_text()
        self.assertIn(BLOB, logs)
        self.assertNotIn("X-Amz", logs)

    def test_the_responder_hears_what_it_needs_and_nothing_forged(self):
        self.assert_responder_hears("nginx/", {"X-Forwarded-For": "1.2.3.4"},
                                    {"HTTP_X_FORWARDED_FOR": "1.2.3.4, 127.0.0.1"})

    def test_pass_without_accel(self):
        self.assert_registry_answers_when(plain("Status: 424"))

    def test_pass_with_accel_only(self):
        self.assert_registry_answers_when(plain("X-Accel-Redirect: @bloblo_registry"))

    def test_hangs(self):
        self.assert_registry_answers_when(hangs)
        # After a failure nginx leaves an entry of the group alone for a second.
        with concurrent.futures.ThreadPoolExecutor(20) as pool:
            began = time.monotonic()
            times = list(pool.map(lambda _: (self.ask()[0], time.monotonic() - began), range(20)))
        self.assertEqual({status for status, _ in times}, {200})
        self.assertLess(max(seconds for _, seconds in times), READ_TIMEOUT * 2 + 1)

    def test_one_failure_costs_a_second_at_most(self):
        """A responder that drops one connection, as a full backlog does, is asked again soon."""
        self.responder(cuts).close()
        self.responder(self.passes).listener.close()
        self.assert_registry_answers()
        responder = self.responder(self.redirects)
        deadline = time.monotonic() + 1.5
        while (status := self.ask()[0]) != 307 and time.monotonic() < deadline:
            self.assertEqual(status, 200)
            time.sleep(0.02)
        self.assertEqual(status, 307)
        self.assertGreater(len(responder.params), 0)

    def test_a_delete_goes_to_the_responder_and_falls_back_as_a_delete(self):
        path = f"/v2/a/b/blobs/{DIGEST}"
        for answer in (None, self.passes, plain("Status: 500"), cuts):
            with self.subTest(answer=answer):
                self.setUp()
                responder = answer and self.responder(answer)
                self.assertEqual(self.ask("POST", f"/v2/a/b/blobs/uploads/?mount={DIGEST}&from=some/name")[0], 201)
                self.assertEqual(self.ask("DELETE", path, {})[0], 401)
                self.assertEqual(self.ask("DELETE", path)[0], 202)
                self.assert_registry_heard(f"DELETE {path} ")
                if responder:
                    self.assertEqual(responder.params[-1]["REQUEST_METHOD"], "DELETE")
                    responder.close()
        self.setUp()
        self.responder(plain("Status: 202\r\nContent-Length: 0\r\nX-Bloblo: relay"))
        self.assertEqual(self.ask("DELETE", path)[1]["X-Bloblo"], "relay")

    def test_dies_before_an_answer(self):
        self.assert_registry_answers_when(cuts)

    def test_an_unknown_road(self):
        self.assert_registry_answers_when(plain("Status: 200\r\nX-Accel-Redirect: @nowhere"))

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
        self.responder(self.redirects).close()
        self.assert_registry_answers()
        self.responder(self.redirects)
        deadline = time.monotonic() + 1.5
        while (status := self.ask()[0]) != 307 and time.monotonic() < deadline:
            self.assertEqual(status, 200)
            time.sleep(0.2)
        self.assertEqual(status, 307)

    def test_an_upload_streams_without_a_copy_and_without_a_limit(self):
        self.responder(self.redirects)
        stored, kept = self.upload(64, lambda: sum(
            path.stat().st_size for path in self.server.folder.glob("*_temp/**/*") if path.is_file()))
        self.assertGreater(stored, (64 - 2) << 20, "the registry had nearly all before the end")
        self.assertEqual(kept, 0, "nginx kept a copy on disk")

    def test_paths_that_are_not_plain_reach_the_responder_as_they_were_sent(self):
        self.assert_reach_the_responder_as_they_were_sent([
            f"/v2/x/blobs/sha256%3a{'a' * 64}", f"//v2//x/blobs/sha256:{'a' * 64}", f"/v2/y/../x/blobs/sha256:{'a' * 64}"])


class ListeningRegistry(http.server.BaseHTTPRequestHandler):
    """Keeps the fields of each request."""

    protocol_version = "HTTP/1.1"

    def do_GET(self):
        self.server.heard.append(self.headers)
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_):
        pass


class TestOneClientToBoth(unittest.TestCase):
    """The registry may decide by a client's address: bloblo, which asks it first, has to be told the same."""

    @classmethod
    def setUpClass(cls):
        cls.registry = stack.serve_http(ListeningRegistry, cls.addClassCleanup)
        cls.registry.heard = []
        cls.stack = stack.Stack(stack.options([
            "up", "--services", "nginx", "--registry", f"127.0.0.1:{cls.registry.server_port}"]))
        cls.addClassCleanup(cls.stack.down)
        cls.port = cls.stack.ports.take()
        cls.stack.options.nginx_http = f"""server {{
            listen 127.0.0.1:{cls.port};
            include snippets/bloblo-locations.conf;
            include snippets/bloblo-tokens.conf;
        }}"""
        cls.responder = FakeResponder(cls.stack.socket, TestShippedNginx.passes)
        cls.addClassCleanup(cls.responder.close)
        cls.stack.up()

    def test_the_responder_hears_of_a_client_what_the_registry_hears(self):
        forged = {"X-Real-IP": "6.6.6.6", "X-Forwarded-For": "1.2.3.4, 5.6.7.8", "X-Forwarded-Proto": "gopher",
                  "X-Forwarded-Host": "elsewhere.example", "X-Forwarded-Port": "1", "Forwarded": "for=1.2.3.4"}
        for path in (BLOB, "/v2/token"):
            for sent in ({}, forged):
                with self.subTest(path=path, sent=sent):
                    status = stack.request("GET", f"http://127.0.0.1:{self.port}{path}", {**ALICE, **sent})[0]
                    params, fields = self.responder.params[-1], self.registry.heard[-1]
                    self.assertEqual((status, params["REQUEST_URI"], fields["X-Real-IP"]), (200, path, "127.0.0.1"))
                    for name in ("Host", *forged):
                        self.assertEqual(params.get("HTTP_" + name.upper().replace("-", "_")), fields[name], name)


if __name__ == "__main__":
    stack.end_by_signal()
    unittest.main(verbosity=2)
