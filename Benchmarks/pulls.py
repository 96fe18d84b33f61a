#!/usr/bin/env python3
"""Cold pulls through nginx beside the registry alone, and what a fill costs the processor. Medians.

    pulls.py [--bloblo PATH [--beside PATH]] [--size MIB] [--rounds N] [--only image crowd fill] [--json FILE]

image   skopeo pulls an image of 5 layers: from the registry alone, and through nginx and bloblo with an empty bucket
crowd   16 clients pull one cold blob of a quarter of that size: the same two ways; and how often the registry was read
fill    `bloblo warm` of that size from the registry to S3, and `aws s3 cp` of a file, by HTTP and by TLS: their
        processor time

All kinds take turns in each round. Seconds are the clock's; processor time is user and system time of bloblo, of
nginx, and of the client, from the start of a pull until the bucket has it. With --beside, an older bloblo takes its turns too.
"""

import argparse
import base64
import concurrent.futures
import contextlib
import json
import os
import pathlib
import shutil
import statistics
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "Tests/Stack"))
import oci_image
import stack
from fakes.authority import Authority

MIB = 1 << 20
TICK = os.sysconf("SC_CLK_TCK")
BASIC = "Basic " + base64.b64encode(f"alice:{stack.USERS['alice']}".encode()).decode()


def until(found, words, timeout=300):
    deadline = time.monotonic() + timeout
    while not found():
        if time.monotonic() > deadline:
            raise SystemExit(words)
        time.sleep(0.05)


def family(pid):
    """A process and its children, as nginx's workers."""
    children = pathlib.Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return [pid, *(int(child) for child in children)]


def processor(pid):
    """Seconds of user and system time of a process and its children, and how often their threads slept."""
    seconds, sleeps = 0, 0
    for each in family(pid):
        fields = pathlib.Path(f"/proc/{each}/stat").read_text().rsplit(")", 1)[1].split()
        seconds += (int(fields[11]) + int(fields[12])) / TICK
        for task in pathlib.Path(f"/proc/{each}/task").iterdir():
            with contextlib.suppress(OSError):
                sleeps += int((task / "status").read_text().split("\nvoluntary_ctxt_switches:")[1].split()[0])
    return seconds, sleeps


def skopeo(folder, source, target, *words):
    return ["skopeo", "--insecure-policy", "copy", "--quiet", "--src-tls-verify=false", "--dest-tls-verify=false", *words,
            source, target]


class Site:
    """docker-registry, SeaweedFS by HTTP and by TLS, and nginx before each bloblo."""

    def __init__(self, programs, ends):
        self.programs = programs
        self.folder = pathlib.Path(ends.enter_context(tempfile.TemporaryDirectory(prefix="pulls-")))
        self.authority = Authority(self.folder)
        certificate, key = self.authority.certificate("localhost")
        self.tls_port = stack.Ports().take()
        first = self.stack(ends, next(iter(programs.values())), "registry,s3,nginx,bloblo")
        self.s3, self.registry = first.services["s3"], first.services["registry"]
        first.options.nginx_http = (
            f"server {{ listen 127.0.0.1:{self.tls_port} ssl; ssl_certificate {certificate}; ssl_certificate_key {key}; "
            f"access_log off; client_max_body_size 0; location / {{ proxy_pass {self.s3.url}; proxy_request_buffering off; "
            "proxy_http_version 1.1; proxy_set_header Host $http_host; } }")
        first.up()
        self.stacks = {next(iter(programs)): first}
        for name, program in list(programs.items())[1:]:
            servers = self.stack(ends, program, "nginx,bloblo", "--registry", self.registry.address)
            servers.options.env |= {"BLOBLO_S3_ENDPOINT_URL": self.s3.url, "BLOBLO_S3_PUBLIC_ENDPOINT_URL": self.s3.url}
            servers.up()
            self.stacks[name] = servers
        self.environment = {**os.environ, "HOME": str(self.folder), "TMPDIR": str(self.folder)}

    def stack(self, ends, program, services, *words):
        servers = stack.Stack(stack.options(["up", "--services", services, "--bloblo", str(program), *words]))
        ends.callback(servers.down)
        return servers

    def push(self, name, sizes):
        layout = self.folder / "layout"
        image = oci_image.make(layout, sizes)
        subprocess.run([*skopeo(self.folder, f"oci:{layout}:latest", f"docker://{self.registry.address}/{name}:latest",
                                "--preserve-digests", f"--dest-creds=alice:{stack.USERS['alice']}")],
                       check=True, env=self.environment)
        shutil.rmtree(layout)
        return image["layers"]

    def empty(self, layers):
        """The bucket has none of them, and no bloblo knows otherwise."""
        for layer in layers:
            self.s3.client.call("DELETE", f"/{stack.BUCKET}/{layer}")
        for servers in self.stacks.values():
            servers.services["bloblo"].stop()
            servers.services["bloblo"].start()

    def is_filled(self, layers):
        return all(self.s3.client.size(layer) for layer in layers)


def measured(site, name, pull, layers):
    """One cold pull: what it took."""
    site.empty(layers)
    services = site.stacks[name].services if name else {}
    pids = {each: services[each].pid for each in ("bloblo", "nginx") if each in services}
    before = {each: processor(pid) for each, pid in pids.items()}
    own, start = os.times(), time.monotonic()
    pull()
    seconds, now = time.monotonic() - start, os.times()
    result = {"seconds": seconds,
              "client": now.children_user + now.children_system - own.children_user - own.children_system}
    if name:
        until(lambda: site.is_filled(layers), "the fill did not fill")
        for each, pid in pids.items():
            after = processor(pid)
            result |= {each: after[0] - before[each][0], f"{each} sleeps": after[1] - before[each][1]}
    return result


