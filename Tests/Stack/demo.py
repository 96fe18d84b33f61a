#!/usr/bin/env python3
"""What bloblo does, shown on real servers.

    demo.py demo [--bloblo PATH]    push an image, pull it cold and warm, show who is refused, end
    demo.py dev [--bloblo PATH]     push an image, say how to play with it, stay until Ctrl-C
"""

import base64
import hashlib
import json
import os
import pathlib
import shlex
import shutil
import signal
import subprocess
import sys
import time
import urllib.parse

import oci_image
import stack
from fakes.waiting import eventually

KIB, MIB = 1024, 1024 * 1024
LAYERS = (1 * KIB, 1 * MIB, 64 * MIB)
REPOSITORY = "demo/app"


def readable(count):
    for unit, size in (("MiB", MIB), ("KiB", KIB)):
        if count >= size:
            return f"{count / size:.1f} {unit}"
    return f"{count} B"


def table(rows, indent="  "):
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    for row in rows:
        print((indent + "   ".join(cell.ljust(width) for cell, width in zip(row, widths))).rstrip())


class Log:
    """The bytes of the answers to GET in an access log, since `mark`. Both formats, nginx's of the
    stack and the combined one of docker-registry, have them after the quoted request and the status."""

    def __init__(self, path):
        self.path = pathlib.Path(path)
        self.mark()

    def mark(self):
        self.offset = self.path.stat().st_size if self.path.exists() else 0

    def bytes(self):
        with self.path.open("rb") as log:
            log.seek(self.offset)
            lines = log.read().decode(errors="replace").splitlines()
        answers = [line.split('"', 2)[2].split() for line in lines if '"GET ' in line]
        return sum(int(count) for _, count, *_ in answers)


class Demo:
    def __init__(self, servers):
        self.servers = servers
        self.facts = servers.facts()
        self.host = self.facts["nginx_host"]
        self.folder = servers.folder / "client"
        self.folder.mkdir()
        self.user, self.password = next(iter(stack.USERS.items()))
        self.registry_log = Log(self.facts["registry_access_log"])
        self.s3_log = Log(self.facts["s3_access_log"])

    def skopeo(self, *words):
        # A home of its own: skopeo remembers there which registry has which blob.
        environment = {**os.environ, "HOME": str(self.folder), "TMPDIR": str(self.folder),
                       "XDG_RUNTIME_DIR": str(self.folder), "XDG_DATA_HOME": str(self.folder),
                       "REGISTRY_AUTH_FILE": str(self.folder / "auth.json"), "NO_PROXY": "*", "no_proxy": "*"}
        command = [stack.program("skopeo"), "--insecure-policy", "copy", "--quiet", *map(str, words)]
        result = subprocess.run(command, env=environment, stdin=subprocess.DEVNULL, text=True,
                                capture_output=True,
                                preexec_fn=stack.dies_with_parent(signal.SIGKILL, os.getpid()))
        if result.returncode:
            raise stack.StackError(f"skopeo failed: {result.stderr.strip()}\nsee {self.servers.folder}")

    def push(self):
        """Makes the image and pushes it through nginx. skopeo would compress the layers else."""
        layout = self.folder / "image"
        self.image = oci_image.make(layout, LAYERS)
        self.skopeo("--preserve-digests", "--dest-tls-verify=false", f"--dest-creds={self.user}:{self.password}",
                    f"oci:{layout}:latest", f"docker://{self.host}/{REPOSITORY}:latest")
        shutil.rmtree(layout)

    @property
    def blobs(self):
        return [*self.image["layers"], self.image["config"]]

    def filled(self):
        return all(self.servers.services["s3"].client.size(digest) == self.image["sizes"][digest]
                   for digest in self.blobs)

    def wait_for_bucket(self):
        eventually(self.filled, otherwise=lambda: f"the bucket is not filled: {self.bloblo_said()}")

    def bloblo_said(self):
        return self.servers.services["bloblo"].tail()

    def wrong(self, folder):
        """What of the pulled image is missing or is not what its digest says."""
        found = {hashlib.sha256(path.read_bytes()).hexdigest()
                 for path in folder.iterdir() if path.name != "version"}
        return [digest for digest in self.image["sizes"] if digest.removeprefix("sha256:") not in found]

    def pull(self, name, wait=lambda: None):
        """One pull into a fresh folder, as a row of the table, and what of it was not as it should be."""
        self.registry_log.mark()
        self.s3_log.mark()
        folder = self.folder / "pulled"
        began = time.monotonic()
        self.skopeo("--src-tls-verify=false", f"--src-creds={self.user}:{self.password}",
                    f"docker://{self.host}/{REPOSITORY}:latest", f"dir:{folder}")
        seconds = time.monotonic() - began
        wait()
        # Servers log a request after its last byte.
        eventually(lambda: self.registry_log.bytes() + self.s3_log.bytes() >= sum(LAYERS),
                   otherwise=lambda: "the access logs of registry and S3 do not show the layers")
        wrong = self.wrong(folder)
        shutil.rmtree(folder)
        registry, s3 = self.registry_log.bytes(), self.s3_log.bytes()
        good = len(self.image["sizes"]) - len(wrong)
        return (name, f"{seconds:.2f}", readable(registry), readable(s3),
                f"{good} of {len(self.image['sizes'])} right"), registry, s3, wrong

    def ask(self, who, credential):
        """One GET of the largest layer, not followed, as a row of the table."""
        headers = {}
        if credential:
            headers["Authorization"] = "Basic " + base64.b64encode(credential.encode()).decode()
        status, answer, body = stack.request(
            "GET", f"{self.facts['nginx_url']}/v2/{REPOSITORY}/blobs/{self.image['layers'][-1]}", headers)
        location = answer["Location"]
        shown = f"http://{urllib.parse.urlsplit(location).netloc}/… (signed)" if location else "none"
        of_the_layer = len(body) if status in (200, 206) else 0
        return (who, str(status), shown, f"{of_the_layer} B"), status, location


