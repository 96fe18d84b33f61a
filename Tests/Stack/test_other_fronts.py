"""Caddy, HAProxy and lighttpd of Debian before bloblo, by the snippets of docs/fronts.md."""

import signal

import pytest

import stack
from doors import Doors, running
from fakes.blobs import COLD, COLD_DIGEST, CONTENT, DIGEST, MALLORY, blob
from fakes.client import ALICE
from fakes.responder import NONSENSE, FakeResponder
from other_front import COMMANDS, documented_front

# What Caddy takes for a whole answer, and what HAProxy itself ends of: see docs/fronts.md.
UNSEEN = {"a record that is cut", "another request's answer", "a header without an end", "half a header"}
# Lighttpd can't: see docs/fronts.md.
fails_open = pytest.mark.parametrize("other", ["caddy", "haproxy"], indirect=True, scope="module")


class OtherFront(Doors):
    """The server of COMMANDS at `port`, beside nginx by which the blobs came."""

    def begin(self, front):
        self.ends.enter_context(documented_front(front, self.folder, self.port, self.stack.socket, self.stack.registry_address))


@pytest.fixture(scope="module", params=COMMANDS)
def other(request):
    return request.param


@pytest.fixture(scope="module")
def shared(other):
    with running(OtherFront) as site:
        site.begin(other)
        yield site


@pytest.fixture
def site(shared):
    with shared.one_test() as site:
        yield site


def ask(site, method="GET", path=blob(), headers=ALICE):
    return stack.request(method, f"http://127.0.0.1:{site.port}{path}", headers)


def test_a_warm_blob(site):
    status, headers, _ = ask(site)
    assert (status, headers["Docker-Content-Digest"]) == (307, DIGEST)
    assert stack.request("GET", headers["Location"])[2] == CONTENT


def test_a_head(site):
    status, headers, body = ask(site, "HEAD")
    assert (status, headers["Content-Length"], body) == (200, str(len(CONTENT)), b"")


def test_what_is_passed(site):
    for headers in ({}, MALLORY):
        status, got, body = ask(site, headers=headers)
        assert (status, got["WWW-Authenticate"]) == (401, 'Basic realm="the demo registry"')
    status, _, body = ask(site, path=blob(COLD_DIGEST), headers={**ALICE, "Range": "bytes=5-9"})
    assert (status, body) == (206, COLD[5:10])


@fails_open
def test_bloblo_is_down_or_hangs(site):
    site.bloblo.signal(signal.SIGSTOP)
    site.ends.callback(site.bloblo.start)
    site.ends.callback(site.bloblo.signal, signal.SIGCONT)
    assert ask(site)[0] == 200
    site.bloblo.signal(signal.SIGCONT)
    site.bloblo.stop()
    assert ask(site)[0] == 200
    assert ask(site, "HEAD")[0] == 200


@fails_open
def test_nonsense(site, subtests):
    site.bloblo.stop()
    site.ends.callback(site.bloblo.start)
    for name in sorted(NONSENSE.keys() - UNSEEN):
        responder = FakeResponder(site.stack.socket, NONSENSE[name])
        site.ends.callback(responder.close)
        with subtests.test(name):
            for _ in range(5):
                status, _, body = ask(site)
                assert (status, body == CONTENT) == (200, True)
                # HAProxy may have tried a connection that the last responder had just closed.
                if responder.params:
                    break
            assert responder.params
        responder.close()
