#!/usr/bin/env python3
"""Mixed pulls for a long time while servers are killed, stopped and cut off, and the world changes behind bloblo.

    soak.py [--seconds 1800] [--clients 4] [--seed N] [--bloblo PATH] [--faults "delete objects,step clock"]

A pull is a blob read as a client of containers does: redirects followed, digest checked, tried again a
few times. It counts as failed if it fails and a pull from the registry itself, right then, does not.

bloblo is killed, stopped and restarted in the first two fifths; then, in a quiet moment, its memory,
descriptors and threads are counted, and again after all the other faults at the end. bloblo looks at the
public endpoint as clients do; its calendar is libfaketime's, and its log goes through a pipe.
"""

import argparse
import hashlib
import http.client
import os
import pathlib
import random
import signal
import sys
import threading
import time
import urllib.parse

import stack
from fakes.calendar import Calendar
from fakes.client import basic
from fakes.relay import Relay

KIB, MIB = 1024, 1024 * 1024
SIZES = (1, 4 * KIB, 200 * KIB, 2 * MIB, 12 * MIB)
TRIES = 6
KEPT = 4  # threads of a pool that stay however long they are idle: ThreadPool
QUIET = 30  # seconds: idle threads end, kept connections too
ENDINGS = ("restart bloblo", "kill bloblo")
FAULTS = ("restart s3", "stop s3", "kill s3", "restart registry", "stop registry", "relay cut", "relay slow",
          "relay stall", "stop bloblo", "delete objects", "truncate objects", "step clock", "endpoint closed",
          "endpoint silent", "stall log", "hup bloblo")


class LogPipe(threading.Thread):
    """What bloblo writes its log to; a reader that may stop reading."""

    def __init__(self, bloblo):
        super().__init__(daemon=True)
        self.fifo, self.file, self.is_stalled = bloblo.folder / "fifo", bloblo.log, False
        os.mkfifo(self.fifo)
        # Both ways: it has a reader when bloblo opens it, and a writer when bloblo has ended.
        self.descriptor = os.open(self.fifo, os.O_RDWR)
        program = bloblo.command()[0]
        bloblo.command = lambda: ("/bin/sh", "-c", f"exec {program} 2>{self.fifo}")
        self.start()

    def run(self):
        with self.file.open("ab", buffering=0) as log:
            while data := os.read(self.descriptor, 64 * KIB):
                while self.is_stalled:
                    time.sleep(0.1)
                log.write(data)


