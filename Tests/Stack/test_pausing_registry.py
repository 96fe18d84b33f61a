"""A registry that pauses for a minute in the middle of each body: who asks it directly gets the blob, and so do others."""

import concurrent.futures

import pytest

from fakes.waiting import eventually
from filling import MIB, Pull, path

pytestmark = [pytest.mark.long, pytest.mark.world]


def test_a_pause_of_a_minute_breaks_nobody(make_stack, fake_registry):
    servers = make_stack("s3,nginx,apache,bloblo", "--registry", fake_registry.address, read_timeout="4")  # Apache's, as shipped
    client = servers.services["s3"].client
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        def pull(front, digest):
            return Pull(servers.services[front].url, path(digest, "pause"), timeout=150).seen
        size, pulls = 2 * MIB, []
        for front in ("nginx", "apache"):
            digest = fake_registry.add(size)
            pulls += [(digest, pool.submit(pull, front, digest)) for _ in range(3)]
        for digest, each in pulls:
            assert each.result() == (200, size, digest.split(":")[1]), servers.services["bloblo"].tail()
    for digest in {digest for digest, _ in pulls}:
        eventually(lambda digest=digest: client.size(digest) == size)