def show(demo):
    print("Servers: docker-registry, SeaweedFS (S3), nginx with nginx/*.conf, bloblo; all on loopback.")
    print("Pushing an image with layers of 1 KiB, 1 MiB and 64 MiB through nginx.")
    demo.push()
    problems = []

    cold = demo.pull("cold: the bucket is empty", demo.wait_for_bucket)
    warm = demo.pull("warm: the bucket is filled")
    allowed = demo.ask(demo.user, f"{demo.user}:{demo.password}")
    refused = [demo.ask("nobody", None), demo.ask(f"{demo.user}, wrong password", f"{demo.user}:wrong")]
    demo.servers.services["bloblo"].stop()
    stopped = demo.pull("bloblo stopped: nginx asks the registry")

    print()
    table([("pull", "seconds", "from the registry", "from S3", "digests"), cold[0], warm[0], stopped[0]])
    print("\n  Cold, the registry was read once, for the client and for the bucket. Warm, it gave the"
          "\n  manifest and said who may read; the layers came from S3. The digests are those of the three"
          "\n  layers, the configuration and the manifest, computed from the files that were pulled.\n")
    table([("who asks for the 64 MiB layer", "status", "Location", "bytes of it"), allowed[0],
           *(row for row, *_ in refused)])

    for (name, *_), registry, s3, wrong in (cold, warm, stopped):
        problems += [f"{name}: {digest} is missing or wrong" for digest in wrong]
    if warm[2] < sum(LAYERS) or warm[1] > MIB:
        problems.append("warm: the layers did not come from S3")
    if not allowed[2]:
        problems.append(f"{demo.user} was not redirected to S3")
    problems += [f"{row[0]} was not refused" for row, status, location in refused if status != 401 or location]

    print("\nTo keep these servers up and play with them: make dev")
    if problems:
        raise stack.StackError("; ".join(problems) + f"\nbloblo said: {demo.bloblo_said()}")


def stay(demo):
    demo.push()
    facts, credential = demo.facts, f"{demo.user}:{demo.password}"
    blob = f"{facts['nginx_url']}/v2/{REPOSITORY}/blobs/{demo.image['layers'][-1]}"
    print(f"""\
registry through nginx   {facts['nginx_url']}    users: {', '.join(map(':'.join, facts['users'].items()))}
registry itself          {facts['registry_url']}
S3                       {facts['s3_url']}    bucket {facts['s3_bucket']}, {facts['s3_access_key']} / {facts['s3_secret_key']}
S3 as clients see it     {facts['s3_public_url']}
everything is below      {facts['directory']}

Pull the image {REPOSITORY}:latest; the second time its layers come from S3:
  skopeo copy --src-tls-verify=false --src-creds {credential} docker://{demo.host}/{REPOSITORY}:latest dir:/tmp/pulled
See where a layer is to be had, or who is refused:
  curl -si -u {credential} {blob} -o /dev/null -D -
  curl -si {blob}
Watch:
  tail -F {shlex.quote(facts['bloblo_log'])} {shlex.quote(facts['nginx_access_log'])} {shlex.quote(facts['s3_access_log'])}
Take bloblo away, and pull again: the registry answers.
  kill {facts['pids']['bloblo']}

Ctrl-C ends all and removes the folder.""", flush=True)
    signal.pause()


def main():
    acts = {"demo": show, "dev": stay}
    if len(sys.argv) < 2 or sys.argv[1] not in acts:
        sys.exit(__doc__)
    stack.end_by_signal()
    try:
        with stack.Stack(stack.options(["up", *sys.argv[2:]])) as servers:
            servers.up()
            acts[sys.argv[1]](Demo(servers))
    except (stack.StackError, AssertionError) as error:
        sys.exit(f"demo: {error}")
    except stack.Ended as ended:
        if sys.argv[1] == "demo":
            sys.exit(128 + ended.args[0])


if __name__ == "__main__":
    main()
