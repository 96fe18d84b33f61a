"""Parts that go up over TLS, to each S3 server that is here: what S3 compares them with, and who refuses what."""

import re

import pytest

import stack
from fakes.relay import Relay
from front_site import Site, stacks
from s3_servers import JuiceFS, LocalStack, Moto, settings

pytestmark = pytest.mark.long


class Watching(Relay):
    """Notes the heads of requests for parts."""

    def heal(self):
        super().heal()
        self.parts = []

    def look(self, data, state):
        super().look(data, state)
        if re.match(rb"PUT [^ ]*partNumber=", data):
            self.parts.append(data.split(b"\r\n\r\n")[0].decode().lower().split("\r\n"))


@pytest.fixture(scope="module")
def servers():
    with stacks() as make:
        yield make("s3")


@pytest.fixture(params=[None, JuiceFS, Moto, LocalStack], ids=["seaweedfs", "juicefs", "moto", "localstack"])
def server(request, servers, ends):
    if request.param is None:
        return servers.services["s3"]
    server = request.param(servers)
    ends.callback(server.stop)
    server.start()
    return server


def test_a_part_is_summed_once(server, authority, ends, fake_registry, make_stack):
    relay = Watching(server.port, authority.context("localhost"))
    ends.callback(relay.close)
    keys = {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test"} if isinstance(server, LocalStack) else {}
    site = Site(make_stack("nginx,bloblo", "--registry", fake_registry.address, env=settings(
        relay.url, BLOBLO_S3_CA_FILE=str(authority.file), BLOBLO_S3_PUBLIC_ENDPOINT_URL=server.url,
        BLOBLO_UPSTREAM_URL=f"http://{fake_registry.address}", **keys)), "nginx")
    for _ in range(2):
        digest = fake_registry.add(20_000_000)
        assert site.get(digest)[::2] == (200, fake_registry.blobs[digest])
        _, fields = site.fill(digest)
        assert stack.request("GET", fields["Location"])[::2] == (200, fake_registry.blobs[digest])
    assert len(relay.parts) == 6
    for part in relay.parts:
        assert "x-amz-content-sha256: unsigned-payload" in part
        assert any(field.startswith("x-amz-checksum-crc32c: ") for field in part)