def compare(title, rounds, kinds):
    """Each kind in turn, in each round; prints and returns medians."""
    seen = {kind: [] for kind in kinds}
    for _ in range(rounds):
        for kind, run in kinds.items():
            seen[kind].append(run())
    medians = {kind: {name: statistics.median(value[name] for value in values) for name in values[0]}
               for kind, values in seen.items()}
    print(f"\n{title}: medians of {rounds}")
    for kind, values in medians.items():
        print(f"  {kind:24}" + "  ".join(f"{name} {value:.2f}" if isinstance(value, float) else f"{name} {value}"
                                         for name, value in values.items()), flush=True)
    return medians


def urls(site):
    """The registry alone, and each bloblo's nginx."""
    return {"registry alone": (None, site.registry.url),
            **{name: (name, servers.services["nginx"].url) for name, servers in site.stacks.items()}}


def image(site, chosen):
    layers = site.push("image", [chosen.size * MIB // 5 // 512 * 512] * 5)

    def pull(url):
        target = site.folder / "pulled"
        subprocess.run(skopeo(site.folder, f"docker://{url.removeprefix('http://')}/image:latest", f"dir:{target}",
                              f"--src-creds=alice:{stack.USERS['alice']}"), check=True, env=site.environment)
        shutil.rmtree(target)

    return compare(f"skopeo, {chosen.size} MiB in 5 cold layers", chosen.rounds, {
        kind: lambda name=name, url=url: measured(site, name, lambda: pull(url), layers)
        for kind, (name, url) in urls(site).items()})


def crowd(site, chosen):
    layers = site.push("crowd", [chosen.size * MIB // 4])

    def pull(url):
        def one(_):
            subprocess.run(["curl", "-sS", "--fail", "--location", "-o", os.devnull, "-H", f"Authorization: {BASIC}",
                            f"{url}/v2/crowd/blobs/{layers[0]}"], check=True)
        before = site.registry.access_log.read_text().count(f"GET /v2/crowd/blobs/{layers[0]}")
        with concurrent.futures.ThreadPoolExecutor(16) as pool:
            list(pool.map(one, range(16)))
        return site.registry.access_log.read_text().count(f"GET /v2/crowd/blobs/{layers[0]}") - before

    def run(name, url):
        reads = []
        return {**measured(site, name, lambda: reads.append(pull(url)), layers), "reads": reads[0]}

    return compare(f"16 clients, one cold blob of {chosen.size // 4} MiB", chosen.rounds, {
        kind: lambda name=name, url=url: run(name, url) for kind, (name, url) in urls(site).items()})


def fill(site, chosen):
    layers = site.push("fill", [chosen.size * MIB])
    spool, file = site.folder / "spool", site.folder / "file"
    spool.mkdir()
    with file.open("wb") as output:
        for _ in range(chosen.size):
            output.write(os.urandom(MIB))

    def run(program, endpoint):
        site.empty([*layers, "copy"])
        environment = {
            **site.environment, "AWS_REGION": stack.REGION, "AWS_ACCESS_KEY_ID": stack.ACCESS_KEY,
            "AWS_SECRET_ACCESS_KEY": stack.SECRET_KEY, "AWS_EC2_METADATA_DISABLED": "true",
            "AWS_CA_BUNDLE": str(site.authority.file),
            "BLOBLO_S3_ENDPOINT_URL": endpoint, "BLOBLO_S3_BUCKET_NAME": stack.BUCKET, "BLOBLO_SPOOL_DIR": str(spool),
            "BLOBLO_UPSTREAM_URL": site.registry.url, "DOCKER_CONFIG": str(site.folder)}
        command = [program, "warm", "fill"] if program else [
            "aws", "--endpoint-url", endpoint, "s3", "cp", "--only-show-errors", file, f"s3://{stack.BUCKET}/copy"]
        own, start = os.times(), time.monotonic()
        subprocess.run(command, check=True, env=environment, stdout=subprocess.DEVNULL)
        seconds, now = time.monotonic() - start, os.times()
        if not site.is_filled(layers if program else ["copy"]):
            raise SystemExit("the fill did not fill")
        return {"seconds": seconds,
                "processor": now.children_user + now.children_system - own.children_user - own.children_system}

    host = site.registry.address
    (site.folder / "config.json").write_text(json.dumps(
        {"auths": {host: {"auth": BASIC.removeprefix("Basic ")}}}))
    ends = {"http": site.s3.url, "tls": f"https://localhost:{site.tls_port}"}
    return compare(f"fill of {chosen.size} MiB", chosen.rounds, {
        f"{name}, {end}": lambda program=program, url=url: run(program, url)
        for end, url in ends.items() for name, program in [*site.programs.items(), ("aws s3 cp", None)]})


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bloblo", default=ROOT / ".build/release/bloblo", type=pathlib.Path)
    parser.add_argument("--beside", type=pathlib.Path)
    parser.add_argument("--size", type=int, default=1024, help="MiB")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--only", default=["image", "crowd", "fill"], nargs="+")
    parser.add_argument("--json", type=pathlib.Path)
    chosen = parser.parse_args()
    stack.end_by_signal()
    programs = {"bloblo": chosen.bloblo, **({"beside": chosen.beside} if chosen.beside else {})}
    with contextlib.ExitStack() as ends:
        site = Site(programs, ends)
        result = {name: {"image": image, "crowd": crowd, "fill": fill}[name](site, chosen) for name in chosen.only}
    if chosen.json:
        chosen.json.write_text(json.dumps(result, indent=1))


if __name__ == "__main__":
    main()