class Soak:
    def __init__(self, servers, relay, endpoint, log, calendar, chosen):
        self.servers, self.relay, self.endpoint, self.log = servers, relay, endpoint, log
        self.calendar, self.chosen = calendar, chosen
        self.facts = servers.facts()
        self.credential, self.stranger = basic("alice"), basic("alice", "wrong")
        self.blobs = []
        self.lock = threading.Lock()
        self.pause = threading.Event()
        self.end = threading.Event()
        self.busy = 0
        self.counts, self.problems = {}, []
        self.fault = "none"

    def count(self, what):
        with self.lock:
            self.counts[what] = self.counts.get(what, 0) + 1

    # Clients

    def push(self):
        blob = random.randbytes(random.choice(SIZES))
        digest = "sha256:" + hashlib.sha256(blob).hexdigest()
        base = self.facts["registry_url"]
        status, answer, _ = stack.request("POST", base + "/v2/soak/app/blobs/uploads/", self.credential)
        if status == 202:
            place = answer["Location"] + ("&" if "?" in answer["Location"] else "?") + f"digest={digest}"
            status = stack.request("PUT", place, {**self.credential, "Content-Type": "application/octet-stream"},
                                   blob)[0]
            if status == 201:
                with self.lock:
                    self.blobs.append((digest, len(blob)))

    def read(self, base, digest, size, range_=None):
        """One try: None if it is right, else why not."""
        url = f"{base}/v2/soak/app/blobs/{digest}"
        headers = dict(self.credential)
        if range_:
            headers["Range"] = f"bytes={range_[0]}-{range_[1]}"
        try:
            for _ in range(3):
                status, answer, body = stack.request("GET", url, headers, timeout=30)
                if status not in (301, 302, 303, 307, 308):
                    break
                url = urllib.parse.urljoin(url, answer["Location"])
                headers.pop("Authorization", None)  # another host
                self.count("redirected")
            if range_ and status == 206:
                return None if len(body) == range_[1] - range_[0] + 1 else f"{len(body)} bytes of a range"
            if status != 200:
                return f"status {status} from {urllib.parse.urlsplit(url).netloc}"
            if len(body) != size:
                return f"{len(body)} bytes, not {size}"  # as of an object that was truncated
            return None if hashlib.sha256(body).hexdigest() == digest[7:] else "wrong digest"
        except (OSError, http.client.HTTPException) as error:
            return f"{type(error).__name__} {error}"

    def pull(self):
        with self.lock:
            digest, size = random.choice(self.blobs)
        whole = size < 2 or random.random() < 0.8
        first = 0 if whole else random.randrange(size)
        range_ = None if whole else (first, random.randrange(first, size))
        began, fault = time.monotonic(), self.fault
        whys = []
        for attempt in range(TRIES):
            why = self.read(self.facts["nginx_url"], digest, size, range_)
            if not why:
                self.count("pulled" if not attempt else "pulled at another try")
                return
            whys.append(why)
            if "wrong digest" in why:
                with self.lock:
                    self.problems.append(f"{digest}: wrong bytes")
            time.sleep(min(4, 0.5 * 2**attempt))
        # Directly, through the same relay: else what the relay does would count.
        direct = self.read(f"http://127.0.0.1:{self.relay.port}", digest, size, range_)
        if direct:
            self.count("failed, directly too")
        else:
            self.count("FAILED")
            with self.lock:
                self.problems.append(f"a pull of {size} bytes failed in {time.monotonic() - began:.0f} s, fault "
                                     f"{fault} then {self.fault}: {'; '.join(whys)}")

    def refuse(self):
        with self.lock:
            digest, _ = random.choice(self.blobs)
        try:
            status, answer, _ = stack.request("GET", f"{self.facts['nginx_url']}/v2/soak/app/blobs/{digest}",
                                              self.stranger, timeout=30)
        except (OSError, http.client.HTTPException):
            return
        self.count("strangers refused")
        if status in (200, 206, 307) or answer["Location"]:
            with self.lock:
                self.problems.append(f"a stranger was answered {status}")

    def client(self):
        while not self.end.is_set():
            if self.pause.is_set():
                time.sleep(0.1)
                continue
            with self.lock:
                self.busy += 1
            try:
                chance = random.random()
                if chance < 0.05:
                    self.push()
                elif chance < 0.1:
                    self.refuse()
                else:
                    self.pull()
            except (OSError, http.client.HTTPException):
                pass  # a push, while the registry is down
            except Exception as error:
                with self.lock:
                    self.problems.append(f"the soak itself: {error!r}")
            finally:
                with self.lock:
                    self.busy -= 1
            time.sleep(0.02)

    # Faults

    def hurt(self, kinds, until):
        while time.monotonic() < until:
            kind = random.choice(kinds)
            self.fault = kind
            self.count(f"fault: {kind}")
            verb, _, name = kind.partition(" ")
            services = self.servers.services
            length = random.uniform(1, 5)
            if verb == "relay":
                self.hurt_relay(name, length)
            elif verb == "endpoint":
                self.endpoint.refuse = b"gone" if name == "closed" else None
                self.endpoint.stalled = name == "silent"
                self.endpoint.cut()
                time.sleep(length)
                self.endpoint.heal()
            elif name == "objects":
                self.hurt_objects(verb)
            elif name == "clock":
                self.calendar.set(random.choice([-3600, -1200, 1200, 3600]))
                time.sleep(length)
                self.calendar.set(0)
            elif name == "log":
                self.log.is_stalled = True
                time.sleep(length)
                self.log.is_stalled = False
            elif verb == "hup":
                services[name].signal(signal.SIGHUP)
            elif verb == "stop":
                services[name].signal(signal.SIGSTOP)
                time.sleep(length)
                services[name].signal(signal.SIGCONT)
            else:
                if verb == "kill":
                    services[name].signal(signal.SIGKILL)
                services[name].stop()
                time.sleep(length)
                services[name].start()
            self.fault = "none"
            time.sleep(random.uniform(2, 6))

    def hurt_relay(self, name, length):
        if name == "stall":
            # Some connections move next to nothing from now on, also after the relay has recovered.
            self.relay.victims, self.relay.drip, self.relay.times = b"GET ", "down", 3
        self.relay.rate = 320 * KIB if name == "slow" else None
        end = time.monotonic() + length
        while time.monotonic() < end:
            if name == "cut":
                self.relay.cut()
            time.sleep(0.2)
        self.relay.heal()

    def hurt_objects(self, verb):
        """A few, or all."""
        client = self.servers.services["s3"].client
        with self.lock:
            blobs = random.sample(self.blobs, min(len(self.blobs), random.choice([1, 5, 1000])))
        for digest, size in blobs:
            key = f"/{stack.BUCKET}/{digest}"
            try:
                if verb == "delete":
                    client.call("DELETE", key)
                elif size > 1 and client.size(digest):
                    client.call("PUT", key, client.call("GET", key)[2][:-1])
            except OSError:
                return

    # What bloblo has

    def quiet(self):
        self.pause.set()
        deadline = time.monotonic() + 120
        while self.busy and time.monotonic() < deadline:
            time.sleep(0.1)
        time.sleep(QUIET)
        pid = self.servers.services["bloblo"].pid
        if not pid:
            raise stack.StackError("bloblo has ended: " + self.servers.services["bloblo"].tail())
        status = pathlib.Path(f"/proc/{pid}/status").read_text()
        facts = dict(line.split(":\t", 1) for line in status.splitlines() if ":\t" in line)
        threads = {}
        for task in pathlib.Path(f"/proc/{pid}/task").iterdir():
            name = (task / "comm").read_text().strip()
            threads[name] = threads.get(name, 0) + 1
        self.pause.clear()
        return {"pid": pid, "memory KiB": int(facts["VmRSS"].split()[0]), "threads": threads,
                "descriptors": len(os.listdir(f"/proc/{pid}/fd"))}

    def run(self):
        for _ in range(20):
            self.push()
        began, seconds = time.monotonic(), self.chosen.seconds
        for _ in range(self.chosen.clients):
            threading.Thread(target=self.client, daemon=True).start()
        chosen = self.chosen.faults
        others = [kind for kind in FAULTS if kind in chosen]
        self.hurt([kind for kind in (*FAULTS, *ENDINGS) if kind in chosen], began + seconds * 0.4)
        # Warm up the process that is there now.
        time.sleep(max(10, seconds * 0.05))
        first = self.quiet()
        self.hurt(others, began + seconds)
        self.end.set()
        last = self.quiet()
        spool = list(pathlib.Path(self.facts["bloblo_spool"]).iterdir())
        print(f"after warm-up {first}\nat the end    {last}")
        for what in sorted(self.counts):
            print(f"{self.counts[what]:8} {what}")
        if first["pid"] != last["pid"]:
            self.problems.append("bloblo is another process than it was: it crashed")
        if last["memory KiB"] > first["memory KiB"] * 1.25 + 16 * KIB:
            self.problems.append("its memory has grown")
        for name, count in last["threads"].items():
            if count > max(KEPT, first["threads"].get(name, 0)):
                self.problems.append(f"its threads named {name} have become more")
        if last["descriptors"] > first["descriptors"] + 8:
            self.problems.append("its descriptors have become more")
        if spool:
            self.problems.append(f"{len(spool)} files are left in the spool")
        if not self.counts.get("pulled") or not self.counts.get("redirected"):
            self.problems.append("nothing was pulled, or nothing from S3")


