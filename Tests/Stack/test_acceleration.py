"""What S3 sees of an acceleration, and what the client sees of S3: the shipped files of nginx and Apache, a
responder and an HTTPS server of our own.
"""

import pathlib
import re
import socket
import tempfile

import pytest

import stack
from fakes.authority import Authority
from fakes.blobs import CONTENT, DIGEST, blob
from fakes.client import ALICE
from fakes.relay import serve_each
from fakes.responder import FakeResponder
from front_site import Site, stacks

# All that a signed URL may hold, and what servers like to decode.
TARGET = ("/bucket/docker/a%2Bb%20c%25d%7Ee~f/sha256:" + "a" * 64 + "?X-Amz-Credential=AKIA%2F20260101%2Fs3&"
          "X-Amz-Security-Token=ab%2Fcd%2Bef%3D%3D&X-Amz-Signature=ab%2Bcd&t=a+b%20c&u=%C3%A9&empty=&flag")
SECRETS = ("authorization", "cookie", "proxy-authorization", "referer", "x-forwarded-for", "if-range")


NAMES = ("localhost", "my-bucket.localhost")


class FakeS3:
    """Answers each connection by `answer`, and keeps what it was sent: first line, fields, server name."""

    def __init__(self):
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        serve_each(self.listener, self.serve)

    def reset(self, context):
        """Nothing has been heard, and connections get this context: a new one, for no test changes another's."""
        self.requests, self.names, self.context = [], [], context
        context.sni_callback = lambda _, name, __: self.names.append(name)

    def serve(self, raw):
        try:
            with self.context.wrap_socket(raw, server_side=True) as connection:
                head = b""
                while b"\r\n\r\n" not in head:
                    if not (piece := connection.recv(65536)):
                        return
                    head += piece
                first, *lines = head.decode("latin-1").split("\r\n\r\n")[0].split("\r\n")
                self.requests.append((first, {line.split(":", 1)[0].lower(): line.split(": ", 1)[-1] for line in lines}))
                connection.sendall(self.answer)
        except OSError:
            pass

    def close(self):
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()


class Acceleration(Site):
    """`host` is the name by which the front asks S3."""

    def __init__(self, make, front, folder):
        self.authority, self.fake = Authority(folder), FakeS3()
        super().__init__(make(
            f"registry,{front}", "--bucket", f"https://localhost:{self.fake.port}", "--bucket-ca", str(self.authority.file)),
            front)
        self.host = {"nginx": "my-bucket.localhost", "apache": "localhost"}[front]
        self.push(CONTENT)

    def accelerate(self, _, connection):
        connection.out((f"X-Accel-Redirect: @bloblo_s3\r\nX-Bloblo-Host: {self.host}:{self.fake.port}\r\n"
                        f"X-Bloblo-Target: {TARGET}\r\nX-Bloblo-Digest: {DIGEST}\r\nX-Bloblo-Etag: \"the-registrys\"\r\n"
                        "Content-Type: application/octet-stream\r\nStatus: 423 Locked\r\n\r\n").encode())
        connection.end()

    def reset(self):
        self.fake.reset(self.authority.context(*NAMES))
        self.says("200 OK", b"the bytes")
        if self.name == "nginx":  # which remembers an S3 that failed
            self.front.stop()
            self.front.start()

    def says(self, status, body=b"", *fields):
        lines = [f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", "ETag: \"d41d8-2\"", "x-amz-request-id: 1",
                 "x-amz-id-2: 2", "x-amz-version-id: 3", "x-amz-server-side-encryption: AES256", "Server: AmazonS3",
                 "x-amz-server-side-encryption-bucket-key-enabled: true", "Set-Cookie: a=b", "Last-Modified: "
                 "Tue, 24 Nov 2026 09:00:00 GMT", "Content-Type: binary/octet-stream", "Accept-Ranges: bytes",
                 "Connection: close", *fields]
        self.fake.answer = "\r\n".join(lines).encode() + b"\r\n\r\n" + body

    def get_blob(self, headers=None, path=blob()):
        return self.ask("GET", path, {**ALICE, **(headers or {})})


@pytest.fixture(scope="module")
def shared(front):
    with stacks() as make, tempfile.TemporaryDirectory(prefix="s3-") as folder:
        pathlib.Path(folder).chmod(0o755)
        site = Acceleration(make, front, folder)
        responder = FakeResponder(site.servers.socket, site.accelerate)
        site.servers.socket.chmod(0o777)
        yield site
        responder.close()
        site.fake.close()


