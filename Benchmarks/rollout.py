#!/usr/bin/env python3
"""A roll-out: many nodes, each with a connection and a credential of its own, ask for the same layers at once, from
a registry that takes a given time for each answer. Shipped nginx files, default settings, bucket full.

    rollout.py [--bloblo PATH] [--nodes 1000] [--layers 10] [--latency 100] [--rounds 3] [--json FILE]
    rollout.py --nodes 16 --layers 600 --latency 2 --cold   cold decisions, 16 at a time
    rollout.py --nodes 1 --layers 900 --latency 2 --cold    one at a time

Beside it nginx proxies the same HEADs to the same registry, and logs them as the site's nginx does. Registry and
nodes are rollout/rollout.c, one thread each; the first line says how fast the nodes are against nginx's own
`return 307`, which bounds the others. --cold: BLOBLO_PROOF_TTL=0s, GETs and HEADs, and ceiling/asking_responder.c in
bloblo's place behind the same files of nginx: a responder in C that asks the registry and does nothing else.
"""

import argparse
import contextlib
import hashlib
import json
import os
import pathlib
import re
import signal
import statistics
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "Tests" / "Stack"))
import stack  # noqa: E402

SIZE = 6000
# A worker has enough for some thousands of nodes: each node takes two.
stack.Nginx.worker_connections = 8192


class Rollout:
    def __init__(self, options, folder):
        self.options, self.folder, self.ports = options, folder, stack.Ports()
        self.program = self.built("rollout/rollout.c")
        self.digests = ["sha256:" + hashlib.sha256(b"%06d" % i + b"a" * (SIZE - 6)).hexdigest()
                        for i in range(options.layers)]
        self.paths = [f"/v2/roll/out/blobs/{digest}" for digest in self.digests]
        self.registry_port = self.ports.take()
        self.processes = []
        self.registry = self.start(self.program, "registry", self.registry_port, options.latency, SIZE, *self.digests)

    def built(self, source):
        program = self.folder / pathlib.Path(source).stem
        subprocess.run(["gcc", "-O2", "-o", program, ROOT / "Benchmarks" / source], check=True)
        return program

    def start(self, *command):
        # Not SIGKILL, which leaves nginx's workers behind.
        process = stack.child(command, signal.SIGTERM, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True)
        self.processes.append(process)
        return process

    def close(self):
        for process in self.processes:
            process.terminate()
            process.wait()

    def nginx(self):
        """A port where nginx proxies to the registry, and one where it answers by itself."""
        proxy, own = self.ports.take(), self.ports.take()
        config = self.folder / "nginx.conf"
        config.write_text(f"""
{"user root;" if os.geteuid() == 0 else ""}
worker_processes 2; daemon off; pid {self.folder}/nginx.pid; error_log {self.folder}/error.log crit;
worker_rlimit_nofile 65536;
events {{ worker_connections {stack.Nginx.worker_connections}; }}
http {{
access_log {self.folder}/access.log; keepalive_requests 10000000;
{" ".join(f"{kind}_temp_path {self.folder}/{kind};" for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi"))}
upstream registry {{ server 127.0.0.1:{self.registry_port}; keepalive 64; }}
server {{ listen 127.0.0.1:{own} backlog=4096; location / {{ return 307 "https://bucket.example/{"x" * 400}"; }} }}
server {{ listen 127.0.0.1:{proxy} backlog=4096; location / {{
  proxy_pass http://registry; proxy_http_version 1.1; proxy_set_header Connection ""; }} }}
}}""")
        self.start("nginx", "-c", config, "-e", self.folder / "error.log")
        time.sleep(0.5)
        return proxy, own

    def ceiling(self, servers):
        """The port of a site of the shipped files where a responder in C takes bloblo's place."""
        site = servers.enter_context(stack.Stack(stack.options(
            ["up", "--services", "nginx", "--registry", f"127.0.0.1:{self.registry_port}"])))
        self.start(self.built("ceiling/asking_responder.c"), site.socket, str(self.registry_port))
        site.up()
        return port_of(site)

    def roll(self, port, method):
        """One roll-out: seconds, answers by status, median and 99th percentile of a request in ms, HEADs."""
        self.heads()
        done = subprocess.run(
            [self.program, "nodes", str(port), method, str(self.options.nodes), *self.paths * self.options.repeat],
            check=True, capture_output=True, text=True).stdout
        statuses = {int(status): int(count) for status, count in re.findall(r" (\d+)=(\d+)", done)}
        p50, p99 = (int(re.search(rf"{name}=(\d+)", done)[1]) / 1000 for name in ("p50", "p99"))
        return float(done.split()[0]), statuses, p50, p99, self.heads()

    def heads(self):
        self.registry.send_signal(signal.SIGUSR1)
        return int(self.registry.stdout.readline())


