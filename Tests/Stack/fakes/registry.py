"""A registry whose repositories' names say how it misbehaves."""

import hashlib
import http.server
import os
import re
import socket
import struct
import threading
import time

import stack

from .waiting import PATIENCE


class Registry:
    """Blobs under any repository; the repository's name says what is wrong with the answer to a GET.

    `rate` is in bytes a second. `heads` counts HEADs, `gets` counts GETs by digest and `bytes` what they were answered with.
    `rests` counts those GETs that ask for a range: bloblo asks for the rest of a body that stands still for 5 s.
    Those whose `Authorization` is one of `strangers` may read nothing.
    The next GET stops at half its body until `gate`, an Event, is set; and so do those that ask for its rest.
    """

    def __init__(self, rate=None):
        self.blobs, self.gets, self.rests, self.bytes, self.rate = {}, {}, {}, {}, rate
        self.credentials, self.proofs, self.gate, self.heads = {}, {}, None, 0
        self.gates, self.strangers = {}, set()
        self.lock = threading.Lock()
        registry = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True

            def log_message(self, *_):
                pass

            def do_HEAD(self):
                registry.answer(self, False)

            def do_GET(self):
                self.rfile.read(int(self.headers["Content-Length"] or 0))
                registry.answer(self, True)

        self.server = stack.Listener(Handler)
        self.port = self.server.server_address[1]
        self.address = f"127.0.0.1:{self.port}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def add(self, size, algorithm="sha256"):
        """A new blob of random bytes; its digest."""
        content = os.urandom(size)
        digest = f"{algorithm}:{hashlib.new(algorithm, content).hexdigest()}"
        self.blobs[digest] = content
        return digest

    def close(self):
        self.server.shutdown()
        self.server.server_close()

    def answer(self, request, is_get):
        found = re.fullmatch(r"/v2/(.+)/blobs/([^/?]+)(\?.*)?", request.path)
        content = self.blobs.get(found[2]) if found else None
        if content is None:
            return self.send(request, 404, {"Content-Length": "0"}, b"", False)
        if request.headers.get("Authorization") in self.strangers:
            return self.send(request, 401, {"Content-Length": "0"}, b"", False)
        fault, digest = found[1].split("/")[-1], found[2]
        head = {"Content-Type": "application/octet-stream", "Content-Length": str(len(content)),
                "Docker-Content-Digest": digest}
        if not is_get:
            self.heads += 1
            self.proofs.setdefault(digest, set()).add(request.headers.get("Authorization"))
            return self.send(request, 200, head, b"", False)
        with self.lock:
            self.credentials.setdefault(digest, []).append(request.headers.get("Authorization"))
            self.gets[digest] = self.gets.get(digest, 0) + 1
            self.rests[digest] = self.rests.get(digest, 0) + ("Range" in request.headers)
        status = 200
        if (wanted := re.fullmatch(r"bytes=(\d+)-(\d+)", request.headers.get("Range", ""))) and fault == "good":
            first, last = int(wanted[1]), int(wanted[2])
            head["Content-Range"] = f"bytes {first}-{last}/{len(content)}"
            status, content = 206, content[first:last + 1]
            head["Content-Length"] = str(len(content))
        half = len(content) // 2
        if fault in ("error", "busy"):
            status, content = 500 if fault == "error" else 503, b"sorry"
        elif fault == "redirect":
            status, content = 307, b""
            head["Location"] = f"http://{self.address}/nowhere/{digest}"
        elif fault == "partial":
            status, head["Content-Range"] = 206, f"bytes 0-{half - 1}/{len(content)}"
            content = content[:half]
        elif fault == "page":
            head["Content-Type"] = "text/html; charset=utf-8"
            content = b"<html>".ljust(len(content), b" ")
        elif fault == "encoded":
            head["Content-Encoding"] = "gzip"
        elif fault == "wrong":
            content = content[:-1] + bytes([content[-1] ^ 1])
        elif fault == "otherdigest":
            head["Docker-Content-Digest"] = "sha256:" + "0" * 64
        elif fault == "shorter":
            content = content[:half]
        elif fault == "longer":
            content = content + content
        if fault in ("error", "busy", "redirect", "partial", "shorter", "longer"):
            head["Content-Length"] = str(len(content))
        if fault in ("nolength", "chunked", "chunkedcut"):
            del head["Content-Length"]
        # What breaks off in the middle keeps the length of the whole.
        self.send(request, status, head, content, True, fault, digest)

    def send(self, request, status, head, content, has_body, fault="", digest=None):
        request.send_response(status)
        for name, value in head.items():
            request.send_header(name, value)
        if fault == "nolength":
            request.send_header("Connection", "close")
            request.close_connection = True
        is_chunked = fault in ("chunked", "chunkedcut")
        if is_chunked:
            request.send_header("Transfer-Encoding", "chunked")
        request.end_headers()
        if not has_body:
            return
        view, at, start = memoryview(content), 0, time.monotonic()
        half = len(content) // 2
        with self.lock:
            gate, self.gate = (self.gate, None) if digest else (None, self.gate)
            if gate:
                self.gates[digest] = gate
        if digest in self.gates and "Range" in request.headers:
            self.gates[digest].wait(PATIENCE)
        while at < len(content):
            if gate and at >= half:
                gate.wait(PATIENCE)
                gate = None
            if fault in ("cut", "chunkedcut", "reset", "stall", "standstill", "pause", "drip") and at >= half:
                if fault in ("stall", "standstill", "pause"):
                    time.sleep({"stall": 4, "standstill": 18, "pause": 60}[fault])
                if fault == "drip":
                    # A while of next to nothing, then the rest.
                    for _ in range(150):
                        request.wfile.write(view[at:at + 1])
                        at += 1
                        time.sleep(0.1)
                if fault == "reset":
                    request.wfile.flush()
                    time.sleep(0.3)
                    request.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                if fault not in ("stall", "standstill", "pause", "drip") or not content:
                    request.close_connection = True
                    return
                fault = "good"
            # Of a slow answer a small piece comes often, or it would be one that stands still.
            rate = self.rate  # a test may change it meanwhile
            count = min(262144, max(65536, rate // 4)) if rate else 262144
            piece = view[at:at + count]
            if gate or fault in ("cut", "chunkedcut", "reset", "stall", "standstill", "pause", "drip"):
                piece = view[at:min(at + count, half)]
            if is_chunked:
                request.wfile.write(b"%x\r\n" % len(piece) + piece + b"\r\n")
            else:
                request.wfile.write(piece)
            at += len(piece)
            with self.lock:
                self.bytes[digest] = self.bytes.get(digest, 0) + len(piece)
            if rate:
                time.sleep(max(0, at / rate - (time.monotonic() - start)))
        if is_chunked:
            request.wfile.write(b"0\r\n\r\n")
