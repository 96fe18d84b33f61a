"""The switch that makes all blobs pass, and `bloblo purge`: both act on a bloblo that serves."""

import threading
import time

import pytest

from fakes.alone import text_of
from fakes.waiting import PATIENCE, eventually

MISSING = "sha256:" + "0" * 64


def is_off(bloblo):
    return bloblo.metrics()['bloblo_notice{notice="offloading-off"}'] == 1


# The switch


@pytest.mark.parametrize("how", ["file", "command"])
def test_all_blobs_pass_soon_and_back(alone, how):
    bloblo = alone()
    warm, cold = bloblo.put_into_bucket(b"warm"), bloblo.registry.add(b"cold")
    assert bloblo.get(warm)[0] == 307

    def switch(state):
        if how == "command":
            done = bloblo.run("offload", state)
            assert done.returncode == 0 and done.stdout.startswith(state), done
        elif state == "off":
            (bloblo.folder / "pass").touch()
        else:
            (bloblo.folder / "pass").unlink()

    switch("off")
    eventually(lambda: bloblo.get(warm)[0] == 424)
    assert bloblo.get(cold)[0] == 424 and bloblo.get(warm, "HEAD")[0] == 424
    eventually(lambda: is_off(bloblo) and "offloading is switched off" in text_of(bloblo.page()[1]))
    assert bloblo.metrics()['bloblo_decisions_total{decision="pass",reason="switched-off"}'] >= 3
    eventually(lambda: bloblo.lines("offloading is switched off"))
    assert not any(cold in path for path in bloblo.bucket.objects), "nothing is filled meanwhile"
    assert bloblo.run("offload").stdout.startswith("off")

    switch("on")
    eventually(lambda: bloblo.get(warm)[0] == 307)
    eventually(lambda: not is_off(bloblo) and bloblo.lines("offloading is switched on again"))
    assert bloblo.run("offload").stdout.startswith("on")


def test_the_switch_holds_from_the_first_request_after_a_restart(alone):
    bloblo = alone(start=False)
    digest = bloblo.put_into_bucket(b"content")
    (bloblo.folder / "pass").touch()
    bloblo.start()
    eventually(bloblo.answers)
    assert bloblo.get(digest)[0] == 424


def test_a_switch_that_cannot_be_made_says_why(alone):
    done = alone(start=False).run("offload", "off", BLOBLO_PASS_FILE="/nowhere/pass")
    assert done.returncode == 1 and "/nowhere/pass" in done.stderr and "No such file" in done.stderr


# Purge


def test_a_purged_blob_is_gone_and_gets_no_url_while_old_ones_live(alone):
    bloblo = alone(BLOBLO_PRESIGN_EXPIRES="8s", BLOBLO_PROOF_TTL="1h", BLOBLO_PRESENCE_TTL="1h")
    digest, other = bloblo.put_into_bucket(b"secret"), bloblo.put_into_bucket(b"other")
    assert bloblo.get(digest)[0] == 307
    since = time.monotonic()
    done = bloblo.run("purge", digest)
    assert done.returncode == 0, done
    assert f"/layers/{digest}" not in bloblo.bucket.objects
    assert bloblo.get(digest)[0] == 424
    assert bloblo.get(other)[0] == 307, "others are given as ever"
    for words in ("other instances", "cache", "clients", "the registry"):
        assert words in done.stdout
    # Someone puts it back: nothing is signed for it before the old URLs have ended.
    bloblo.bucket.objects[f"/layers/{digest}"] = b"secret"
    while time.monotonic() - since < 4:  # what is asked before is answered before
        assert bloblo.get(digest)[0] == 424
        time.sleep(0.2)
    del bloblo.bucket.objects[f"/layers/{digest}"]
    # Afterwards all is asked for anew: deleted in the registry, it is nobody's.
    del bloblo.registry.blobs[digest]
    eventually(lambda: bloblo.get(digest)[0] == 424 and bloblo.metrics()[
        'bloblo_decisions_total{decision="pass",reason="upstream-status"}'] > 0)


