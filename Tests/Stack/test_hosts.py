"""A registry gets one Host for a client on every way: bloblo's questions for pings, tokens and proofs, its fills, and
what the web server hands on. Registries bind tokens to it."""

import contextlib
import json

import pytest

import stack
from fakes.client import ALICE, blob_path, digest_of
from fakes.handler import Handler
from fakes.waiting import eventually
from front_site import Site

CONTENT, HOST = b"a layer" * 1000, "registry.example.com:8443"
DIGEST = digest_of(CONTENT)


class Registry(Handler):
    """Pings, tokens and the blob, for those who have a credential; keeps each Host and who it was that said it."""

    def do_GET(self):
        self.rfile.read(int(self.headers["Content-Length"] or 0))
        credential, path = self.headers["Authorization"], self.path.partition("?")[0]
        if credential is None and self.headers["Via"] == "1.1 bloblo" and path == "/v2/":
            return self.answer(401)  # bloblo's own question whether the registry is well
        self.server.heard.append((self.headers["Host"], self.command, path, "bloblo" in (self.headers["Via"] or "")))
        if credential is None:
            return self.answer(401, b"{}", WWW_Authenticate=f'Bearer realm="http://{self.headers["Host"]}/v2/token"')
        if path == "/v2/token":
            return self.answer(200, json.dumps({"token": "a", "expires_in": 300}).encode(), Content_Type="application/json")
        if path == blob_path(DIGEST):
            return self.answer(200, CONTENT, Docker_Content_Digest=DIGEST, Content_Type="application/octet-stream")
        return self.answer(200, b"{}", Content_Type="application/json")

    do_HEAD = do_POST = do_GET


@pytest.fixture(params=["http", "https"])
def site(request, front, make_stack, ends, shared_authority):
    registry = stack.serve_http(Registry, ends.callback)
    registry.heard, scheme = [], request.param
    if scheme == "https":
        context = shared_authority.context("localhost", "registry.internal")
        registry.socket = context.wrap_socket(registry.socket, server_side=True)
    address = f"localhost:{registry.server_port}"
    servers = make_stack(f"s3,{front},bloblo", "--registry", address, "--registry-ca", str(shared_authority.file), start=False, env={
        "BLOBLO_UPSTREAM_URL": f"{scheme}://{address}", "BLOBLO_UPSTREAM_CA_FILE": str(shared_authority.file)})
    site = Site(servers, front)
    site.heard, site.wanted = registry.heard, HOST
    if front == "apache":
        servers.options.apache_site = (f"Define BLOBLO_REGISTRY {scheme}://{address}\nDefine BLOBLO_REGISTRY_CA {shared_authority.file}\n"
                                       "Include bloblo/bloblo.conf\nInclude bloblo/bloblo-tokens.conf")
        if scheme == "https":
            site.wanted = address  # by which mod_ssl knows the certificate
    else:
        command, folder = site.front.command, site.front.folder

        def edited():
            words = command()
            for path, old, new in ((folder / "snippets/bloblo-upstreams.conf", "default http://bloblo_registry;",
                                    f"default {scheme}://bloblo_registry;"),
                                   (folder / "example-site.conf", "include snippets/bloblo-locations.conf;",
                                    "include snippets/bloblo-locations.conf; include snippets/bloblo-tokens.conf;")):
                path.write_text(stack.Nginx.replaced(path.read_text(), old, new))
            return words

        site.front.command = edited
    servers.up()
    return site


def test_one_host_by_every_road(site):
    def ask(method, path, fields, word=None):
        status, got, _ = site.ask(method, path, {**fields, "Host": HOST})
        assert status == (200 if fields else 401), (method, path, status)
        assert word is None or got["X-Bloblo"] == word, (method, path, got["X-Bloblo"])

    # A question waits for a thread for half a second, and the first one starts it: on a busy machine it passes.
    first = {"Authorization": "Bearer first", "Host": HOST}
    eventually(lambda: site.ask("GET", "/v2/", first)[1]["X-Bloblo"] == "remember", otherwise=site.bloblo.tail)
    assert {host for host, *_ in site.heard} == {site.wanted}, site.heard
    site.heard.clear()
    ask("GET", "/v2/", {})
    ask("GET", "/v2/", ALICE, "remember")
    ask("GET", "/v2/token?scope=a", ALICE, "remember")
    ask("POST", "/v2/token", ALICE)
    ask("GET", "/v2/some/name/manifests/latest", ALICE)
    ask("GET", blob_path(DIGEST), {})
    ask("HEAD", blob_path(DIGEST), ALICE)
    ask("GET", blob_path(DIGEST), ALICE)
    eventually(lambda: site.s3.client.size(DIGEST) == len(CONTENT))
    assert {host for host, *_ in site.heard} == {site.wanted}, site.heard
    # By bloblo and by the web server.
    for path in ("/v2/", "/v2/token", blob_path(DIGEST)):
        assert {is_bloblos for _, _, heard, is_bloblos in site.heard if heard == path} == {True, False}, path
