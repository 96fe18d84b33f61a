#!/usr/bin/env python3
"""What a decision costs, side by side in one run; medians.

    decisions.py [--bloblo PATH] [--seconds 3] [--rounds 5] [--json FILE]

hot    a remembered redirect through nginx, against the ceiling (a libfcgi responder in C that writes a
       fixed Location, ceiling/null_responder.c) and against nginx's own `return 307`
cold   every request asks the registry (BLOBLO_PROOF_TTL=0s), through nginx and bloblo, against the same HEAD
       proxied by nginx alone. (After a HEAD nginx closes its FastCGI connection, kept or not: each has a new one.)
dead   a GET that passes, of a registry's small blob, while S3 refuses connections: what it takes beyond
       nginx alone
named  cold decisions where the registry is known by name, and where it speaks https (a private authority), against
       nginx proxying the same HEADs
peer   what docker-registry does of itself with S3 storage: it redirects; beside bloblo's hot and cold decisions
stalled hot decisions while the registry takes requests of other clients and answers none of them, against
       the same without
memory resident MiB of bloblo: idle, and after 256 connections
cost   instructions (callgrind) and allocations (memcheck) of one decision; with four params, as the ceiling, and
       with all those of the shipped files

nginx sends the params of the shipped files in every row. The configurations take turns, round by round, since the machine's speed drifts. Needs wrk, ab, gcc, valgrind.
"""

import argparse
import base64
import hashlib
import http.client
import json
import os
import pathlib
import re
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "Tests" / "Stack"))
import stack  # noqa: E402
from fakes.authority import Authority  # noqa: E402
from fakes.relay import Relay  # noqa: E402
from servers.registry import bcrypt  # noqa: E402

BLOB = b"bloblo" * 1000
NAME = "bench/image"


class Bench:
    def __init__(self, options, folder):
        self.options, self.folder = options, folder
        self.processes = []
        self.ports = stack.Ports()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for process in reversed(self.processes):
            process.send_signal(signal.SIGTERM)
        for process in self.processes:
            process.wait()

    def start(self, *command, **more):
        process = stack.child(command, signal.SIGTERM, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, **more)
        self.processes.append(process)
        return process

    def bloblo(self, facts, place, environment=(), wrapper=()):
        """A bloblo of its own, on the stack's registry and bucket."""
        variables = {
            "PATH": os.environ["PATH"], "BLOBLO_LISTEN_ADDR": f"unix:{place}",
            "BLOBLO_UPSTREAM_URL": facts["registry_url"], "BLOBLO_S3_BUCKET_NAME": facts["s3_bucket"],
            "BLOBLO_S3_ENDPOINT_URL": facts["s3_url"], "AWS_ACCESS_KEY_ID": facts["s3_access_key"],
            "AWS_SECRET_ACCESS_KEY": facts["s3_secret_key"], "AWS_REGION": facts["s3_region"],
            "BLOBLO_SPOOL_DIR": str(self.folder),
            "BLOBLO_PROOF_TTL": "1h", "BLOBLO_PRESENCE_TTL": "1h", **dict(environment)}
        process = self.start(*wrapper, self.options.bloblo, env=variables, stderr=subprocess.DEVNULL)
        wait_for(place)
        return process

    def nginx(self, facts, sockets, registry=None, more=""):
        """One worker; a port for each responder, one for `return 307`, one for the registry alone."""
        ports = {name: self.ports.take() for name in (*sockets, "nginx", "registry")}
        shipped = (ROOT / "nginx/bloblo-locations.conf").read_text()
        params = " ".join(re.findall(r"^ *(fastcgi_param [^;#]+;)", shipped, re.MULTILINE))
        maps = " ".join(re.findall(r"^map [^{]*{[^}]*}", (ROOT / "nginx/bloblo-upstreams.conf").read_text(),
                                   re.MULTILINE))
        common = f"""
    fastcgi_keep_conn on; fastcgi_buffer_size 16k; fastcgi_buffers 4 16k;
    {params}"""
        passing = """fastcgi_intercept_errors on; error_page 424 502 = @registry; location @registry {
      proxy_pass http://registry; proxy_http_version 1.1; proxy_set_header Connection ""; }"""
        upstreams = "".join(
            f"upstream {name} {{ server unix:{path}; keepalive 256; keepalive_requests 10000000; }}\n"
            for name, path in sockets.items())
        servers = "".join(
            f"server {{ listen 127.0.0.1:{ports[name]}; {common} {passing} location / {{ fastcgi_pass {name}; }} }}\n"
            for name in sockets)
        location = "https://bucket.s3.example.com/" + "0123456789abcdef" * 25
        scheme, _, registry = (registry or facts["registry_url"]).partition("://")
        passing = passing.replace("http://registry", f"{scheme}://registry")
        folder = self.folder / f"nginx-{ports['nginx']}"
        folder.mkdir()
        config = folder / "nginx.conf"
        config.write_text(f"""
{"user root;" if os.geteuid() == 0 else ""}
worker_processes 1; daemon off; pid {folder}/nginx.pid; error_log {folder}/error.log crit;
worker_rlimit_nofile 20000;
events {{ worker_connections 8192; }}
http {{
access_log off; keepalive_requests 10000000;
{" ".join(f"{kind}_temp_path {folder}/{kind};" for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi"))}
{more}
{maps}
{upstreams}
upstream registry {{ server {registry}; keepalive 256; keepalive_requests 10000000; }}
{servers}
server {{ listen 127.0.0.1:{ports["nginx"]}; location / {{ return 307 "{location}"; }} }}
server {{ listen 127.0.0.1:{ports["registry"]}; location / {{
  proxy_pass {scheme}://registry; proxy_http_version 1.1; proxy_set_header Connection ""; }} }}
}}""")
        process = self.start("nginx", "-c", config, "-e", folder / "error.log")
        while not (folder / "nginx.pid").exists():  # written when nginx listens
            if process.poll() is not None:
                raise SystemExit((folder / "error.log").read_text())
            time.sleep(0.05)
        return ports


