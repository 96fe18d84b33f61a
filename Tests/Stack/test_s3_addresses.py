"""AWS's own addresses, in a network that has nothing else; botocore beside us."""

import json
import os
import subprocess

import pytest

import stack

pytestmark = pytest.mark.root

SCRIPT = r"""
import http.server, json, os, socket, subprocess, sys, threading, time

bloblo, addresses, cases = sys.argv[1], json.loads(sys.argv[2]), json.loads(sys.argv[3])
subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
for address in addresses:
    words = ["nodad"] if ":" in address else []
    subprocess.run(["ip", "address", "add", address, "dev", "lo", *words], check=True)
import botocore.session  # not before: it looks once whether there is IPv6

class Agent(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    def log_message(self, *_): pass
    def answer(self, status, text):
        self.send_response(status); self.send_header("Content-Length", str(len(text))); self.end_headers()
        self.wfile.write(text.encode())
    def do_PUT(self): self.answer(200, "token")
    def do_GET(self):
        if self.path.endswith("/security-credentials/"): return self.answer(200, "machine")
        end = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + 6 * 3600))
        here = "".join(c for c in self.server.server_address[0].upper() if c.isalnum())
        self.answer(200, json.dumps({"Code": "Success", "AccessKeyId": "ASIA" + here, "SecretAccessKey": "s",
                                     "Token": "t", "Expiration": end}))

class Server6(http.server.ThreadingHTTPServer): address_family = socket.AF_INET6
for address in addresses:
    host = address.split("/")[0]
    kind = Server6 if ":" in host else http.server.ThreadingHTTPServer
    threading.Thread(target=kind((host, 80), Agent).serve_forever, daemon=True).start()

results = []
for case in cases:
    environment = {"PATH": os.environ["PATH"], "HOME": "/nonexistent", "AWS_REGION": "r",
                   "BLOBLO_S3_ENDPOINT_URL": "http://127.0.0.1:1", "BLOBLO_UPSTREAM_URL": "http://127.0.0.1:1",
                   "AWS_METADATA_SERVICE_TIMEOUT": "10", **case}
    start = time.monotonic()
    done = subprocess.run([bloblo, "check", "--json"], env=environment, capture_output=True, text=True)
    ours = [line for line in map(json.loads, done.stdout.splitlines()) if line["subject"] == "credentials"]
    os.environ.clear(); os.environ.update(environment)
    try:
        credentials = botocore.session.Session().get_credentials()
        theirs = credentials and credentials.access_key
    except Exception as error:
        theirs = type(error).__name__
    results.append([ours[0]["finding"] if ours else done.stderr, theirs])
print(json.dumps(results))
"""


def results(addresses, cases):
    """For each environment of `cases`: what `bloblo check` says of the credential, and botocore's access key."""
    done = subprocess.run(
        ["unshare", "--net", stack.program("python"), "-c", SCRIPT, os.environ["BLOBLO"], json.dumps(addresses),
         json.dumps(cases)], capture_output=True, text=True, timeout=120)
    if "unshare" in done.stderr:
        pytest.skip(done.stderr)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_they_are_found():
    addresses = ["169.254.169.254/32", "169.254.170.2/32", "169.254.170.23/32", "fd00:ec2::254/128", "fd00:ec2::23/128"]
    cases = [({}, "ASIA169254169254"),
             ({"AWS_EC2_METADATA_SERVICE_ENDPOINT_MODE": "IPv6"}, "ASIAFD00EC2254"),
             ({"AWS_EC2_METADATA_SERVICE_ENDPOINT_MODE": "ipv4"}, "ASIA169254169254"),
             ({"AWS_EC2_METADATA_SERVICE_ENDPOINT": "http://[fd00:ec2::23]",
               "AWS_EC2_METADATA_SERVICE_ENDPOINT_MODE": "IPv4"}, "ASIAFD00EC223"),
             ({"AWS_CONTAINER_CREDENTIALS_RELATIVE_URI": "/x"}, "ASIA1692541702"),
             ({"AWS_CONTAINER_CREDENTIALS_FULL_URI": "http://169.254.170.23/x"}, "ASIA16925417023"),
             ({"AWS_CONTAINER_CREDENTIALS_FULL_URI": "http://[fd00:ec2::23]/x"}, "ASIAFD00EC223")]
    for (case, key), (ours, theirs) in zip(cases, results(addresses, [case for case, _ in cases])):
        assert ours.startswith(key + " from "), (case, ours)
        assert theirs == key, case


def test_a_machine_without_any_ends_with_no_credential():
    cases = [{}, {"AWS_EC2_METADATA_SERVICE_ENDPOINT_MODE": "IPv6"}]
    for ours, theirs in results([], cases):
        assert "none found" in ours
        assert "instance (EC2 metadata): no answer from http://" in ours
        assert theirs is None
