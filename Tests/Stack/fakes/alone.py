"""bloblo without a web server: asked over FastCGI by the test, beside a registry and an S3 in this process."""

import base64
import hashlib
import json
import os
import pathlib
import re
import signal
import socket
import struct
import subprocess
import tempfile
import urllib.parse

import stack
from fakes import handler
from fakes.waiting import PATIENCE

BASIC = "Basic " + base64.b64encode(b"alice:alice-password").decode()


class Handler(handler.Handler):
    @property
    def path_only(self):
        return urllib.parse.unquote(self.path.partition("?")[0])


class Registry:
    """Blobs in memory, for those who send `authorization`; everybody, if that is None."""

    def __init__(self, authorization=BASIC):
        self.authorization, self.blobs, self.requests = authorization, {}, []

    def add(self, content):
        digest = "sha256:" + hashlib.sha256(content).hexdigest()
        self.blobs[digest] = content
        return digest

    def handler(self):
        registry = self

        class RegistryHandler(Handler):
            def do_GET(self):
                registry.requests.append((self.command, self.path, dict(self.headers)))
                if registry.authorization and self.headers["Authorization"] != registry.authorization:
                    return self.answer(401, b"{}", WWW_Authenticate='Basic realm="fake"',
                                       Docker_Distribution_Api_Version="registry/2.0")
                if self.path_only == "/v2/":
                    return self.answer(200, b"{}", Docker_Distribution_Api_Version="registry/2.0")
                content = registry.blobs.get(self.path_only.rpartition("/")[2])
                if content is None:
                    return self.answer(404, b'{"errors":[{"code":"BLOB_UNKNOWN"}]}',
                                       Docker_Distribution_Api_Version="registry/2.0")
                return self.answer(200, content, Docker_Content_Digest=self.path_only.rpartition("/")[2],
                                   Docker_Distribution_Api_Version="registry/2.0")

            do_HEAD = do_GET

        return RegistryHandler


class Bucket:
    """Objects in memory, by path; signatures are not looked at."""

    def __init__(self):
        self.objects, self.requests = {}, []

    def handler(self):
        bucket = self

        class BucketHandler(Handler):
            def do_GET(self):
                bucket.requests.append((self.command, self.path))
                if "lifecycle" in self.path or "uploads" in self.path:
                    return self.answer(404, b"<Error><Code>NoSuchLifecycleConfiguration</Code></Error>")
                if self.path_only.count("/") == 1:
                    return self.answer(200)
                content = bucket.objects.get(self.path_only)
                if content is None:
                    return self.answer(404, b"<Error><Code>NoSuchKey</Code></Error>")
                return self.answer(200, content, ETag='"e"')

            do_HEAD = do_GET

            def do_PUT(self):
                bucket.requests.append((self.command, self.path))
                content = self.rfile.read(int(self.headers["Content-Length"]))
                if self.headers["If-None-Match"] and self.path_only in bucket.objects:
                    return self.answer(412)
                bucket.objects[self.path_only] = content
                return self.answer(200, ETag='"e"')

            def do_DELETE(self):
                bucket.requests.append((self.command, self.path))
                bucket.objects.pop(self.path_only, None)
                return self.answer(204)

        return BucketHandler


def record(kind, content=b""):
    return struct.pack("!BBHHBB", 1, kind, 1, len(content), 0, 0) + content


def ask(address, path, method="GET", timeout=PATIENCE, **params):
    """A responder's answer to a request: (status, fields, body). `params` are further FastCGI params."""
    params = {"REQUEST_METHOD": method, "REQUEST_URI": path, "SERVER_SOFTWARE": "nginx/1.22.1",
              "SERVER_PROTOCOL": "HTTP/1.1", "REMOTE_ADDR": "127.0.0.1", **params}
    pairs = b"".join(struct.pack("!II", len(name) | 1 << 31, len(value) | 1 << 31) + name + value
                     for name, value in ((k.encode(), v.encode()) for k, v in params.items()))
    answer = b""
    is_unix = not isinstance(address, tuple)
    with socket.socket(socket.AF_UNIX if is_unix else socket.AF_INET) as connection:
        connection.settimeout(timeout)
        connection.connect(str(address) if is_unix else address)
        connection.sendall(record(1, struct.pack("!HB5x", 1, 0)) + record(4, pairs) + record(4) + record(5))
        with connection.makefile("rb") as reader:
            while True:
                header = reader.read(8)
                if len(header) < 8:
                    raise ConnectionError(f"the answer broke off: {answer[:200]}")
                _, kind, _, length, padding, _ = struct.unpack("!BBHHBB", header)
                content = reader.read(length)
                reader.read(padding)
                if kind == 3:
                    break
                if kind == 6:
                    answer += content
    head, _, body = answer.partition(b"\r\n\r\n")
    fields = dict(line.split(": ", 1) for line in head.decode().splitlines())
    return int(fields.pop("Status", "200").split()[0]), fields, body


