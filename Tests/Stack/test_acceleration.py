#!/usr/bin/env python3
"""What S3 sees of an acceleration, and what the client sees of S3: the shipped files of nginx and Apache, a
responder and an HTTPS server of our own.

    python3 Tests/Stack/test_acceleration.py
"""

import pathlib
import re
import shutil
import socket
import ssl
import subprocess
import tempfile
import unittest

import faulty
import stack
from fake_responder import FakeResponder
from test_fronts import ALICE, CONTENT, DIGEST, Front, blob

# All that a signed URL may hold, and what servers like to decode.
TARGET = ("/bucket/docker/a%2Bb%20c%25d%7Ee~f/sha256:" + "a" * 64 + "?X-Amz-Credential=AKIA%2F20260101%2Fs3&"
          "X-Amz-Security-Token=ab%2Fcd%2Bef%3D%3D&X-Amz-Signature=ab%2Bcd&t=a+b%20c&u=%C3%A9&empty=&flag")
SECRETS = ("authorization", "cookie", "proxy-authorization", "referer", "x-forwarded-for", "if-range")


class FakeS3:
    """Answers each connection by `answer`, and keeps what it was sent: first line, fields, server name."""

    def __init__(self, folder):
        self.requests, self.names = [], []
        self.answer = b""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(folder / "cert.pem", folder / "key.pem")
        context.sni_callback = lambda _, name, __: self.names.append(name)
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        self.context = context
        faulty.serve_each(self.listener, self.serve)

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


