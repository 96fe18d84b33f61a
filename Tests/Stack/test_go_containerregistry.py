"""go-containerregistry (crane, kaniko, cosign and many more), by its recorded requests, pushes and pulls through each front.

Its own order of requests and of their fields, and its own rules: what it follows, where it sends a credential, and what it
demands of an answer. Source: <https://github.com/google/go-containerregistry/tree/v0.22.1/pkg/v1/remote>, fetcher.go,
write.go, transport/ping.go, transport/basic.go, transport/bearer.go.
"""

import contextlib
import hashlib
import http.client
import ipaddress
import json
import re
import urllib.parse

import pytest

from fakes.client import ALICE, basic, digest_of
from fakes.token_registry import MANIFEST, TokenRegistry
from fakes.waiting import eventually
from front_site import Site

LIBRARY, BARE = "go-containerregistry/v0.22.1", "Go-http-client/1.1"
# remote.Get, descriptor.go
ACCEPT = ",".join([
    "application/vnd.docker.distribution.manifest.v1+json", "application/vnd.docker.distribution.manifest.v1+prettyjws",
    "application/vnd.docker.distribution.manifest.v2+json", "application/vnd.oci.image.manifest.v1+json",
    "application/vnd.docker.distribution.manifest.list.v2+json", "application/vnd.oci.image.index.v1+json"])


class Library:
    """One handshake and what follows it; `words` has how bloblo decided, by path."""

    def __init__(self, url, repository, credential):
        self.url, self.host, self.repository, self.credential = url, url.split("//")[1], repository, credential
        self.authorization, self.words = None, {}

    def send(self, method, url, agent=LIBRARY, body=None, **fields):
        """One request, as net/http writes it: (status, fields, body)."""
        parts = urllib.parse.urlsplit(url)
        own = {name.replace("_", "-"): value for name, value in fields.items()}
        # transport/basic.go and bearer.go: by the host, so that no redirect takes it along.
        if self.authorization and parts.netloc == self.host:
            own["Authorization"] = self.authorization
        lines = [("Host", parts.netloc), ("User-Agent", agent)]
        if body is not None or method in ("POST", "PUT", "PATCH"):
            lines.append(("Content-Length", str(len(body or b""))))
        lines += sorted(own.items())
        if method != "HEAD" and "Range" not in own:
            lines.append(("Accept-Encoding", "gzip"))
        with contextlib.closing(http.client.HTTPConnection(parts.netloc, timeout=120)) as connection:
            connection.putrequest(method, parts.path + ("?" + parts.query if parts.query else ""), skip_host=True,
                                  skip_accept_encoding=True)
            for name, value in lines:
                connection.putheader(name, value)
            connection.endheaders(body)
            answer = connection.getresponse()
            return answer.status, answer.headers, answer.read()

    def do(self, method, path, **fields):
        """http.Client.Do: redirects are followed where checkRedirectSSRF lets them."""
        url = urllib.parse.urljoin(self.url, path)
        status, got, body = self.send(method, url, **fields)
        if "/blobs/" in path:
            self.words[path] = got["X-Bloblo"]
        if status in (301, 302, 303, 307, 308):
            target = urllib.parse.urljoin(url, got["Location"])
            host = urllib.parse.urlsplit(target).hostname
            if host != urllib.parse.urlsplit(url).hostname:
                with contextlib.suppress(ValueError):
                    assert ipaddress.ip_address(host).is_global, f"SSRF protection: redirect to {host} denied"
            status, got, body = self.send(method, target, Referer=url, **fields)
        assert got["Content-Encoding"] is None
        return status, got, body

    def shake_hands(self, actions):
        """transport.NewWithContext: a ping without a credential, and where it is asked for, a token."""
        status, got, _ = self.send("GET", self.url + "/v2/", agent=BARE)
        if status == 200:
            return self
        assert status == 401
        scheme, _, parameters = got["WWW-Authenticate"].partition(" ")
        if scheme.lower() == "basic":
            self.authorization = self.credential["Authorization"]
            return self
        parameters = dict(re.findall(r'(\w+)="([^"]*)"', parameters))
        realm = urllib.parse.urlsplit(parameters["realm"])
        assert realm.netloc == self.host  # validateRealmURL: another one of a private address is refused
        query = urllib.parse.urlencode({"scope": f"repository:{self.repository}:{actions}", "service": parameters["service"]})
        status, _, body = self.send("GET", f"{parameters['realm']}?{query}", **self.credential)
        assert status == 200
        document = json.loads(body)
        self.authorization = "Bearer " + (document.get("access_token") or document["token"])
        return self

    def blob(self, digest, size):
        """fetchBlob: no Range, no Accept; the length must be the manifest's."""
        status, got, body = self.do("GET", f"/v2/{self.repository}/blobs/{digest}")
        assert (status, int(got["Content-Length"])) == (200, size)
        assert "sha256:" + hashlib.sha256(body).hexdigest() == digest
        return body

    def pull(self, reference):
        status, got, body = self.do("GET", f"/v2/{self.repository}/manifests/{reference}", Accept=ACCEPT)
        assert (status, got["Content-Type"]) == (200, MANIFEST)
        manifest = json.loads(body)
        return [self.blob(layer["digest"], layer["size"]) for layer in (manifest["config"], *manifest["layers"])]

    def exists(self, digest):
        status, _, _ = self.do("HEAD", f"/v2/{self.repository}/blobs/{digest}")
        assert status in (200, 404)
        return status == 200

    def push(self, reference, contents):
        """writer.uploadOne of each, and the manifest."""
        described = []
        for content in contents:
            digest = digest_of(content)
            described.append({"mediaType": "application/octet-stream", "digest": digest, "size": len(content)})
            if self.exists(digest):
                continue
            status, got, _ = self.send("POST", f"{self.url}/v2/{self.repository}/blobs/uploads/", Content_Type="application/json")
            assert status == 202
            location = urllib.parse.urljoin(self.url, got["Location"])
            status, got, _ = self.send("PATCH", location, body=content, Content_Type="application/octet-stream")
            assert status in (201, 202, 204)
            location = urllib.parse.urlsplit(urllib.parse.urljoin(self.url, got["Location"]))
            query = urllib.parse.urlencode(sorted([*urllib.parse.parse_qsl(location.query), ("digest", digest)]))
            status, _, _ = self.send("PUT", location._replace(query=query).geturl(), Content_Type="application/octet-stream")
            assert status == 201
        document = json.dumps({"schemaVersion": 2, "mediaType": MANIFEST, "config": described[0], "layers": described[1:]}).encode()
        status, _, _ = self.send("PUT", f"{self.url}/v2/{self.repository}/manifests/{reference}", body=document, Content_Type=MANIFEST)
        assert status == 201


