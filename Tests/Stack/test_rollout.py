"""Many nodes ask for the same layers at once, of a registry that takes its time: through nginx on the shipped files, at
default settings. And a registry whose answers to HEADs have bytes behind them."""

import asyncio
import hashlib
import re
import threading
import time

import pytest

import stack
from fakes.waiting import eventually

LAYERS = [bytes([ord("a") + number]) * 6000 for number in range(5)]
DIGESTS = ["sha256:" + hashlib.sha256(layer).hexdigest() for layer in LAYERS]
PATHS = [f"/v2/roll/out/blobs/{digest}" for digest in DIGESTS]
SECRET = "/v2/secret/app/blobs/sha256:" + "5" * 64
# Read as an answer it would be a proof.
TRAP = b"HTTP/1.1 200 OK\r\nContent-Length: 6000\r\n\r\n"


class SlowRegistry:
    """Answers each request after `delay` seconds; `late` seconds after a HEAD's head come bytes that nobody asked for."""

    def __init__(self):
        self.delay, self.late, self.heads = 0.0, None, 0
        self.loop = asyncio.new_event_loop()
        self.server = self.loop.run_until_complete(
            asyncio.start_server(self.serve, "127.0.0.1", 0, backlog=4096))
        self.port = self.server.sockets[0].getsockname()[1]
        self.thread = threading.Thread(target=self.loop.run_forever)
        self.thread.start()

    def close(self):
        self.loop.call_soon_threadsafe(self.loop.stop)
        self.thread.join()
        self.server.close()
        self.loop.run_until_complete(self.finish())
        self.loop.close()

    @staticmethod
    async def finish():
        others = asyncio.all_tasks() - {asyncio.current_task()}
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)
        await asyncio.sleep(0.05)  # what is closed is let go of

    @staticmethod
    def trap(writer):
        if not writer.is_closing():
            writer.write(TRAP)

    async def serve(self, reader, writer):
        try:
            while True:
                lines = (await reader.readuntil(b"\r\n\r\n")).decode("latin1").split("\r\n")
                method, path, _ = lines[0].split()
                has_credential = any(line.lower().startswith("authorization:") for line in lines)
                await asyncio.sleep(self.delay)
                if path in PATHS and has_credential:
                    body = LAYERS[PATHS.index(path)]
                    head = f"HTTP/1.1 200 OK\r\nContent-Length: {len(body)}\r\n\r\n"
                else:
                    body, head = b"", "HTTP/1.1 401 Unauthorized\r\nContent-Length: 0\r\n\r\n"
                self.heads += method == "HEAD"
                writer.write(head.encode() + (b"" if method == "HEAD" else body))
                await writer.drain()
                if method == "HEAD" and self.late is not None and has_credential:
                    asyncio.get_running_loop().call_later(self.late, self.trap, writer)
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()


async def node(port, number, paths):
    """One node: a connection and a credential of its own; what becomes of each layer."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    statuses = []
    for path in paths:
        writer.write(f"GET {path} HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer {number}\r\n\r\n".encode())
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin1").lower()
        length = int(head.split("content-length:")[1].split("\r\n")[0])
        await reader.readexactly(length)
        statuses.append(int(head.split()[1]))
    writer.close()
    await writer.wait_closed()
    return statuses


def roll_out(port, nodes, mark):
    async def all_nodes():
        answers = await asyncio.gather(*(node(port, f"{mark}-{number}", PATHS) for number in range(nodes)))
        return [status for answer in answers for status in answer]

    return asyncio.run(all_nodes())


@pytest.fixture
def registry():
    registry = SlowRegistry()
    yield registry
    registry.close()


@pytest.fixture
def start(make_stack, registry):
    """A started stack with these settings of bloblo, whose bucket has all layers; and nginx's port."""
    def start(**settings):
        # A busy machine is no server that does not answer.
        env = {"BLOBLO_UPSTREAM_TIMEOUT": "60s", "BLOBLO_S3_TIMEOUT": "60s", "BLOBLO_PROOF_TTL": "5m", **settings}
        servers = make_stack("s3,nginx,bloblo", "--registry", f"127.0.0.1:{registry.port}", "--read-timeout", "120s", env=env)
        address = servers.services["nginx"].url
        for path in PATHS:
            eventually(lambda: stack.request("GET", address + path, {"Authorization": "Bearer first"})[0] == 307)
        return servers, servers.services["nginx"].port

    return start


def test_every_node_is_redirected(registry, start):
    servers, port = start()
    registry.delay, before = 0.1, registry.heads
    statuses = roll_out(port, 200, "all")
    assert statuses == [307] * (200 * len(PATHS))
    assert registry.heads - before == 200 * len(PATHS)


def test_a_new_instance_looks_once_for_each_blob_whatever_its_threads(registry, start):
    servers, port = start(BLOBLO_THREADS="1", BLOBLO_PRESENCE_LOOKS="0")
    bloblo = servers.services["bloblo"]
    bloblo.stop()
    bloblo.start()
    registry.delay, begun = 0.05, time.monotonic()
    assert roll_out(port, 200, "cold") == [307] * (200 * len(PATHS))
    # All nodes have one address here: for a client that comes back each object is worth a look a second.
    assert len(PATHS) <= looks(servers) <= len(PATHS) * (2 + time.monotonic() - begun)


def looks(servers):
    """HEADs to S3 for clients, by the metrics."""
    metrics = stack.request("GET", servers.services["nginx"].url + "/bloblo/metrics")[2].decode()
    return int(re.search(r"^bloblo_s3_head_duration_seconds_count (\d+)", metrics, re.MULTILINE)[1])


def test_one_question_a_node_where_a_repository_is_proved(registry, start):
    servers, port = start(BLOBLO_PROOF_SCOPE="repository")
    registry.delay, before = 0.1, registry.heads
    statuses = roll_out(port, 100, "scope")
    assert statuses == [307] * (100 * len(PATHS))
    assert registry.heads - before <= 100 + 2 * len(PATHS)


def test_the_line_is_ours_and_a_bound_is_said(registry, start):
    servers, port = start(BLOBLO_UPSTREAM_CONNECTIONS="4", BLOBLO_UPSTREAM_TIMEOUT="2s")
    # 4 places, 0.1 s each: 200 questions take 5 s, and those that wait for more than 2 s pass. On a slow machine most do.
    registry.delay = 0.1
    statuses = roll_out(port, 40, "line")
    assert set(statuses) <= {200, 307} and statuses.count(307) > 4
    log = servers.services["bloblo"].log.read_text()
    assert "BLOBLO_UPSTREAM_CONNECTIONS" in log or statuses.count(200) == 0


@pytest.mark.parametrize("late", [0.0, 0.03, 0.3])
def test_bytes_behind_a_head_are_nobodys_answer(registry, start, late):
    servers, port = start()
    registry.late = late
    address = f"http://127.0.0.1:{port}"
    for number in range(60):
        path = PATHS[number % len(PATHS)]
        assert stack.request("GET", address + path, {"Authorization": f"Bearer {late}-{number}"})[0] == 307
        time.sleep((0, 0.01, 0.04)[number % 3])
        assert stack.request("GET", address + SECRET, {})[0] == 401
