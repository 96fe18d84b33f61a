"""One thing is broken at a time, S3, registry, credential or disk; page, log, metrics and readiness say which
within seconds. Pictures of the page are left in .build/screenshots, to be looked at.
"""

import json
import time

import pytest

import pictures
import stack
from fakes.waiting import eventually
from operating import MIB, operating, small_file_system

pytestmark = pytest.mark.long


@pytest.fixture(scope="module")
def shared():
    with operating() as site:
        yield site


@pytest.fixture
def site(shared):
    shared.heal()
    return shared


def test_s3_does_not_answer(site):
    digest = site.push_and_fill()
    before = site.passes("s3")
    site.s3_relay.stalled = True
    site.assert_told("bucket", ["bloblo-blobs", "BLOBLO_S3_ENDPOINT_URL"], is_ready=False)
    assert 200 == site.get(digest)[0], "the pull works"
    assert site.passes("s3") > before
    assert "S3 does not answer as it should" in site.text()
    for (form, scheme), shown in pictures.take(site.nginx.url + "/bloblo/", "broken").items():
        assert shown[pictures.BACK[scheme]] > 50_000 and shown[pictures.BAD[scheme]] > 100, (form, scheme)
    site.s3_relay.heal()
    site.assert_well_again("bucket")


def test_a_dead_s3_does_not_fill_the_log(site):
    digest = site.push_and_fill()
    site.s3_relay.refuse = b"HTTP/1.1 503 Slow Down\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
    site.s3_relay.cut()
    before, start = len(site.lines("S3 did not answer as it should")), time.monotonic()
    asked = site.passes("s3")
    # For up to a second what is remembered of the bucket holds.
    eventually(lambda: site.get(digest)[0] == 200)
    for _ in range(300):
        site.get(digest)
    lines = site.lines("S3 did not answer as it should")[before:]
    assert site.passes("s3") - asked >= 300
    assert len(lines) >= 1, "the first is told at once"
    assert len(lines) <= 2 + (time.monotonic() - start) // 10
    # The rest comes as a number, and no more request is needed for that.
    eventually(lambda: sum(line.get("repeated", 0)
                           for line in site.lines("S3 did not answer as it should")[before:]) >= 200)
    site.s3_relay.heal()
    site.assert_well_again("bucket")


def test_the_bucket_is_not_there(site):
    with site.restarted(BLOBLO_S3_BUCKET_NAME="no-such-bucket"):
        site.assert_told("bucket", ["no-such-bucket", "404", "Create the bucket"], is_ready=False)


def test_the_credential_is_wrong(site):
    with site.restarted(AWS_SECRET_ACCESS_KEY="not-" + stack.SECRET_KEY):
        site.assert_told("bucket", ["403 SignatureDoesNotMatch", "The secret key is not the access key's"], is_ready=False)


def test_the_credential_ends(site):
    said, source = site.folder / "credential.json", site.folder / "source"
    (site.folder / "config").write_text(f"[default]\ncredential_process = sh {source}\n")
    said.write_text(json.dumps({"Version": 1, "AccessKeyId": stack.ACCESS_KEY,
                                "SecretAccessKey": stack.SECRET_KEY, "Expiration": "END"}))
    # The end is counted from when it is asked: bloblo's start may take long.
    source.write_text(f'end=$(date -u -d "12 seconds" +%Y-%m-%dT%H:%M:%SZ)\nexec sed "s/END/$end/" {said}\n')
    with site.restarted(AWS_ACCESS_KEY_ID="", AWS_SECRET_ACCESS_KEY="",
                        AWS_CONFIG_FILE=str(site.folder / "config")):
        left = site.metrics()["bloblo_credential_expiry_timestamp_seconds"] - time.time()
        assert -1 < left <= 12, left
        said.unlink()
        site.assert_told("credential", ["There is no credential", "Fix the credential source"], is_ready=False)
        assert 0 == site.metrics()["bloblo_credential_expiry_timestamp_seconds"]


def test_the_registry_does_not_answer(site):
    digest = site.push_and_fill()
    before = site.passes("upstream-unreachable")
    site.registry_relay.stalled = True
    site.assert_told("upstream", ["does not answer", "BLOBLO_UPSTREAM_URL"], is_ready=True)
    assert 200 == site.get(digest)[0], "nginx has its own way to the registry"
    assert site.passes("upstream-unreachable") > before
    assert site.lines("upstream did not answer", '"warning"')
    site.registry_relay.heal()
    site.assert_well_again("upstream")


def test_the_registry_is_none(site):
    with site.restarted(BLOBLO_UPSTREAM_URL=site.registry.url + "/elsewhere"):
        site.assert_told("upstream", ["status 404", "BLOBLO_UPSTREAM_URL"], is_ready=True)


def begin_until_one_fails(site, digest):
    """Pulls until a fill fails for want of the spool. (Failures before, the most that there may be now.)

    Again and again: while a busy machine's registry or S3 takes more than two seconds to answer, no fill begins.
    """
    before, pulls = failures(site), 0

    def fails():
        nonlocal pulls
        pulls += 1
        assert 200 == site.get(digest)[0], "the pull works"
        return failures(site) > before

    eventually(fails, pause=0.5, otherwise=site.bloblo.tail)
    assert before + 1 <= failures(site) <= before + pulls
    return before, before + pulls


def failures(site):
    return site.metrics()['bloblo_fills_failed_total{cause="spool"}']


def test_the_spool_is_gone(site):
    moved = site.bloblo.spool.with_name("moved")
    site.bloblo.spool.rename(moved)
    try:
        digest = site.push()
        before, most = begin_until_one_fails(site, digest)
        site.assert_told("spool", [str(site.bloblo.spool), "BLOBLO_SPOOL_DIR"], is_ready=True)
        assert before + 1 <= failures(site) <= most
        assert site.lines("not filled", digest, "spool")
    finally:
        moved.rename(site.bloblo.spool)
    site.assert_well_again("spool")


@pytest.mark.root
def test_the_disk_is_full(site, ends):
    with site.restarted(BLOBLO_SPOOL_DIR=small_file_system(ends, "4m")):
        site.assert_told("spool", ["is full", "Make room"], is_ready=True)
        digest = site.push(5 * MIB)
        begin_until_one_fails(site, digest)