def test_it_is_forgotten_in_every_location(alone):
    bloblo = alone()
    digest = bloblo.put_into_bucket(b"secret")
    bloblo.bucket.objects[f"/others/{digest}"] = b"secret"
    for bucket in ("", "others"):
        assert bloblo.get(digest, BLOBLO_S3_BUCKET_NAME=bucket)[0] == 307
    done = bloblo.run("purge", digest)
    for bucket in ("", "others"):
        assert bloblo.get(digest, BLOBLO_S3_BUCKET_NAME=bucket)[0] == 424
    assert "BLOBLO_S3_BUCKET_NAME=others" in done.stdout, "what it can't reach it says"
    assert bloblo.run("purge", digest, BLOBLO_S3_BUCKET_NAME="others").returncode == 0
    assert not any(digest in path for path in bloblo.bucket.objects)


def test_on_tcp_too(alone):
    bloblo = alone(tcp=True)
    digest = bloblo.put_into_bucket(b"secret")
    assert bloblo.get(digest)[0] == 307
    assert bloblo.run("purge", digest).returncode == 0
    assert bloblo.get(digest)[0] == 424


def test_a_fill_that_runs_does_not_bring_it_back(alone, serve):
    bloblo = alone()
    digest = bloblo.registry.add(b"secret" * 1000)
    gate, put = threading.Event(), bloblo.bucket_server.RequestHandlerClass.do_PUT

    def slowly(handler):
        gate.wait(PATIENCE)
        put(handler)

    bloblo.bucket_server.RequestHandlerClass.do_PUT = slowly
    assert bloblo.get(digest)[0] == 200
    eventually(lambda: bloblo.metrics()['bloblo_fills{state="running"}'] == 1)
    purge = threading.Thread(target=lambda: done.append(bloblo.run("purge", digest)))
    done = []
    purge.start()
    time.sleep(1)
    gate.set()
    purge.join()
    assert done[0].returncode == 0, done
    assert bloblo.metrics()['bloblo_fills{state="running"}'] == 0
    assert not any(digest in path for path in bloblo.bucket.objects)
    assert bloblo.get(digest)[0] == 424, "and it is not filled again"


def test_what_cannot_be_told_or_deleted_is_a_failure(alone, serve):
    bloblo = alone(start=False)
    digest = bloblo.put_into_bucket(b"secret")
    done = bloblo.run("purge", digest)
    assert done.returncode == 1 and "no bloblo answered" in done.stderr
    assert f"/layers/{digest}" not in bloblo.bucket.objects, "the object goes all the same"
    bloblo.start()
    eventually(bloblo.answers)
    done = bloblo.run("purge", digest, BLOBLO_S3_ENDPOINT_URL="http://127.0.0.1:9")
    assert done.returncode == 1 and "not deleted" in done.stderr
    assert bloblo.get(digest)[0] == 424, "it is held all the same"
    assert bloblo.run("purge", "sha256:x").returncode == 64


def test_no_client_can_purge(alone):
    bloblo = alone()
    digest = bloblo.put_into_bucket(b"content")
    for params in ({}, {"HTTP_BLOBLO_CONTROL": "on"}, {"BLOBLO_PAGES": "on"}):
        assert bloblo.ask(f"/bloblo/purge/{digest}", "POST", **params)[0] in (404, 405, 424)
    assert bloblo.get(digest)[0] == 307


def test_a_url_of_a_location_that_is_forgotten_counts(alone):
    """More than 256 sets of params clear the list of locations; the URL that one of them signed lives on."""
    bloblo = alone(BLOBLO_PRESIGN_EXPIRES="60s")
    digest = bloblo.put_into_bucket(b"a secret")
    eventually(lambda: bloblo.get(digest, BLOBLO_PRESIGN_EXPIRES="1h")[0] == 307)
    for number in range(300):
        bloblo.get(digest, "HEAD", BLOBLO_MIN_BLOB_SIZE=str(number))
    done = bloblo.run("purge", digest)
    assert done.returncode == 0 and "for 3600 s" in done.stdout, done
    assert "a restart of bloblo before that time is over" in done.stdout, done
