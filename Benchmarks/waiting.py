#!/usr/bin/env python3
"""What those who wait cost in memory: shipped nginx files, default settings, a scripted registry.

    waiting.py questions [--bloblo PATH] [--count 10000] [--json FILE]
    waiting.py readers [--bloblo PATH] [--count 5000] [--others 100] [--json FILE]

questions  so many clients, each with a connection and a credential of its own, ask for one blob at once; the registry
           (rollout/rollout.c) takes 300 ms for each HEAD: those whose turn has not come stand in bloblo's line
readers    so many clients read one cold blob at 10 KiB a second each, of a registry that takes a minute for it;
           meanwhile other cold blobs are read as fast as they come, and as many more without slow readers before

Memory of nginx is what its workers have for themselves (Pss), at the peak that was seen.
"""

import argparse
import asyncio
import hashlib
import json
import pathlib
import re
import resource
import socket
import subprocess
import sys
import tempfile
import threading
import time

ROOT = pathlib.Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "Tests" / "Stack"))
import stack  # noqa: E402

BLOCK = 1 << 16
RATE = 10 << 10
# A larger blob comes at 800 KiB a second: it is not in the bucket before all its readers have come.
SLOW = 16 << 20


class Registry:
    """Answers HEAD and GET of its blobs, each made of one byte."""

    def __init__(self):
        self.blobs, self.gets = {}, 0
        self.loop = asyncio.new_event_loop()
        self.server = self.loop.run_until_complete(
            asyncio.start_server(self.serve, "127.0.0.1", 0, backlog=8192))
        self.port = self.server.sockets[0].getsockname()[1]
        threading.Thread(target=self.loop.run_forever, daemon=True).start()

    def add(self, size, byte):
        digest, block, hashed = hashlib.sha256(), bytes([byte]) * BLOCK, 0
        while hashed < size:
            digest.update(block[:size - hashed])
            hashed += BLOCK
        path = f"/v2/many/wait/blobs/sha256:{digest.hexdigest()}"
        self.blobs[path] = (size, block)
        return path

    async def serve(self, reader, writer):
        try:
            while True:
                method, path, _ = (await reader.readuntil(b"\r\n\r\n")).decode("latin1").split("\r\n")[0].split()
                size, block = self.blobs.get(path, (None, None))
                if size is None:
                    writer.write(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n")
                    continue
                writer.write(f"HTTP/1.1 200 OK\r\nContent-Length: {size}\r\n\r\n".encode())
                if method == "GET":
                    self.gets += 1
                    for at in range(0, size, BLOCK):
                        writer.write(block[:size - at])
                        await writer.drain()
                        if size > SLOW:
                            await asyncio.sleep(0.08)
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()


class Peak:
    """The most memory that bloblo and nginx have been seen to have, in MiB."""

    def __init__(self, servers):
        self.bloblo = servers.services["bloblo"].process.pid
        self.master = servers.services["nginx"].process.pid
        self.nginx = 0.0
        self.stop = threading.Event()
        threading.Thread(target=self.watch, daemon=True).start()

    def watch(self):
        while not self.stop.wait(0.5) and self.workers():
            self.nginx = max(self.nginx, sum(self.own(pid) for pid in self.workers()))

    def workers(self):
        return pathlib.Path(f"/proc/{self.master}/task/{self.master}/children").read_text().split()

    @staticmethod
    def own(pid):
        text = pathlib.Path(f"/proc/{pid}/smaps_rollup").read_text()
        return int(re.search(r"^Pss:\s+(\d+)", text, re.MULTILINE)[1]) / 1024

    def figures(self):
        self.stop.set()
        text = pathlib.Path(f"/proc/{self.bloblo}/status").read_text()
        return {"bloblo_mib": round(int(re.search(r"VmHWM:\s+(\d+)", text)[1]) / 1024, 1),
                "threads": int(re.search(r"Threads:\s+(\d+)", text)[1]), "nginx_mib": round(self.nginx, 1)}


def servers_of(port, options):
    stack.Nginx.worker_connections = 2 * max(options.count, 2048)
    return stack.Stack(stack.options(
        ["up", "--services", "s3,nginx,bloblo", "--registry", f"127.0.0.1:{port}",
         "--bloblo", str(options.bloblo), "--log-level", "info"]))


def until_redirected(address, path):
    deadline = time.monotonic() + 60
    while stack.request("GET", address + path, {"Authorization": "Bearer first"})[0] != 307:
        if time.monotonic() > deadline:
            raise SystemExit("the blob does not come into the bucket")
        time.sleep(0.1)


def questions(options):
    # rollout.c's first layer.
    digest = "sha256:" + hashlib.sha256(b"000000" + b"a" * 5994).hexdigest()
    path = f"/v2/many/wait/blobs/{digest}"
    ports = stack.Ports()
    port = ports.take()
    with tempfile.TemporaryDirectory() as folder:
        program = pathlib.Path(folder) / "rollout"
        subprocess.run(["gcc", "-O2", "-o", program, ROOT / "Benchmarks/rollout/rollout.c"], check=True)
        registry = stack.child([program, "registry", port, "300", "6000", digest], stdin=subprocess.DEVNULL)
        try:
            with servers_of(port, options) as servers:
                servers.up()
                address = servers.services["nginx"].url
                until_redirected(address, path)
                peak = Peak(servers)
                done = subprocess.run(
                    [program, "nodes", address.rpartition(":")[2], "GET", str(options.count), path],
                    check=True, capture_output=True, text=True).stdout
                statuses = {int(status): int(count) for status, count in re.findall(r" (\d+)=(\d+)", done)}
                return {"questions": options.count, "statuses": statuses, "seconds": float(done.split()[0]),
                        **peak.figures()}
        finally:
            registry.kill()
            registry.wait()


async def slow_reader(port, path, number, counts, stop):
    raw = socket.socket()
    raw.setblocking(False)
    raw.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 8192)
    await asyncio.get_running_loop().sock_connect(raw, ("127.0.0.1", port))
    reader, writer = await asyncio.open_connection(sock=raw, limit=RATE)
    writer.write(f"GET {path} HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer {number}\r\n\r\n".encode())
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin1").lower()
    how = re.search(r"x-bloblo: (\w+)", head)
    counts[how[1] if how else "passed"] = counts.get(how[1] if how else "passed", 0) + 1
    while not stop.is_set():
        if not await reader.read(RATE):
            counts["cut"] = counts.get("cut", 0) + 1
            break
        await asyncio.sleep(1)
    writer.transport.abort()