def wait_for(path, timeout=60):
    deadline = time.monotonic() + timeout
    while True:
        with socket.socket(socket.AF_UNIX) as probe:
            try:
                return probe.connect(str(path))
            except OSError:
                if time.monotonic() > deadline:
                    raise SystemExit(f"nobody listens at {path}")
        time.sleep(0.05)


def push(facts, registry=None):
    """The blob's path, and who may read it."""
    user, password = next(iter(facts["users"].items()))
    authorization = "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()
    digest = "sha256:" + hashlib.sha256(BLOB).hexdigest()
    headers = {"Authorization": authorization}
    status, answer, _ = stack.request(
        "POST", f"{registry or facts['registry_url']}/v2/{NAME}/blobs/uploads/", headers)
    place = answer["Location"]
    stack.request("PUT", f"{place}{'&' if '?' in place else '?'}digest={digest}",
                  {**headers, "Content-Type": "application/octet-stream"}, BLOB)
    return f"/v2/{NAME}/blobs/{digest}", authorization


def wrk(port, path, authorization, connections, seconds):
    """(requests a second, p50 µs, p99 µs) of GET"""
    output = subprocess.run(
        ["wrk", "-t1", f"-c{connections}", f"-d{seconds}s", "--latency", "-H", f"Authorization: {authorization}",
         f"http://127.0.0.1:{port}{path}"], check=True, capture_output=True, text=True).stdout
    if "Non-2xx or 3xx" in output:
        raise SystemExit(f"wrong answers on port {port}:\n{output}")

    def microseconds(percent):
        number, unit = re.search(rf"{percent}%\s+([\d.]+)(us|ms|s)", output).groups()
        return float(number) * {"us": 1, "ms": 1e3, "s": 1e6}[unit]

    return float(re.search(r"Requests/sec:\s+([\d.]+)", output)[1]), microseconds(50), microseconds(99)