def port_of(servers):
    return int(servers.services["nginx"].url.rpartition(":")[2])


def resident(pid, what="VmHWM"):
    text = pathlib.Path(f"/proc/{pid}/status").read_text()
    return round(int(re.search(rf"{what}:\s+(\d+)", text)[1]) / 1024, 1)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bloblo", default=ROOT / ".build/release/bloblo", type=pathlib.Path)
    parser.add_argument("--nodes", default=1000, type=int)
    parser.add_argument("--layers", default=10, type=int)
    parser.add_argument("--latency", default=100, type=int, help="milliseconds of a HEAD")
    parser.add_argument("--rounds", default=3, type=int)
    parser.add_argument("--repeat", default=1, type=int, help="how often each node asks for each layer")
    parser.add_argument("--cold", action="store_true", help="cold decisions: see above")
    parser.add_argument("--env", action="append", default=[], help="NAME=value, for bloblo")
    parser.add_argument("--json", type=pathlib.Path)
    options = parser.parse_args()
    if options.cold:
        options.env.append("BLOBLO_PROOF_TTL=0s")
    stack.end_by_signal()
    result = {"nodes": options.nodes, "layers": options.layers, "latency_ms": options.latency, "rows": {}}
    with tempfile.TemporaryDirectory(prefix="bloblo-rollout-") as name:
        rollout = Rollout(options, pathlib.Path(name))
        words = ["up", "--services", "s3,nginx,bloblo", "--registry", f"127.0.0.1:{rollout.registry_port}",
                 "--bloblo", str(options.bloblo)]
        for pair in options.env:
            words += ["--env", pair]
        try:
            with contextlib.ExitStack() as others, stack.Stack(stack.options(words)) as servers:
                servers.up()
                fill(servers.services["nginx"].url, rollout)
                proxy, own = rollout.nginx()
                port = port_of(servers)
                targets = {"nginx, return 307": (own, "GET"), "nginx, HEADs to the registry": (proxy, "HEAD"),
                           "bloblo, GETs": (port, "GET")}
                if options.cold:
                    ceiling = rollout.ceiling(others)
                    targets |= {"bloblo, HEADs": (port, "HEAD"), "ceiling, GETs": (ceiling, "GET"),
                                "ceiling, HEADs": (ceiling, "HEAD")}
                rounds = {target: [] for target in targets}
                for i in range(options.rounds):
                    for target, (number, method) in targets.items():
                        rounds[target].append(rollout.roll(number, method))
                        # Proofs are each node's own, and remembered: the next round waits until they have ended.
                    if i + 1 < options.rounds and "BLOBLO_PROOF_TTL=0s" not in options.env:
                        time.sleep(31)
                result["bloblo_peak_mib"] = resident(servers.services["bloblo"].process.pid)
                for target, figures in rounds.items():
                    seconds, _, p50, p99, _ = (statistics.median(column) if not isinstance(column[0], dict) else None
                                               for column in zip(*figures))
                    statuses, heads = figures[0][1], figures[0][4]
                    result["rows"][target] = {"seconds": seconds, "p50_ms": p50, "p99_ms": p99, "statuses": statuses,
                                              "heads": heads}
                    print(f"{target:30} {seconds:7.2f} s  p50 {p50:7.1f} ms  p99 {p99:7.1f} ms  {statuses}  HEADs {heads}",
                          flush=True)
                print(f"bloblo's peak: {result['bloblo_peak_mib']} MiB")
        finally:
            rollout.close()
    if options.json:
        options.json.write_text(json.dumps(result, indent=1))


def fill(address, rollout):
    """Has each blob come into the bucket."""
    for path in rollout.paths:
        stack.request("GET", address + path, {"Authorization": "Bearer first"})
    for path in rollout.paths:
        deadline = time.monotonic() + 20
        while stack.request("GET", address + path, {"Authorization": "Bearer first"})[0] != 307:
            if time.monotonic() > deadline:
                raise SystemExit("a blob does not come into the bucket")
            time.sleep(0.05)


if __name__ == "__main__":
    main()
