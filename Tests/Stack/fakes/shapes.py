"""Registries that are nobody's: each says in a few words how it answers HEAD and GET of a blob, and over how many hops
its storage is reached.
"""

import dataclasses
import hashlib
import os
import re

from .redirecting import TOKEN, Server, Storage


@dataclasses.dataclass(frozen=True)
class Shape:
    """`head`: sized, sizeless (200 without a length), redirect, 401, 404, 405. `get`: sized, chunked, redirect.

    `layout` is the path of a blob in the storage, `hops` how many servers stand before it, the registry's own redirect
    counted; `storage`: sized or chunked.
    """

    head: str = "redirect"
    get: str = "redirect"
    status: int = 307
    hops: int = 1
    layout: str = "{0}"
    storage: str = "sized"
    check: str = "auto"

    def __str__(self):
        return f"HEAD {self.head}, GET {self.get} {self.status} x{self.hops} {self.layout} {self.storage}"


class Hop:
    """Stands between registry and storage, and leads on."""

    def __init__(self, target):
        self.heard, self.target = [], target
        self.server = Server(self.answer)
        self.address = self.server.address

    def answer(self, request):
        self.heard.append((request.command, request.path, dict(request.headers)))
        request.answer(302 if request.command == "GET" else 403, b"on", Location=f"http://{self.target}{request.path}")

    def close(self):
        self.server.close()


class ChunkedStorage(Storage):
    """States no size, and knows no ranges."""

    def answer(self, request):
        content = self.objects.get(request.path.partition("?")[0])
        if request.command != "GET" or content is None or "ignature" not in request.path:
            return super().answer(request)
        self.heard.append((request.command, request.path, dict(request.headers)))
        chunked(request, content)


def chunked(request, content):
    request.send_response(200)
    request.send_header("Transfer-Encoding", "chunked")
    request.end_headers()
    if request.command == "HEAD":
        return
    for at in range(0, len(content), 100_000):
        piece = content[at:at + 100_000]
        request.wfile.write(b"%x\r\n" % len(piece) + piece + b"\r\n")
    request.wfile.write(b"0\r\n\r\n")


class Shaped:
    """A registry of such a shape; `secure` is a TLS context for its own connections."""

    def __init__(self, shape, secure=None, location=None):
        self.shape, self.blobs, self.reads, self.location = shape, {}, {}, location
        self.storage = (ChunkedStorage if shape.storage == "chunked" else Storage)()
        self.hops = []
        for _ in range(shape.hops - 1):
            self.hops.append(Hop(self.hops[-1].address if self.hops else self.storage.address))
        self.server = Server(self.answer)
        if secure:
            self.server.server.socket = secure.wrap_socket(self.server.server.socket, server_side=True)
        self.address = self.server.address
        #: All that a fill must be allowed to follow to.
        self.follow = ",".join(each.address for each in (*self.hops, self.storage))

    def close(self):
        for each in (self.server, self.storage, *self.hops):
            each.close()

    @property
    def heard_elsewhere(self):
        return [each for place in (*self.hops, self.storage) for each in place.heard]

    def add(self, size):
        content = os.urandom(size)
        encoded = hashlib.sha256(content).hexdigest()
        self.blobs[f"sha256:{encoded}"] = content
        self.storage.objects[self.path(encoded)] = content
        return f"sha256:{encoded}"

    def path(self, encoded):
        return "/store/" + self.shape.layout.format(encoded, encoded[:2], encoded[2:])

    def answer(self, request):
        if request.headers.get("Authorization") != TOKEN:
            return request.answer(401, WWW_Authenticate='Bearer realm="http://nowhere/token"')
        found = re.fullmatch(r"/v2/(.+)/blobs/(sha256:[0-9a-f]{64})", request.path)
        content = self.blobs.get(found[2]) if found else None
        if content is None:
            return request.answer(404)
        if request.command == "GET":
            self.reads[found[2]] = self.reads.get(found[2], 0) + 1
        how = self.shape.head if request.command == "HEAD" else self.shape.get
        if how == "redirect":
            target = self.hops[-1].address if self.hops else self.storage.address
            url = f"http://{target}{self.path(found[2][7:])}?X-Amz-Signature={os.urandom(32).hex()}"
            return request.answer(self.shape.status, b"moved", Location=self.location.format(url=url, digest=found[2]) if self.location else url)
        if how == "sized":
            return request.answer(200, content, Docker_Content_Digest=found[2])
        if how == "sizeless":
            request.send_response(200)
            request.send_header("Docker-Content-Digest", found[2])
            request.end_headers()
            return None
        if how == "chunked":
            return chunked(request, content)
        return request.answer(int(how))
