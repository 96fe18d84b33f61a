"""A registry that takes requests and answers none must not hold up those of whom all is known."""

import http.client
import threading
import time

import fakes.alone
from fakes.client import blob_path
from fakes.relay import Relay
from fakes.waiting import PATIENCE, eventually
from front_site import Site


def test_what_is_remembered_is_decided_while_others_wait(make_stack, fake_registry, ends):
    relay = Relay(fake_registry.port)
    ends.callback(relay.close)
    site = Site(make_stack("s3,nginx,bloblo", "--registry", f"127.0.0.1:{relay.port}", env={"BLOBLO_THREADS": "4"}),
                "nginx")
    digest, known = fake_registry.add(1000), {"Authorization": "Bearer known"}
    site.fill(digest, "good", headers=known)
    relay.stalled = True
    # More than there are threads to ask with, and places to wait in.
    for number in range(40):
        other = http.client.HTTPConnection(site.url.split("/")[2])
        ends.callback(other.close)
        other.request("GET", blob_path(digest, "good"), headers={"Authorization": f"Bearer {number}"})
    # Longer than what S3 has last said is good for: it is asked meanwhile.
    end = time.monotonic() + 3
    while time.monotonic() < end:
        assert site.get(digest, "good", known)[0] == 307
        time.sleep(0.1)


class Slow(fakes.alone.Registry):
    """Answers what `is_slow` (of a request's handler) says only when `gate` is set."""

    def __init__(self, is_slow):
        super().__init__(authorization=None)
        self.is_slow, self.gate, self.held = is_slow, threading.Event(), 0
        self.lock = threading.Lock()

    def handler(self):
        registry = self

        class Handler(super().handler()):
            def do_GET(self):
                if registry.is_slow(self):
                    with registry.lock:
                        registry.held += 1
                    registry.gate.wait(PATIENCE)
                super().do_GET()

            do_HEAD = do_GET

            def do_DELETE(self):
                self.do_GET()

        return Handler


def begin(ends, gate, count, ask):
    """So many requests at once, which end with the test; their statuses by number, as they come."""
    statuses = {}

    def run(number):
        statuses[number] = ask(number)[0]
    threads = [threading.Thread(target=run, args=(number,), daemon=True) for number in range(count)]
    for thread in threads:
        thread.start()
        ends.callback(thread.join)
    ends.callback(gate.set)
    return statuses


def test_slow_pings_keep_nobody_waiting(alone, ends):
    """300 clients' pings are held by the registry. There is a thread for some of them; all others are passed, and so
    is each later ping. Blobs are decided as ever, hot and cold."""
    registry = Slow(lambda request: request.headers["Authorization"] == "Bearer slow")
    bloblo = alone(registry=registry, BLOBLO_UPSTREAM_TIMEOUT="60s")
    hot, cold = bloblo.put_into_bucket(b"hot"), [bloblo.registry.add(b"cold %d" % number) for number in range(4)]
    assert bloblo.get(hot)[0] == 307

    def ping(number, authorization="Bearer slow"):
        return bloblo.ask("/v2/", HTTP_AUTHORIZATION=authorization, HTTP_X_FORWARDED_FOR=f"10.0.0.{number % 250}",
                          HTTP_USER_AGENT=str(number), BLOBLO_FRONT_FILES="3")
    threads, asked = 32, [begin(ends, registry.gate, 300, ping)]

    def statuses():
        return [status for each in asked for status in list(each.values())]

    def count():
        return 300 + len(asked) - 1

    def all_threads_wait():
        if registry.held + len(statuses()) < count():
            return False
        # On a busy machine some were passed before their thread was there.
        if registry.held < threads:
            asked.append(begin(ends, registry.gate, 1, ping))
        return registry.held == threads and len(statuses()) == count() - threads

    eventually(all_threads_wait)
    assert set(statuses()) == {424}
    # Few enough that the registry answers the held ones within their minute.
    for number in range(4):
        assert ping(number, f"Bearer {number}")[0] == 424
        assert bloblo.get(hot)[0] == 307
        assert bloblo.get(cold[number])[0] == 200
    assert not registry.gate.is_set()
    registry.gate.set()
    eventually(lambda: len(statuses()) == count())
    assert sorted(statuses()) == [200] * threads + [424] * (count() - threads)


def test_slow_deletions_keep_nobody_else_waiting(alone, ends):
    """Each holds a thread of its own; what finds none is refused, and blobs are decided as ever."""
    registry = Slow(lambda request: request.command == "DELETE")
    bloblo = alone(registry=registry, BLOBLO_STREAM_THREADS="8")
    hot, cold = bloblo.put_into_bucket(b"hot"), bloblo.registry.add(b"cold")
    assert bloblo.get(hot)[0] == 307
    statuses = begin(ends, registry.gate, 20, lambda number: bloblo.get(cold, "DELETE"))
    eventually(lambda: registry.held == 8 and len(statuses) == 12)
    assert set(statuses.values()) == {503}
    assert bloblo.get(hot)[0] == 307 and bloblo.get(cold)[0] == 200
    assert not registry.gate.is_set()


def test_a_bucket_that_answers_late_keeps_no_other_waiting(alone, serve, ends):
    """Looks at 60 objects of one S3 server hang; those into another's bucket go on."""
    slow = Slow(lambda request: request.command == "HEAD")
    address = f"http://127.0.0.1:{serve(slow.handler()).server_port}"
    bloblo = alone(BLOBLO_S3_TIMEOUT="60s", BLOBLO_LOOK_AS_CLIENT="off", BLOBLO_FILL="off")
    far = [bloblo.registry.add(b"far %d" % number) for number in range(60)]
    near = [bloblo.put_into_bucket(b"near %d" % number) for number in range(20)]
    statuses = begin(ends, slow.gate, 60, lambda number: bloblo.get(far[number], BLOBLO_S3_ENDPOINT_URL=address))
    eventually(lambda: slow.held >= 28)
    for digest in near:
        assert bloblo.get(digest)[0] == 307
    assert not slow.gate.is_set() and len(statuses) < 60
