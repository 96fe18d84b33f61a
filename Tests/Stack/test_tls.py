"""TLS everywhere but the front: a registry and an S3 of private authorities, by name and by [::1], and certificates
that are renewed while bloblo runs.
"""

import json
import ssl
import urllib.request

import pytest

import stack
from fakes.authority import Authority
from fakes.blobs import CONTENT
from fakes.client import ALICE, digest_of
from fakes.relay import Relay
from fakes.waiting import eventually
from front_site import Site, stacks
from s3_servers import check, run
from test_go_containerregistry import Library


class SecureSite(Site):
    """bloblo asks registry and S3 by TLS; so does a client whom it redirects."""

    def __init__(self, make, front, host):
        self.host = host
        servers = make(f"registry,s3,{front},bloblo", start=False, tls=host)
        super().__init__(servers, front)
        servers.options.env["BLOBLO_S3_PUBLIC_ENDPOINT_URL"] = servers.options.env["BLOBLO_S3_ENDPOINT_URL"]
        self.registry_authority, self.s3_authority = servers.registry_authority, servers.s3_authority
        self.registry_relay, self.s3_relay = servers.registry_relay, servers.s3_relay
        servers.up()

    def fetch(self, url):
        """What a client gets that trusts S3's authority."""
        context = ssl.create_default_context(cafile=self.s3_authority.file)
        return urllib.request.urlopen(url, context=context, timeout=120).read()

    def assert_cold_then_warm(self, content):
        digest = self.push(content)
        assert self.get(digest)[::2] == (200, content)
        _, fields = self.fill(digest)
        assert self.fetch(fields["Location"]) == content
        return digest


@pytest.fixture(scope="module", params=["localhost", "[::1]"])
def site(front, request):
    with stacks() as make:
        yield SecureSite(make, front, request.param)


def test_cold_then_warm(site, chance):
    site.assert_cold_then_warm(chance.randbytes(300_000))
    site.assert_cold_then_warm(chance.randbytes(12_000_000))  # in parts


def test_certificates_that_are_renewed(site, chance):
    digest = site.assert_cold_then_warm(chance.randbytes(1000))
    name = site.host.strip("[]")
    site.registry_relay.context = site.registry_authority.context(name)
    site.s3_relay.context = site.s3_authority.context(name)
    site.registry_relay.cut()
    site.s3_relay.cut()
    assert site.get(digest)[0] in (200, 307)
    site.assert_cold_then_warm(chance.randbytes(1000))


def test_check_and_warm_trust_the_same_authorities(site, chance, tmp_path):
    contents = [chance.randbytes(size) for size in (500, 300_000)]
    Library(site.url, "made/tls", ALICE).shake_hands("push,pull").push("latest", contents)
    registry = site.bloblo.environment()["BLOBLO_UPSTREAM_URL"]
    (tmp_path / "config.json").write_text(json.dumps({"auths": {registry: {"auth": ALICE["Authorization"].split()[1]}}}))
    env = site.bloblo.environment() | {"DOCKER_CONFIG": str(tmp_path)}
    done = run("warm", "--registry", registry, "made/tls:latest", env=env)
    assert done.returncode == 0, done
    for content in contents:
        assert site.s3.client.size(digest_of(content)) == len(content)
    _, lines = check(env | {"BLOBLO_CHECK_AUTHORIZATION": ALICE["Authorization"]}, "--blob", f"made/tls@{digest_of(contents[1])}")
    assert [line for subject, line in lines.items() if line[0] == "FAIL" and subject != "sum"] == []
    assert {subject: lines[subject][0] for subject in ("upstream", "upstream.proof", "bucket.blob")} == {
        "upstream": "ok", "upstream.proof": "ok", "bucket.blob": "ok"}, lines


@pytest.mark.parametrize("which", ["registry", "s3"])
def test_a_certificate_of_someone_else(site, chance, tmp_path, which):
    """The client is served by the front's own way to the registry, and nothing is stored or presigned by its word."""
    relay = getattr(site, f"{which}_relay")
    right = relay.context
    relay.context = Authority(tmp_path).context(site.host.strip("[]"))
    relay.cut()
    try:
        content = chance.randbytes(1000)
        digest = site.push(content)
        status, fields, body = site.get(digest)
        assert (status, body, fields["Location"]) == (200, content, None)
        assert site.s3.client.size(digest) is None
    finally:
        relay.context = right
        relay.cut()
    eventually(lambda: site.get(digest)[0] == 307, otherwise=site.bloblo.tail)


def test_a_name_that_is_not_the_certificates(make_stack, authority, ends):
    relay = Relay(1, authority.context("elsewhere.example"))
    ends.callback(relay.close)
    servers = make_stack("registry,nginx,bloblo", start=False, env={
        "BLOBLO_UPSTREAM_CA_FILE": str(authority.file), "BLOBLO_S3_ENDPOINT_URL": "http://127.0.0.1:1"})
    relay.target = servers.services["registry"].port
    servers.options.env["BLOBLO_UPSTREAM_URL"] = f"https://localhost:{relay.port}"
    servers.up()
    site = Site(servers, "nginx")
    digest = site.push(CONTENT)
    status, fields, body = site.get(digest)
    assert (status, body == CONTENT, fields["Location"]) == (200, True, None)
    assert site.lines("upstream did not answer")
