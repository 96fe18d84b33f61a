"""`bloblo health`, which a container's health check runs."""

import os
import pathlib
import signal

from fakes.waiting import eventually


def test_it_says_whether_bloblo_takes_requests(alone):
    bloblo = alone()
    done = bloblo.run("health")
    assert (done.returncode, done.stdout.strip()) == (0, "ok")


def test_ready_asks_whether_bloblo_can_offload(alone):
    bloblo = alone()
    eventually(lambda: bloblo.run("health", "--ready").returncode == 0)


def test_a_bucket_that_does_not_answer_is_not_ready_and_yet_healthy(alone):
    bloblo = alone(BLOBLO_S3_ENDPOINT_URL="http://127.0.0.1:1")
    done = eventually(lambda: (done := bloblo.run("health", "--ready")) and "bucket" in done.stdout and done)
    assert done.returncode == 1
    assert bloblo.run("health").returncode == 0


def test_a_bloblo_that_hangs_or_is_not_there_fails(alone):
    bloblo = alone()
    os.kill(bloblo.process.pid, signal.SIGSTOP)
    status = pathlib.Path(f"/proc/{bloblo.process.pid}/status")
    eventually(lambda: "State:\tT" in status.read_text())
    try:
        done = bloblo.run("health")
        assert done.returncode == 1 and "does not answer within" in done.stderr
    finally:
        os.kill(bloblo.process.pid, signal.SIGCONT)
    done = bloblo.run("health", "--socket", f"unix:{bloblo.folder}/nobody.sock")
    assert done.returncode == 1 and "no answer at" in done.stderr