def ab(port, path, authorization, connections, seconds):
    """The same of HEAD, which wrk can't read; ab counts whole milliseconds."""
    output = subprocess.run(
        ["ab", "-q", "-i", "-k", "-c", str(connections), "-t", str(seconds), "-n", "1000000",
         "-H", f"Authorization: {authorization}", f"http://127.0.0.1:{port}{path}"],
        check=True, capture_output=True, text=True).stdout
    if "Non-2xx" in output:
        raise SystemExit(f"wrong answers on port {port}:\n{output}")
    rate = float(re.search(r"Requests per second:\s+([\d.]+)", output)[1])
    return rate, *(float(re.search(rf"{percent}%\s+(\d+)", output)[1]) * 1e3 for percent in (50, 99))


def cpu_seconds(pid):
    fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def resident(pid):
    return int(re.search(r"VmRSS:\s+(\d+)", pathlib.Path(f"/proc/{pid}/status").read_text())[1]) / 1024


def table(title, head, rows):
    print(f"\n{title}")
    widths = [max(len(str(row[i])) for row in [head, *rows]) for i in range(len(head))]
    for row in [head, *rows]:
        print("  " + "  ".join(str(cell).ljust(width) for cell, width in zip(row, widths)).rstrip())


def compare(bench, targets, path, authorization, connections, load=wrk):
    """Medians of each target, measured in turns; `targets` maps names to (port, pid or None, load if another)."""
    options = bench.options
    seen = {name: [] for name in targets}
    targets = {name: (port, pid, *(own or [load])) for name, (port, pid, *own) in targets.items()}
    for port, _, load in targets.values():
        load(port, path, authorization, connections, 1)
    for _ in range(options.rounds):
        for name, (port, pid, load) in targets.items():
            before = cpu_seconds(pid) if pid else 0
            rate, p50, p99 = load(port, path, authorization, connections, options.seconds)
            cpu = (cpu_seconds(pid) - before) / (rate * options.seconds) * 1e6 if pid else 0
            seen[name].append((rate, p50, p99, cpu))
    return {name: [statistics.median(values) for values in zip(*runs)] for name, runs in seen.items()}


def hot(bench, facts, path, authorization, result):
    sockets = {"ceiling": bench.folder / "null.sock", "bloblo": bench.folder / "hot.sock"}
    null = bench.start(bench.folder / "null_responder", "-s", sockets["ceiling"], "-t", 1, "-a", "epoll")
    wait_for(sockets["ceiling"])
    bloblo = bench.bloblo(facts, sockets["bloblo"])
    result["memory"]["idle"] = round(resident(bloblo.pid), 1)
    ports = bench.nginx(facts, sockets)
    until_hot(f"http://127.0.0.1:{ports['bloblo']}{path}", authorization)
    targets = {"nginx return 307": (ports["nginx"], None), "ceiling": (ports["ceiling"], null.pid),
               "bloblo": (ports["bloblo"], bloblo.pid)}
    rows = []
    for connections in bench.options.connections:
        medians = compare(bench, targets, path, authorization, connections)
        for name, (rate, p50, p99, cpu) in medians.items():
            base = medians["ceiling"]
            rows.append((connections, name, f"{rate:.0f}", f"{rate / base[0]:.2f}", f"{p50:.0f}", f"{p99:.0f}",
                         f"{p99 / base[2]:.2f}", f"{cpu:.1f}" if cpu else ""))
            result["hot"].append({"connections": connections, "target": name, "rate": rate, "p50_us": p50,
                                  "p99_us": p99, "cpu_us": cpu, "rate_to_ceiling": rate / base[0],
                                  "p99_to_ceiling": p99 / base[2]})
    table("hot decisions through nginx",
          ("connections", "", "req/s", "to ceiling", "p50 µs", "p99 µs", "to ceiling", "responder CPU µs"), rows)
    result["memory"]["after 256 connections"] = round(resident(bloblo.pid), 1)
    return ports, sockets


