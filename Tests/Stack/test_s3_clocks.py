"""bloblo's clock is wrong from the start, or is set while it runs; SeaweedFS refuses what is 15 minutes off."""

import pytest

import stack
from fakes.calendar import Calendar
from fakes.waiting import eventually
from front_site import Site

HOUR = 3600


class Clocked(Site):
    """A bloblo whose clock is this machine's, shifted by what a file says."""

    def __init__(self, servers, registry):
        super().__init__(servers, "nginx")
        self.fake = registry
        self.calendar = Calendar(servers.folder)
        servers.options.env |= self.calendar.environment

    def cold_then_warm(self):
        """A fill in parts, then a redirect whose URL works."""
        digest = self.fake.add(12_000_000)
        assert self.get(digest, timeout=120)[::2] == (200, self.fake.blobs[digest])
        # Asked for all the while, it would be filled late: bloblo leaves the machine to who reads along.
        eventually(lambda: self.s3.client.size(digest), otherwise=self.bloblo.tail)
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


@pytest.mark.parametrize("shift", [-2 * HOUR, 2 * HOUR])
def test_wrong_from_the_start(site, shift):
    site.calendar.set(shift)
    site.servers.up()
    site.cold_then_warm()
    assert site.lines("this machine's clock differs from S3's")


@pytest.mark.long
def test_set_while_it_runs(site):
    site.servers.up()
    digest = site.cold_then_warm()
    for shift in (3 * HOUR, -3 * HOUR, 0):
        site.calendar.set(shift)
        site.assert_warm(digest)
        site.cold_then_warm()
