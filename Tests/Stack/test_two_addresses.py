"""A registry's name with two addresses, of which the first one does not answer."""

import json
import os
import subprocess

import pytest

import stack

pytestmark = pytest.mark.root

SCRIPT = r"""
import http.server, json, os, pathlib, socket, subprocess, sys, threading, time

subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
folder = pathlib.Path(sys.argv[1])
(folder / "hosts").write_text("127.0.0.2 registry.example\n127.0.0.1 registry.example\n")
subprocess.run(["mount", "--bind", folder / "hosts", "/etc/hosts"], check=True)
sys.path.insert(0, sys.argv[2])
import stack
from fakes import alone
from fakes.waiting import eventually

class Server(http.server.ThreadingHTTPServer):
    request_queue_size = 512

bloblo = alone.Alone(lambda handler: stack.serve_http(handler, lambda _: None), registry=alone.Registry(authorization=None))
registry = Server(("127.0.0.2", 0), bloblo.registry.handler())
threading.Thread(target=registry.serve_forever, daemon=True).start()
port = registry.server_port
# The first by RFC 6724. Its queue is full, so the kernel drops what else comes: neither an answer nor a refusal.
full = socket.socket()
full.bind(("127.0.0.1", port))
full.listen(0)
waiting = []
for _ in range(6):
    waiting.append(socket.socket())
    waiting[-1].setblocking(False)
    waiting[-1].connect_ex(("127.0.0.1", port))
bloblo.settings |= {"BLOBLO_UPSTREAM_URL": f"http://registry.example:{port}", "BLOBLO_UPSTREAM_TIMEOUT": "20s",
                    "BLOBLO_S3_TIMEOUT": "60s", "BLOBLO_LOOK_AS_CLIENT": "off"}
digests = [bloblo.put_into_bucket(b"blob %d" % number) for number in range(40)]
bloblo.start()
eventually(bloblo.answers)
statuses = [None] * len(digests)
def pull(number):
    statuses[number] = bloblo.ask(f"/v2/r{number}/blobs/{digests[number]}", BLOBLO_FRONT_FILES="3")[0]
threads = [threading.Thread(target=pull, args=(number,)) for number in range(len(digests))]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
later = [bloblo.ask(f"/v2/later/blobs/{digest}", BLOBLO_FRONT_FILES="3")[0] for digest in digests]
bloblo.end()
print(json.dumps([statuses, later, bloblo.log.read_text()[-2000:]]))
"""


def test_the_second_one_is_asked_by_all_who_wait(tmp_path):
    done = subprocess.run(
        ["unshare", "--net", "--mount", stack.program("python"), "-c", SCRIPT, str(tmp_path), str(stack.ROOT / "Tests/Stack")],
        capture_output=True, text=True, timeout=300, env=dict(os.environ))
    if "unshare" in done.stderr:
        pytest.skip(done.stderr)
    assert done.returncode == 0, done.stderr
    statuses, later, log = json.loads(done.stdout)
    assert statuses == [307] * 40, log
    assert later == [307] * 40, log
