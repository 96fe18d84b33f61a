"""bloblo is killed at any instant of a fill; what it left is swept."""

import concurrent.futures
import time

import pytest

import stack
from fakes.waiting import eventually
from filling import MIB, fixtures

shared, site = fixtures(rate=120 * MIB, BLOBLO_SWEEP_AGE="1d")


@pytest.mark.long
def test_kill_at_any_instant(site, chance, pytestconfig):
    asked = []
    for number in range(pytestconfig.getoption("kills")):
        size = chance.choice((100_000, 3 * MIB, 12 * MIB, 24 * MIB))
        digest = site.registry.add(size)
        asked.append((digest, size))
        with concurrent.futures.ThreadPoolExecutor(2) as pool:
            pulls = [pool.submit(site.pull, digest, timeout=120) for _ in range(2)]
            time.sleep(chance.uniform(0, 0.3 + 2.5 * size / site.rate))
            site.bloblo.process.kill()
            site.bloblo.process.wait()
            for pull in pulls:
                seen = pull.result()
                assert not seen.is_stuck
                if seen.is_whole and seen.status == 200:
                    assert f"sha256:{seen.sha256}" == digest
                else:
                    assert seen.status in (200, 307)
        site.bloblo.start()
    published = set(site.keys())
    for digest, _ in asked:
        if digest in published:
            assert site.object(digest) == digest
    assert published <= {site.any_blob} | {digest for digest, _ in asked}
    assert list(site.bloblo.spool.iterdir()) == []
    # Somebody else's upload, which is not ours to abort.
    site.s3.client.call("POST", f"/{stack.BUCKET}/backup.tar", query=[("uploads", "")])
    young = site.tool("sweep")
    assert (young.returncode, "0 aborted" in young.stdout) == (0, True), young
    time.sleep(1)
    swept = site.tool("sweep", "--older-than", "1s")
    assert swept.returncode == 0, swept
    assert site.uploads() == ["backup.tar"]


def test_a_start_sweeps(site):
    digest = site.registry.add(MIB)
    site.s3.client.call("POST", f"/{stack.BUCKET}/{digest}", query=[("uploads", "")])
    time.sleep(1.1)
    with site.restarted(BLOBLO_SWEEP_AGE="1s"):
        eventually(lambda: digest not in site.uploads(), otherwise=site.log)
