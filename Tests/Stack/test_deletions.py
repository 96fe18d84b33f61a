"""Deletions in the registry of what bloblo has proved and found, through nginx and Apache, redirect and accelerate, at
default settings. (test_distribution_spec.py has the specification's own cases.)
"""

import os

import pytest

from fakes.client import ALICE, basic, blob_path, digest_of, push
from front_site import Site, stacks

MALLORY = basic("alice", "wrong")


@pytest.fixture(scope="module", params=["redirect", "accelerate"])
def servers(request):
    with stacks() as make:
        servers = make("registry,s3,nginx,apache,bloblo", env={"BLOBLO_DELIVERY": request.param},
                       tls="localhost" if request.param == "redirect" else None)
        servers.delivery = request.param
        yield servers


@pytest.fixture(params=["nginx", "apache"])
def site(request, servers):
    return Site(servers, request.param)


def warm(site, content):
    """A blob that has been pushed and is in the bucket."""
    digest = site.push(content)
    site.fill(digest, word=site.servers.delivery)
    return blob_path(digest), digest


def assert_gone(site, path):
    for _ in range(2):
        # A HEAD asks the registry, and its 404 ends what is remembered.
        for method in ("GET", "HEAD"):
            status, fields, _ = site.ask(method, path)
            assert (status, fields["Location"]) == (404, None), method
        status, fields, _ = site.ask("GET", path, {**ALICE, "Range": "bytes=0-9"})
        assert (status, fields["Location"]) == (404, None)


def test_a_blob_that_was_deleted_is_gone_and_can_be_pushed_again(site):
    content = os.urandom(50_000)
    path, digest = warm(site, content)
    for _ in range(2):
        assert site.ask("HEAD", path)[0] == 200
        assert site.ask("GET", path)[0] in (200, 307)
        status, fields, body = site.ask("DELETE", path)
        assert (status, body) == (202, b"")
        assert fields["Docker-Distribution-Api-Version"] == "registry/2.0"
        assert_gone(site, path)
        assert site.ask("DELETE", path)[0] == 404
        assert push(site.url, content) == digest
        status, fields, _ = site.ask("HEAD", path)
        assert (status, fields["Content-Length"]) == (200, str(len(content)))


@pytest.mark.parametrize("fields", [{}, {"Transfer-Encoding": "chunked"}], ids=["length", "chunked"])
def test_a_deletion_with_a_body_is_heard_too(site, fields):
    path, _ = warm(site, os.urandom(50_000))
    body = b"5\r\nhello\r\n0\r\n\r\n" if fields else b"hello"
    assert site.ask("DELETE", path, ALICE | fields, body=body)[0] == 202
    assert_gone(site, path)


def test_a_refused_deletion_changes_nothing(site):
    path, _ = warm(site, os.urandom(50_000))
    for headers in ({}, MALLORY):
        status, fields, _ = site.ask("DELETE", path, headers)
        assert (status, fields["WWW-Authenticate"][:5]) == (401, "Basic")
    status, fields, _ = site.ask("GET", path)
    assert fields["X-Bloblo"] == site.servers.delivery
    absent = blob_path(digest_of(os.urandom(8)))
    assert site.ask("DELETE", absent)[0] == 404


def test_a_deletion_through_one_front_is_known_at_the_other(servers):
    nginx, apache = Site(servers, "nginx"), Site(servers, "apache")
    for here, there in ((nginx, apache), (apache, nginx)):
        path, _ = warm(here, os.urandom(50_000))
        assert there.ask("GET", path)[1]["X-Bloblo"] == servers.delivery
        assert here.ask("DELETE", path)[0] == 202
        assert_gone(there, path)
