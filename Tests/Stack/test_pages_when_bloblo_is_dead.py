"""What the web servers answer for bloblo's pages when bloblo can't: what that means, and what to do."""

import contextlib
import socket

import pytest

import stack


@pytest.fixture
def owner(make_stack):
    return make_stack("nginx,apache", "--registry", "127.0.0.1:9", read_timeout="4")  # Apache's, as shipped


@contextlib.contextmanager
def hanging(path):
    """A socket on which connections are made, and nobody answers."""
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))
        path.chmod(0o666)
        listener.listen()
        yield


@pytest.mark.parametrize("front", ["nginx", "apache"])
def test_bloblo_is_down(owner, front):
    for name in ("", "ready", "metrics", "health"):
        status, fields, body = stack.request("GET", f"{owner.services[front].url}/bloblo/{name}")
        assert status == 503
        assert b"bloblo does not run" in body and b"the registry answers" in body
        assert b"systemctl status bloblo.socket bloblo.service" in body and b"Permission denied" in body
    # Not for everybody: the guard is asked first.
    assert stack.request("GET", f"{owner.services[front].url}/bloblo/", {"X-Forwarded-For": "10.0.0.1"})[0] == 403


@pytest.mark.long
@pytest.mark.parametrize("front", ["nginx", "apache"])
def test_bloblo_hangs(owner, front):
    with hanging(owner.socket):
        status, _, body = stack.request("GET", f"{owner.services[front].url}/bloblo/")
    assert status in (503, 504)
    assert b"bloblo runs, and does not answer" in body and b"systemctl restart bloblo.service" in body
