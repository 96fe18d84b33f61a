#!/usr/bin/env python3
"""Whole pulls of one blob through nginx, side by side in one run; medians. And memory under eight cold ones.

    transfers.py [--bloblo PATH] [--size MIB] [--rounds N] [--only roads tees] [--json FILE]

roads   the same blob by each road, in turns: nginx straight from docker-registry (what there was before
        bloblo); a redirect to S3; accelerate, where nginx reads S3; a cold pull through the tee. Beside
        accelerate stands nginx with the same signed URL and no bloblo: what S3's own speed allows. Each
        at the pace of a client's line of 1 Gbit/s, and as fast as registry, nginx, SeaweedFS, bloblo
        and the client go on the processors that they share here.
tees    eight cold pulls of eight blobs at once: resident MiB of bloblo, at most

Needs curl and the servers of Tests/Stack/install.
"""

import argparse
import base64
import contextlib
import json
import os
import pathlib
import statistics
import subprocess
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "Tests/Stack"))
import oci_image
import stack
from fakes.registry import Registry

MIB = 1 << 20
LINES = {"1 Gbit/s": 125_000_000, "as fast as it goes": None}


def pull(url, authorization=None, rate=None):
    """Seconds until the last byte; who answers anything but the blob ends the benchmark."""
    command = ["curl", "-sS", "--fail", "--location", "-o", os.devnull, url]
    if authorization:
        command += ["-H", f"Authorization: {authorization}"]
    if rate:
        command += ["--limit-rate", str(rate)]
    start = time.monotonic()
    subprocess.run(command, check=True)
    return time.monotonic() - start


def until(found, words, timeout=300):
    deadline = time.monotonic() + timeout
    while not found():
        if time.monotonic() > deadline:
            raise SystemExit(words)
        time.sleep(0.05)


@contextlib.contextmanager
def servers(chosen, delivery, size):
    """The stack with a blob in its registry, and an nginx port that goes straight there."""
    straight = stack.Ports().take()
    options = stack.options([
        "up", "--bloblo", str(chosen.bloblo), "--env", f"BLOBLO_DELIVERY={delivery}", "--nginx-http",
        f"server {{ listen 127.0.0.1:{straight}; location / {{ proxy_pass http://bloblo_registry; proxy_buffering off; "
        'proxy_http_version 1.1; proxy_set_header Connection ""; } }'])
    with stack.Stack(options) as running:
        running.up()
        facts = running.facts()
        user, password = next(iter(facts["users"].items()))
        layer = oci_image.make(running.folder / "image", [size])["layers"][0]
        subprocess.run(["skopeo", "--insecure-policy", "copy", "--quiet", "--preserve-digests", "--dest-tls-verify=false",
                        "--dest-creds", f"{user}:{password}", f"oci:{running.folder}/image:latest",
                        f"docker://{facts['registry_url'].removeprefix('http://')}/a:latest"], check=True,
                       env={**os.environ, "HOME": str(running.folder)})
        path = f"/v2/a/blobs/{layer}"
        authorization = "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()
        client = running.services["s3"].client
        nginx = running.services["nginx"].url

        def cold(rate):
            # No decision of a moment ago is to be used: bloblo forgets when it is started anew.
            if client.size(layer) is not None:
                client.call("DELETE", f"/{stack.BUCKET}/{layer}")
                running.services["bloblo"].stop()
                running.services["bloblo"].start()
            seconds = pull(nginx + path, authorization, rate)
            until(lambda: client.size(layer) == size, "the fill did not fill")
            return seconds

        def presigned():
            environment = {**running.services["bloblo"].environment(), "BLOBLO_S3_PUBLIC_ENDPOINT_URL": facts["s3_url"]}
            return subprocess.run([chosen.bloblo, "presign", layer], check=True, capture_output=True, text=True,
                                  env=environment).stdout.strip()

        def warm(rate):
            return pull(nginx + path, authorization, rate)

        yield {
            "nginx straight from the registry": lambda rate: pull(f"http://127.0.0.1:{straight}{path}", authorization, rate),
            **({"tee": cold, "redirect": warm} if delivery == "redirect" else
               {"S3 straight": lambda rate: pull(presigned(), None, rate), "accelerate": warm}),
        }, cold


def roads(chosen, result):
    size = chosen.size * MIB
    for delivery in ("redirect", "accelerate"):
        with servers(chosen, delivery, size) as (kinds, cold):
            cold(None)
            for label, rate in LINES.items():
                seen = {kind: [] for kind in kinds}
                for _ in range(chosen.rounds):
                    for kind, run in kinds.items():
                        seen[kind].append(run(rate))
                base = statistics.median(seen["nginx straight from the registry"])
                print(f"\n{chosen.size} MiB, {label}, {delivery}: medians of {chosen.rounds}")
                for kind, values in seen.items():
                    middle = statistics.median(values)
                    print(f"  {kind:34}{middle:8.3f} s  {size / middle / MIB:6.0f} MiB/s  {base / middle:.2f} of straight",
                          flush=True)
                    result["roads"].append({"mib": chosen.size, "line": label, "road": kind, "seconds": middle,
                                            "rate_to_straight": base / middle})


def tees(chosen, result):
    registry = Registry()
    options = stack.options(["up", "--services", "s3,nginx,bloblo", "--bloblo", str(chosen.bloblo), "--registry",
                             registry.address])
    with stack.Stack(options) as running:
        running.up()
        nginx, client = running.services["nginx"].url, running.services["s3"].client
        digests = [registry.add(chosen.size * MIB) for _ in range(8)]
        pulls = [subprocess.Popen(["curl", "-sS", "--fail", "-o", os.devnull, f"{nginx}/v2/good/blobs/{digest}"])
                 for digest in digests]
        if any([each.wait() for each in pulls]):
            raise SystemExit("a pull failed")
        until(lambda: all(client.size(digest) for digest in digests), "a fill did not fill", 900)
        status = pathlib.Path(f"/proc/{running.services['bloblo'].process.pid}/status").read_text()
        most = next(int(line.split()[1]) / 1024 for line in status.splitlines() if line.startswith("VmHWM"))
    registry.close()
    result["tees"] = {"tees": 8, "mib": chosen.size, "resident_mib": round(most, 1)}
    print(f"\n8 cold pulls of {chosen.size} MiB at once: {most:.1f} MiB resident at most")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bloblo", default=ROOT / ".build/release/bloblo", type=pathlib.Path)
    parser.add_argument("--size", type=int, default=1024, help="MiB")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--only", default=["roads", "tees"], nargs="+")
    parser.add_argument("--json", type=pathlib.Path)
    chosen = parser.parse_args()
    stack.end_by_signal()
    result = {"roads": []}
    if "roads" in chosen.only:
        roads(chosen, result)
    if "tees" in chosen.only:
        tees(chosen, result)
    if chosen.json:
        chosen.json.write_text(json.dumps(result, indent=1))


if __name__ == "__main__":
    main()
