"""Many virtual hosts of one Apache, each with the shipped files and a configuration of its own."""

import contextlib
import hashlib
import http.server
import random
import textwrap

import stack

CONTENT = random.Random(1).randbytes(60_000)
DIGEST = "sha256:" + hashlib.sha256(CONTENT).hexdigest()
BLOB = f"/v2/secret/app/blobs/{DIGEST}"
SIGNED = f"https://bucket.s3.example/{DIGEST}?X-Amz-Signature=ab"


class Recorder(http.server.BaseHTTPRequestHandler):
    """A registry that lets everybody read, and keeps what it hears."""

    protocol_version = "HTTP/1.1"

    def answer(self):
        body = self.rfile.read(int(self.headers["Content-Length"] or 0))
        if self.headers["Transfer-Encoding"] == "chunked":
            while size := int(self.rfile.readline(), 16):
                body += self.rfile.read(size)
                self.rfile.readline()
            self.rfile.readline()
        self.server.heard.append((self.command, self.path, self.headers, body))
        if self.server.statuses.get(self.command, 200) is None:
            self.close_connection = True  # without an answer
            return
        content = CONTENT if "/blobs/sha256:" in self.path else b"{}"
        self.send_response(self.server.statuses.get(self.command, 200))
        for name, value in self.server.fields.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(content)))
        self.send_header("Docker-Content-Digest", DIGEST)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)

    do_GET = do_HEAD = do_DELETE = do_POST = do_PUT = answer

    def log_message(self, *_):
        pass


@contextlib.contextmanager
def recorder(context=None):
    """With a TLS context: https."""
    cleanups = []
    server = stack.serve_http(Recorder, lambda function, *words: cleanups.append(function))
    if context:
        server.socket = context.wrap_socket(server.socket, server_side=True)
    server.heard, server.statuses, server.fields = [], {}, {}
    try:
        yield server
    finally:
        for cleanup in reversed(cleanups):
            cleanup()


class Sites:
    """One Apache; `sites(folder)` has the text of each virtual host by its name, with «Include» where the shipped
    files come. What it writes to the folder Apache can read (pytest's own folders it can't)."""

    def __init__(self, sites, *options, modules=(), server="", includes="Include bloblo/bloblo.conf"):
        self.stack = stack.Stack(stack.options(["up", *options]))
        self.apache = self.stack.services["apache"]
        folder = self.stack.folder / "sites"
        folder.mkdir()
        sites = sites(folder)
        self.ports = {name: self.stack.ports.take() for name in sites}
        responder = self.stack.responder_address
        lines = [f"LoadModule {name}_module /usr/lib/apache2/modules/mod_{name}.so" for name in modules]
        lines += [f'Define BLOBLO_FCGI "{responder}|fcgi://bloblo"',
                  f"Define BLOBLO_REGISTRY http://{self.stack.registry_address}",
                  f"Define BLOBLO_S3_GATE 127.0.0.1:{self.apache.gate_port}",
                  "Define BLOBLO_REGISTRY_CA none", server]  # for each site Apache would read 140 certificates
        for name, text in sites.items():
            port = self.ports[name]
            text = textwrap.dedent(text).replace("«Include»", includes)
            lines.append(f"Listen 127.0.0.1:{port}\n<VirtualHost 127.0.0.1:{port}>\n{text}\n</VirtualHost>")
        self.stack.options.apache_server = "\n".join(lines)

    def __enter__(self):
        try:
            self.stack.up()
        except BaseException:
            self.stack.down()
            raise
        return self

    def __exit__(self, *_):
        self.stack.down()

    def url(self, site):
        return f"http://127.0.0.1:{self.ports[site]}"

    def ask(self, site, method="GET", path=BLOB, headers=None, body=None):
        return stack.request(method, self.url(site) + path, headers or {}, body)

    def push(self, registry_url):
        """Straight to the registry."""
        status, headers, _ = stack.request("POST", registry_url + "/v2/secret/app/blobs/uploads/")
        assert status == 202, status
        status, _, _ = stack.request("PUT", f"{headers['Location']}&digest={DIGEST}", {}, CONTENT)
        assert status == 201, status
