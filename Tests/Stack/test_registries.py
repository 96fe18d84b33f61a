"""Registries that differ, as scripted models (fakes/redirecting.py): cold, warm, and what their storages hear."""

import contextlib

import pytest

import front_site
import stack
from fakes import redirecting
from fakes.client import blob_path
from fakes.waiting import eventually

pytestmark = pytest.mark.long

ALICE = {"Authorization": redirecting.TOKEN}
MIB = 1 << 20


class Place:
    """A model, its storage, and a bloblo behind nginx."""

    def __init__(self, model, make, **settings):
        self.storage = redirecting.Storage()
        self.registry = model(self.storage)
        if settings.pop("follow", True):
            settings["BLOBLO_UPSTREAM_FOLLOW"] = self.storage.address
        servers = make("s3,nginx,bloblo", "--registry", self.registry.address, "--log-level", "debug",
                       env={"BLOBLO_PRESENCE_TTL": "1s", **settings})
        self.site = front_site.Site(servers, "nginx")

    def close(self):
        self.registry.close()
        self.storage.close()

    def get(self, digest, **headers):
        return self.site.get(digest, headers={**ALICE, **headers})

    def size(self, digest):
        return self.site.s3.client.size(digest)


@pytest.fixture(scope="module")
def make():
    with front_site.stacks() as make:
        yield make


@pytest.fixture(scope="module")
def place(request, make):
    settings = {"BLOBLO_UPSTREAM_CHECK": "get"} if request.param is redirecting.HarborProxy else {}
    with contextlib.closing(Place(request.param, make, **settings)) as place:
        yield place


def named(model):
    return model.__name__


@pytest.mark.parametrize("place", redirecting.REDIRECTING + redirecting.DIRECT, ids=named, indirect=True)
@pytest.mark.parametrize("size", [4000, 20 * MIB])
def test_a_cold_blob_is_filled_and_a_warm_one_is_redirected(place, size):
    digest = place.registry.add(size)
    status, fields, body = place.get(digest)
    assert (status, body == place.registry.blobs[digest]) == (200, True), place.site.bloblo.tail()
    eventually(lambda: place.size(digest) == size, otherwise=place.site.bloblo.tail)
    status, fields = place.site.fill(digest, headers=ALICE)
    assert status == 307 and f"/{stack.BUCKET}/" in fields["Location"]
    reads = place.registry.reads[digest]
    for _ in range(5):
        assert place.get(digest)[1]["X-Bloblo"] == "redirect"
    assert place.registry.reads[digest] == reads <= 2


@pytest.mark.parametrize("place", redirecting.REDIRECTING, ids=named, indirect=True)
def test_a_storage_hears_nothing_of_the_client_and_no_log_its_signature(place):
    digest = place.registry.add(5000)
    place.site.ask("GET", blob_path(digest), headers={
        **ALICE, "Cookie": "session=alice", "X-Forwarded-For": "192.0.2.1", "User-Agent": "client/1"})
    eventually(lambda: place.size(digest) == 5000, otherwise=place.site.bloblo.tail)
    for method, _, fields in place.storage.heard:
        assert method == "GET"
        assert not {name.lower() for name in fields} - {"host", "range", "if-range", "accept"}, fields
    log = place.site.bloblo.log.read_text()
    assert not any(word in log for word in ("Signature=", "sig=", redirecting.TOKEN.split()[1]))


@pytest.mark.parametrize("place", redirecting.REDIRECTING, ids=named, indirect=True)
def test_who_may_not_read_gets_the_registrys_no(place):
    digest = place.registry.add(3000)
    place.get(digest)
    eventually(lambda: place.size(digest) == 3000, otherwise=place.site.bloblo.tail)
    assert place.site.get(digest, headers={})[0] == 401
    assert place.site.get(digest, headers={"Authorization": "Bearer wrong"})[0] == 401


def test_by_default_nobody_is_followed_and_the_log_says_what_to_set(make):
    with contextlib.closing(Place(redirecting.GitLab, make, follow=False)) as place:
        for _ in range(3):
            digest = place.registry.add(3000)
            status, fields, _ = place.get(digest)
            assert status == 307 and place.storage.address in fields["Location"]
            assert place.size(digest) is None
        assert place.storage.heard == []
        lines = place.site.lines("not filled", "BLOBLO_UPSTREAM_FOLLOW")
        assert len(lines) == 1 and lines[0]["level"] == "info", lines
        # The second and the third were not read for a fill: that it comes to nothing is known.
        assert sorted(place.registry.reads.values()) == [1, 1, 2]


def test_an_object_of_unknown_size_is_not_given_until_the_size_is_learnt(make):
    with contextlib.closing(Place(redirecting.GitLab, make)) as place:
        digest, other = place.registry.add(3000), place.registry.add(3000)
        for key, content in (digest, b"7 bytes"), (other, place.registry.blobs[other]):
            assert place.site.s3.client.call("PUT", f"/{stack.BUCKET}/{key}", content)[0] == 200
        for each in (digest, other):
            status, fields, _ = place.get(each)
            assert fields.get("X-Bloblo") != "redirect"
        # The right one is taken as it is; the wrong one is replaced.
        assert place.site.fill(other, headers=ALICE)[0] == 307
        assert place.site.fill(digest, headers=ALICE)[0] == 307
        assert place.size(digest) == 3000
        assert [path for _, path, fields in place.storage.heard if other[7:] in path and "Range" not in fields] == []


def test_after_a_restart_nothing_is_filled_again(make):
    with contextlib.closing(Place(redirecting.GitLab, make)) as place:
        digest = place.registry.add(12 * MIB)
        place.site.fill(digest, headers=ALICE)
        place.storage.heard.clear()
        with place.site.restarted():
            place.site.fill(digest, headers=ALICE)
        assert [fields for _, _, fields in place.storage.heard if "Range" not in fields] == []


@pytest.mark.parametrize("target", ["http://{0}/a", "https://127.0.0.1:1/{0}", "/nowhere/{0}", "http://user@{0}/"])
def test_a_redirect_elsewhere_is_not_followed(make, target):
    class Elsewhere(redirecting.Quay):
        def answer_blob(self, request, digest, content):
            if request.command == "HEAD":
                return request.answer(200, content, **{"Docker-Content-Digest": digest})
            return request.answer(302, Location=target.format("127.0.0.1:9"))

    with contextlib.closing(Place(Elsewhere, make)) as place:
        digest = place.registry.add(3000)
        assert place.get(digest)[0] == 302
        assert place.storage.heard == [] and place.size(digest) is None
