"""Shapes of HEAD and GET that registries may have (fakes/shapes.py): cold, filled, warm, after a restart; where a fill
may follow, and where it may not; what `check` says of each.
"""

import contextlib
import subprocess

import pytest

import front_site
import stack
from fakes import redirecting
from fakes.client import blob_path
from fakes.shapes import Shape, Shaped
from fakes.waiting import PATIENCE, eventually
from s3_servers import Report

pytestmark = pytest.mark.long

ALICE = {"Authorization": redirecting.TOKEN}
MIB = 1 << 20

SHAPES = [
    Shape(head="sized", get="redirect", status=302),
    Shape(head="redirect", status=301),
    Shape(head="redirect", status=303, hops=2),
    Shape(head="redirect", status=308, hops=3, layout="{1}/{2}"),
    Shape(head="sizeless", get="redirect", layout="blobs/sha256:{0}"),
    Shape(head="sizeless", get="sized"),
    Shape(head="sizeless", get="chunked"),
    Shape(head="sized", get="chunked"),
    Shape(head="redirect", get="chunked", layout="artifact/{1}/{2}"),
    Shape(head="redirect", storage="chunked"),
    Shape(head="sized", get="redirect", storage="chunked", hops=2),
    Shape(head="401", get="redirect"),
    Shape(head="405", get="chunked"),
    Shape(head="404", get="sized", check="get"),
]


class Place:
    """bloblo behind nginx, before such a registry."""

    def __init__(self, make, registry, follow=None, **settings):
        self.registry = registry
        servers = make("s3,nginx,bloblo", "--registry", registry.address, "--log-level", "debug", env={
            "BLOBLO_PRESENCE_TTL": "1s", "BLOBLO_UPSTREAM_CHECK": registry.shape.check,
            "BLOBLO_UPSTREAM_FOLLOW": registry.follow if follow is None else follow, **settings})
        self.site = front_site.Site(servers, "nginx")
        self.bloblo = self.site.bloblo

    def get(self, digest, **headers):
        return self.site.get(digest, headers={**ALICE, **headers})

    def size(self, digest):
        return self.site.s3.client.size(digest)

    def check(self, digest, **settings):
        done = subprocess.run(
            [*self.bloblo.command(), "check", "--json", "--blob", f"some/name@{digest}"], capture_output=True, text=True,
            timeout=PATIENCE, env={**self.bloblo.environment(), "BLOBLO_CHECK_AUTHORIZATION": redirecting.TOKEN, **settings})
        return Report(done, dict)


@pytest.fixture(scope="module")
def make():
    with front_site.stacks() as make:
        yield make


@pytest.fixture(scope="module", params=SHAPES, ids=str)
def place(request, make):
    with contextlib.closing(Shaped(request.param)) as registry:
        yield Place(make, registry)


def body_of(place, digest, answer):
    """What a client has in the end, that follows the registry's own redirects."""
    status, fields, body = answer
    for _ in range(5):
        if status not in (301, 302, 303, 307, 308):
            break
        status, fields, body = stack.request("GET", fields["Location"])
    assert status == 200, (status, place.bloblo.tail())
    return body


@pytest.mark.parametrize("size", [3000, 20 * MIB])
def test_cold_filled_warm_and_after_a_restart(place, size):
    digest = place.registry.add(size)
    content = place.registry.blobs[digest]
    assert body_of(place, digest, place.get(digest)) == content
    eventually(lambda: place.size(digest) == size, otherwise=place.bloblo.tail)
    status, fields = place.site.fill(digest, headers=ALICE)
    assert status == 307 and f"/{stack.BUCKET}/" in fields["Location"]
    reads, heard = place.registry.reads[digest], len(place.registry.heard_elsewhere)
    with place.site.restarted():
        place.site.fill(digest, headers=ALICE)
        for _ in range(3):
            assert place.get(digest)[1]["X-Bloblo"] == "redirect"
        assert place.site.get(digest, headers={})[0] == 401
    is_proved_by_get = place.registry.shape.check == "get" or place.registry.shape.head in ("401", "405")
    assert reads <= 3 and place.registry.reads[digest] <= reads + (4 if is_proved_by_get else 0)
    assert [each for each in place.registry.heard_elsewhere[heard:] if "Range" not in each[2]] == []


def test_who_is_led_to_hears_no_field_of_the_client_and_no_head(place):
    digest = place.registry.add(5000)
    place.site.ask("GET", blob_path(digest), headers={  # and does not follow
        **ALICE, "Cookie": "a=b", "X-Forwarded-For": "192.0.2.1", "User-Agent": "client/1", "X-JFrog-Art-Api": "key"})
    eventually(lambda: place.size(digest) == 5000, otherwise=place.bloblo.tail)
    heard = [(method, fields) for method, path, fields in place.registry.heard_elsewhere
             if place.registry.path(digest[7:]) in path]
    assert bool(heard) == (place.registry.shape.get == "redirect")
    for method, fields in heard:
        assert method == "GET"
        assert not {name.lower() for name in fields} - {"host", "range", "if-range", "accept"}, fields
    assert "Signature" not in place.bloblo.log.read_text()


