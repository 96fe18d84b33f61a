#!/usr/bin/env python3
"""What bloblo wrote during a whole test run is searched for every secret that was used in it.

    written.py FOLDER

While BLOBLO_WRITTEN names a folder, each harness keeps there what its bloblo wrote (`wrote-…`), and each
line of a head by which clients and servers of the tests showed each other a secret (`used-…`): credentials,
tokens, signatures. This program, at the end of `make test`, looks for the one in the other, and ends with 1
if it finds anything, or if there was nothing to look for, or to look in.
"""

import base64
import http.client
import http.server
import os
import pathlib
import re
import subprocess
import sys
import tempfile
import urllib.parse
import uuid

VARIABLE = "BLOBLO_WRITTEN"
SHORTEST = 8
FIELDS = ("authorization", "cookie", "location")
# What stands before a secret, whatever it is.
PREFIXES = ("X-Amz-Signature", "X-Amz-Security-Token", "Signature=", "Authorization:")
# A registry's challenge, which `check` shows, has a realm there.
SCHEMES = r"(Basic|Bearer) [A-Za-z0-9+/=._~-]{12,}"


def folder():
    path = os.environ.get(VARIABLE)
    return pathlib.Path(path) if path else None


def wrote(content):
    """Keeps what a bloblo wrote: bytes."""
    if (kept := folder()) and content:
        (kept / f"wrote-{uuid.uuid4().hex}").write_bytes(content)


def used(line):
    """Keeps a line of a head, `Name: value`."""
    if kept := folder():
        # One write, so that lines of several threads don't mix.
        handle = os.open(kept / f"used-{os.getpid()}", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        os.write(handle, (" ".join(line.splitlines()) + "\n").encode("utf-8", "replace"))
        os.close(handle)


def watch():
    """From here on whatever this process's HTTP clients send and get, its servers are sent, and a bloblo that it
    runs to the end writes, is kept."""
    put_header, begin = http.client.HTTPConnection.putheader, http.client.HTTPResponse.begin
    parse_request = http.server.BaseHTTPRequestHandler.parse_request

    def keep(headers):
        for name, value in headers:
            if name.lower() in FIELDS:
                used(f"{name}: {value}")

    def put(self, name, *values):
        texts = [value.decode("latin-1") if isinstance(value, bytes) else str(value) for value in values]
        name_ = name.decode("latin-1") if isinstance(name, bytes) else name
        keep((name_, text) for text in texts)
        return put_header(self, name, *values)

    def answered(self):
        begin(self)
        keep(self.headers.items())

    def asked(self):
        is_right = parse_request(self)
        if is_right:
            keep(self.headers.items())
            used(f"Location: {self.path}")
        return is_right

    communicate = subprocess.Popen.communicate

    def communicated(self, *arguments, **more):
        output, errors = communicate(self, *arguments, **more)
        words = [str(word) for word in self.args] if isinstance(self.args, (list, tuple)) else []
        if any(word.endswith("/bloblo") for word in words):
            # A CGI's answer and a printed URL are on the output, and are meant to hold what they hold.
            for said in [errors] + [output] * bool({"warm", "check", "sweep"} & set(words)):
                wrote(said.encode(errors="replace") if isinstance(said, str) else said)
        return output, errors

    subprocess.Popen.communicate = communicated
    http.client.HTTPConnection.putheader, http.client.HTTPResponse.begin = put, answered
    http.server.BaseHTTPRequestHandler.parse_request = asked


def secrets(line):
    """(kind, secret) for each that a line of a head holds."""
    name, _, value = line.partition(":")
    name, value = name.strip().lower(), value.strip()
    scheme, _, rest = value.partition(" ")
    found = []
    if name == "cookie":
        found += [("cookie", pair.partition("=")[2].strip()) for pair in value.split(";")]
    elif name == "authorization" and scheme.lower() == "basic":
        found.append(("basic", rest))
        try:
            found.append(("password", base64.b64decode(rest, validate=True).decode().partition(":")[2]))
        except ValueError:
            pass
    elif name == "authorization" and scheme.startswith("AWS"):
        found += [("signature", text) for text in re.findall(r"Signature=([^,\s]+)", rest)]
    elif name == "authorization":
        found.append(("bearer", rest or value))
    elif name == "location":
        for key, text in re.findall(r"[?&](X-Amz-Signature|X-Amz-Security-Token|Signature|sig|token)=([^&#\s]+)",
                                    value, re.IGNORECASE):
            found += [("signature", text), ("signature", urllib.parse.unquote(text))]
    return [(kind, secret) for kind, secret in found if len(secret) >= SHORTEST]


def search(wanted, paths):
    """`file:line: secret` for each that is found."""
    lines = []
    with tempfile.NamedTemporaryFile("w") as patterns:
        patterns.write("\n".join(sorted(wanted)) + "\n")
        patterns.flush()
        for how in (["-F", "-f", patterns.name], ["-E", "-e", SCHEMES]):
            found = subprocess.run(["grep", "-aoHn", *how, "--", *paths], capture_output=True, text=True,
                                   errors="replace")
            if found.returncode > 1:
                sys.exit(f"written.py: {found.stderr}")
            lines += found.stdout.splitlines()
    return lines


def main():
    import stack

    kept = pathlib.Path(sys.argv[1])
    kinds = {}
    for path in kept.glob("used-*"):
        for line in path.read_text(errors="replace").splitlines():
            for kind, secret in secrets(line):
                kinds.setdefault(kind, set()).add(secret)
    for kind in ("basic", "password", "bearer", "signature"):
        if not kinds.get(kind):
            sys.exit(f"written.py: no {kind} was used: nothing was looked for")
    logs = sorted(kept.glob("wrote-*"))
    size = sum(path.stat().st_size for path in logs)
    if not size:
        sys.exit("written.py: bloblo wrote nothing: nothing was looked at")
    wanted = set().union(*kinds.values()) | set(stack.secrets()) - {"Basic ", "Bearer "}
    # That a secret would be found: one of each kind, written as bloblo would write it.
    for kind, some in kinds.items():
        with tempfile.NamedTemporaryFile("w") as control:
            control.write(f'{{"level":"info","message":"{min(some)}"}}\n')
            control.flush()
            if not search(wanted, [control.name]):
                sys.exit(f"written.py: a {kind} in a log would not be found")
    found = search(wanted, logs)
    counts = ", ".join(f"{len(some)} of kind {kind}" for kind, some in sorted(kinds.items()))
    print(f"{len(logs)} outputs of bloblo, {size >> 10} KiB, searched for secrets that were used: {counts}")
    if found:
        print("\n".join(found[:20]), file=sys.stderr)
        sys.exit(f"written.py: bloblo wrote {len(found)} secrets")


if __name__ == "__main__":
    main()