class Alone:
    """A bloblo on a Unix socket, or on TCP with `port`; its registry and its bucket."""

    bucket_name = "layers"

    def __init__(self, serve, program=None, port=None, registry=None, words=(), **settings):
        self.program = program or os.environ["BLOBLO"]
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="alone-"))
        self.registry, self.bucket = registry or Registry(), Bucket()
        self.registry_server, self.bucket_server = serve(self.registry.handler()), serve(self.bucket.handler())
        self.socket, self.port, self.words = self.folder / "s", port, words
        self.log = self.folder / "log"
        listen = f"127.0.0.1:{port}" if port else f"unix:{self.socket}"
        self.settings = {
            "PATH": os.environ["PATH"], "HOME": str(self.folder), "BLOBLO_LISTEN_ADDR": listen,
            "BLOBLO_UPSTREAM_URL": f"http://127.0.0.1:{self.registry_server.server_port}",
            "BLOBLO_S3_ENDPOINT_URL": f"http://127.0.0.1:{self.bucket_server.server_port}",
            "BLOBLO_S3_BUCKET_NAME": self.bucket_name, "BLOBLO_SPOOL_DIR": str(self.folder),
            "BLOBLO_PASS_FILE": str(self.folder / "pass"), "AWS_EC2_METADATA_DISABLED": "true",
            "AWS_ACCESS_KEY_ID": stack.ACCESS_KEY, "AWS_SECRET_ACCESS_KEY": stack.SECRET_KEY,
            "AWS_REGION": stack.REGION, **stack.PATIENT, **settings}
        self.settings = {name: value for name, value in self.settings.items() if value is not None}
        self.process = None

    @property
    def address(self):
        return ("127.0.0.1", self.port) if self.port else self.socket

    def start(self, stderr=None, **more):
        with self.log.open("ab") as log:
            self.process = stack.child(
                [self.program, *self.words], env=self.settings, stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL, stderr=stderr or log, cwd=self.folder, **more)
        return self

    def answers(self):
        try:
            return self.page("health")[0] == 200
        except OSError:
            assert self.process.poll() is None, self.log.read_text()
            return False

    def end(self):
        if self.process and self.process.poll() is None:
            self.process.send_signal(signal.SIGCONT)
            self.process.terminate()
            try:
                self.process.wait(60)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()

    # What is asked

    def ask(self, path, method="GET", **params):
        return ask(self.address, path, method, **params)

    def get(self, digest, method="GET", **params):
        """As nginx with the shipped files asks for alice."""
        return self.ask(f"/v2/a/b/blobs/{digest}", method,
                        **{"BLOBLO_FRONT_FILES": "3", "HTTP_AUTHORIZATION": BASIC, **params})

    def page(self, name=""):
        status, _, body = self.ask(f"/bloblo/{name}", BLOBLO_PAGES="on", BLOBLO_FRONT_FILES="3")
        return status, body.decode()

    def metrics(self):
        return {name: float(value) for name, value in (
            line.rsplit(" ", 1) for line in self.page("metrics")[1].splitlines() if not line.startswith("#"))}

    def lines(self, *words):
        return [json.loads(line) for line in self.log.read_text().splitlines()
                if line.startswith("{") and all(word in line for word in words)]

    def put_into_bucket(self, content):
        """A blob that registry and bucket have; its digest."""
        digest = self.registry.add(content)
        self.bucket.objects[f"/{self.bucket_name}/{digest}"] = content
        return digest

    def run(self, *words, input=None, **settings):
        """A command beside it, with the same settings."""
        env = {name: value for name, value in (self.settings | settings).items() if value is not None}
        return subprocess.run([self.program, *map(str, words)], env=env, cwd=self.folder, input=input,
                              stdin=None if input is not None else subprocess.DEVNULL,
                              capture_output=True, text=True, timeout=PATIENCE)


def text_of(page):
    """What a person reads on a page."""
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", re.sub(r"(?s)<(style|script)>.*?</\1>", "", page)))
