"""bloblo's clock is wrong from the start, or is set while it runs; SeaweedFS refuses what is 15 minutes off."""

import pathlib

import pytest

import stack
from fakes.waiting import eventually
from front_site import Site


class Clocked(Site):
    """A bloblo whose clock is this machine's, shifted by what a file says."""

    def __init__(self, servers, registry):
        super().__init__(servers, "nginx")
        self.fake = registry
        self.clock = servers.folder / "clock"
        library, = pathlib.Path("/usr/lib").glob("*/faketime/libfaketimeMT.so.1")
        servers.options.env |= {
            "LD_PRELOAD": str(library), "FAKETIME_TIMESTAMP_FILE": str(self.clock), "FAKETIME_NO_CACHE": "1",
            "FAKETIME_DONT_FAKE_MONOTONIC": "1"}

    def set(self, shift):
        file = self.clock.with_suffix(".new")
        file.write_text(shift + "\n")
        file.replace(self.clock)

    def cold_then_warm(self):
        """A fill in parts, then a redirect whose URL works."""
        digest = self.fake.add(12_000_000)
        assert self.get(digest, timeout=120)[::2] == (200, self.fake.blobs[digest])
        self.assert_warm(digest)
        return digest

    def assert_warm(self, digest):
        def is_served():
            status, fields, _ = self.get(digest, timeout=120)
            return status == 307 and stack.request("GET", fields["Location"])[::2] == (200, self.fake.blobs[digest])
        eventually(is_served, otherwise=self.bloblo.tail)


@pytest.fixture
def site(make_stack, fake_registry):
    return Clocked(make_stack("s3,nginx,bloblo", "--registry", fake_registry.address, start=False), fake_registry)


@pytest.mark.parametrize("shift", ["-2h", "+2h"])
def test_wrong_from_the_start(site, shift):
    site.set(shift)
    site.servers.up()
    site.cold_then_warm()
    assert site.lines("this machine's clock differs from S3's")


@pytest.mark.long
def test_set_while_it_runs(site):
    site.set("+0")
    site.servers.up()
    digest = site.cold_then_warm()
    for shift in ("+3h", "-3h", "+0"):
        site.set(shift)
        site.assert_warm(digest)
        site.cold_then_warm()
