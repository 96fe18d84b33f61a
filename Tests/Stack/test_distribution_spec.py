"""The distribution-spec's cases of blobs, at default settings through each front, cold and warm.

Source: <https://github.com/opencontainers/distribution-spec/blob/v1.1.0/spec.md>
"""

import pytest

import stack
from fakes.client import ALICE, basic, blob_path, digest_of, push
from fakes.waiting import eventually


@pytest.fixture
def content(chance):
    return chance.randbytes(300_000)


@pytest.fixture(params=["cold", "warm"])
def digest(request, site, content):
    """A blob that was pushed, and that the bucket has if it is warm."""
    digest = site.push(content)
    if request.param == "warm":
        site.fill(digest)
    return digest


def pull(site, digest, repository="some/name", **fields):
    """As a client that follows a redirect without its credential: (status, body)."""
    status, answer, body = site.get(digest, repository, {**ALICE, **fields})
    if status == 307:
        kept = {name: value for name, value in fields.items() if name == "Range"}
        status, answer, body = stack.request("GET", answer["Location"], kept)
    return status, body


def test_a_blob_is_pulled(site, digest, content):
    assert pull(site, digest) == (200, content)


def test_a_head_says_length_and_digest(site, digest, content):
    status, fields, body = site.ask("HEAD", blob_path(digest))
    assert (status, fields["Content-Length"], fields["Docker-Content-Digest"], body) == (
        200, str(len(content)), digest, b"")


@pytest.mark.parametrize("wanted,part", [
    ("bytes=0-9", slice(0, 10)), ("bytes=100-", slice(100, None)), ("bytes=-7", slice(-7, None))])
def test_a_range_is_pulled(site, digest, content, wanted, part):
    assert pull(site, digest, Range=wanted) == (206, content[part])


def test_a_blob_that_is_not_there(site):
    for method in ("GET", "HEAD"):
        status, _, body = site.ask(method, blob_path("sha256:" + "0" * 64))
        assert status == 404
    assert site.get("sha256:" + "0" * 64)[2].find(b"BLOB_UNKNOWN") > 0


def test_a_push_in_one_request(site, content):
    digest = digest_of(content)
    status, fields, _ = site.ask("POST", "/v2/some/name/blobs/uploads/")
    assert status == 202
    joint = "&" if "?" in fields["Location"] else "?"
    status, fields, _ = stack.request("PUT", f"{fields['Location']}{joint}digest={digest}", {
        **ALICE, "Content-Type": "application/octet-stream"}, content)
    assert (status, fields["Docker-Content-Digest"]) == (201, digest)
    assert pull(site, digest) == (200, content)


def test_a_push_in_chunks(site, content):
    digest, at = digest_of(content), 0
    status, fields, _ = site.ask("POST", "/v2/some/name/blobs/uploads/")
    for end in (100_000, 200_000, len(content)):
        status, fields, _ = stack.request("PATCH", fields["Location"], {
            **ALICE, "Content-Type": "application/octet-stream", "Content-Range": f"{at}-{end - 1}"}, content[at:end])
        assert (status, fields["Range"]) == (202, f"0-{end - 1}")
        at = end
    status, fields, _ = stack.request("PUT", f"{fields['Location']}&digest={digest}", ALICE)
    assert status == 201
    assert pull(site, digest) == (200, content)


def test_a_push_of_another_content_is_refused(site, content):
    status, fields, _ = site.ask("POST", "/v2/some/name/blobs/uploads/")
    status, _, body = stack.request("PUT", f"{fields['Location']}&digest={digest_of(b'another')}", ALICE, content)
    assert status == 400
    assert b"DIGEST_INVALID" in body
    assert site.get(digest_of(b"another"))[0] == 404


def test_a_cancelled_upload(site):
    _, fields, _ = site.ask("POST", "/v2/some/name/blobs/uploads/")
    assert stack.request("DELETE", fields["Location"], ALICE)[0] == 204
    assert stack.request("GET", fields["Location"], ALICE)[0] == 404


def test_a_mount(site, digest, content):
    status, fields, _ = site.ask("POST", f"/v2/another/name/blobs/uploads/?mount={digest}&from=some/name")
    assert (status, fields["Docker-Content-Digest"]) == (201, digest)
    assert fields["Location"] == site.url + blob_path(digest, "another/name")
    assert pull(site, digest, "another/name") == (200, content)


def test_a_mount_of_what_is_not_there_is_an_upload(site):
    absent = "sha256:" + "1" * 64
    status, fields, _ = site.ask("POST", f"/v2/another/name/blobs/uploads/?mount={absent}&from=some/name")
    assert status == 202
    assert "/uploads/" in fields["Location"]


def test_a_deleted_blob_is_gone_at_once_and_may_be_pushed_again(site, digest, content):
    assert pull(site, digest) == (200, content)  # so that bloblo remembers who may read it
    assert site.ask("DELETE", blob_path(digest), basic("alice", "wrong"))[0] == 401
    assert pull(site, digest) == (200, content)
    assert site.ask("DELETE", blob_path(digest))[0] == 202
    for method in ("GET", "HEAD"):
        assert site.ask(method, blob_path(digest))[0] == 404
    assert site.ask("DELETE", blob_path(digest))[0] == 404
    assert push(site.url, content) == digest
    eventually(lambda: pull(site, digest) == (200, content))


def test_a_deletion_is_of_one_repository(site, digest, content):
    assert site.ask("POST", f"/v2/third/name/blobs/uploads/?mount={digest}&from=some/name")[0] == 201
    assert pull(site, digest, "third/name") == (200, content)
    assert site.ask("DELETE", blob_path(digest))[0] == 202
    assert site.get(digest)[0] == 404
    assert pull(site, digest, "third/name") == (200, content)
