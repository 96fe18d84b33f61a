#!/usr/bin/env python3
"""How fast the bucket is filled, and what that costs those who wait. Prints medians.

    fill.py coalescing   100 clients, one cold blob of 256 MiB: upstream's GETs, peak memory, seconds
    fill.py store        a fill of 1 GiB from docker-registry, beside `aws s3 cp` to the same server: of the same
                         bytes from the same registry, by a pipe; and of a file, which is less work
    options              --bloblo PATH --runs N --size MIB --part MIB,… --parallel N,… --json FILE
                         --server seaweedfs|juicefs (its gateway is MinIO's code)
"""

import argparse
import json
import os
import pathlib
import random
import statistics
import subprocess
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "Tests/Stack"))
import oci_image
import s3_servers
import stack

MIB = 1 << 20


def timed(command, **more):
    start = time.monotonic()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, **more)
    return time.monotonic() - start


def said(values):
    return f"median {statistics.median(values):.3f} s, {min(values):.3f} to {max(values):.3f}, of {len(values)}"


def coalescing(chosen):
    size = chosen.size or 256
    sys.exit(subprocess.run([sys.executable, "-m", "pytest", "-s", f"--size={size}", "Tests/Stack/test_fill_clients.py",
                             "-k", "many_clients"], cwd=ROOT, env={**os.environ, "BLOBLO": chosen.bloblo}).returncode)


def store(chosen):
    size = (chosen.size or 1024) * MIB
    options = stack.options(["up", "--services", "registry,s3", "--auth", "none", "--bloblo", chosen.bloblo])
    with stack.Stack(options) as servers:
        servers.up()
        server = servers.services["s3"]
        if chosen.server == "juicefs":
            server = s3_servers.JuiceFS(servers)
            servers.services["juicefs"] = server
            server.start()
        s3 = stack.S3Client(server.url)
        folder = servers.folder / "image"
        image = oci_image.make(folder, [size])
        registry = servers.services["registry"].address
        subprocess.run(["skopeo", "--insecure-policy", "copy", "--quiet", "--preserve-digests", "--dest-tls-verify=false",
                        f"oci:{folder}:latest", f"docker://{registry}/a:latest"], check=True,
                       env={**os.environ, "HOME": str(servers.folder)})
        layer = image["layers"][0]
        file = folder / "blobs/sha256" / layer.split(":")[1]
        sources = {*folder.rglob("*"), *(servers.folder / "registry").rglob("*")}
        environment = {"PATH": os.environ["PATH"], "HOME": str(servers.folder), "AWS_REGION": stack.REGION,
                       "AWS_ACCESS_KEY_ID": stack.ACCESS_KEY, "AWS_SECRET_ACCESS_KEY": stack.SECRET_KEY,
                       "AWS_EC2_METADATA_DISABLED": "true", "BLOBLO_S3_ENDPOINT_URL": server.url,
                       "BLOBLO_S3_BUCKET_NAME": stack.BUCKET, "BLOBLO_SPOOL_DIR": str(servers.folder),
                       "BLOBLO_UPSTREAM_URL": f"http://{registry}"}

        def delete(key):
            """Each run begins alike: the servers' files of the run before take no memory."""
            s3.call("DELETE", f"/{stack.BUCKET}/{key}")
            time.sleep(1)
            os.sync()
            for path in set(servers.folder.rglob("*")) - sources:
                if path.is_file():
                    with open(path) as opened:
                        os.posix_fadvise(opened.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)

        def fill(part, parallel):
            seconds = timed([chosen.bloblo, "warm", "a"], env={
                **environment, "BLOBLO_FILL_PART_SIZE": f"{part}MiB", "BLOBLO_FILL_PARALLEL_PARTS": str(parallel)})
            if s3.size(layer) != size:
                sys.exit("the fill did not fill")
            delete(layer)
            return seconds

        def copy():
            seconds = timed(["aws", "--endpoint-url", server.url, "s3", "cp", "--only-show-errors", file,
                             f"s3://{stack.BUCKET}/copy"], env=environment)
            delete("copy")
            return seconds

        kinds = {f"bloblo warm, {part} MiB × {parallel}": (lambda part=part, parallel=parallel: fill(part, parallel))
                 for part in chosen.part for parallel in chosen.parallel}
        def copy_stream():
            aws = ["aws", "--endpoint-url", server.url, "s3", "cp", "--only-show-errors", "--expected-size", str(size),
                   "-", f"s3://{stack.BUCKET}/copy"]
            with subprocess.Popen(["curl", "-sS", "--fail", f"http://{registry}/v2/a/blobs/{layer}"],
                                  stdout=subprocess.PIPE) as curl:
                seconds = timed(aws, env=environment, stdin=curl.stdout)
            delete("copy")
            return seconds

        kinds["curl | aws s3 cp -"] = copy_stream
        kinds["aws s3 cp FILE"] = copy
        times = {kind: [] for kind in kinds}
        for number in range(chosen.runs):
            for kind in random.sample(list(kinds), len(kinds)):
                times[kind].append(kinds[kind]())
        print(f"{size // MIB} MiB to {chosen.server}; bloblo reads it from docker-registry, aws from a file")
        for kind, values in times.items():
            print(f"  {kind:28} {said(values)}  {size / MIB / statistics.median(values):.0f} MiB/s", flush=True)
        if chosen.json:
            chosen.json.write_text(json.dumps([
                {"mib": size // MIB, "what": kind, "seconds": statistics.median(values)} for kind, values in times.items()],
                indent=1))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    numbers = lambda text: [int(each) for each in text.split(",")]
    parser.add_argument("what", choices=["coalescing", "store"])
    parser.add_argument("--bloblo", default=str(ROOT / ".build/release/bloblo"))
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--size", type=int, help="MiB")
    parser.add_argument("--part", type=numbers, default=[8], help="MiB")
    parser.add_argument("--parallel", type=numbers, default=[4])
    parser.add_argument("--server", choices=["seaweedfs", "juicefs"], default="seaweedfs")
    parser.add_argument("--json", type=pathlib.Path)
    chosen = parser.parse_args()
    {"coalescing": coalescing, "store": store}[chosen.what](chosen)


if __name__ == "__main__":
    main()
