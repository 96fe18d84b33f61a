"""Registries that send readers of blobs elsewhere, and what they send them to: scripted models.

Each model names where its behaviour is read. None is the product itself.
"""

import hashlib
import os
import re
import threading

import stack

from .handler import Handler

TOKEN = "Bearer a-token-of-alice"


class Server:
    """An HTTP server on the loopback that calls `answer(handler)` for GET and HEAD."""

    def __init__(self, answer):
        class Asked(Handler):
            def do_GET(self):
                answer(self)

            do_HEAD = do_GET

        self.server = stack.Listener(Asked)
        self.port = self.server.server_address[1]
        self.address = f"127.0.0.1:{self.port}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def close(self):
        self.server.shutdown()
        self.server.server_close()


class Storage:
    """Objects behind URLs that are signed for one method; what it hears is kept. The next `cuts` bodies are cut."""

    def __init__(self, secure=None):
        self.objects, self.heard, self.cuts = {}, [], 0
        self.scheme = "https" if secure else "http"
        self.server = Server(self.answer)
        if secure:
            self.server.server.socket = secure.wrap_socket(self.server.server.socket, server_side=True)
        self.address = self.server.address

    def close(self):
        self.server.close()

    def answer(self, request):
        self.heard.append((request.command, request.path, dict(request.headers)))
        path, _, query = request.path.partition("?")
        content = self.objects.get(path)
        if content is None:
            return request.answer(404)
        # A URL that is signed for GET: S3, GCS and Azure refuse HEAD by it.
        if request.command != "GET" or "ignature" not in query and "sig=" not in query and "token=" not in query:
            return request.answer(403)
        wanted = re.fullmatch(r"bytes=(\d+)-(\d*)", request.headers.get("Range", ""))
        if not wanted and self.cuts:
            self.cuts -= 1
            request.send_response(200)
            request.send_header("Content-Length", str(len(content)))
            request.send_header("ETag", '"storage"')
            request.end_headers()
            request.wfile.write(content[:len(content) // 2])
            request.close_connection = True
            return None
        if not wanted:
            return request.answer(200, content, ETag='"storage"')
        first, last = int(wanted[1]), min(int(wanted[2] or len(content)), len(content) - 1)
        request.answer(206, content[first:last + 1], ETag='"storage"',
                       **{"Content-Range": f"bytes {first}-{last}/{len(content)}"})


class Model:
    """A registry whose blobs are in a storage."""

    #: How HEAD of a blob is answered: a status; 200 tells size and digest.
    head = 307
    #: How GET is; 200 sends the bytes itself.
    get = 307

    def __init__(self, storage):
        self.storage, self.blobs, self.reads = storage, {}, {}
        self.server = Server(self.answer)
        self.address = self.server.address

    def close(self):
        self.server.close()

    def add(self, size):
        content = os.urandom(size)
        digest = "sha256:" + hashlib.sha256(content).hexdigest()
        self.blobs[digest] = content
        self.storage.objects[self.path(digest.split(":")[1])] = content
        return digest

    def path(self, encoded):
        """Where the blob is in the storage."""
        return f"/bucket/docker/registry/v2/blobs/sha256/{encoded[:2]}/{encoded}/data"

    def query(self):
        return "X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Signature=" + os.urandom(32).hex()

    def answer(self, request):
        if request.headers.get("Authorization") != TOKEN:
            return request.answer(401, **{"WWW-Authenticate": 'Bearer realm="http://nowhere/token"'})
        found = re.fullmatch(r"/v2/(.+)/blobs/(sha256:[0-9a-f]{64})", request.path)
        content = self.blobs.get(found[2]) if found else None
        if content is None:
            return request.answer(404)
        return self.answer_blob(request, found[2], content)

    def answer_blob(self, request, digest, content):
        status = self.head if request.command == "HEAD" else self.get
        if request.command == "GET":
            self.reads[digest] = self.reads.get(digest, 0) + 1
        if status in (302, 307):
            url = f"{self.storage.scheme}://{self.storage.address}{self.path(digest.split(':')[1])}?{self.query()}"
            return request.answer(status, b"moved", Location=url)
        if status == 200:
            return request.answer(200, content, **{"Docker-Content-Digest": digest})
        return request.answer(status)


class GitLab(Model):
    """HEAD and GET 307 to the object storage: distribution's own code, of which GitLab's registry is a fork.

    Source: distribution/distribution registry/handlers/blob.go, registry/storage/blobserver.go.
    """


class GHCR(Model):
    """GET 307 to a host that refuses HEAD, with an Azure signature.

    Source: containerd/stargz-snapshotter#167, tuna-os/tunaOS#579.
    """

    def path(self, encoded):
        return f"/ghcr1/blobs/sha256:{encoded}"

    def query(self):
        return "se=2026-11-26T12%3A00%3A00Z&sig=" + os.urandom(16).hex()


class Quay(Model):
    """HEAD 200 with size and digest; GET 302.

    Source: quay/quay endpoints/v2/blob.py, storage/cloud.py.
    """

    head, get = 200, 302

    def path(self, encoded):
        return f"/quay/datastorage/registry/sha256/{encoded[:2]}/{encoded}"


class ECR(Model):
    """HEAD 200, GET 307 to S3.

    Source: aws/containers-roadmap#2671, docs.aws.amazon.com/AmazonECR, "Amazon S3 gateway endpoint".
    """

    head, get = 200, 307

    def path(self, encoded):
        return f"/prod-region-starport-layer-bucket/123456789012/{encoded}"


class ECRPublic(Model):
    """HEAD 401 with a valid token, GET 307 to CloudFront.

    Source: aws/containers-roadmap#2671, distribution/distribution#4383.
    """

    head = 401

    def path(self, encoded):
        return f"/docker/123456789012/{encoded}"

    def query(self):
        return "Expires=1&Key-Pair-Id=K&Signature=" + os.urandom(16).hex()


class Pulp(Model):
    """HEAD and GET 302 to S3, where the digest is split over two segments.

    Source: pulp/pulp_container pulp_container/app/redirects.py, pulpcore/app/models/storage.py (`artifact/b6/32c6…`).
    """

    head, get = 302, 302

    def path(self, encoded):
        return f"/pulp/media/artifact/{encoded[:2]}/{encoded[2:]}"


class Harbor(Model):
    """As distribution with redirects off: HEAD and GET 200.

    Source: goharbor/harbor src/server/registry, `registry.redirect: disable` of harbor-helm.
    """

    head, get = 200, 200


class HarborProxy(Harbor):
    """A proxy project: HEAD 404 until the blob was read once.

    Source: goharbor/harbor#22609.
    """

    def answer_blob(self, request, digest, content):
        if request.command == "HEAD" and digest not in self.reads:
            return request.answer(404)
        return super().answer_blob(request, digest, content)


class PullThrough(Model):
    """The first GET is chunked, and states no size.

    Source: pulp/pulp_container pulp_container/app/registry.py, pull-through distributions.
    """

    head, get = 200, 200

    def answer_blob(self, request, digest, content):
        if request.command == "HEAD" or digest in self.reads:
            return super().answer_blob(request, digest, content)
        self.reads[digest] = 1
        request.send_response(200)
        request.send_header("Transfer-Encoding", "chunked")
        request.end_headers()
        for at in range(0, len(content), 65536):
            piece = content[at:at + 65536]
            request.wfile.write(b"%x\r\n" % len(piece) + piece + b"\r\n")
        request.wfile.write(b"0\r\n\r\n")


REDIRECTING = (GitLab, GHCR, Quay, ECR, ECRPublic, Pulp)
DIRECT = (Harbor, HarborProxy, PullThrough)
