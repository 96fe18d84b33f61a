"""A registry that knows ranges, as most do, and whose connections can be cut, stalled and slowed."""

import hashlib
import os
import re
import threading
import time

from .redirecting import Server
from .waiting import PATIENCE


class ResumingRegistry:
    """`fault` is for bloblo's first GET of each blob: "cut" or "stall", when `at` bytes are sent and `gate` is set. "hold" is
    for all of bloblo's readings: nothing beyond `at` before `gate` is set.

    `sent` counts the bytes of each blob that have left, `gets` its GETs; `ranges` has (digest, Range) of each. `rate` is
    bytes a second of each answer.
    """

    def __init__(self):
        self.blobs, self.gets, self.sent, self.rate, self.ranges = {}, {}, {}, None, []
        self.fault, self.at, self.gate = None, 0, threading.Event()
        self.read = set()  # by bloblo
        self.lock = threading.Lock()
        self.server = Server(self.answer)
        self.address = self.server.address

    def close(self):
        self.gate.set()
        self.server.close()

    def add(self, size):
        content = os.urandom(size)
        digest = "sha256:" + hashlib.sha256(content).hexdigest()
        self.blobs[digest] = content
        return digest

    def answer(self, request):
        digest = request.path.split("/")[-1]
        content = self.blobs.get(digest)
        if content is None:
            return request.answer(404)
        first, last = 0, len(content) - 1
        wanted = re.fullmatch(r"bytes=(\d+)-(\d*)", request.headers.get("Range", ""))
        if wanted:
            first, last = int(wanted[1]), min(int(wanted[2] or last), last)
        request.send_response(206 if wanted else 200)
        if wanted:
            request.send_header("Content-Range", f"bytes {first}-{last}/{len(content)}")
        for name, value in {"Content-Type": "application/octet-stream", "Content-Length": str(last + 1 - first),
                            "Docker-Content-Digest": digest, "ETag": f'"{digest}"'}.items():
            request.send_header(name, value)
        request.end_headers()
        if request.command == "GET":
            is_bloblos = "bloblo" in request.headers.get("Via", "")
            with self.lock:
                self.gets[digest] = self.gets.get(digest, 0) + 1
                self.ranges.append((digest, request.headers.get("Range")))
                is_bad = is_bloblos and (self.fault == "hold" or digest not in self.read)
                if is_bloblos:
                    self.read.add(digest)
            fault = self.fault if is_bad else None
            self.send(request, digest, memoryview(content)[first:last + 1], fault, max(0, self.at - first))

    def send(self, request, digest, content, fault, limit):
        done, start = 0, time.monotonic()
        while done < len(content):
            if fault and done >= limit:
                self.gate.wait(PATIENCE)
                if fault == "hold":
                    fault = None
                    continue
                if fault == "stall":
                    # Nothing more, till the other side goes.
                    request.connection.settimeout(120)
                    request.connection.recv(1)
                request.close_connection = True
                return
            piece = content[done:min(done + 65536, limit if fault else len(content))]
            request.wfile.write(piece)
            done += len(piece)
            with self.lock:
                self.sent[digest] = self.sent.get(digest, 0) + len(piece)
            if rate := self.rate:
                time.sleep(max(0, done / rate - (time.monotonic() - start)))
