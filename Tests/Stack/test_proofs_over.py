"""A request that has waited goes by what is true when the wait ends."""

import contextlib
import threading
import time

import fakes.alone
from fakes.alone import BASIC
from fakes.relay import Relay
from fakes.waiting import PATIENCE, eventually

BOB = "Basic Ym9iOmI="


class Registry(fakes.alone.Registry):
    """Refuses those of `refused`, (credential, digest), and what was deleted; holds the first HEAD while `gate` is
    there and not set."""

    def __init__(self):
        super().__init__(authorization=None)
        self.refused, self.gate, self.held = set(), None, 0

    def handler(self):
        registry = self

        class Handler(super().handler()):
            def do_GET(self):
                digest = self.path_only.rpartition("/")[2]
                gate, registry.gate = registry.gate, None
                if gate:
                    registry.held += 1
                    gate.wait(PATIENCE)
                elif (self.headers["Authorization"], digest) in registry.refused:
                    registry.requests.append((self.command, self.path, dict(self.headers)))
                    return self.answer(403)
                super().do_GET()

            do_HEAD = do_GET

            def do_DELETE(self):
                registry.blobs.pop(self.path_only.rpartition("/")[2], None)
                self.answer(202)

        return Handler


class Waiting:
    """Requests in threads of their own."""

    def __init__(self, ask):
        self.ask, self.statuses, self.threads = ask, {}, []

    def add(self, name, *words, **more):
        def run():
            self.statuses[name] = self.ask(*words, **more)[0]
        self.threads.append(threading.Thread(target=run, daemon=True))
        self.threads[-1].start()

    def end(self):
        for thread in self.threads:
            thread.join()
        return self.statuses


def test_what_is_deleted_or_refused_meanwhile_is_not_given(alone, ends):
    """Four wait for a look into the bucket. The registry changes its mind about two of them before the look ends."""
    bloblo = alone(start=False, registry=Registry(), BLOBLO_LOOK_AS_CLIENT="off", BLOBLO_S3_TIMEOUT="60s",
                   BLOBLO_UPSTREAM_TIMEOUT="60s", BLOBLO_PROOF_TTL="10m", BLOBLO_FILL="off")
    relay = ends.enter_context(contextlib.closing(Relay(bloblo.bucket_server.server_port)))
    bloblo.settings["BLOBLO_S3_ENDPOINT_URL"] = relay.url
    bloblo.start()
    eventually(bloblo.answers)
    names = ("deleted", "refused", "as it was")
    digests = {name: bloblo.put_into_bucket(name.encode()) for name in names}
    relay.stalled = True
    waiting = Waiting(bloblo.get)
    for name in names:
        waiting.add(name, digests[name])
    waiting.add("another's", digests["refused"], HTTP_AUTHORIZATION=BOB)
    # Each has its proof, and no answer.
    eventually(lambda: sum(command == "HEAD" and "/blobs/" in path for command, path, _ in bloblo.registry.requests) == 4)
    bloblo.registry.refused.add((BASIC, digests["refused"]))
    assert bloblo.get(digests["refused"], "HEAD")[0] != 200
    assert bloblo.get(digests["deleted"], "DELETE")[0] == 202
    assert waiting.statuses == {}
    relay.stalled = False
    assert waiting.end() == {"deleted": 424, "refused": 424, "as it was": 307, "another's": 307}


def test_an_old_yes_that_comes_late_is_not_remembered(alone, ends):
    """A GET's question is held. A younger one of the same client is refused; then the older one is answered."""
    bloblo = alone(registry=Registry(), BLOBLO_LOOK_AS_CLIENT="off", BLOBLO_S3_TIMEOUT="60s",
                   BLOBLO_UPSTREAM_TIMEOUT="60s", BLOBLO_PROOF_TTL="10m")
    digest = bloblo.put_into_bucket(b"secret")
    bloblo.registry.gate = gate = threading.Event()
    ends.callback(gate.set)
    waiting = Waiting(bloblo.get)
    waiting.add("older", digest)
    eventually(lambda: bloblo.registry.held == 1)
    bloblo.registry.refused.add((BASIC, digest))
    assert bloblo.get(digest, "HEAD")[0] != 200
    gate.set()
    assert waiting.end() == {"older": 424}
    assert bloblo.get(digest)[0] == 424


def test_a_line_before_a_slow_bucket_has_an_end(alone, serve):
    """Eight threads, and a bucket that takes a second for each of a hundred objects."""

    class Slow(fakes.alone.Bucket):
        def handler(self):
            class Handler(super().handler()):
                def do_HEAD(self):
                    time.sleep(1)
                    super().do_GET()

            return Handler

    bucket = Slow()
    bloblo = alone(BLOBLO_LOOK_AS_CLIENT="off", BLOBLO_S3_TIMEOUT="4s", BLOBLO_UPSTREAM_TIMEOUT="60s", BLOBLO_THREADS="8",
                   BLOBLO_FILL="off", BLOBLO_S3_ENDPOINT_URL=f"http://127.0.0.1:{serve(bucket.handler()).server_port}")
    waiting = Waiting(bloblo.get)
    for number in range(100):
        digest = bloblo.put_into_bucket(b"blob %d" % number)
        bucket.objects[f"/{bloblo.bucket_name}/{digest}"] = b"blob %d" % number
        waiting.add(number, digest)
    assert set(waiting.end().values()) <= {307, 424}
    lines = bloblo.lines("passed: too many requests wait")
    assert any("no thread was free within 4.0 seconds to ask S3" in line["reason.words"] for line in lines)
