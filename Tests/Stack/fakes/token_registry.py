"""A registry of images, whose blobs cost a bearer token."""

import base64
import hashlib
import http.server
import json
import threading
import urllib.parse

import stack

from .shapes import chunked

INDEX, MANIFEST = "application/vnd.oci.image.index.v1+json", "application/vnd.oci.image.manifest.v1+json"


class TokenRegistry:
    """One private repository, team/app; tokens by password or refresh token; blobs where `redirects` says."""

    def __init__(self, chance):
        self.chance = chance  # random.Random
        self.blobs, self.manifests, self.tokens, self.seen = {}, {}, set(), []
        # Blobs come in chunks: neither HEAD nor GET states a length, as when a pull-through fetches them.
        self.redirects = self.chunked = False
        self.token_path = "/token"
        # Digests that the storage has lost.
        self.lost = set()
        registry = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *_):
                pass

            def do_GET(self):
                registry.answer(self)

            do_HEAD = do_POST = do_GET

        self.server = stack.Listener(Handler)
        self.host = f"127.0.0.1:{self.server.server_address[1]}"
        # The same server under another name is another host: there no credential may come.
        self.storage = f"http://localhost:{self.server.server_address[1]}/storage"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def store(self, content, kind="blobs"):
        digest = f"sha256:{hashlib.sha256(content).hexdigest()}"
        getattr(self, kind)[digest] = content
        return {"digest": digest, "size": len(content)}

    def image(self, architecture, layers, os="linux", kind=MANIFEST, variant=None):
        config = {"mediaType": "application/vnd.oci.image.config.v1+json",
                  **self.store(json.dumps({"architecture": architecture, "once": self.chance.randrange(1 << 60)}).encode())}
        manifest = {"schemaVersion": 2, "mediaType": kind, "config": config, "layers": layers}
        return {"mediaType": kind, **self.store(json.dumps(manifest).encode(), "manifests"),
                "platform": {"os": os, "architecture": architecture, **({"variant": variant} if variant else {})}}

    def layer(self, size, kind="application/vnd.oci.image.layer.v1.tar+gzip"):
        return {"mediaType": kind, **self.store(self.chance.randbytes(size))}

    def tag(self, tag, manifests, kind=INDEX):
        self.manifests[tag] = json.dumps({"schemaVersion": 2, "mediaType": kind, "manifests": manifests}).encode()

    def answer(self, request):
        length = int(request.headers.get("Content-Length") or 0)
        body = request.rfile.read(length).decode()
        url = urllib.parse.urlsplit(request.path)
        authorization = request.headers.get("Authorization")
        self.seen.append((request.command, url.path, authorization))
        status, fields, content = 404, {}, b""
        if url.path == self.token_path:
            query = dict(urllib.parse.parse_qsl(url.query or body))
            basic = "Basic " + base64.b64encode(b"alice:secret").decode()
            if (authorization == basic or query.get("refresh_token") == "refresh") \
                    and (query["scope"], query["service"]) == ("repository:team/app:pull", "the service"):
                token = f"token-{self.chance.randrange(1 << 30)}"
                self.tokens.add(f"Bearer {token}")
                status, content = 200, json.dumps({"access_token": token}).encode()
            else:
                status = 401
        elif url.path.startswith("/storage/"):
            content = self.blobs[url.path[9:]]
            status = 400 if authorization else 500 if url.path[9:] in self.lost else 200
        elif authorization not in self.tokens:
            status = 401
            fields["WWW-Authenticate"] = (f'Bearer realm="http://{request.headers["Host"]}{self.token_path}",service="the service",'
                                          'scope="repository:team/app:pull"')
        elif url.path.startswith("/v2/team/app/manifests/"):
            content = self.manifests.get(url.path.rsplit("/", 1)[1])
            if content is not None:
                status = 200
                fields["Content-Type"] = json.loads(content).get("mediaType", MANIFEST)
        elif url.path.startswith("/v2/team/app/blobs/"):
            digest = url.path.rsplit("/", 1)[1]
            if digest in self.blobs:
                if self.redirects:
                    status, fields["Location"] = 307, f"{self.storage}/{digest}"
                else:
                    status, content = 200, self.blobs[digest]
        if self.chunked and status == 200 and "/blobs/" in url.path:
            return chunked(request, content)
        request.send_response(status)
        for name, value in {**fields, "Content-Length": str(len(content or b""))}.items():
            request.send_header(name, value)
        request.end_headers()
        if request.command != "HEAD":
            request.wfile.write(content or b"")
        return None

    def close(self):
        self.server.shutdown()
        self.server.server_close()
