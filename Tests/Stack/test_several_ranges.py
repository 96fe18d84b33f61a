"""Several ranges of a blob that is in the bucket: answered by bloblo, from S3, without the registry's bytes."""

import contextlib
import re

import pytest

import front_site
from fakes.relay import Relay
from fakes.resuming import ResumingRegistry
from filling import MIB, Pull, path


@pytest.fixture(scope="module", params=["nginx", "apache"])
def place(request):
    with contextlib.closing(ResumingRegistry()) as registry, front_site.stacks() as make:
        servers = make(f"s3,{request.param},bloblo", "--registry", registry.address, "--log-level", "debug", start=False)
        relay = Relay(servers.services["s3"].port)
        servers.options.env |= {"BLOBLO_S3_ENDPOINT_URL": relay.url}
        with contextlib.closing(relay):
            site = front_site.Site(servers.up(), request.param)
            site.registry, site.relay = registry, relay
            yield site


@pytest.fixture
def site(place):
    place.relay.heal()
    yield place
    place.relay.heal()


@pytest.fixture
def warm(site):
    digest = site.registry.add(12 * MIB)
    site.fill(digest, "test/good", headers={})
    site.registry.sent[digest] = site.registry.gets[digest] = 0
    return digest


def ask(site, digest, field, **headers):
    return site.ask("GET", path(digest), headers={"Range": field, **headers})


def parts(fields, body):
    """(Content-Range, bytes) of each part of a multipart/byteranges body."""
    boundary = re.fullmatch(r'multipart/byteranges; boundary="?([^";]+)"?', fields["Content-Type"])[1].encode()
    pieces = (b"\r\n" + body).split(b"\r\n--" + boundary) if not body.startswith(b"\r\n") else body.split(
        b"\r\n--" + boundary)
    assert pieces[0] == b"" and pieces[-1].startswith(b"--")
    found = []
    for piece in pieces[1:-1]:
        head, _, content = piece.partition(b"\r\n\r\n")
        found.append((re.search(rb"Content-Range: (.+)", head)[1].decode().strip(), content))
    return found


@pytest.mark.parametrize("spans", [
    [(0, 99), (1000, 1999)], [(5 * MIB, 11 * MIB), (3, 3)], [(0, 9), (0, 9)], [(0, 99), (50, 149)],
    [(i * 100_000, i * 100_000 + 999) for i in range(64)]])
def test_each_part_is_the_blobs(site, warm, spans):
    content, size = site.registry.blobs[warm], 12 * MIB
    status, fields, body = ask(site, warm, "bytes=" + ",".join(f"{a}-{b}" for a, b in spans))
    assert (status, fields["X-Bloblo"]) == (206, "multipart")
    assert int(fields["Content-Length"]) == len(body)
    assert parts(fields, body) == [(f"bytes {a}-{b}/{size}", content[a:b + 1]) for a, b in spans]
    assert fields["Docker-Content-Digest"] == warm
    assert site.registry.gets[warm] == 0


def test_what_lies_beyond_the_end_is_left_out(site, warm):
    content, size = site.registry.blobs[warm], 12 * MIB
    status, fields, body = ask(site, warm, f"bytes=-5,{size}-,0-0")
    assert status == 206
    assert parts(fields, body) == [(f"bytes {size - 5}-{size - 1}/{size}", content[-5:]), (f"bytes 0-0/{size}", content[:1])]


@pytest.mark.parametrize("field", [
    "bytes=" + ",".join(f"{i}-{i}" for i in range(65)), "bytes=0-,0-,0-", "bytes=99999999-,99999998-"])
def test_too_much_is_the_registrys(site, warm, field):
    assert ask(site, warm, field)[1].get("X-Bloblo", "pass") == "pass"
    assert site.registry.gets[warm] == 1


def test_if_range_of_another_blob_is_the_registrys(site, warm):
    assert ask(site, warm, "bytes=0-1,5-6", **{"If-Range": '"other"'})[1].get("X-Bloblo", "pass") == "pass"
    assert ask(site, warm, "bytes=0-1,5-6", **{"If-Range": f'"{warm}"'})[1]["X-Bloblo"] == "multipart"


def test_who_may_not_read_the_blob_gets_none_of_it(site, warm):
    assert site.ask("GET", path("sha256:" + "0" * 64), headers={"Range": "bytes=0-1,5-6"})[0] == 404


def test_a_store_that_fails_before_the_first_byte_passes(site, warm):
    site.relay.victims, site.relay.refuse = b"GET ", b"HTTP/1.1 500 No\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
    site.relay.cut()
    status, fields, _ = ask(site, warm, "bytes=0-1,5-6")
    assert fields.get("X-Bloblo", "pass") == "pass" and status in (200, 206)


def test_a_cold_blob_passes_and_is_filled(site):
    digest = site.registry.add(MIB)
    assert ask(site, digest, "bytes=0-1,5-6")[1].get("X-Bloblo", "pass") == "pass"
    site.fill(digest, "test/good", headers={})
    assert site.s3.client.size(digest) == MIB
    assert Pull(site.url, path(digest)).status == 307