async def other(port, path, number):
    start = time.monotonic()
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(f"GET {path} HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer {number}\r\n\r\n".encode())
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin1").lower()
    length = int(head.split("content-length:")[1].split("\r\n")[0])
    await reader.readexactly(length)
    writer.close()
    how = re.search(r"x-bloblo: (\w+)", head)
    return how[1] if how else "passed", time.monotonic() - start


def readers(options):
    registry = Registry()
    slow = registry.add(48 << 20, 1)
    cold = [registry.add((1 << 20) + number, 2) for number in range(2 * options.others)]
    with servers_of(registry.port, options) as servers:
        servers.up()
        port = int(servers.services["nginx"].url.rpartition(":")[2])
        peak = Peak(servers)

        async def run():
            counts, stop = {}, asyncio.Event()
            # Four at a time. An upload lasts longer than its reading: more than BLOBLO_FILL_CONCURRENCY fills pass.
            turn = asyncio.Semaphore(4)

            async def one(path, number):
                async with turn:
                    return await other(port, path, f"other-{number}")

            async def all_of(paths):
                return await asyncio.gather(*(one(path, number) for number, path in enumerate(paths)))

            alone = await all_of(cold[options.others:])
            await asyncio.sleep(10)
            tasks = []
            for number in range(options.count):
                tasks.append(asyncio.create_task(slow_reader(port, slow, number, counts, stop)))
                if number % 100 == 99:
                    await asyncio.sleep(0.05)
            deadline = time.monotonic() + 120
            while sum(counts.values()) < options.count and time.monotonic() < deadline:
                await asyncio.sleep(0.2)
            others = await all_of(cold[:options.others])
            await asyncio.sleep(5)
            stop.set()
            await asyncio.gather(*tasks, return_exceptions=True)
            return counts, others, alone

        counts, others, alone = asyncio.run(run())
        return {"readers": options.count, "answers": counts, "others": summary(others),
                "others_without_readers": summary(alone), "gets": registry.gets, **peak.figures()}


def summary(answers):
    """How many came by which way, and the median of their seconds."""
    ways = {}
    for way, _ in answers:
        ways[way] = ways.get(way, 0) + 1
    return {**ways, "median_s": round(sorted(seconds for _, seconds in answers)[len(answers) // 2], 3)}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=["questions", "readers"])
    parser.add_argument("--bloblo", default=ROOT / ".build/release/bloblo", type=pathlib.Path)
    parser.add_argument("--count", type=int)
    parser.add_argument("--others", default=100, type=int)
    parser.add_argument("--json", type=pathlib.Path)
    options = parser.parse_args()
    options.count = options.count or {"questions": 10000, "readers": 5000}[options.what]
    limit = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (limit, limit))
    stack.end_by_signal()
    result = {"questions": questions, "readers": readers}[options.what](options)
    print(", ".join(f"{name} {value}" for name, value in result.items()))
    if options.json:
        options.json.write_text(json.dumps(result, indent=1))


if __name__ == "__main__":
    main()
