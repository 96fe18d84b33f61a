"""A real front on the files we ship, a real registry, and a responder that each test makes."""

import contextlib
import random

import pytest

import stack
from fakes.client import ALICE, blob_path, digest_of
from fakes.responder import NONSENSE, FakeResponder, plain
from fakes.waiting import eventually
from front_site import Site, stacks

CONTENT = random.Random(2).randbytes(100_000)
DIGEST = digest_of(CONTENT)
BLOB = blob_path(DIGEST)
SIGNED = "https://bucket.s3.example/sha256%3Aab?X-Amz-Credential=AKIA%2F20260101&X-Amz-Signature=ab%2Bcd%3D"
# What nginx makes a header of, and hands on, as it would any responder's.
FOREIGN = {
    "a header, then none": plain("Status: 200 OK\r\nX-Bloblo: tee\r\nnonsense"),
    "a line that is too long": plain("Status: 200 OK\r\nX-Bloblo: tee\r\nLocation: https://" + "a" * 9000),
    "an empty head": plain(""),
    "a page of something else": plain("Status: 200 OK\r\nContent-Type: text/html", b"<h1>It works!</h1>"),
    "no status, no mark": plain("Content-Type: text/plain", b"hello"),
}


class Shipped(Site):
    """`passes` is bloblo's answer that leaves a request to the registry, `nonsense` answers that are none, by name,
    `token_bytes` the length of a session token whose signed URL is still to fit, and `heard_head` the method by
    which the registry hears of a HEAD.
    """

    nonsense, heard_head, token_bytes = NONSENSE, "HEAD", 30_000
    passes = staticmethod(plain("Status: 424 Failed Dependency\r\nX-Accel-Redirect: @bloblo_registry"))

    def __init__(self, make, front, *words):
        super().__init__(make(f"registry,{front}", *words), front)
        self.push(CONTENT)

    @contextlib.contextmanager
    def one_test(self):
        with contextlib.ExitStack() as self.ends:
            self.forget_failures()
            yield self

    def forget_failures(self):
        """nginx remembers a responder that failed."""
        self.front.stop()
        self.front.start()

    def get_blob(self, method="GET", path=BLOB, headers=ALICE):
        return self.ask(method, path, headers)

    def assert_asked(self, times):
        assert times > 0

    def marked(self, head, mark):
        """The head of an answer, with bloblo's mark where this server is told by it whose answer it is."""
        return head

    @property
    def redirects(self):
        return plain(self.marked(f"Location: {SIGNED}\r\nStatus: 307 Temporary Redirect\r\nContent-Length: 0\r\n"
                                 f"Docker-Content-Digest: {DIGEST}", "redirect"))

    def responder(self, answer):
        responder = FakeResponder(self.servers.socket, answer)
        self.ends.callback(responder.close)
        return responder

    def assert_registry_answers(self):
        """The registry's own answers, to the request as it was sent; the headers of the first."""
        status, first, body = self.get_blob()
        assert (status, first["Docker-Content-Digest"], body) == (200, DIGEST, CONTENT)
        status, headers, body = self.get_blob(headers={**ALICE, "Range": "bytes=5-9"})
        assert (status, body) == (206, CONTENT[5:10])
        status, headers, body = self.get_blob("HEAD", BLOB + "?ns=docker.io")
        assert (status, headers["Content-Length"], body) == (200, str(len(CONTENT)), b"")
        self.assert_registry_heard(f"{self.heard_head} {BLOB}?ns=docker.io ")
        status, headers, _ = self.get_blob(headers={})
        assert status == 401
        assert "Basic" in headers["WWW-Authenticate"]
        assert self.get_blob(path=BLOB[:-4] + "0000")[0] == 404
        return first

    def assert_registry_heard(self, line):
        """It writes its log after the answer."""
        eventually(lambda: line in self.registry.access_log.read_text(),
                   otherwise=lambda: f"{line} not in {self.registry.access_log.read_text()[-3000:]}")

    def assert_registry_answers_when(self, answer):
        responder = self.responder(answer)
        self.assert_registry_answers()
        self.assert_asked(len(responder.params))

    def assert_reach_the_responder_as_they_were_sent(self, paths):
        responder = self.responder(self.passes)
        for path in paths:
            assert self.get_blob(path=path)[0] >= 300
        assert [params["REQUEST_URI"] for params in responder.params] == paths
        for path in paths:
            self.assert_registry_heard(f"GET {path} ")

    def assert_responder_hears(self, software, sent, heard):
        """What it needs, and nothing forged; `sent`: headers of this server's test, `heard`: what becomes of them."""
        responder = self.responder(self.redirects)
        self.get_blob(path=BLOB + "?ns=x%2fy", headers={
            **ALICE, "Range": "bytes=0-1", "Host": "registry.example:8443", "User-Agent": "a client",
            "X-Forwarded-Proto": "gopher", "BLOBLO-S3-BUCKET-NAME": "mine", **sent})
        [params] = responder.params
        assert params | {
            "REQUEST_METHOD": "GET", "REQUEST_URI": BLOB + "?ns=x%2fy", "HTTP_HOST": "registry.example:8443",
            "HTTP_AUTHORIZATION": ALICE["Authorization"], "HTTP_RANGE": "bytes=0-1",
            "HTTP_USER_AGENT": "a client", "HTTP_X_FORWARDED_PROTO": "http", "REMOTE_ADDR": "127.0.0.1",
            "SERVER_PROTOCOL": "HTTP/1.1", **heard} == params
        assert params["SERVER_SOFTWARE"].startswith(software)
        assert "BLOBLO_S3_BUCKET_NAME" not in params

    def upload(self, mib, kept, headers=ALICE):
        """In one PATCH that ends when the registry has nearly all; what `kept()` says then."""
        location = self.get_blob("POST", "/v2/some/name/blobs/uploads/")[1]["Location"]
        chunk, seen = bytes(1 << 20), []

        def stored():
            return sum(path.stat().st_size for path in self.registry.storage.rglob("_uploads/*/data"))

        def chunks():
            for _ in range(mib):
                yield chunk
            eventually(lambda: stored() - before > (mib - 4) << 20)
            seen.append(kept())

        before = stored()
        status, headers, _ = stack.request("PATCH", location, headers, chunks(), timeout=120)
        assert (status, headers["Range"]) == (202, f"0-{(mib << 20) - 1}")
        return seen[0]


class ShippedApache(Shipped):
    token_bytes = 7_500
    passes = staticmethod(plain("Status: 424 Failed Dependency\r\nX-Bloblo: pass\r\nContent-Length: 0"))
    nonsense = {**NONSENSE, **FOREIGN}
    heard_head = "GET"  # ErrorDocument has made a GET of it: see docs/fronts.md

    def forget_failures(self):
        """Apache remembers none."""

    def marked(self, head, mark):
        return f"{head}\r\nX-Bloblo: {mark}"

    def responder(self, answer):
        responder = super().responder(answer)
        self.servers.socket.chmod(0o777)  # of Apache only its first process is root
        return responder

    def assert_registry_answers(self):
        fields = super().assert_registry_answers()
        assert fields.get_all("X-Bloblo") == ["pass"]
        return fields

    def assert_asked(self, times):
        assert times == 5


@pytest.fixture(scope="module")
def shared(front):
    with stacks() as make:
        if front == "nginx":
            yield Shipped(make, front)
        else:
            yield ShippedApache(make, front, "--apache-server", "Protocols h2c http/1.1")


@pytest.fixture
def site(shared):
    with shared.one_test() as site:
        yield site
