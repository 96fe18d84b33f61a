"""Where bloblo relays, an upstream's bytes behind an answer without a body never come to the next client: lighttpd, and a
web server that can't hand a request on. That the checks hold too is a matter of test_rollout.py."""

import collections

import pytest

import stack
from fakes import alone as fakes
from fakes.alone import BASIC
from other_front import documented_front

# Read as an answer it would be somebody else's.
TRAP = b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nsecret"
ALICE = {"Authorization": BASIC}
# By the answer's kind. bloblo itself answers the HEAD of one who may read.
ASKS = {"HEAD": ("HEAD", {}), "304": ("GET", {**ALICE, "If-None-Match": '"e"'}), "204": ("DELETE", ALICE)}


class OwingRegistry(fakes.Registry):
    """Sends TRAP behind the last answer without a body, when the next GET is on its way already: too late for a look at
    the connection."""

    def __init__(self):
        super().__init__()
        self.connections, self.owed, self.owings = set(), set(), collections.Counter()

    def owe(self, connection, kind):
        self.owed.add(connection)
        self.owings[kind] += 1

    def handler(self):
        registry = self

        class Handler(super().handler()):
            def do_GET(self):
                if self.path != "/v2/":  # which bloblo asks for itself
                    registry.connections.add(self.connection)
                if self.connection in registry.owed:
                    self.wfile.write(TRAP)
                if self.headers["If-None-Match"]:
                    registry.owe(self.connection, "304")
                    return self.answer_without_length(304)
                super().do_GET()

            def do_HEAD(self):
                registry.owe(self.connection, "HEAD")
                super().do_GET()

            def do_DELETE(self):
                registry.owe(self.connection, "204")
                self.answer_without_length(204)

            def answer_without_length(self, status):
                self.send_response(status)
                self.end_headers()

        return Handler


@pytest.fixture(params=["none", "lighttpd"])
def relayed(request, alone, ports, ends, tmp_path):
    """The registry, and what asks bloblo: (method, path, fields) to (status, body)."""
    registry = OwingRegistry()
    bloblo = alone(registry=registry, **({"BLOBLO_FRONT_SERVER": "none"} if request.param == "none" else {}))
    port = ports.take()
    if request.param == "lighttpd":
        address = f"127.0.0.1:{bloblo.registry_server.server_port}"
        ends.enter_context(documented_front("lighttpd", tmp_path, port, bloblo.socket, address))

    def ask(method, path, fields):
        if request.param == "lighttpd":
            return stack.request(method, f"http://127.0.0.1:{port}{path}", fields)[::2]
        params = {"HTTP_" + name.upper().replace("-", "_"): value for name, value in fields.items()}
        return bloblo.ask(path, method, **params)[::2]

    return registry, ask


@pytest.mark.parametrize("kind", ASKS)
def test_bytes_behind_an_answer_without_a_body_are_nobodys(relayed, kind):
    registry, ask = relayed
    path = f"/v2/a/b/blobs/{registry.add(b'content')}"
    method, fields = ASKS[kind]
    for _ in range(8):
        ask(method, path, fields)
        status, body = ask("GET", path, {})
        assert (status, body) == (401, b"{}")
    assert registry.owings[kind] >= 8


def test_other_answers_leave_their_connection_open(relayed):
    """Else the test above would say nothing."""
    registry, ask = relayed
    path = "/v2/a/b/blobs/sha256:" + "0" * 64
    for _ in range(8):
        assert ask("GET", path, {})[0] == 401
    gets = [heard for method, heard, _ in registry.requests if (method, heard) == ("GET", path)]
    assert len(registry.connections) < len(gets) == 8
