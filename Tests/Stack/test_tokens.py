"""Pings and tokens by the shipped bloblo-tokens.conf of nginx/ and apache/: real servers and bloblo, before a
registry of our own that counts.
"""

import contextlib
import http.server
import json
import urllib.parse

import pytest

import stack
from fakes.client import basic
from fakes.responder import NONSENSE, FakeResponder
from fakes.waiting import eventually
from front_site import stacks

ALICE, BOB = basic("alice", "a"), basic("bob", "b")
API_KEY = {"X-JFrog-Art-Api": "carol"}
# Harbor's, Nexus', Quay's, Pulp's, and one that a site adds.
ENDPOINTS = "/service/token", "/v2/token", "/v2/auth", "/token/", "/sign/in"
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
        if path in ENDPOINTS and name:
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
    """bloblo behind one front with bloblo-tokens.conf, before the registry above."""

    def __init__(self, make, front, registry):
        self.front, self.registry = front, registry
        self.stack = make(f"{front},bloblo", "--registry", f"127.0.0.1:{registry.server_port}", start=False,
                          tls="localhost" if front == "nginx" else None)
        self.bloblo, self.server = self.stack.services["bloblo"], self.stack.services[front]
        self.port = self.server.port
        if front == "apache":
            self.stack.options.apache_site = (
                'Include bloblo/bloblo.conf\n    Define BLOBLO_TOKEN_ENDPOINTS "v2/token|service/token|v2/auth|token/?|sign/in"\n'
                "    Include bloblo/bloblo-tokens.conf")
        else:
            self.port = self.stack.ports.take()
            shipped = (stack.ROOT / "nginx/bloblo-tokens.conf").read_text()
            (self.stack.folder / "tokens.conf").write_text(stack.Nginx.replaced(shipped, "|token/?)$", "|token/?|sign/in)$"))
            self.stack.options.nginx_http = f"""server {{
                listen 127.0.0.1:{self.port};
                include snippets/bloblo-locations.conf;
                include {self.stack.folder}/tokens.conf;
                location / {{ proxy_pass http://bloblo_registry; proxy_set_header Host $http_host; }}
            }}"""
        self.stack.up()

    def ask(self, path, headers, method="GET", body=None):
        return stack.request(method, f"http://127.0.0.1:{self.port}{path}", headers, body)

    def forget_failures(self):
        if self.front == "nginx":  # which remembers a responder that failed
            self.server.stop()
            self.server.start()


@pytest.fixture(scope="module")
def running(front):
    with stacks() as make, contextlib.ExitStack() as ends:
        registry = stack.serve_http(Registry, ends.callback)
        registry.seen, registry.hosts = [], set()
        yield Tokens(make, front, registry)


@pytest.fixture
def tokens(running):
    running.bloblo.stop()  # and has forgotten all
    running.bloblo.start()
    running.forget_failures()
    # A question waits for a thread for half a second, and the first one starts it: on a busy machine it passes.
    eventually(lambda: running.ask("/v2/", {"Authorization": "Bearer first"})[1]["X-Bloblo"] == "remember",
               otherwise=running.bloblo.tail)
    running.registry.seen.clear()
    running.registry.hosts.clear()
    return running


def test_a_ping_is_remembered_for_its_credential(tokens):
    for bearer in ("Bearer one", "Bearer two"):
        answers = [tokens.ask("/v2/", {"Authorization": bearer}) for _ in range(3)]
        assert [(status, body) for status, _, body in answers] == [(200, answers[0][2])] * 3
        assert {headers["X-Bloblo"] for _, headers, _ in answers} == {"remember"}
    assert tokens.registry.seen == [("GET", "/v2/", "Bearer one"), ("GET", "/v2/", "Bearer two")]


def test_a_token_is_remembered_for_its_credential_and_query(tokens):
    questions = [(TOKEN, ALICE), (TOKEN, BOB), (TOKEN + ",push", ALICE), (TOKEN + "&account=x%2fy", ALICE)]
    first = [json.loads(tokens.ask(*question)[2]) for question in questions]
    again = [json.loads(tokens.ask(*question)[2]) for question in questions]
    for early, late in zip(first, again):
        assert (late["token"], late["asked"]) == (early["token"], early["asked"])
        assert late["expires_in"] < early["expires_in"]  # what is left of it
    assert [token["token"].split("-")[0] for token in first] == ["alice", "bob", "alice", "alice"]
    assert tokens.registry.seen == [
        ("GET", path, headers["Authorization"]) for path, headers in questions]


