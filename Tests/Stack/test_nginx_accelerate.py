"""The road to S3: a guard that fails on it, an S3 that fails on it, ranges of a cached blob, and what nginx logs."""

import http.server
import re

import pytest

from fakes.client import ALICE
from nginx_site import BLOB, CONTENT, DIGEST, REDIRECT, auth_server, open_registry, serving, site
from test_nginx_guards import SCRIPTS

SECRET = "X-Amz-Signature=0123456789abcdef"
FILES = ("accelerate", "accelerate-cache")


class Bucket(http.server.BaseHTTPRequestHandler):
    """Gives the object to who has the signature. `server.status` is what it answers instead."""

    protocol_version = "HTTP/1.1"

    def do_GET(self):
        self.server.heard.append((self.path, self.headers))
        status = self.server.status or (200 if SECRET in self.path else 403)
        if status is True:
            self.close_connection = True
            return self.connection.close()
        body, given = CONTENT if status == 200 else b"<Error/>", self.headers["Range"]
        if found := status == 200 and given and re.fullmatch(r"bytes=(\d+)-(\d*)", given):
            first, last = int(found[1]), int(found[2] or len(CONTENT) - 1)
            status, body = (206, CONTENT[first:last + 1]) if first < len(CONTENT) else (416, b"<Error/>")
        self.send_response(status)
        self.send_header("ETag", '"of-s3"')
        self.send_header("X-Amz-Meta-Bloblo-Digest", DIGEST)
        self.send_header("X-Accel-Redirect", "/inside")
        if status == 206:
            self.send_header("Content-Range", f"bytes {first}-{first + len(body) - 1}/{len(CONTENT)}")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


def accelerate(params, connection):
    """As bloblo does; the host is the bucket's, which the test's params can't know, so nginx sends what it says."""
    connection.out((f"X-Accel-Redirect: @bloblo_s3\r\nX-Bloblo-Host: bucket.example\r\nX-Bloblo-Target: /b/o?{SECRET}\r\n"
                    f"X-Bloblo-Digest: {DIGEST}\r\nX-Bloblo-Etag: \"the-registrys\"\r\n"
                    "Content-Type: application/octet-stream\r\nStatus: 423 Locked\r\n\r\n").encode())
    connection.end()


@pytest.fixture(scope="module")
def world():
    with open_registry() as registry, auth_server() as auth, serving(Bucket, heard=[], status=None) as bucket, \
            site(registry, "--bucket", f"http://{bucket.address}") as owner:
        owner.auth, owner.bucket = auth, bucket
        for file in FILES:  # the guard stands in the server {}, so nginx asks it in each location
            more = f"""include snippets/bloblo-{file}.conf;
              location = /_ask {{ internal; proxy_pass http://{auth.address}; }}
              location = /inside {{ internal; return 200 "inside"; }}
              location / {{ proxy_pass http://bloblo_registry; }}"""
            owner.add(file, more)
            owner.add(f"{file}, guarded", "auth_request /_ask;" + more)
        yield owner.start()


@pytest.fixture(autouse=True)
def fresh(world):
    world.forget()
    world.bucket.heard.clear()
    world.bucket.status = None
    world.auth.said.clear()
    world.auth.script = lambda _: 204


@pytest.mark.parametrize("file", FILES)
@pytest.mark.parametrize("script", SCRIPTS)
@pytest.mark.parametrize("state", [None, 404, 503, 401, True])
def test_a_guard_that_fails_on_the_way(world, file, script, state):
    world.bucket.status, world.auth.script = state, SCRIPTS[script]
    with world.responder(accelerate):
        for _ in range(3):
            before = len(world.auth.said)
            status, headers, body = world.ask(f"{file}, guarded")
            said = world.auth.said[before:]
            if any(answer != 204 for answer in said):
                assert status >= 400 and CONTENT[:20] not in body, (said, status)
            else:
                assert (status, body) == (200, CONTENT), (said, status)
                assert headers.get_all("Docker-Content-Digest") == [DIGEST]


@pytest.mark.parametrize("file", FILES)
def test_an_s3_that_fails_leaves_no_signed_url_in_a_log(world, file):
    for state in (404, 403, 500, 503, True):
        world.bucket.status = state
        for path in world.nginx.folder.glob("cache/*"):
            path.unlink()
        with world.responder(accelerate):
            status, headers, body = world.ask(file)
            assert (status, body, headers["X-Bloblo"]) == (200, CONTENT, None), state
            assert world.registry.heard[-1][2]["Host"].startswith("127.0.0.1:")
    world.auth.script = SCRIPTS["fails at every third"]
    with world.responder(accelerate):
        for _ in range(8):
            world.ask(f"{file}, guarded")
    world.nginx.stop()
    logs = world.nginx.log.read_text() + world.nginx.access_log.read_text()
    assert "X-Amz" not in logs and SECRET[-16:] not in logs
    assert "upstream" in logs or "signal" in logs  # the log of other errors goes on


def test_an_s3_that_is_down_leaves_no_signed_url_in_a_log(world):
    with open_registry() as registry, site(registry, "--bucket", "http://127.0.0.1:1") as owner:
        for file in FILES:
            owner.add(file, f"include snippets/bloblo-{file}.conf;")
        owner.start()
        with owner.responder(accelerate):
            for file in FILES:
                assert owner.ask(file)[::2] == (200, CONTENT)
        owner.nginx.stop()
        assert "X-Amz" not in owner.nginx.log.read_text()


@pytest.mark.parametrize("file", FILES)
def test_nobody_else_leads_to_s3(world, file):
    world.registry.fields = [("X-Accel-Redirect", "@bloblo_s3"), ("X-Bloblo-Target", f"/b/o?{SECRET}"),
                             ("X-Bloblo-Host", "bucket.example"), ("X-Bloblo-Digest", "sha256:" + "0" * 64)]
    for answer in (None, REDIRECT):
        with world.responder(answer):
            for method, path in (("GET", BLOB), ("PUT", BLOB), ("GET", "/v2/a/manifests/latest"), ("HEAD", "/v2/"), ("GET", "/")):
                world.ask(file, method, path)
    assert world.bucket.heard == []


@pytest.mark.parametrize("file", FILES)
def test_fields_have_one_value(world, file):
    with world.responder(accelerate):
        for given, wanted in ((None, 200), ("bytes=5-9", 206), ("bytes=5-", 206), (f"bytes={len(CONTENT)}-", 416),
                              ("bytes=9999999-99999999", 416)):
            headers = ALICE if given is None else {**ALICE, "Range": given}
            for _ in range(2):  # the second time from the cache
                status, fields, body = world.ask(file, headers=headers)
                if wanted == 416 and file == "accelerate":  # S3 refuses, and the registry of this test knows no ranges
                    assert (status, body, fields["X-Bloblo"]) == (200, CONTENT, None)
                    continue
                assert status == wanted, given
                for name in set(fields.keys()):
                    assert len(fields.get_all(name)) == 1, (given, name, fields.get_all(name))
                if wanted < 400:
                    assert (fields["ETag"], fields["X-Bloblo"]) == ('"the-registrys"', "accelerate")
                    assert not [name for name in fields if name.lower().startswith("x-amz")]
