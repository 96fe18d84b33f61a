"""An S3 in memory that misbehaves as it is told: what a bucket does behind bloblo's back.

Standard library only. It believes every signature, and can be told to refuse those of a presigned URL.
"""

import base64
import calendar
import email.utils
import hashlib
import http.server
import socket
import ssl
import threading
import time
import urllib.parse

import stack


class FakeS3:
    """`objects` are bytes by key, `fields` what is said of each beside. `requests` are those that came: method, key,
    whether it was presigned, port, time.

    One port (`port`) is bloblo's, the other (`public_port`) is what clients see. Of each, `faults` tells what is wrong:

    a status        is answered to everything
    "silent"        takes connections and says nothing
    "closed"        closes each connection at once
    a function      of the key: a status, "silent" or None

    `checks_time` refuses presigned URLs that are past their life or dated in the future, by this machine's clock;
    `refuses` is (status, code) for all presigned requests, as for a wrong key. `ahead` are seconds by which this
    server's clock is ahead.
    """

    def __init__(self, certificate=None, certificate_of_bloblos_port=True):
        self.objects, self.fields, self.requests, self.faults = {}, {}, [], {}
        self.checks_time, self.refuses, self.ahead, self.put_fault = False, None, 0, None
        self.lock, self.stopped = threading.Lock(), threading.Event()
        self.servers = [self.serve(None if not certificate_of_bloblos_port else certificate), self.serve(certificate)]
        self.port, self.public_port = (server.server_address[1] for server in self.servers)
        scheme = "https" if certificate else "http"
        self.url = f"{scheme if certificate_of_bloblos_port else 'http'}://localhost:{self.port}"
        self.public_url = f"{scheme}://localhost:{self.public_port}"

    def serve(self, certificate):
        s3 = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True

            def log_message(self, *_):
                pass

            def handle_request(self):
                s3.answer(self)

            do_HEAD = do_GET = do_PUT = do_DELETE = do_POST = handle_request

        class Server(stack.Listener):
            context, connections = None, None

            def finish_request(self, request, client_address):
                if self.context:  # in the connection's own thread; the context may change between connections
                    request = self.context.wrap_socket(request, server_side=True)
                self.connections.add(request)
                try:
                    super().finish_request(request, client_address)
                finally:
                    self.connections.discard(request)
                    request.close()

        server = Server(Handler)
        server.connections = set()
        if certificate:
            server.context = context_of(certificate)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        return server

    def present(self, certificate):
        """New connections see this certificate: (certificate file, key file)."""
        for server in self.servers:
            if server.context:
                server.context = context_of(certificate)

    def end_connections(self):
        """Connections that are open are closed: kept ones are of no use any more."""
        for server in self.servers:
            for connection in list(server.connections):
                try:
                    connection.shutdown(socket.SHUT_RDWR)
                except OSError:
                    pass

    def close(self):
        self.stopped.set()
        for server in self.servers:
            server.shutdown()
            server.server_close()

    def count(self, method, digest, since=0, presigned=None):
        """Requests of this method for a blob's object that came since then."""
        with self.lock:
            return sum(1 for each in self.requests if each[0] == method and each[1].endswith(digest)
                       and each[4] >= since and presigned in (None, each[2]))

    def key(self, digest):
        """The key under which a blob's object is, or None."""
        return next((key for key in list(self.objects) if key.endswith(digest)), None)

    def put(self, digest, content, **fields):
        self.objects[f"bloblo-blobs/{digest}"] = content
        self.fields[f"bloblo-blobs/{digest}"] = fields

    # Answers

    def answer(self, request):
        parts = urllib.parse.urlsplit(request.path)
        key = urllib.parse.unquote(parts.path).lstrip("/")
        query = dict(urllib.parse.parse_qsl(parts.query, keep_blank_values=True))
        body = request.rfile.read(int(request.headers.get("Content-Length") or 0))
        port = request.server.server_address[1]
        with self.lock:
            self.requests.append((request.command, key, "X-Amz-Signature" in query, port, time.monotonic()))
        fault = self.faults.get(port)
        fault = fault(key) if callable(fault) else fault
        if fault == "silent":
            while self.faults.get(port) == fault or callable(self.faults.get(port)):
                if self.stopped.wait(0.05):
                    break
            request.close_connection = True
            return
        if fault == "closed":
            request.close_connection = True
            return
        if fault:
            return self.refuse(request, fault, "InternalError" if fault < 503 else "SlowDown")
        if "X-Amz-Signature" in query:
            if self.refuses:
                return self.refuse(request, *self.refuses)
            if self.checks_time and not self.is_in_time(query):
                return self.refuse(request, 403, "AccessDenied")
        answers = {"HEAD": self.get, "GET": self.get, "PUT": self.store, "DELETE": self.delete, "POST": self.post}
        answers[request.command](request, key, body)

    def is_in_time(self, query):
        signed = calendar.timegm(time.strptime(query["X-Amz-Date"], "%Y%m%dT%H%M%SZ"))
        now = time.time() + self.ahead
        return signed - 900 <= now <= signed + int(query["X-Amz-Expires"])

    def get(self, request, key, _):
        if "/" not in key:
            return self.send(request, 200, b"<ListMultipartUploadsResult/>", {})  # the bucket itself
        content = self.objects.get(key)
        if content is None:
            return self.refuse(request, 404, "NoSuchKey")
        said = dict(self.fields.get(key, {}))
        is_archived = said.get("x-amz-storage-class") in ("GLACIER", "DEEP_ARCHIVE") and "x-amz-restore" not in said
        if request.command == "GET" and is_archived:
            return self.refuse(request, 403, "InvalidObjectState")
        status, size = 200, len(content)
        wanted = request.headers.get("Range", "")
        if request.command == "GET" and wanted.startswith("bytes=") and size:
            first, last = wanted[6:].split("-")
            first, last = int(first), min(int(last or size - 1), size - 1)
            said["Content-Range"] = f"bytes {first}-{last}/{size}"
            status, content = 206, content[first:last + 1]
        self.send(request, status, content, said)

    def store(self, request, key, body):
        if self.put_fault:
            return self.refuse(request, *self.put_fault)
        if request.headers.get("If-None-Match") == "*" and key in self.objects:
            return self.refuse(request, 412, "PreconditionFailed")
        self.objects[key] = body
        kept = {name: value for name, value in request.headers.items()
                if name.lower().startswith("x-amz-meta-") or name.lower() == "x-amz-checksum-sha256"}
        self.fields[key] = kept
        self.send(request, 200, b"", {"ETag": f'"{hashlib.md5(body).hexdigest()}"'})

    def delete(self, request, key, _):
        self.objects.pop(key, None)
        self.send(request, 204, b"", {})

    def post(self, request, *_):
        self.refuse(request, 501, "NotImplemented")

    def refuse(self, request, status, code):
        body = f"<?xml version=\"1.0\"?><Error><Code>{code}</Code><Message>test</Message></Error>".encode()
        self.send(request, status, body, {"Content-Type": "application/xml"})

    def send(self, request, status, content, fields):
        request.send_response_only(status)
        request.send_header("Date", email.utils.formatdate(time.time() + self.ahead, usegmt=True))
        for name, value in fields.items():
            request.send_header(name, value)
        request.send_header("Content-Length", str(len(content)))
        request.end_headers()
        if request.command != "HEAD":
            request.wfile.write(content)


def context_of(certificate):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*certificate)
    return context


def sha256_field(content):
    """S3's checksum field for these bytes."""
    return base64.b64encode(hashlib.sha256(content).digest()).decode()