def cold(bench, facts, path, authorization, result):
    place = bench.folder / "cold.sock"
    bloblo = bench.bloblo(facts, place, {"BLOBLO_PROOF_TTL": "0s"})
    ports = bench.nginx(facts, {"cold": place})
    until_hot(f"http://127.0.0.1:{ports['cold']}{path}", authorization)
    targets = {"HEAD, nginx to the registry": (ports["registry"], None),
               "GET, redirected by bloblo": (ports["cold"], bloblo.pid, wrk),
               "HEAD, answered by bloblo": (ports["cold"], bloblo.pid)}
    rows = []
    for connections in (1, 16):
        medians = compare(bench, targets, path, authorization, connections, ab)
        base = medians["HEAD, nginx to the registry"]
        for name, (rate, p50, p99, cpu) in medians.items():
            rows.append((connections, name, f"{rate:.0f}", f"{rate / base[0]:.2f}", f"{p50:.0f}", f"{p99:.0f}",
                         f"{cpu:.0f}" if cpu else ""))
            result["cold"].append({"connections": connections, "target": name, "rate": rate, "p50_us": p50,
                                   "p99_us": p99, "cpu_us": cpu, "rate_to_registry": rate / base[0]})
    table("cold decisions: one HEAD of the registry each",
          ("connections", "", "req/s", "to the registry", "p50 µs", "p99 µs", "bloblo CPU µs"), rows)
    # More clients must not make it slower. The rounds of both take turns.
    rates = {32: [], 256: []}
    for _ in range(bench.options.rounds):
        for connections, found in rates.items():
            found.append(wrk(ports["cold"], path, authorization, connections, bench.options.seconds)[0])
    few, many = (statistics.median(found) for found in rates.values())
    result["cold_256_to_32"] = {"rate_32": few, "rate_256": many, "ratio": many / few}
    print(f"GETs, 256 connections against 32: {many:.0f}/s against {few:.0f}/s, {many / few:.2f}")


def dead(bench, facts, path, authorization, result):
    """As the shipped nginx files do it: the registry answers what bloblo passes."""
    place = bench.folder / "dead.sock"
    bench.bloblo(facts, place, {"BLOBLO_S3_ENDPOINT_URL": f"http://127.0.0.1:{bench.ports.take()}"})
    ports = bench.nginx(facts, {"dead": place})
    targets = {"nginx to the registry": (ports["registry"], None), "bloblo, S3 dead": (ports["dead"], None)}
    medians = compare(bench, targets, path, authorization, 1)
    (_, alone, *_), (_, passed, *_) = medians.values()
    result["dead"] = {"p50_us_alone": alone, "p50_us_passed": passed}
    table("a pass while S3 is dead", ("", "p50 µs", "beyond"),
          [("nginx to the registry", f"{alone:.0f}", ""), ("nginx and bloblo", f"{passed:.0f}", f"{passed - alone:.0f}")])


def named(bench, facts, path, authorization, result):
    """By name, and by https: each beside nginx, which resolves the name once and keeps its sessions too."""
    authority = Authority(bench.folder)
    certificate, key = authority.certificate("localhost")
    port, secure = facts["registry_url"].rpartition(":")[2], bench.ports.take()
    more = f"""
upstream plain {{ server 127.0.0.1:{port}; keepalive 256; keepalive_requests 10000000; }}
server {{ listen 127.0.0.1:{secure} ssl; ssl_certificate {certificate}; ssl_certificate_key {key};
  location / {{ proxy_pass http://plain; proxy_http_version 1.1; proxy_set_header Connection ""; }} }}"""
    rows = []
    for name, url in {"by name": f"http://localhost:{port}", "by https": f"https://localhost:{secure}"}.items():
        place = bench.folder / f"{name[3:]}.sock"
        bloblo = bench.bloblo(facts, place, {
            "BLOBLO_PROOF_TTL": "0s", "BLOBLO_UPSTREAM_URL": url, "BLOBLO_UPSTREAM_CA_FILE": str(authority.file)})
        ports = bench.nginx(facts, {"cold": place}, url, more if name == "by https" else "")
        until_hot(f"http://127.0.0.1:{ports['cold']}{path}", authorization)
        targets = {"HEAD, nginx to the registry": (ports["registry"], None, ab),
                   "GET, redirected by bloblo": (ports["cold"], bloblo.pid, wrk)}
        for connections in (1, 16):
            medians = compare(bench, targets, path, authorization, connections)
            base = medians["HEAD, nginx to the registry"]
            for target, (rate, p50, p99, cpu) in medians.items():
                rows.append((name, connections, target, f"{rate:.0f}", f"{rate / base[0]:.2f}", f"{p50:.0f}",
                             f"{p99:.0f}", f"{cpu:.0f}" if cpu else ""))
                result["named"].append({"registry": name, "connections": connections, "target": target, "rate": rate,
                                        "p50_us": p50, "p99_us": p99, "cpu_us": cpu,
                                        "rate_to_registry": rate / base[0]})
    table("cold decisions of a registry by name, and by https",
          ("", "connections", "", "req/s", "to the registry", "p50 µs", "p99 µs", "bloblo CPU µs"), rows)


