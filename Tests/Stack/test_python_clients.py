"""oras and python-dxf, Python's clients of registries, push and pull through each front, cold and warm."""

import pathlib

import oras.client
import pytest
from dxf import DXF
from dxf.exceptions import DXFUnauthorizedError

import stack
from fakes.client import basic, digest_of
from fakes.waiting import eventually

CONTENT_SIZES = (1000, 3 << 20)


class Dxf:
    """Uploads a blob in one PUT, in chunks of unknown length; asks with a HEAD first."""

    def __init__(self, host, password):
        self.dxf = DXF(host, "own/dxf", insecure=True)
        # By itself it sends a credential over HTTPS only.
        self.dxf._headers = basic("alice", password)

    def push(self, contents, _):
        for content in contents:
            pieces = (content[at:at + 65536] for at in range(0, len(content), 65536))
            self.dxf.push_blob(data=pieces, digest=digest_of(content))
        self.dxf.set_alias("latest", *map(digest_of, contents))

    def pull(self, _):
        return [b"".join(self.dxf.pull_blob(digest)) for digest in self.dxf.get_alias("latest")]


class Oras:
    """Keeps each blob as a file with a name; asks without a credential, and again with one."""

    def __init__(self, host, password):
        self.client, self.target = oras.client.OrasClient(insecure=True, auth_backend="basic"), f"{host}/own/oras:latest"
        self.client.auth.set_basic_auth("alice", password)

    def push(self, contents, folder):
        files = [folder / f"file-{number}" for number in range(len(contents))]
        for file, content in zip(files, contents):
            file.write_bytes(content)
        answer = self.client.push(self.target, files=[str(file) for file in files], disable_path_validation=True)
        assert answer.status_code == 201

    def pull(self, folder):
        return [pathlib.Path(file).read_bytes() for file in self.client.pull(self.target, outdir=str(folder / "pulled"))]


@pytest.mark.parametrize("kind", [Dxf, Oras])
def test_a_push_a_cold_pull_and_a_warm_one(site, kind, tmp_path, chance):
    contents = [chance.randbytes(size) for size in CONTENT_SIZES]
    client = kind(site.url.split("//")[1], stack.USERS["alice"])
    client.push(contents, tmp_path)
    assert sorted(client.pull(tmp_path)) == sorted(contents)
    digests = [digest_of(content) for content in contents]
    eventually(lambda: all(site.s3.client.size(digest) for digest in digests), otherwise=site.bloblo.tail)
    assert sorted(client.pull(tmp_path)) == sorted(contents)
    for digest in digests:
        site.fill(digest, f"own/{kind.__name__.lower()}")


@pytest.mark.parametrize("kind", [Dxf, Oras])
def test_a_wrong_password_gets_nothing(site, kind, tmp_path, chance):
    kind(site.url.split("//")[1], stack.USERS["alice"]).push([chance.randbytes(1000)], tmp_path)
    with pytest.raises((DXFUnauthorizedError, ValueError)):
        kind(site.url.split("//")[1], "wrong").pull(tmp_path)