class Acceleration:
    front, host = "", ""

    @classmethod
    def setUpClass(cls):
        cls.folder = pathlib.Path(tempfile.mkdtemp(prefix="s3-"))
        cls.folder.chmod(0o755)
        cls.addClassCleanup(shutil.rmtree, cls.folder)
        subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", "key.pem", "-out", "cert.pem",
                        "-days", "2", "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost,DNS:my-bucket.localhost"],
                       cwd=cls.folder, check=True, capture_output=True)
        cls.s3 = FakeS3(cls.folder)
        cls.addClassCleanup(cls.s3.listener.close)
        cls.stack = stack.Stack(stack.options([
            "up", "--services", f"registry,{cls.front}", "--bucket", f"https://localhost:{cls.s3.port}",
            "--bucket-ca", str(cls.folder / "cert.pem"), "--read-timeout", "2"]))
        cls.addClassCleanup(cls.stack.down)
        cls.stack.up()
        cls.server = cls.stack.services[cls.front]
        Front.push.__func__(cls, CONTENT)
        def accelerate(_, connection):
            connection.out((f"X-Accel-Redirect: @bloblo_s3\r\nX-Bloblo-Host: {cls.host}:{cls.s3.port}\r\n"
                            f"X-Bloblo-Target: {TARGET}\r\nX-Bloblo-Digest: {DIGEST}\r\nX-Bloblo-Etag: \"the-registrys\"\r\n"
                            "Content-Type: application/octet-stream\r\nStatus: 423 Locked\r\n\r\n").encode())
            connection.end()
        responder = FakeResponder(cls.stack.socket, accelerate)
        cls.stack.socket.chmod(0o777)
        cls.addClassCleanup(responder.close)

    def setUp(self):
        self.s3.requests.clear()
        self.s3.names.clear()
        self.says("200 OK", b"the bytes")

    def says(self, status, body=b"", *fields):
        lines = [f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", "ETag: \"d41d8-2\"", "x-amz-request-id: 1",
                 "x-amz-id-2: 2", "x-amz-version-id: 3", "x-amz-server-side-encryption: AES256", "Server: AmazonS3",
                 "x-amz-server-side-encryption-bucket-key-enabled: true", "Set-Cookie: a=b", "Last-Modified: "
                 "Tue, 24 Nov 2026 09:00:00 GMT", "Content-Type: binary/octet-stream", "Accept-Ranges: bytes",
                 "Connection: close", *fields]
        self.s3.answer = "\r\n".join(lines).encode() + b"\r\n\r\n" + body

    def ask(self, headers=None, path=blob()):
        return stack.request("GET", self.server.url + path, {**ALICE, **(headers or {})})

    def test_the_url_arrives_byte_for_byte_and_nothing_of_the_client(self):
        self.says("206 Partial Content", b"he", "Content-Range: bytes 1-2/9")
        status, headers, body = self.ask({"Cookie": "session=1", "Referer": "x", "Range": "bytes=1-2", "If-Range": '"y"',
                                          "X-Forwarded-For": "1.2.3.4", "Proxy-Authorization": "z"}, blob() + "?ns=a%2fb")
        self.assertEqual((status, body, headers["Content-Range"]), (206, b"he", "bytes 1-2/9"))
        [(first, fields)] = self.s3.requests
        self.assertEqual(first, f"GET {TARGET} HTTP/1.1")
        self.assertEqual(fields["range"], "bytes=1-2")
        for name in SECRETS:
            self.assertNotIn(name, fields)

    def test_the_name_of_the_server(self):
        self.ask()
        self.assertEqual(self.s3.names, [self.host])
        self.assertEqual(self.s3.requests[0][1]["host"], f"{self.host}:{self.s3.port}")

    def test_the_client_sees_nothing_of_s3(self):
        status, headers, body = self.ask()
        self.assertEqual((status, body), (200, b"the bytes"))
        self.assertEqual(headers.get_all("Docker-Content-Digest"), [DIGEST])
        self.assertEqual(headers.get_all("Content-Type"), ["application/octet-stream"])
        self.assertEqual(headers.get_all("ETag"), ['"the-registrys"'])
        self.assertEqual(headers.get_all("Accept-Ranges"), ["bytes"])
        self.assertEqual(headers.get_all("Content-Length"), ["9"])
        for name in headers:
            self.assertFalse(name.lower().startswith(("x-amz", "x-bloblo-")), name)
        for name in ("Set-Cookie", "Last-Modified"):
            self.assertIsNone(headers[name])
        self.assertNotIn("AmazonS3", headers["Server"])

    def test_all_that_is_known_of_s3_is_hidden(self):
        """By each server the same, and what would have the client unpack the bytes first of all."""
        hidden = set(re.findall(r"^proxy_hide_header (\S+);", (stack.ROOT / "nginx/bloblo-s3-request.conf").read_text(), re.M))
        self.assertGreater(hidden, {"Content-Encoding", "X-Amz-Tagging-Count", "Seaweed-X-Amz-Etag", "X-Amz-Cf-Id", "X-Rgw-Object-Type"})
        self.says("200 OK", b"the bytes", *(f"{name}: S3-says-so" for name in hidden - {"Accept-Ranges"}))
        status, headers, body = self.ask()
        self.assertEqual((status, body[:100]), (200, b"the bytes"), self.server.tail())
        self.assertEqual([name for name, value in headers.items() if "S3-says-so" in value], [])

    def test_an_error_of_s3_is_the_registrys_to_answer(self):
        for status in ("301 Moved", "307 Temporary Redirect", "400 Bad Request", "403 Forbidden", "404 Not Found",
                       "412 Precondition Failed", "500 Internal Error", "501 Not Implemented", "503 Slow Down"):
            with self.subTest(status=status):
                self.says(status, b"<Error/>", "Location: https://elsewhere.example/")
                status, headers, body = self.ask()
                self.assertEqual((status, len(body)), (200, len(CONTENT)))
                self.assertEqual(headers.get_all("Docker-Content-Digest"), [DIGEST])
                self.assertEqual(headers.get_all("ETag"), [f'"{DIGEST}"'])
                status, _, body = self.ask({"Range": "bytes=5-9"})
                self.assertEqual((status, body), (206, CONTENT[5:10]))

    def test_nonsense_and_silence_of_s3(self):
        self.s3.answer = b""
        self.assertEqual(len(self.ask()[2]), len(CONTENT))

    def test_a_certificate_of_someone_else(self):
        self.s3.context.load_cert_chain(*self.another())
        try:
            self.assertEqual(len(self.ask()[2]), len(CONTENT))
            self.assertEqual(self.s3.requests, [])
        finally:
            self.s3.context.load_cert_chain(self.folder / "cert.pem", self.folder / "key.pem")

    def another(self):
        subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", "key2.pem", "-out", "cert2.pem",
                        "-days", "2", "-subj", "/CN=localhost"], cwd=self.folder, check=True, capture_output=True)
        return self.folder / "cert2.pem", self.folder / "key2.pem"


class TestNginx(Acceleration, unittest.TestCase):
    front, host = "nginx", "my-bucket.localhost"

    def setUp(self):
        super().setUp()
        self.server.stop()
        self.server.start()


class TestApache(Acceleration, unittest.TestCase):
    front, host = "apache", "localhost"


if __name__ == "__main__":
    stack.end_by_signal()
    unittest.main(verbosity=2)
