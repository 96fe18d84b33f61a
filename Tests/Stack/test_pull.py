"""One pull through each front, cold and warm: what `make check` knows of real servers."""

import pytest

import stack

pytestmark = pytest.mark.check


def test_a_blob_is_pulled_cold_and_then_from_the_bucket(site, chance):
    content = chance.randbytes(300_000)
    digest = site.push(content)

    status, fields, body = site.get(digest)
    assert (status, fields["Docker-Content-Digest"], body) == (200, digest, content)

    status, fields = site.fill(digest)
    assert status == 307
    assert stack.request("GET", fields["Location"])[::2] == (200, content)


def test_nobody_gets_a_blob_or_a_url_without_a_credential(site, chance):
    digest = site.push(chance.randbytes(1000))
    site.fill(digest)
    status, fields, _ = site.get(digest, headers={})
    assert (status, fields["Location"]) == (401, None)