def peer(bench, facts, path, authorization, result):
    """The same storage, and docker-registry's own redirects to it."""
    port = bench.ports.take()
    users = bench.folder / "htpasswd"
    users.write_text("".join(f"{user}:{bcrypt(word)}\n" for user, word in facts["users"].items()))
    config = bench.folder / "registry.json"
    config.write_text(json.dumps({
        "version": 0.1, "log": {"level": "error", "accesslog": {"disabled": True}},
        "storage": {"s3": {
            "accesskey": facts["s3_access_key"], "secretkey": facts["s3_secret_key"], "region": facts["s3_region"],
            "regionendpoint": facts["s3_url"], "bucket": facts["s3_bucket"], "secure": False, "v4auth": True,
            "rootdirectory": "/peer"}},
        "http": {"addr": f"127.0.0.1:{port}", "secret": "x"},
        "auth": {"htpasswd": {"realm": "peer", "path": str(users)}}}))
    registry = f"http://127.0.0.1:{port}"
    # Not the caller's AWS_*: with a bundle of authorities of its own it does not start.
    own = bench.start("docker-registry", "serve", config, stderr=subprocess.DEVNULL, env={"PATH": os.environ["PATH"]})
    deadline = time.monotonic() + 30
    while True:
        try:
            stack.request("GET", f"{registry}/v2/")
            break
        except OSError:
            if time.monotonic() > deadline:
                raise SystemExit("docker-registry does not start with S3 storage")
            time.sleep(0.1)
    push(facts, registry)
    sockets = {"hot": bench.folder / "peer-hot.sock", "cold": bench.folder / "peer-cold.sock"}
    hot, cold = bench.bloblo(facts, sockets["hot"]), bench.bloblo(facts, sockets["cold"], {"BLOBLO_PROOF_TTL": "0s"})
    ports = bench.nginx(facts, sockets)
    alone = bench.nginx(facts, {}, registry)
    for name in sockets:
        until_hot(f"http://127.0.0.1:{ports[name]}{path}", authorization)
    targets = {"docker-registry's own redirect": (alone["registry"], own.pid), "bloblo, cold": (ports["cold"], cold.pid),
               "bloblo, hot": (ports["hot"], hot.pid)}
    rows = []
    for connections in (1, 16):
        medians = compare(bench, targets, path, authorization, connections)
        base = medians["docker-registry's own redirect"]
        for target, (rate, p50, p99, cpu) in medians.items():
            rows.append((connections, target, f"{rate:.0f}", f"{rate / base[0]:.2f}", f"{p50:.0f}", f"{p99:.0f}",
                         f"{cpu:.0f}"))
            result["peer"].append({"connections": connections, "target": target, "rate": rate, "p50_us": p50,
                                   "p99_us": p99, "cpu_us": cpu, "rate_to_peer": rate / base[0]})
    table("redirects, beside docker-registry's own with S3 storage (passwords as bcrypt, cost 5)",
          ("connections", "", "req/s", "to its own", "p50 µs", "p99 µs", "CPU µs"), rows)


def stalled(bench, facts, path, authorization, result):
    relay = Relay(int(facts["registry_url"].rpartition(":")[2]))
    place = bench.folder / "stalled.sock"
    bench.bloblo(facts, place, {"BLOBLO_UPSTREAM_URL": relay.url})
    ports = bench.nginx(facts, {"stalled": place})
    url = f"http://127.0.0.1:{ports['stalled']}{path}"
    until_hot(url, authorization)
    rates = {False: [], True: []}
    for _ in range(bench.options.rounds):
        for relay.stalled in (False, True):
            others = [Other(url) for _ in range(300 if relay.stalled else 0)]
            time.sleep(0.5)
            rates[relay.stalled].append(wrk(ports["stalled"], path, authorization, 32, bench.options.seconds)[0])
            for other in others:
                other.close()
    relay.heal()
    well, ill = (statistics.median(rates[key]) for key in (False, True))
    result["stalled"] = {"rate": well, "rate_stalled": ill, "ratio": ill / well}
    table("hot decisions while the registry stalls for 300 others", ("", "req/s", ""),
          [("registry answers", f"{well:.0f}", "1.00"), ("registry stalls", f"{ill:.0f}", f"{ill / well:.2f}")])