def test_a_push_a_cold_pull_and_a_warm_one(site, chance):
    contents = [chance.randbytes(size) for size in (1000, 3 << 20, 70_000)]

    def library():
        return Library(site.url, "own/go", ALICE).shake_hands("push,pull")

    library().push("latest", contents)
    cold = library()
    assert cold.pull("latest") == contents
    eventually(lambda: all(site.s3.client.size(digest_of(content)) for content in contents), otherwise=site.bloblo.tail)
    for content in contents:
        site.fill(digest_of(content), "own/go")
    warm = library()
    assert warm.pull("latest") == contents
    assert set(cold.words.values()) == {"tee"} and set(warm.words.values()) == {"redirect"}
    again = library()
    again.push("latest", contents)  # is spared: all exist
    assert set(again.words.values()) == {"answer"}


def test_a_wrong_password_gets_nothing(site, chance):
    digest = site.push(chance.randbytes(1000), "own/go")
    site.fill(digest, "own/go")
    status, got, _ = Library(site.url, "own/go", basic("alice", "wrong")).shake_hands("pull").do("GET", f"/v2/own/go/blobs/{digest}")
    assert (status, got["Location"]) == (401, None)


@pytest.fixture
def bearers(front, make_stack, chance):
    """The same before a registry that wants a token for each repository."""
    with contextlib.closing(TokenRegistry(chance)) as registry:
        registry.token_path = "/v2/token"  # what Apache's example hands on
        layers = [registry.layer(size) for size in (1000, 3 << 20)]
        registry.manifests["latest"] = registry.manifests[registry.image("amd64", layers)["digest"]]
        servers = make_stack(f"s3,{front},bloblo", "--registry", registry.host)
        yield Site(servers, front), registry


def test_bearers_of_a_token(bearers):
    site, registry = bearers

    def pull():
        library = Library(site.url, "team/app", basic("alice", "secret")).shake_hands("pull")
        return library, library.pull("latest")

    cold, contents = pull()
    assert set(map(digest_of, contents)) == set(registry.blobs)
    eventually(lambda: all(site.s3.client.size(digest) for digest in registry.blobs), otherwise=site.bloblo.tail)
    for digest in registry.blobs:
        site.fill(digest, "team/app", {"Authorization": cold.authorization})
    warm, again = pull()
    assert again == contents and warm.authorization != cold.authorization
    assert set(warm.words.values()) == {"redirect"}
    stranger = Library(site.url, "team/app", {})
    stranger.authorization = "Bearer token-of-nobody"
    for digest in registry.blobs:
        status, got, _ = stranger.do("GET", f"/v2/team/app/blobs/{digest}")
        assert (status, got["Location"]) == (401, None)
