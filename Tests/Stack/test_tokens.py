#!/usr/bin/env python3
"""Pings and tokens by the shipped bloblo-tokens.conf of nginx/ and apache/: real servers and bloblo, before a
registry of our own that counts.

    python3 Tests/Stack/test_tokens.py
"""

import http.server
import json
import os
import unittest
import urllib.parse

import stack
from fake_responder import NONSENSE, FakeResponder
from test_fronts import basic

ALICE, BOB = basic("alice", "a"), basic("bob", "b")
API_KEY = {"X-JFrog-Art-Api": "carol"}
TOKEN = "/service/token?service=r&scope=repository:a/b:pull"


class Registry(http.server.BaseHTTPRequestHandler):
    """`/v2/` for bearers of a token, tokens for who has a password; each says how often it was asked."""

    protocol_version = "HTTP/1.1"
    known = {ALICE["Authorization"]: "alice", BOB["Authorization"]: "bob"}

    def do_GET(self):
        credential = self.headers["Authorization"] or ""
        if (self.path, credential, self.headers["Via"]) == ("/v2/", "", "1.1 bloblo"):
            return self.say(401, {})  # bloblo's own question whether the registry is well, every 5 s
        self.server.hosts.add(self.headers["Host"])
        self.server.seen.append((self.command, self.path, credential))
        path = urllib.parse.urlsplit(self.path).path
        name = self.headers["X-JFrog-Art-Api"] or self.known.get(credential)
        if path == "/service/token" and name:
            token = f"{name}-{len(self.server.seen)}"
            return self.say(200, {"token": token, "expires_in": 300, "asked": len(self.server.seen)})
        if path == "/v2/" and credential.startswith("Bearer "):
            return self.say(200, {"asked": len(self.server.seen)})
        self.say(401, {"errors": [{"code": "UNAUTHORIZED"}]},
                 ("WWW-Authenticate", f'Bearer realm="http://{self.headers["Host"]}/service/token",service="r"'))

    def do_POST(self):
        self.server.seen.append((self.command, self.path, self.rfile.read(int(self.headers["Content-Length"]))))
        self.say(200, {"access_token": "by-post"})

    def do_HEAD(self):
        self.do_GET()

    def say(self, status, document, *fields):
        body = json.dumps(document).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        for field in fields:
            self.send_header(*field)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def log_message(self, *_):
        pass