class Other:
    """Somebody whose proof is not remembered, and who waits for an answer."""

    def __init__(self, url):
        self.connection = http.client.HTTPConnection(url.split("/")[2])
        self.connection.request("GET", "/" + url.split("/", 3)[3], headers={"Authorization": f"Bearer {id(self)}"})

    def close(self):
        self.connection.close()


def until_hot(url, authorization):
    deadline = time.monotonic() + 20
    while stack.request("GET", url, {"Authorization": authorization})[0] != 307:
        if time.monotonic() > deadline:
            raise SystemExit("the blob does not come into the bucket")
        time.sleep(0.1)


def cost(bench, facts, path, authorization, result):
    """Instructions and allocations of one decision: the difference between two runs, by their requests."""
    if not shutil.which("valgrind"):
        print("\nno valgrind: no instructions counted")
        return
    few, many = 200, 1200

    def responder(name, is_cold, place, wrapper):
        if name == "bloblo":
            proofs = {"BLOBLO_PROOF_TTL": "0s"} if is_cold else {}
            return bench.bloblo(facts, place, {"BLOBLO_THREADS": "1", **proofs}, wrapper)
        process = bench.start(*wrapper, bench.folder / "null_responder", "-s", place, "-t", 1, "-a", "epoll",
                              stderr=subprocess.DEVNULL)
        wait_for(place)
        return process

    def run(name, tool, count, read):
        is_shipped, is_cold = name.endswith("shipped params"), "cold" in name
        name = name.partition(",")[0]
        place = bench.folder / f"{name}-{tool}-{count}-{is_shipped}-{is_cold}.sock"
        log = bench.folder / f"{name}-{tool}-{count}-{is_shipped}-{is_cold}.log"
        process = responder(name, is_cold, place, (
            "valgrind", f"--tool={tool}", f"--log-file={log}",
            *([f"--callgrind-out-file={log}.out"] if tool == "callgrind" else ["--leak-check=no"])))
        asked = ask(place, path, authorization, count, SHIPPED if is_shipped else {})
        process.send_signal(signal.SIGTERM)
        process.wait()
        bench.processes.remove(process)
        if asked != count:
            raise SystemExit(f"{count - asked} of {count} requests were not redirected")
        return read(log.read_text())

    def per_request(name, tool, read):
        return (run(name, tool, many, read) - run(name, tool, few, read)) / (many - few)

    rows = []
    for name in ("ceiling", "bloblo", "bloblo, shipped params", "bloblo, cold, shipped params"):
        instructions = per_request(name, "callgrind", lambda log: int(re.search(r"Collected : (\d+)", log)[1]))
        allocations = per_request(
            name, "memcheck", lambda log: int(re.search(r"([\d,]+) allocs", log)[1].replace(",", "")))
        result["cost"][name] = {"instructions": round(instructions), "allocations": round(allocations, 2)}
        rows.append((name, f"{instructions:.0f}", f"{allocations:.1f}"))
    table("one decision, hot unless said (valgrind has no SHA instructions: the hash alone is some 10,000)",
          ("", "instructions", "allocations"), rows)


# What the shipped nginx files send beside method, target, credential and user agent.
SHIPPED = {
    "BLOBLO_FRONT_FILES": re.search(r"BLOBLO_FRONT_FILES\s+(\d+);", (ROOT / "nginx/bloblo-locations.conf").read_text())[1],
    "BLOBLO_PRESERVE_HOST": "true", "SERVER_PROTOCOL": "HTTP/1.1",
    "SERVER_SOFTWARE": "nginx/1.22.1", "REMOTE_ADDR": "192.0.2.17", "HTTP_HOST": "registry.example.com",
    "HTTP_X_REAL_IP": "192.0.2.17", "HTTP_X_FORWARDED_FOR": "192.0.2.17", "HTTP_X_FORWARDED_PROTO": "https",
    "CONTENT_LENGTH": "", "HTTP_ACCEPT_ENCODING": "gzip", "HTTP_X_REQUEST_ID": "0123456789abcdef0123456789abcdef",
}