@pytest.mark.parametrize("wanted", ["bytes=0-", "bytes=100-199", "bytes=-5", "bytes=0-9,20-29"])
def test_ranges_alone_fill(place, wanted):
    """As of clients that ask for nothing else: parallel fetch, lazy snapshotters, zstd:chunked."""
    digest = place.registry.add(9000)
    content = place.registry.blobs[digest]
    status, fields, body = place.get(digest, Range=wanted)
    assert status in (200, 206, 301, 302, 303, 307, 308), status
    if fields.get("X-Bloblo") == "tee":
        assert (status, body, fields["Content-Range"]) == (206, content, "bytes 0-8999/9000")
    eventually(lambda: place.size(digest) == 9000, otherwise=place.bloblo.tail)

    def warm():
        status, fields, _ = place.get(digest, Range=wanted)
        return fields["X-Bloblo"] == ("multipart" if "," in wanted else "redirect") and status
    assert eventually(warm, otherwise=place.bloblo.tail) == (206 if "," in wanted else 307)
    assert place.registry.reads[digest] <= 4


def test_check_promises_the_fill_that_comes(place):
    digest = place.registry.add(5000)
    found = place.check(digest)
    assert found["upstream.proof"]["level"] == "ok", found
    assert found["bucket.blob"]["advice"] == "the next GET of it fills it", found["bucket.blob"]
    assert place.size(digest) is None
    place.get(digest)
    eventually(lambda: place.size(digest) == 5000, otherwise=place.bloblo.tail)
    assert place.check(digest)["bucket.blob"]["level"] == "ok"


REDIRECTING = [shape for shape in SHAPES if shape.get == "redirect"]


@pytest.mark.parametrize("place", REDIRECTING, ids=str, indirect=True)
def test_check_says_whom_to_name_until_all_are_named(place):
    digest, follow = place.registry.add(5000), ""
    for _ in range(place.registry.shape.hops):
        found = place.check(digest, BLOBLO_UPSTREAM_FOLLOW=follow)
        assert "a GET does not fill it" in found["bucket.blob"]["finding"], found["bucket.blob"]
        name, _, follow = found["upstream.follow"]["advice"].removeprefix("set ").partition("=")
        assert name == "BLOBLO_UPSTREAM_FOLLOW" and found["bucket.blob"]["advice"] == f"set {name}={follow}"
    assert set(follow.split(",")) == set(place.registry.follow.split(","))
    assert place.check(digest, BLOBLO_UPSTREAM_FOLLOW=follow)["upstream.follow"]["level"] == "ok"


OBSTACLES = {
    "BLOBLO_FILL=off": {"BLOBLO_FILL": "off"}, "BLOBLO_DELIVERY=pass": {"BLOBLO_DELIVERY": "pass"},
    "less than BLOBLO_MIN_BLOB_SIZE": {"BLOBLO_MIN_BLOB_SIZE": "6000"},
    "all spools together may take 4000": {"BLOBLO_SPOOL_MAX_BYTES": "4000"},
    "has not allowed this client": {"BLOBLO_CHECK_AUTHORIZATION": "Bearer wrong"},
    "is not as it should be": {"AWS_SECRET_ACCESS_KEY": "wrong"},
}


@pytest.mark.parametrize("words", OBSTACLES)
@pytest.mark.parametrize("place", SHAPES[:1], ids=str, indirect=True)
def test_check_promises_no_fill_that_will_not_come(place, words):
    digest = place.registry.add(5000)
    found = place.check(digest, **OBSTACLES[words])["bucket.blob"]
    if words == "is not as it should be":
        assert found["level"] == "FAIL"
    else:
        assert words in found["finding"] and "a GET does not fill it" in found["finding"], found


# Where a fill does not follow


UNFOLLOWED = {
    "a fourth hop": (4, "{all}", None),
    "the last host is not named": (2, "{first}", None),
    "another port": (1, "127.0.0.1:{next}", None),
    "the same address by another name": (1, "localhost:{port}", None),
    "a loopback address that is not named": (1, "storage.example", None),
    "nobody is named": (1, "", None),
    "a user in the URL": (1, "{all}", "http://user:secret@127.0.0.1:{port}/store/{digest}?X-Amz-Signature=1"),
    "no scheme of ours": (1, "{all}", "ftp://127.0.0.1:{port}/store/{digest}?X-Amz-Signature=1"),
    "no URL": (1, "{all}", "http:///store/{digest}?X-Amz-Signature=1"),
}