@pytest.fixture
def site(shared):
    shared.reset()
    return shared


def test_the_url_arrives_byte_for_byte_and_nothing_of_the_client(site):
    site.says("206 Partial Content", b"he", "Content-Range: bytes 1-2/9")
    status, headers, body = site.get_blob({"Cookie": "session=1", "Referer": "x", "Range": "bytes=1-2", "If-Range": '"y"',
                                      "X-Forwarded-For": "1.2.3.4", "Proxy-Authorization": "z"}, blob() + "?ns=a%2fb")
    assert (status, body, headers["Content-Range"]) == (206, b"he", "bytes 1-2/9")
    [(first, fields)] = site.fake.requests
    assert first == f"GET {TARGET} HTTP/1.1"
    assert fields["range"] == "bytes=1-2"
    for name in SECRETS:
        assert name not in fields


def test_the_name_of_the_server(site):
    site.get_blob()
    assert site.fake.names == [site.host]
    assert site.fake.requests[0][1]["host"] == f"{site.host}:{site.fake.port}"


def test_the_client_sees_nothing_of_s3(site):
    status, headers, body = site.get_blob()
    assert (status, body) == (200, b"the bytes")
    assert headers.get_all("Docker-Content-Digest") == [DIGEST]
    assert headers.get_all("Content-Type") == ["application/octet-stream"]
    assert headers.get_all("ETag") == ['"the-registrys"']
    assert headers.get_all("Accept-Ranges") == ["bytes"]
    assert headers.get_all("Content-Length") == ["9"]
    for name in headers:
        assert not name.lower().startswith(("x-amz", "x-bloblo-")), name
    for name in ("Set-Cookie", "Last-Modified"):
        assert headers[name] is None
    assert "AmazonS3" not in headers["Server"]


def test_all_that_is_known_of_s3_is_hidden(site):
    """By each server the same, and what would have the client unpack the bytes first of all."""
    hidden = set(re.findall(r"^proxy_hide_header (\S+);", (stack.ROOT / "nginx/bloblo-s3-request.conf").read_text(), re.M))
    assert hidden > {"Content-Encoding", "X-Amz-Tagging-Count", "Seaweed-X-Amz-Etag", "X-Amz-Cf-Id", "X-Rgw-Object-Type"}
    site.says("200 OK", b"the bytes", *(f"{name}: S3-says-so" for name in hidden - {"Accept-Ranges"}))
    status, headers, body = site.get_blob()
    assert (status, body[:100]) == (200, b"the bytes"), site.front.tail()
    assert [name for name, value in headers.items() if "S3-says-so" in value] == []


def test_an_error_of_s3_is_the_registrys_to_answer(site, subtests):
    for status in ("301 Moved", "307 Temporary Redirect", "400 Bad Request", "403 Forbidden", "404 Not Found",
                   "412 Precondition Failed", "500 Internal Error", "501 Not Implemented", "503 Slow Down"):
        with subtests.test(status=status):
            site.says(status, b"<Error/>", "Location: https://elsewhere.example/")
            status, headers, body = site.get_blob()
            assert (status, len(body)) == (200, len(CONTENT))
            assert headers.get_all("Docker-Content-Digest") == [DIGEST]
            assert headers.get_all("ETag") == [f'"{DIGEST}"']
            status, _, body = site.get_blob({"Range": "bytes=5-9"})
            assert (status, body) == (206, CONTENT[5:10])


def test_an_s3_that_closes_without_an_answer(site):
    """Also behind a connection that has served before: there mod_proxy says nothing either."""
    for _ in range(3):
        site.says("200 OK", b"the bytes")
        assert site.get_blob()[::2] == (200, b"the bytes")
        site.fake.answer = b""
        status, _, body = site.get_blob()
        assert (status, len(body)) == (200, len(CONTENT))


def test_a_certificate_of_someone_else(site, tmp_path):
    site.fake.context = Authority(tmp_path).context("localhost")
    assert len(site.get_blob()[2]) == len(CONTENT)
    assert site.fake.requests == []


def test_a_certificate_that_is_renewed_while_it_runs(site):
    assert site.get_blob()[2] == b"the bytes"
    site.fake.context = site.authority.context(*NAMES)
    assert site.get_blob()[2] == b"the bytes"
    assert len(site.fake.requests) == 2