def ask(path_of_socket, target, authorization, count, more={}):
    """The same request `count` times on one kept connection; how many were redirected."""
    import struct

    def record(kind, content):
        return struct.pack("!BBHHBB", 1, kind, 1, len(content), 0, 0) + content

    def pair(name, value):
        sizes = b"".join(bytes([len(x)]) if len(x) < 128 else struct.pack("!I", len(x) | 1 << 31)
                         for x in (name, value))
        return sizes + name + value

    params = b"".join(pair(*p) for p in (
        (b"REQUEST_METHOD", b"GET"), (b"REQUEST_URI", target.encode()),
        (b"HTTP_AUTHORIZATION", authorization.encode()), (b"HTTP_USER_AGENT", b"bench/1"),
        *((name.encode(), value.encode()) for name, value in more.items())))
    request = (record(1, struct.pack("!HB5x", 1, 1)) + record(4, params) + record(4, b"") + record(5, b""))
    with socket.socket(socket.AF_UNIX) as connection:
        connection.connect(str(path_of_socket))
        connection.settimeout(60)
        reader = connection.makefile("rb")
        redirected = 0
        # The first ones ask upstream, and bring the blob into the bucket.
        for _ in range(count + 50):
            if redirected == count:
                break
            connection.sendall(request)
            answer = b""
            while True:
                _, kind, _, length, padding, _ = struct.unpack("!BBHHBB", reader.read(8))
                content = reader.read(length)
                reader.read(padding)
                if kind == 6:
                    answer += content
                if kind == 3:
                    break
            if b"Status: 307" in answer:
                redirected += 1
            elif not redirected:
                time.sleep(0.1)
        return redirected


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bloblo", default=ROOT / ".build/release/bloblo", type=pathlib.Path)
    parser.add_argument("--seconds", default=3, type=int)
    parser.add_argument("--rounds", default=5, type=int)
    parser.add_argument("--connections", default=[1, 32, 256], type=int, nargs="+")
    parser.add_argument("--only", default=["hot", "cold", "named", "peer", "dead", "stalled", "cost"],
                        nargs="+")
    parser.add_argument("--json", type=pathlib.Path)
    options = parser.parse_args()
    for tool in ("wrk", "ab", "gcc", "nginx"):
        if not shutil.which(tool):
            sys.exit(f"{tool} is missing: make bench installs it")
    stack.end_by_signal()
    result = {"cores": os.cpu_count(), "date": time.strftime("%Y-%m-%d"), "hot": [], "cold": [], "named": [],
              "peer": [], "memory": {}, "cost": {}}
    with tempfile.TemporaryDirectory(prefix="bloblo-bench-") as name:
        folder = pathlib.Path(name)
        subprocess.run(["gcc", "-O2", "-o", folder / "null_responder", ROOT / "Benchmarks/ceiling/null_responder.c",
                        "-lfcgi", "-lpthread"], check=True)
        with stack.Stack(stack.options(["up", "--services", "registry,s3"])) as servers:
            servers.up()
            facts = servers.facts()
            with Bench(options, folder) as bench:
                path, authorization = push(facts)
                print(f"{os.cpu_count()} cores; wrk with 1 thread, nginx with 1 worker; "
                      f"medians of {options.rounds} rounds of {options.seconds} s, in turns")
                for part in (hot, cold, named, peer, dead, stalled, cost):
                    if part.__name__ in options.only:
                        part(bench, facts, path, authorization, result)
                if result["memory"]:
                    table("resident memory, MiB", tuple(result["memory"]),
                          [tuple(result["memory"].values())])
    if options.json:
        options.json.write_text(json.dumps(result, indent=1))


if __name__ == "__main__":
    main()