@pytest.mark.parametrize("name", UNFOLLOWED)
def test_a_fill_follows_no_further(make, name):
    hops, follow, location = UNFOLLOWED[name]
    with contextlib.closing(Shaped(Shape(hops=hops))) as registry:
        first, port = (registry.hops or [registry.storage])[-1].address, int(registry.storage.address.split(":")[1])
        follow = follow.format(all=registry.follow, first=first, next=port + 1, port=port)
        registry.location = location and location.replace("{port}", str(port))
        place = Place(make, registry, follow=follow)
        digest, other = registry.add(3000), registry.add(3000)
        assert place.get(digest)[0] == 307
        assert place.get(other)[0] == 307
        lines = place.site.lines("BLOBLO_UPSTREAM_FOLLOW", '"info"')
        assert len(lines) == (location is None and hops < 4), lines
        assert (place.size(digest), place.size(other), registry.storage.heard) == (None, None, [])
        # It is known by now, and nobody asks for what comes to nothing.
        if hops < 4:
            assert registry.reads[other] == 1
        assert "a GET does not fill it" in place.check(digest)["bucket.blob"]["finding"]
        assert "secret" not in place.bloblo.log.read_text()


def test_https_never_leads_to_http(make, authority):
    with contextlib.closing(Shaped(Shape(head="sized"), secure=authority.context("127.0.0.1"))) as registry:
        place = Place(make, registry, BLOBLO_UPSTREAM_CA_FILE=str(authority.file),
                      BLOBLO_UPSTREAM_URL=f"https://{registry.address}")
        digest = registry.add(3000)
        place.get(digest)
        eventually(lambda: place.site.lines("https to http"), otherwise=place.bloblo.tail)
        assert registry.storage.heard == [] and place.size(digest) is None
        assert "from https to http" in place.check(digest)["upstream.follow"]["finding"]


def test_a_reading_that_breaks_off_asks_the_registry_for_a_new_redirect(make):
    with contextlib.closing(Shaped(Shape())) as registry:
        place = Place(make, registry)
        digest = registry.add(3 * MIB)
        registry.storage.cuts = 1
        status, _, body = place.get(digest)
        assert (status, body == registry.blobs[digest]) == (200, True), place.bloblo.tail()
        eventually(lambda: place.size(digest) == 3 * MIB, otherwise=place.bloblo.tail)
        heard = registry.storage.heard
        assert registry.reads[digest] == len(heard) == len({path for _, path, _ in heard}) == 2
        assert heard[1][2]["Range"].startswith("bytes=") and heard[1][2]["If-Range"] == '"storage"'


def test_a_bucket_of_the_registrys_own_is_read_in_place(make):
    """As distribution's on S3: no size, no metadata of bloblo's, and the registry itself leads to that object."""
    with contextlib.closing(Shaped(Shape())) as registry:
        template = "docker/registry/v2/blobs/{algorithm}/{encoded:0:2}/{encoded}/data"
        place = Place(make, registry, follow="", BLOBLO_S3_KEY_TEMPLATE=template)
        digest = registry.add(5000)
        encoded = digest.split(":")[1]
        key = f"docker/registry/v2/blobs/sha256/{encoded[:2]}/{encoded}/data"
        assert place.site.s3.client.call("PUT", f"/{stack.BUCKET}/{key}", registry.blobs[digest])[0] == 200
        registry.location = f"{place.site.s3.url}/{stack.BUCKET}/{key}?X-Amz-Signature=1"
        status, fields, _ = place.get(digest)
        assert (status, fields["X-Bloblo"]) == (307, "redirect"), place.bloblo.tail()
        assert stack.request("GET", fields["Location"])[2] == registry.blobs[digest]
        assert registry.reads.get(digest, 0) == 0


def test_another_instance_fills_nothing_again(make):
    with contextlib.closing(Shaped(Shape(hops=2))) as registry:
        one = Place(make, registry)
        digest = registry.add(9 * MIB)
        one.site.fill(digest, headers=ALICE)
        before = len(registry.heard_elsewhere)
        s3 = one.site.s3.url
        two = Place(make, registry, BLOBLO_S3_ENDPOINT_URL=s3, BLOBLO_S3_PUBLIC_ENDPOINT_URL=s3)
        assert two.get(digest)[1]["X-Bloblo"] == "redirect"
        assert len(registry.heard_elsewhere) == before


def test_an_object_of_another_size_is_not_given_while_the_size_is_unknown(make):
    with contextlib.closing(Shaped(Shape())) as registry:
        place = Place(make, registry)
        digest = registry.add(3000)
        assert place.site.s3.client.call("PUT", f"/{stack.BUCKET}/{digest}", b"7 bytes")[0] == 200
        assert place.get(digest)[1].get("X-Bloblo") != "redirect"
        eventually(lambda: [fields for _, _, fields in registry.storage.heard if fields.get("Range") == "bytes=0-0"])
        assert place.site.fill(digest, headers=ALICE)[0] == 307 and place.size(digest) == 3000


def test_a_size_that_nobody_states_gives_no_object_that_is_not_proved(make):
    """Without a size and without metadata: the blob passes for as long as it stands there."""
    with contextlib.closing(Shaped(Shape(head="sizeless", get="chunked"))) as registry:
        place = Place(make, registry)
        digest = registry.add(3000)
        assert place.site.s3.client.call("PUT", f"/{stack.BUCKET}/{digest}", b"7 bytes")[0] == 200
        for _ in range(3):
            status, fields, body = place.get(digest)
            assert (status, body) == (200, registry.blobs[digest]) and fields.get("X-Bloblo") != "redirect"
