"""What clients meet at S3 is looked at as clients do: a road that is broken for them is not taken."""

import threading
import time

import pytest

import stack
from fakes.s3 import FakeS3
from fakes.waiting import PATIENCE, eventually
from test_presence import Pulling

pytestmark = pytest.mark.long


@pytest.fixture
def looking(make_stack, ends, front):
    """bloblo at its defaults, which looks at its roads."""
    return Pulling(make_stack, ends, front, BLOBLO_LOOK_AS_CLIENT="on")


class Clients:
    """A busy instance: clients that pull blobs all the time, each with an address of its own."""

    def __init__(self, pulling, digests, ends, threads=3):
        self.pulling, self.digests, self.results, self.stopped = pulling, digests, [], threading.Event()
        for each in range(threads):
            thread = threading.Thread(target=self.work, args=(each,), daemon=True)
            thread.start()
            ends.callback(thread.join)
        ends.callback(self.stopped.set)

    def work(self, thread):
        turn = 0
        while not self.stopped.is_set():
            turn += 1
            digest = self.digests[turn % len(self.digests)]
            start = time.monotonic()
            is_right = self.pulling.pull(digest, f"10.{thread}.{turn // 250}.{turn % 250}", timeout=PATIENCE)
            self.results.append((start, time.monotonic() - start, is_right))
            time.sleep(0.03)

    def more(self, count):
        """So many results of pulls that begin from now on: (start, seconds, whether the blob came)."""
        start = time.monotonic()

        def enough():
            results = [each for each in list(self.results) if each[0] >= start]
            return results if len(results) >= count else None
        return eventually(enough)


def is_offloaded(pulling, digest):
    return pulling.ask(digest, "10.200.0.1")[1].get("X-Bloblo") == "redirect"


def warm(pulling, count=4, size=20_000):
    digests = [pulling.registry.add(size) for _ in range(count)]
    for digest in digests:
        pulling.warm(digest)
    return digests


BREAKS = {
    "down": lambda s3: s3.faults.update({s3.public_port: "closed"}),
    "silent": lambda s3: s3.faults.update({s3.public_port: "silent"}),
    "trouble": lambda s3: s3.faults.update({s3.public_port: 503}),
    "key": lambda s3: setattr(s3, "refuses", (403, "SignatureDoesNotMatch")),
    "denied": lambda s3: setattr(s3, "refuses", (403, "AccessDenied")),
}


@pytest.mark.parametrize("broken", BREAKS)
def test_a_broken_road_is_left(looking, ends, broken):
    """Bloblo's own way to S3 stays well all the time."""
    digests = warm(looking)
    clients = Clients(looking, digests, ends)
    eventually(lambda: len(clients.results) > 20)
    eventually(lambda: is_offloaded(looking, digests[0]), pause=0.5)
    # On a busy machine a look may have taken too long before.
    size = looking.bloblo.log.stat().st_size
    BREAKS[broken](looking.s3)

    def is_found():
        return any("health check failed" in line and '"dependency":"road"' in line
                   for line in looking.bloblo.log.read_bytes()[size:].decode(errors="replace").splitlines())
    eventually(is_found, otherwise=looking.bloblo.tail)
    late = clients.more(50)
    assert all(each[2] for each in late), [each for each in late if not each[2]][:5]
    looking.s3.faults.clear()
    looking.s3.refuses = None
    eventually(lambda: is_offloaded(looking, digests[0]), pause=0.5)


def test_a_road_that_never_worked_is_said_to_be_bad(make_stack, ends):
    s3 = FakeS3()
    s3.faults[s3.public_port] = "closed"
    pulling = Pulling(make_stack, ends, "nginx", s3, BLOBLO_LOOK_AS_CLIENT="on")
    eventually(lambda: "BLOBLO_LOOK_AS_CLIENT=off" in pulling.bloblo.log.read_text())
    digest = pulling.registry.add(1000)
    for _ in range(3):
        assert pulling.pull(digest)
    page = stack.request("GET", pulling.url + "/bloblo/ready")
    assert page[0] == 503 and b"road" in page[2] and b"BLOBLO_LOOK_AS_CLIENT=off" in page[2]
    metrics = stack.request("GET", pulling.url + "/bloblo/metrics")[2].decode()
    assert 'bloblo_dependency_up{dependency="road"} 0' in metrics
    assert b"BLOBLO_LOOK_AS_CLIENT=off" in stack.request("GET", pulling.url + "/bloblo/")[2]