class Tokens:
    front = ""

    @classmethod
    def setUpClass(cls):
        cls.registry = stack.serve_http(Registry, cls.addClassCleanup)
        cls.registry.seen, cls.registry.hosts = [], set()
        cls.stack = stack.Stack(stack.options([
            "up", "--services", f"{cls.front},bloblo", "--registry", f"127.0.0.1:{cls.registry.server_port}",
            "--bloblo", os.environ.get("BLOBLO", str(stack.ROOT / ".build/release/bloblo"))]))
        cls.addClassCleanup(cls.stack.down)
        cls.port = cls.stack.services[cls.front].port
        cls.set_up_front(cls.stack.options)
        cls.stack.up()

    def setUp(self):
        self.stack.services["bloblo"].stop()  # and has forgotten all
        self.stack.services["bloblo"].start()
        self.registry.seen.clear()
        self.registry.hosts.clear()

    def ask(self, path, headers, method="GET", body=None):
        return stack.request(method, f"http://127.0.0.1:{self.port}{path}", headers, body)

    def test_a_ping_is_remembered_for_its_credential(self):
        for bearer in ("Bearer one", "Bearer two"):
            answers = [self.ask("/v2/", {"Authorization": bearer}) for _ in range(3)]
            self.assertEqual([(status, body) for status, _, body in answers], [(200, answers[0][2])] * 3)
            self.assertEqual({headers["X-Bloblo"] for _, headers, _ in answers}, {"remember"})
        self.assertEqual(self.registry.seen, [("GET", "/v2/", "Bearer one"), ("GET", "/v2/", "Bearer two")])

    def test_a_token_is_remembered_for_its_credential_and_query(self):
        questions = [(TOKEN, ALICE), (TOKEN, BOB), (TOKEN + ",push", ALICE), (TOKEN + "&account=x%2fy", ALICE)]
        first = [json.loads(self.ask(*question)[2]) for question in questions]
        again = [json.loads(self.ask(*question)[2]) for question in questions]
        for early, late in zip(first, again):
            self.assertEqual((late["token"], late["asked"]), (early["token"], early["asked"]))
            self.assertLess(late["expires_in"], early["expires_in"])  # what is left of it
        self.assertEqual([token["token"].split("-")[0] for token in first], ["alice", "bob", "alice", "alice"])
        self.assertEqual(self.registry.seen, [
            ("GET", path, headers["Authorization"]) for path, headers in questions])

    def test_a_credential_of_another_kind_is_asked_with(self):
        for headers, name in ((ALICE, "alice"), ({**ALICE, **API_KEY}, "carol"), (API_KEY, "carol"), (ALICE, "alice")):
            status, _, body = self.ask(TOKEN, headers)
            self.assertEqual((status, json.loads(body)["token"].split("-")[0]), (200, name))
        self.assertEqual(len(self.registry.seen), 3)

    def test_the_registry_is_told_the_clients_host_on_either_way(self):
        hosts = set()
        for name, headers, is_kept in (("a", ALICE, True), ("b", ALICE, True), ("c", {**ALICE, **API_KEY}, False)):
            hosts.add(host := f"{name}.example.com:{self.port}")
            status, got, _ = self.ask(TOKEN, {**headers, "Host": host})
            self.assertEqual((status, got["X-Bloblo"] == "remember"), (200, is_kept))
        self.assertEqual(self.registry.hosts, hosts)

    def test_refusals_are_the_registrys(self):
        for path, headers in (("/v2/", {}), (TOKEN, {}), (TOKEN, basic("alice", "wrong"))):
            for _ in range(2):
                status, got, body = self.ask(path, headers)
                self.assertEqual((status, json.loads(body)["errors"][0]["code"]), (401, "UNAUTHORIZED"))
                self.assertEqual(got.get_all("WWW-Authenticate"), [
                    f'Bearer realm="http://127.0.0.1:{self.port}/service/token",service="r"'])

    def test_other_methods_are_the_registrys(self):
        status, _, body = self.ask("/service/token", {"Content-Type": "application/x-www-form-urlencoded"}, "POST",
                                   b"grant_type=refresh_token")
        self.assertEqual((status, json.loads(body)), (200, {"access_token": "by-post"}))
        self.assertEqual(self.ask("/v2/", {"Authorization": "Bearer one"}, "HEAD")[0], 200)
        self.assertEqual(self.registry.seen, [
            ("POST", "/service/token", b"grant_type=refresh_token"), ("HEAD", "/v2/", "Bearer one")])

    def test_without_bloblo(self):
        self.stack.services["bloblo"].stop()
        self.assertEqual([self.ask(*question)[0] for question in (
            ("/v2/", {"Authorization": "Bearer one"}), (TOKEN, ALICE), ("/v2/", {}))], [200, 200, 401])

    def test_nonsense(self):
        self.stack.services["bloblo"].stop()
        for name, answer in NONSENSE.items():
            responder = FakeResponder(self.stack.socket, answer)
            self.stack.socket.chmod(0o777)
            self.registry.seen.clear()
            self.forget_failures()
            with self.subTest(name):
                self.assertEqual(self.ask(TOKEN, ALICE)[0], 200)
                self.assertGreater(len(responder.params), 0)
                self.assertEqual(self.registry.seen, [("GET", TOKEN, ALICE["Authorization"])])
            responder.close()
        self.forget_failures()

    def forget_failures(self):
        if self.front == "nginx":  # which remembers a responder that failed
            self.stack.services["nginx"].stop()
            self.stack.services["nginx"].start()


class TestNginx(Tokens, unittest.TestCase):
    front = "nginx"

    @classmethod
    def set_up_front(cls, options):
        cls.port = cls.stack.ports.take()
        options.nginx_http = f"""server {{
            listen 127.0.0.1:{cls.port};
            include snippets/bloblo-locations.conf;
            include snippets/bloblo-tokens.conf;
            location / {{ proxy_pass http://bloblo_registry; proxy_set_header Host $http_host; }}
        }}"""


class TestApache(Tokens, unittest.TestCase):
    front = "apache"

    @classmethod
    def set_up_front(cls, options):
        options.apache_site = "Include bloblo/bloblo.conf\n    Include bloblo/bloblo-tokens.conf"


if __name__ == "__main__":
    stack.end_by_signal()
    unittest.main(verbosity=2)