def environment(endpoint, calendar):
    """bloblo's, beside the stack's own."""
    return {"BLOBLO_LOOK_AS_CLIENT": "on", "BLOBLO_S3_PUBLIC_ENDPOINT_URL": f"http://localhost:{endpoint.port}",
            **calendar.environment}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=1800)
    parser.add_argument("--clients", type=int, default=4)
    parser.add_argument("--seed", type=int, default=random.randrange(1 << 30))
    parser.add_argument("--bloblo", default=str(stack.ROOT / ".build/release/bloblo"))
    parser.add_argument("--faults", default=",".join((*FAULTS, *ENDINGS)), type=lambda text: text.split(","),
                        help="all, otherwise")
    parser.add_argument("--keep", action="store_true")
    chosen = parser.parse_args()
    if unknown := set(chosen.faults) - {*FAULTS, *ENDINGS}:
        parser.error(f"no such fault: {', '.join(sorted(unknown))}")
    random.seed(chosen.seed)
    print(f"soak: {chosen.seconds:.0f} s, seed {chosen.seed}", flush=True)
    stack.end_by_signal()
    # Between web server and bloblo on one side and the registry on the other, and between clients and S3; the ports
    # are known later.
    relay, endpoint = Relay(0), Relay(0)
    words = ["up", "--bloblo", chosen.bloblo, "--registry", f"127.0.0.1:{relay.port}"]
    try:
        with stack.Stack(stack.options(words + ["--keep"] * chosen.keep)) as servers:
            relay.target, endpoint.target = servers.services["registry"].port, servers.s3_public_port
            calendar = Calendar(servers.folder)
            servers.options.env |= environment(endpoint, calendar)
            log = LogPipe(servers.services["bloblo"])
            servers.up()
            soak = Soak(servers, relay, endpoint, log, calendar, chosen)
            soak.run()
    except stack.StackError as error:
        sys.exit(f"soak: {error}")
    except stack.Ended as ended:
        sys.exit(128 + ended.args[0])
    for problem in soak.problems[:20]:
        print("PROBLEM:", problem)
    print(f"{soak.counts.get('pulled', 0)} passed, {len(soak.problems)} failed")
    sys.exit(bool(soak.problems))


if __name__ == "__main__":
    main()
