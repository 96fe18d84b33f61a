"""A real nginx on the shipped files, between a registry that lets everybody read and a responder that obeys."""

import atexit
import contextlib
import functools
import http.server
import pathlib
import shutil
import ssl
import subprocess
import tempfile
import threading

import stack
from fakes.client import ALICE, blob_path, digest_of
from fakes.responder import FakeResponder, plain

CONTENT = b"a layer " * 5000
DIGEST = digest_of(CONTENT)
BLOB = blob_path(DIGEST)
URL = "https://bucket.s3.example/a?X-Amz-Signature=ab"

PASS = plain("Status: 424 Failed Dependency\r\nX-Accel-Redirect: @bloblo_registry")
REDIRECT = plain(f"Location: {URL}\r\nStatus: 307\r\nContent-Length: 0")
SORRY = plain("Status: 500\r\n", b"sorry")


@functools.cache
def certificate(name):
    """(PEM of a certificate that signs itself, PEM of its key); one authority loads much faster than all of Debian's."""
    folder = pathlib.Path(tempfile.mkdtemp(prefix="bloblo-certificate-"))
    atexit.register(shutil.rmtree, folder)
    subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", "key.pem", "-out", "cert.pem",
                    "-days", "2", "-subj", f"/CN={name}", "-addext", f"subjectAltName=DNS:{name}"],
                   cwd=folder, check=True, capture_output=True)
    return folder / "cert.pem", folder / "key.pem"


def server(text, port):
    """A server {} with the shipped locations in it."""
    return f"server {{ listen 127.0.0.1:{port}; access_log off; {text} }}\n"


class OpenRegistry(http.server.BaseHTTPRequestHandler):
    """Gives the blob to everybody. Keeps what it heard; adds the fields that a test wants."""

    protocol_version = "HTTP/1.1"

    def answer(self):
        length = int(self.headers.get("Content-Length") or 0)
        body = self.rfile.read(length)
        self.server.heard.append((self.command, self.path, self.headers, body))
        status = 202 if self.command == "DELETE" else 200 if self.command in ("GET", "HEAD") else self.server.refusal
        content = CONTENT if status == 200 else b""
        self.send_response(status)
        self.send_header("Docker-Content-Digest", DIGEST)
        for field in self.server.fields:
            self.send_header(*field)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)

    do_GET = do_HEAD = do_POST = do_PUT = do_PATCH = do_DELETE = do_OPTIONS = answer

    def log_message(self, *_):
        pass


class AuthServer(http.server.BaseHTTPRequestHandler):
    """What auth_request asks. `server.script(n)` is the answer to the n-th question: a status, or None to hang up."""

    protocol_version = "HTTP/1.1"

    def do_GET(self):
        with self.server.lock:
            answer = self.server.script(len(self.server.said))
            self.server.said.append(answer)
        if answer is None:
            self.close_connection = True
            self.connection.close()
            return
        self.send_response(answer)
        self.send_header("Content-Length", "0")
        self.end_headers()

    do_HEAD = do_GET

    def log_message(self, *_):
        pass


@contextlib.contextmanager
def serving(handler, tls=None, **facts):
    """A server of http.server on loopback; its address is `.address`."""
    http_server = stack.Listener(handler)
    if tls:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(*certificate(tls))
        http_server.socket = context.wrap_socket(http_server.socket, server_side=True)
    http_server.address = f"127.0.0.1:{http_server.server_port}"
    for name, value in facts.items():
        setattr(http_server, name, value)
    threading.Thread(target=http_server.serve_forever, daemon=True).start()
    try:
        yield http_server
    finally:
        http_server.shutdown()
        http_server.server_close()


def open_registry(tls=None):
    """Answers by https with the certificate of that name, if one is given."""
    return serving(OpenRegistry, tls, heard=[], fields=[], refusal=405)


def auth_server():
    return serving(AuthServer, said=[], script=lambda _: 204, lock=threading.Lock())


class Site:
    """nginx with some server {}s of the test's, by name; the folder of its snippets; the responder's socket."""

    def __init__(self, registry, more=()):
        self.registry = registry
        self.stack = stack.Stack(stack.options(["up", "--services", "nginx", "--registry", registry.address,
                                                "--registry-ca", str(certificate("registry.internal")[0]), *more]))
        self.nginx = self.stack.services["nginx"]
        self.snippets = self.nginx.folder / "snippets"
        self.snippets.mkdir()
        self.ports, self.http, self.edits = {}, "", []
        command = self.nginx.command
        self.nginx.command = lambda: self.edited(command())

    def add(self, name, text, locations="include snippets/bloblo-locations.conf;"):
        """A server {}; the shipped locations come last, as the documentation says."""
        self.ports[name] = self.stack.ports.take()
        self.http += server(f"{text} {locations}", self.ports[name])

    def edit(self, name, old, new):
        """A line of a shipped file that the site has edited; of a copy of its own, when `old` is None."""
        self.edits.append((self.snippets / name, old, new))

    def edited(self, words):
        """The words of the command, after the edits: the stack writes the shipped files for each start."""
        for path, old, new in self.edits:
            path.write_text(new if old is None else stack.Nginx.replaced(path.read_text(), old, new))
        return words

    def locations_with(self, name, access):
        """An include of the shipped locations with a bloblo-params-access.conf of their own."""
        text = (stack.ROOT / "nginx/bloblo-locations.conf").read_text()
        path = self.snippets / f"{name}-locations.conf"
        guard = self.snippets / f"{name}-access.conf"
        guard.write_text(access)
        path.write_text(stack.Nginx.replaced(text, "include snippets/bloblo-params*.conf;", f"include {guard};"))
        return f"include {path};"

    def start(self):
        self.stack.options.nginx_http = self.http
        self.nginx.start()
        return self

    def forget(self):
        """nginx remembers a responder that failed, and who was over a limit."""
        self.nginx.stop()
        self.nginx.start()
        self.registry.heard.clear()
        self.registry.fields = []

    @contextlib.contextmanager
    def responder(self, answer):
        """A responder that answers so; None: there is none."""
        if answer is None:
            pathlib.Path(self.stack.socket).unlink(missing_ok=True)
            yield None
            return
        responder = FakeResponder(self.stack.socket, answer)
        try:
            yield responder
        finally:
            responder.close()

    def ask(self, name, method="GET", path=BLOB, headers=ALICE, body=None):
        return stack.request(method, f"http://127.0.0.1:{self.ports[name]}{path}", headers, body)


@contextlib.contextmanager
def site(registry, *more):
    owner = Site(registry, more)
    try:
        yield owner
    finally:
        owner.stack.down()