def test_one_object_in_trouble_is_its_own_matter(make_stack, ends):
    pulling = Pulling(make_stack, ends, "nginx", BLOBLO_LOOK_AS_CLIENT="on")
    bad, *good = warm(pulling)
    for fault in (403, 503):
        pulling.s3.faults[pulling.s3.public_port] = lambda key, fault=fault: fault if key.endswith(bad) else None
        deadline = time.monotonic() + 8
        while time.monotonic() < deadline:
            for digest in (bad, *good):
                pulling.ask(digest, f"10.7.0.{int(time.monotonic() * 10) % 250}")
            time.sleep(0.1)
        assert all(is_offloaded(pulling, digest) for digest in good)


def test_an_object_that_clients_cannot_read_is_found_though_others_are_newer(make_stack, ends):
    pulling = Pulling(make_stack, ends, "nginx", BLOBLO_LOOK_AS_CLIENT="on")
    bad, good = warm(pulling, 2)
    assert is_offloaded(pulling, bad)
    pulling.s3.faults[pulling.s3.public_port] = lambda key: 403 if key.endswith(bad) else None
    start = time.monotonic()

    def is_looked_at():
        # The newest is always the other one, which everybody can read. No client follows a redirect here.
        is_offloaded(pulling, good)
        return pulling.s3.count("GET", bad, since=start, presigned=True)
    eventually(is_looked_at, pause=0.2, otherwise=pulling.bloblo.tail)
    eventually(lambda: not is_offloaded(pulling, bad), otherwise=pulling.bloblo.tail)
    eventually(lambda: is_offloaded(pulling, good), pause=0.5, otherwise=pulling.bloblo.tail)


def tries(pulling, digest, client, count=4, pause=0.0):
    """Whether each of a client's tries, one after the other, gave the blob."""
    results = []
    for _ in range(count):
        results.append(pulling.pull(digest, client, timeout=PATIENCE))
        time.sleep(pause)
    return results


def test_an_object_that_clients_cannot_read_costs_a_client_one_try(looking):
    """S3 denies some objects one by one, and their HEAD is well. A client comes back at once."""
    denied, well = warm(looking, 8), warm(looking, 2)
    for digest in well:
        assert is_offloaded(looking, digest)
    looking.s3.faults[looking.s3.public_port] = lambda key: 403 if key.endswith(tuple(denied)) else None
    for each, digest in enumerate(denied):
        for client in range(2):
            results = tries(looking, digest, f"10.8.{each}.{client}")
            assert all(results[1:]), (each, client, results)
        assert all(tries(looking, digest, f"10.8.{each}.9", 1) for digest in well)
    eventually(lambda: all(is_offloaded(looking, digest) for digest in well), pause=0.5)


def test_objects_that_clients_cannot_read_do_not_close_the_road(make_stack, ends):
    """Nobody was sent to another object lately; then others are asked for."""
    pulling = Pulling(make_stack, ends, "nginx", BLOBLO_LOOK_AS_CLIENT="on")
    well, denied = warm(pulling, 2), warm(pulling, 6)
    pulling.s3.faults[pulling.s3.public_port] = lambda key: 403 if key.endswith(tuple(denied)) else None
    for each, digest in enumerate(denied):
        assert all(tries(pulling, digest, f"10.8.0.{each}")[1:])
    eventually(lambda: all([is_offloaded(pulling, digest) for digest in well]), pause=0.3)
    assert all(tries(pulling, denied[0], "10.8.0.100")[1:])


