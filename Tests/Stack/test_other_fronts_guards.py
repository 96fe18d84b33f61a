"""Guards of Caddy, HAProxy and lighttpd, written where docs/fronts.md says: what they refuse is final."""

import concurrent.futures
import itertools
import pathlib
import tempfile

import pytest

import stack
from fakes.client import ALICE, basic
from fakes.responder import FakeResponder, plain
from nginx_site import BLOB, CONTENT, PASS, REDIRECT, SORRY, auth_server, open_registry
from other_front import COMMANDS, documented_front

PASSES = {"caddy": PASS, "haproxy": plain("Status: 425"), "lighttpd": SORRY}
METHODS = ("GET", "HEAD", "DELETE", "PUT")
HOSTILE = [BLOB, "/v2/", BLOB + "?ns=docker.io", BLOB.replace("/v2/", "//v2/"), BLOB.replace("/v2/", "/x/../v2/"),
           BLOB.replace("/some/", "/%2e%2e/v2/some/"), BLOB.replace(":", "%3a"), BLOB + "%0a", BLOB + "/", BLOB + "/../x"]


def guards(front, folder, auth):
    """Each guard of a front that refuses everybody, and the statuses it may give."""
    if front == "caddy":
        forward = "\tforward_auth %s {\n\t\turi /ask\n\t}\n"
        return {"the auth server is down": (forward % "127.0.0.1:1", {502}),
                "the auth server fails": (forward % auth.address, {500, 503, 504}),
                "the auth server refuses": (forward % auth.address, {401, 403}),
                "an error": ("\t@all remote_ip 127.0.0.1\n\thandle @all {\n\t\terror 503\n\t}\n", {503}),
                "no password": ("\tbasicauth {\n\t\talice JDJhJDE0JFpxN1lFZnZiS3p0RQ==\n\t}\n", {401, 500})}
    if front == "haproxy":
        deny = "  http-request deny deny_status %s\n"
        return {str(status): (deny % status, {status}) for status in (403, 429, 500, 502, 503, 504, 425)}
    users = folder / "users"
    users.write_text("alice:right\n")
    modules = 'server.modules += ("mod_access", "mod_auth", "mod_authn_file")\n'
    require = 'auth.require = ("/" => ("method" => "basic", "realm" => "r", "require" => "valid-user"))\nauth.backend = "plain"\n'
    return {"deny": (modules + 'url.access-deny = ("")\n', {403}),
            "a wrong password": (modules + require + f'auth.backend.plain.userfile = "{users}"\n', {401}),
            "no file of passwords": (modules + require + f'auth.backend.plain.userfile = "{folder}/nothing"\n', {401, 500})}


@pytest.fixture(params=COMMANDS)
def place(request):
    with tempfile.TemporaryDirectory(prefix="front-") as folder, open_registry() as registry, auth_server() as auth:
        ports = stack.Ports()
        yield request.param, pathlib.Path(folder), registry, auth, ports
        ports.close()


def test_a_refusal_is_final(place):
    front, folder, registry, auth, ports = place
    answers = {"passes": PASSES[front], "redirects": REDIRECT, "fails": SORRY, "is down": None}
    requests = list(itertools.product(METHODS, HOSTILE))
    for name, (guard, statuses) in guards(front, folder, auth).items():
        auth.script = lambda _, statuses=statuses: min(statuses)
        port, socket = ports.take(), folder / "bloblo.sock"
        with documented_front(front, folder, port, socket, registry.address, guard):
            for state, answer in answers.items():
                responder = answer and FakeResponder(socket, answer)
                registry.heard.clear()
                # Side by side: lighttpd takes a second for each wrong password.
                with concurrent.futures.ThreadPoolExecutor(len(requests)) as pool:
                    given = list(pool.map(lambda request: stack.request(
                        request[0], f"http://127.0.0.1:{port}{request[1]}", basic("alice", "wrong")), requests))
                for (method, path), (status, fields, body) in zip(requests, given, strict=True):
                    label = (front, name, state, method, path, status)
                    assert status in statuses | {400, 404}, label
                    assert fields["Location"] is None and CONTENT[:20] not in body, label
                assert registry.heard == [], (front, name, state)
                if responder:
                    assert responder.params == [], (front, name, state)
                    responder.close()


def test_without_a_guard_each_road_is_open_and_tells_who_asks(place):
    """Else the test above would pass with a server that always refuses; and X-Forwarded-For is the client's address."""
    front, folder, registry, _, ports = place
    port, socket = ports.take(), folder / "bloblo.sock"
    forged = {"X-Forwarded-For": "10.0.0.5", "X-Real-IP": "10.0.0.5"}
    with documented_front(front, folder, port, socket, registry.address):
        for answer in (PASSES[front], None):
            if front == "lighttpd":
                continue  # bloblo relays: nothing falls back
            responder = answer and FakeResponder(socket, answer)
            for method in ("GET", "HEAD", "DELETE"):
                registry.heard.clear()
                status, _, body = stack.request(method, f"http://127.0.0.1:{port}{BLOB}", {**ALICE, **forged})
                assert (status, body) == {"GET": (200, CONTENT), "HEAD": (200, b""), "DELETE": (202, b"")}[method], method
                [(heard, path, fields, _)] = registry.heard
                assert (heard, path) == (method, BLOB)
                told = ", ".join(fields.get_all("X-Forwarded-For"))
                assert told.split(", ")[-1] == "127.0.0.1", told
                assert fields.get_all("X-Real-IP") == ["127.0.0.1"]
                if front == "haproxy":
                    assert told == "127.0.0.1"
            if responder:
                assert responder.params[-1]["REMOTE_ADDR"] == "127.0.0.1"
                assert responder.params[-1]["BLOBLO_PRESERVE_HOST"] == "true"
                responder.close()
        responder = FakeResponder(socket, REDIRECT)
        assert stack.request("GET", f"http://127.0.0.1:{port}{BLOB}", ALICE)[0] == 307
        responder.close()
        registry.heard.clear()
        stack.request("GET", f"http://127.0.0.1:{port}/v2/some/app/manifests/latest", {**ALICE, **forged})
        [(_, _, fields, _)] = registry.heard
        assert "10.0.0.5" not in (fields.get_all("X-Real-IP") or [])