@pytest.mark.parametrize("endpoint", ENDPOINTS)
def test_each_token_endpoint_is_remembered_and_answered_without_bloblo(tokens, endpoint):
    question = f"{endpoint}?service=r&scope=repository:a/b:pull"
    answers = [tokens.ask(question, ALICE) for _ in range(3)]
    assert [status for status, _, _ in answers] == [200] * 3
    assert {fields["X-Bloblo"] for _, fields, _ in answers} == {"remember"}
    assert tokens.registry.seen == [("GET", question, ALICE["Authorization"])]
    tokens.bloblo.stop()
    assert tokens.ask(question, ALICE)[0] == 200
    assert tokens.ask(endpoint, {"Content-Type": "application/x-www-form-urlencoded"}, "POST", b"a=b")[0] == 200
    assert tokens.registry.seen[-1] == ("POST", endpoint, b"a=b")


def test_a_ping_is_no_token(tokens):
    """Its answer is no token's, and is remembered as it is."""
    for path in ("/v2/", "/v2/?a=b"):
        assert [tokens.ask(path, {"Authorization": "Bearer one"})[1]["X-Bloblo"] for _ in range(2)] == ["remember"] * 2


def test_a_credential_of_another_kind_is_asked_with(tokens):
    for headers, name in ((ALICE, "alice"), ({**ALICE, **API_KEY}, "carol"), (API_KEY, "carol"), (ALICE, "alice")):
        status, _, body = tokens.ask(TOKEN, headers)
        assert (status, json.loads(body)["token"].split("-")[0]) == (200, name)
    assert len(tokens.registry.seen) == 3


def test_the_registry_is_told_the_clients_host_on_either_way(tokens):
    hosts = set()
    for name, headers, is_kept in (("a", ALICE, True), ("b", ALICE, True), ("c", {**ALICE, **API_KEY}, False)):
        hosts.add(host := f"{name}.example.com:{tokens.port}")
        status, got, _ = tokens.ask(TOKEN, {**headers, "Host": host})
        assert (status, got["X-Bloblo"] == "remember") == (200, is_kept)
    assert tokens.registry.hosts == hosts


def test_refusals_are_the_registrys(tokens):
    for path, headers in (("/v2/", {}), (TOKEN, {}), (TOKEN, basic("alice", "wrong"))):
        for _ in range(2):
            status, got, body = tokens.ask(path, headers)
            assert (status, json.loads(body)["errors"][0]["code"]) == (401, "UNAUTHORIZED")
            assert got.get_all("WWW-Authenticate") == [
                f'Bearer realm="http://127.0.0.1:{tokens.port}/service/token",service="r"']


def test_other_methods_are_the_registrys(tokens):
    status, _, body = tokens.ask("/service/token", {"Content-Type": "application/x-www-form-urlencoded"}, "POST",
                               b"grant_type=refresh_token")
    assert (status, json.loads(body)) == (200, {"access_token": "by-post"})
    assert tokens.ask("/v2/", {"Authorization": "Bearer one"}, "HEAD")[0] == 200
    assert tokens.registry.seen == [
        ("POST", "/service/token", b"grant_type=refresh_token"), ("HEAD", "/v2/", "Bearer one")]


def test_without_bloblo(tokens):
    tokens.bloblo.stop()
    assert [tokens.ask(*question)[0] for question in (
        ("/v2/", {"Authorization": "Bearer one"}), (TOKEN, ALICE), ("/v2/", {}))] == [200, 200, 401]


def test_nonsense(tokens, subtests, ends):
    tokens.bloblo.stop()
    for name, answer in NONSENSE.items():
        responder = FakeResponder(tokens.stack.socket, answer)
        ends.callback(responder.close)
        tokens.stack.socket.chmod(0o777)
        tokens.registry.seen.clear()
        tokens.forget_failures()
        with subtests.test(name):
            assert tokens.ask(TOKEN, ALICE)[0] == 200
            assert len(responder.params) > 0
            assert tokens.registry.seen == [("GET", TOKEN, ALICE["Authorization"])]
        responder.close()