@pytest.mark.parametrize("broken", [each for each in BREAKS if each != "silent"])
def test_a_client_that_comes_back_soon_fails_once(looking, ends, broken):
    """The road breaks while clients pull; each tries again after 0.3 s. One asks for the same bytes all the time."""
    digests = warm(looking)
    stopped, failures, outages = threading.Event(), [], [0]

    def client(number):
        turn = 0
        while not stopped.is_set():
            turn += 1
            digest, address = digests[(turn + number) % len(digests)], f"10.{number}.{turn // 250}.{turn % 250}"
            if not looking.pull(digest, address, timeout=PATIENCE):
                outage = outages[0]
                time.sleep(0.3)
                again = looking.pull(digest, address, timeout=PATIENCE)
                # On a busy machine it may come back as late as in the next outage.
                if outage == outages[0]:
                    failures.append(again)

    def hammer():
        while not stopped.is_set():
            looking.ask(digests[0], "10.200.0.2")
            time.sleep(0.01)
    threads = [threading.Thread(target=client, args=(n,), daemon=True) for n in range(4)]
    threads.append(threading.Thread(target=hammer, daemon=True))
    for thread in threads:
        thread.start()
        ends.callback(thread.join)
    ends.callback(stopped.set)
    time.sleep(3)
    assert not failures
    # bloblo's own look may meet an outage before any client does.
    while len(failures) < 3 and outages[0] < 10:
        outages[0] += 1
        BREAKS[broken](looking.s3)
        eventually(lambda: not is_offloaded(looking, digests[1]))
        time.sleep(2)
        looking.s3.faults.clear()
        looking.s3.refuses = None
        eventually(lambda: is_offloaded(looking, digests[1]), pause=0.5)
        time.sleep(1)
    assert failures
    assert all(failures), failures


def test_off_means_no_look(make_stack, ends):
    pulling = Pulling(make_stack, ends, "nginx", BLOBLO_LOOK_AS_CLIENT="off")
    digests = warm(pulling)
    time.sleep(3)
    assert not any(each[2] for each in pulling.s3.requests), "a presigned request, and no client followed one"
    assert is_offloaded(pulling, digests[0])


def test_s3_that_falls_silent_keeps_nobody_waiting(make_stack, front, ends):
    """Both ways: the one that bloblo goes, and the clients'. Who would wait for S3 would wait for a minute."""
    looking = Pulling(make_stack, ends, front, BLOBLO_LOOK_AS_CLIENT="on", BLOBLO_S3_TIMEOUT="60s")
    digests = warm(looking)
    clients = Clients(looking, digests, ends)
    eventually(lambda: len(clients.results) > 20)
    for port in (looking.s3.port, looking.s3.public_port):
        looking.s3.faults[port] = "silent"

    def is_passed():
        try:
            return looking.ask(digests[0], "10.200.0.1", timeout=5)[1].get("X-Bloblo") != "redirect"
        except OSError:
            return False  # it came before bloblo knew, and waits for S3
    eventually(is_passed)
    cold = looking.registry.add(20_000)
    begun = time.monotonic()
    assert looking.pull(cold, "10.50.0.1")
    assert time.monotonic() - begun < 30
    late = Clients(looking, digests, ends).more(50)
    assert all(each[2] for each in late)
    assert max(each[1] for each in late) < 30
    looking.s3.faults.clear()
    eventually(lambda: is_offloaded(looking, digests[0]), pause=0.5)


def test_a_key_that_may_not_write_is_not_well(make_stack, ends):
    pulling = Pulling(make_stack, ends, "nginx", BLOBLO_LOOK_AS_CLIENT="on")
    pulling.s3.put_fault = (403, "AccessDenied")
    digest = pulling.registry.add(1000)
    assert pulling.pull(digest)
    eventually(lambda: "s3:PutObject" in stack.request("GET", pulling.url + "/bloblo/")[2].decode())
    assert stack.request("GET", pulling.url + "/bloblo/ready")[0] == 200, "what is in the bucket is given out"
    pulling.s3.put_fault = None
    pulling.warm(pulling.registry.add(1000))
    eventually(lambda: "s3:PutObject" not in stack.request("GET", pulling.url + "/bloblo/")[2].decode())
