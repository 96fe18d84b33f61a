#!/usr/bin/env python3
"""`bloblo warm`, against a registry with tokens, redirects and an index, and against docker-registry.

    test_warm.py [--bloblo PATH] [Test.test …]
"""

import base64
import hashlib
import http.server
import json
import os
import pathlib
import pty
import random
import re
import stat
import subprocess
import sys
import threading
import time
import unittest
import urllib.parse

sys.path.insert(0, str(pathlib.Path(__file__).parent))
import faulty
import oci_image
import stack
import test_fill

MIB = 1 << 20
INDEX, MANIFEST = "application/vnd.oci.image.index.v1+json", "application/vnd.oci.image.manifest.v1+json"


class TokenRegistry:
    """One private repository, team/app; tokens by password or refresh token; blobs where `redirects` says."""

    def __init__(self):
        self.blobs, self.manifests, self.tokens, self.seen = {}, {}, set(), []
        self.redirects = False
        # Digests that the storage has lost.
        self.lost = set()
        registry = self

        class Server(http.server.ThreadingHTTPServer):
            daemon_threads = True

            def handle_error(self, *_):
                pass  # clients may leave

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *_):
                pass

            def do_GET(self):
                registry.answer(self)

            do_HEAD = do_POST = do_GET

        self.server = Server(("127.0.0.1", 0), Handler)
        self.host = f"127.0.0.1:{self.server.server_address[1]}"
        # The same server under another name is another host: there no credential may come.
        self.storage = f"http://localhost:{self.server.server_address[1]}/storage"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def store(self, content, kind="blobs"):
        digest = f"sha256:{hashlib.sha256(content).hexdigest()}"
        getattr(self, kind)[digest] = content
        return {"digest": digest, "size": len(content)}

    def image(self, architecture, layers, os="linux", kind=MANIFEST, variant=None):
        config = {"mediaType": "application/vnd.oci.image.config.v1+json",
                  **self.store(json.dumps({"architecture": architecture, "once": random.randrange(1 << 60)}).encode())}
        manifest = {"schemaVersion": 2, "mediaType": kind, "config": config, "layers": layers}
        return {"mediaType": kind, **self.store(json.dumps(manifest).encode(), "manifests"),
                "platform": {"os": os, "architecture": architecture, **({"variant": variant} if variant else {})}}

    def layer(self, size, kind="application/vnd.oci.image.layer.v1.tar+gzip"):
        return {"mediaType": kind, **self.store(random.randbytes(size))}

    def tag(self, tag, manifests, kind=INDEX):
        self.manifests[tag] = json.dumps({"schemaVersion": 2, "mediaType": kind, "manifests": manifests}).encode()

    def answer(self, request):
        length = int(request.headers.get("Content-Length") or 0)
        body = request.rfile.read(length).decode()
        url = urllib.parse.urlsplit(request.path)
        authorization = request.headers.get("Authorization")
        self.seen.append((request.command, url.path, authorization))
        status, fields, content = 404, {}, b""
        if url.path == "/token":
            query = dict(urllib.parse.parse_qsl(url.query or body))
            basic = "Basic " + base64.b64encode(b"alice:secret").decode()
            if (authorization == basic or query.get("refresh_token") == "refresh") \
                    and (query["scope"], query["service"]) == ("repository:team/app:pull", "the service"):
                token = f"token-{random.randrange(1 << 30)}"
                self.tokens.add(f"Bearer {token}")
                status, content = 200, json.dumps({"access_token": token}).encode()
            else:
                status = 401
        elif url.path.startswith("/storage/"):
            content = self.blobs[url.path[9:]]
            status = 400 if authorization else 500 if url.path[9:] in self.lost else 200
        elif authorization not in self.tokens:
            status = 401
            fields["WWW-Authenticate"] = (f'Bearer realm="http://{self.host}/token",service="the service",'
                                          'scope="repository:team/app:pull"')
        elif url.path.startswith("/v2/team/app/manifests/"):
            content = self.manifests.get(url.path.rsplit("/", 1)[1])
            if content is not None:
                status = 200
                fields["Content-Type"] = json.loads(content).get("mediaType", MANIFEST)
        elif url.path.startswith("/v2/team/app/blobs/"):
            digest = url.path.rsplit("/", 1)[1]
            if digest in self.blobs:
                if self.redirects:
                    status, fields["Location"] = 307, f"{self.storage}/{digest}"
                else:
                    status, content = 200, self.blobs[digest]
        request.send_response(status)
        for name, value in {**fields, "Content-Length": str(len(content or b""))}.items():
            request.send_header(name, value)
        request.end_headers()
        if request.command != "HEAD":
            request.wfile.write(content or b"")


class WarmTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        options = stack.options(["up", "--services", "registry,s3", "--bloblo", test_fill.ARGUMENTS.bloblo])
        cls.servers = stack.Stack(options)
        cls.s3 = cls.servers.services["s3"].client
        try:
            cls.servers.up()
        except BaseException:
            cls.servers.down()
            raise

    @classmethod
    def tearDownClass(cls):
        cls.servers.down()

    def setUp(self):
        self.registry = registry = TokenRegistry()
        self.layers = {name: {"mediaType": "application/vnd.oci.image.layer.v1.tar",
                              **registry.store(random.randbytes(size))}
                       for name, size in (("shared", 9 * MIB), ("amd", MIB), ("arm", 1000))}
        foreign = {"mediaType": "application/vnd.oci.image.layer.nondistributable.v1.tar",
                   "digest": "sha256:" + "1" * 64, "size": 5, "urls": ["http://nowhere/"]}
        self.manifests = [registry.image("amd64", [self.layers["shared"], self.layers["amd"], foreign]),
                          registry.image("arm64", [self.layers["shared"], self.layers["arm"]])]
        index = json.dumps({"schemaVersion": 2, "mediaType": INDEX, "manifests": self.manifests}).encode()
        registry.manifests["v1"] = index
        self.index = registry.store(index, "manifests")
        self.image = f"{registry.host}/team/app:v1"
        self.docker = self.servers.folder / "docker"
        self.docker.mkdir(exist_ok=True)
        self.login({"auths": {registry.host: {"auth": base64.b64encode(b"alice:secret").decode()}}})

    def login(self, configuration):
        (self.docker / "config.json").write_text(json.dumps(configuration))

    def environment(self, **more):
        facts = self.servers.facts()
        return {"PATH": f"{self.docker}:{os.environ['PATH']}", "HOME": str(self.servers.folder),
                "DOCKER_CONFIG": str(self.docker), "BLOBLO_S3_ENDPOINT_URL": facts["s3_url"],
                "BLOBLO_S3_BUCKET_NAME": stack.BUCKET, "AWS_ACCESS_KEY_ID": stack.ACCESS_KEY,
                "AWS_SECRET_ACCESS_KEY": stack.SECRET_KEY, "AWS_REGION": stack.REGION,
                "BLOBLO_SPOOL_DIR": str(self.servers.folder), **more}

    def warm(self, *words, **environment):
        return subprocess.run([test_fill.ARGUMENTS.bloblo, "warm", *words], env=self.environment(**environment),
                              capture_output=True, text=True, timeout=60)

    def is_there(self, *names):
        return [self.s3.size(self.layers[name]["digest"]) == self.layers[name]["size"] for name in names]

    def test_an_index_with_tokens(self):
        ended = self.warm(self.image)
        self.assertEqual(ended.returncode, 0, ended)
        self.assertIn("5 filled (10.0 MiB), 0 present, 1 skipped, 0 failed", ended.stdout)
        self.assertIn(f"filled {self.layers['shared']['digest']} 9.0 MiB", ended.stdout)
        self.assertEqual(self.is_there("shared", "amd", "arm"), [True] * 3)
        again = self.warm(self.image)
        self.assertEqual(again.returncode, 0)
        self.assertIn("0 filled (0 B), 5 present, 1 skipped, 0 failed", again.stdout)

    def test_one_platform(self):
        ended = self.warm("--platform", "linux/arm64", self.image)
        self.assertEqual((ended.returncode, self.is_there("shared", "amd", "arm")), (0, [True, False, True]), ended)

    def test_a_digest_and_a_registry_by_option(self):
        ended = self.warm("--registry", f"http://{self.registry.host}", f"team/app@{self.index['digest']}")
        self.assertEqual((ended.returncode, self.is_there("shared")), (0, [True]), ended)

    def test_redirects_carry_no_credential_to_another_host(self):
        self.registry.redirects = True
        ended = self.warm(self.image)
        self.assertEqual((ended.returncode, self.is_there("shared", "amd", "arm")), (0, [True] * 3), ended)

    def test_a_storage_that_fails_behind_a_redirect(self):
        self.registry.redirects = True
        self.registry.lost.add(self.layers["shared"]["digest"])
        ended = self.warm(self.image)
        self.assertEqual((ended.returncode, self.is_there("shared", "amd", "arm")), (1, [False, True, True]), ended)
        self.assertIn(f"failed {self.layers['shared']['digest']} 9.0 MiB: the registry answers 500", ended.stdout)
        self.assertIn("4 filled", ended.stdout)

    def test_attestations(self):
        # As BuildKit makes them: a manifest of platform unknown/unknown, whose layer is a statement.
        kind = "application/vnd.in-toto+json"
        layer, statement = self.registry.layer(5000), self.registry.layer(300, kind)
        image = self.registry.image("amd64", [layer])
        attestation = self.registry.image("unknown", [statement], os="unknown")
        attestation["annotations"] = {"vnd.docker.reference.type": "attestation-manifest",
                                      "vnd.docker.reference.digest": image["digest"]}
        self.registry.tag("attested", [image, attestation])
        name = f"{self.registry.host}/team/app:attested"
        ended = self.warm("--platform", "linux/amd64", name)
        self.assertEqual((ended.returncode, "2 filled" in ended.stdout), (0, True), ended)
        self.assertIsNone(self.s3.size(statement["digest"]))
        ended = self.warm(name)
        self.assertEqual((ended.returncode, "2 filled" in ended.stdout, "2 present" in ended.stdout), (0, True, True), ended)
        self.assertEqual(self.s3.size(statement["digest"]), 300)

    def test_dockers_own_types(self):
        docker = "application/vnd.docker.distribution.manifest"
        rootfs = "application/vnd.docker.image.rootfs"
        layer = self.registry.layer(7000, f"{rootfs}.diff.tar.gzip")
        # Windows' base layer: no registry has to have it, and this one has not.
        foreign = {"mediaType": f"{rootfs}.foreign.diff.tar.gzip", "digest": "sha256:" + "2" * 64, "size": 5}
        self.registry.tag("docker", [
            self.registry.image("amd64", [layer, foreign], kind=f"{docker}.v2+json"),
            self.registry.image("arm", [self.registry.layer(10)], kind=f"{docker}.v2+json", variant="v6"),
            self.registry.image("arm", [self.registry.layer(20)], kind=f"{docker}.v2+json", variant="v7"),
        ], f"{docker}.list.v2+json")
        name = f"{self.registry.host}/team/app:docker"
        ended = self.warm("--platform", "linux/arm/v7", "--platform", "linux/amd64", name)
        self.assertEqual(ended.returncode, 0, ended)
        self.assertIn("4 filled", ended.stdout)
        self.assertIn("1 skipped, 0 failed", ended.stdout)
        self.assertEqual(self.s3.size(layer["digest"]), 7000)
        none = self.warm("--platform", "windows/amd64", name)
        self.assertEqual((none.returncode, "none of the image's platforms is wanted" in none.stdout), (1, True), none)

    def test_an_index_of_which_a_part_is_missing(self):
        # As copies of one platform leave it.
        missing = self.manifests[1]["digest"]
        del self.registry.manifests[missing]
        ended = self.warm(self.image)
        self.assertEqual((ended.returncode, self.is_there("shared", "amd", "arm")), (1, [True, True, False]), ended)
        self.assertIn(f"failed {self.image} {missing}: manifest {missing}: the registry answers 404", ended.stdout)
        self.assertIn("3 filled", ended.stdout)
        self.assertIn("1 failed", ended.stdout)

    def test_dockers_first_schema(self):
        self.registry.manifests["old"] = json.dumps({"schemaVersion": 1, "name": "a", "fsLayers": [{"blobSum": "x"}]}).encode()
        ended = self.warm(f"{self.registry.host}/team/app:old", self.image)
        self.assertEqual((ended.returncode, self.is_there("amd")), (1, [True]), ended)
        self.assertIn("Docker's first schema is not read", ended.stdout)

    def test_a_store_that_refuses(self):
        ended = self.warm(self.image, AWS_SECRET_ACCESS_KEY="wrong")
        self.assertEqual((ended.returncode, "0 filled" in ended.stdout), (1, True), ended)

    def large_layer(self, size):
        """The image is of this layer alone; and S3 is behind a relay."""
        layer = self.registry.layer(size)
        self.registry.tag("v1", [self.registry.image("amd64", [layer])])
        relay = faulty.Relay(self.servers.services["s3"].port)
        self.addCleanup(relay.close)
        return layer, relay

    def warming(self, relay, parallel):
        """`warm` at work, by parts of 5 MiB."""
        environment = self.environment(BLOBLO_S3_ENDPOINT_URL=relay.url, BLOBLO_FILL_PART_SIZE="5MiB",
                                       BLOBLO_FILL_PARALLEL_PARTS=str(parallel))
        return subprocess.Popen([test_fill.ARGUMENTS.bloblo, "warm", self.image], env=environment, text=True,
                                stdout=subprocess.PIPE)

    def test_a_slow_store_holds_the_reading_back(self):
        """What is up leaves the spool, and upstream is never read far ahead of that."""
        size = 48 * MIB
        layer, relay = self.large_layer(size)
        # A part that breaks off goes up again, from what is still in the spool.
        relay.rate, relay.reset_at = 8 * MIB, MIB
        lead = 2 * 2 * 5 * MIB
        with self.warming(relay, parallel=2) as warm:
            seen = []
            while warm.poll() is None:
                seen += self.written_and_held(warm.pid, size)
                time.sleep(0.02)
            output = warm.stdout.read()
        self.assertEqual(warm.returncode, 0, output)
        self.assertIsNone(relay.reset_at)
        content = self.s3.call("GET", f"/{stack.BUCKET}/{layer['digest']}")[2]
        self.assertEqual(f"sha256:{hashlib.sha256(content).hexdigest()}", layer["digest"])
        self.assertLess(max(written - (size - held) for written, held in seen), lead + 4 * MIB)
        self.assertLess(min(held for _, held in seen), lead)

    def test_a_store_that_stalls_holds_no_reading_back(self):
        """A registry's front would take us for dead."""
        size = 40 * MIB
        _, relay = self.large_layer(size)
        with self.warming(relay, parallel=1) as warm:
            # Its upload has begun by then.
            self.assertTrue(test_fill.eventually(lambda: any(
                held < size for _, held in self.written_and_held(warm.pid, size))))
            relay.stalled = True
            self.assertTrue(test_fill.eventually(lambda: any(
                written >= size for written, _ in self.written_and_held(warm.pid, size)), 20))
            self.assertIsNone(warm.poll())
            relay.heal()
            output = warm.stdout.read()
        self.assertEqual(warm.returncode, 0, output)

    def test_a_store_that_is_away_for_a_moment(self):
        relay = faulty.Relay(self.servers.services["s3"].port)
        self.addCleanup(relay.close)
        relay.refuse, relay.times = faulty.slow_down(), 2
        ended = self.warm(self.image, BLOBLO_S3_ENDPOINT_URL=relay.url)
        self.assertEqual((ended.returncode, relay.times), (0, 0), ended)

    def test_blobs_wait_for_room(self):
        layers = [self.registry.layer(4 * MIB) for _ in range(6)]
        self.registry.tag("v1", [self.registry.image("amd64", layers)])
        ended = self.warm(self.image, BLOBLO_SPOOL_MAX_BYTES="6MiB")
        self.assertEqual(ended.returncode, 0, ended)
        self.registry.tag("v1", [self.registry.image("amd64", [self.registry.layer(6 * MIB + 1)])])
        ended = self.warm(self.image, BLOBLO_SPOOL_MAX_BYTES="6MiB")
        self.assertEqual(ended.returncode, 1, ended)
        self.assertIn("no room", ended.stdout)

    def written_and_held(self, pid, size):
        """Bytes that a process has written, and those of its spool that have room on the disk; if it has a spool."""
        try:
            written = int(re.search(r"wchar: (\d+)", pathlib.Path(f"/proc/{pid}/io").read_text()).group(1))
            for each in pathlib.Path(f"/proc/{pid}/fd").iterdir():
                facts = each.stat()
                if stat.S_ISREG(facts.st_mode) and facts.st_nlink == 0 and facts.st_size > 6 * MIB:
                    return [(written, facts.st_blocks * 512)]
        except OSError:
            pass  # it has just ended
        return []

    def test_an_identity_token(self):
        self.login({"auths": {self.registry.host: {"identitytoken": "refresh"}}})
        self.assertEqual(self.warm(self.image).returncode, 0)

    def test_a_credential_helper(self):
        helper = self.docker / "docker-credential-test"
        helper.write_text('#!/bin/sh\nread server\n[ "$1" = get ] && printf \'{"ServerURL":"%s","Username":"alice",'
                          '"Secret":"secret"}\' "$server"\n')
        helper.chmod(0o755)
        for login in ({"credHelpers": {self.registry.host: "test"}}, {"credsStore": "test"}):
            self.login(login)
            self.assertEqual(self.warm(self.image).returncode, 0)

    def test_failures_are_told_and_the_rest_is_filled(self):
        del self.registry.blobs[self.layers["amd"]["digest"]]
        self.registry.blobs[self.layers["arm"]["digest"]] = b"x" * 1000
        ended = self.warm(self.image, f"{self.registry.host}/team/app:none")
        self.assertEqual((ended.returncode, self.is_there("shared", "amd", "arm")), (1, [True, False, False]), ended)
        self.assertIn("3 filled", ended.stdout)
        self.assertIn("3 failed", ended.stdout)
        self.assertIn("digest mismatch", ended.stdout)
        self.assertNotIn("secret", ended.stdout + ended.stderr)

    def test_no_credential(self):
        self.login({})
        ended = self.warm(self.image)
        self.assertEqual(ended.returncode, 1)
        self.assertIn("token server: status 401", ended.stdout)

    def test_a_manifest_that_is_another(self):
        self.registry.manifests[self.manifests[0]["digest"]] = self.registry.manifests["v1"]
        ended = self.warm(self.image)
        self.assertEqual(ended.returncode, 1)
        self.assertIn("a manifest that is not", ended.stdout)

    def test_a_bar_on_a_terminal(self):
        ours, theirs = pty.openpty()
        ended = subprocess.run([test_fill.ARGUMENTS.bloblo, "warm", self.image], env=self.environment(),
                               stdout=subprocess.PIPE, stderr=theirs, timeout=60)
        os.close(theirs)
        drawn = os.read(ours, 65536).decode()
        os.close(ours)
        self.assertIn("[##############################]", drawn)
        self.assertEqual(len(ended.stdout.splitlines()), 1)

    def test_names_by_which_clients_know_the_registry(self):
        names = {"BLOBLO_UPSTREAM_URL": f"http://{self.registry.host}",
                 "BLOBLO_REGISTRY_HOST": "registry.example.com, hub.example.org:5000"}
        auth = {"auth": base64.b64encode(b"alice:secret").decode()}
        for login, image, status in [
                ("registry.example.com", "registry.example.com/team/app:v1", 0),
                ("hub.example.org:5000", "hub.example.org:5000/team/app:v1", 0),
                ("registry.example.com", "team/app:v1", 0),  # the first name's login
                ("hub.example.org:5000", "team/app:v1", 1),
                (self.registry.host, "team/app:v1", 0),  # the address itself
                ("registry.example.com", "localhost:1/team/app:v1", 1)]:  # another registry
            self.login({"auths": {login: auth}})
            ended = self.warm(image, **names)
            self.assertEqual(ended.returncode, status, (login, image, ended))
        self.login({"auths": {"registry.example.com": auth}})
        ended = self.warm("--registry", f"http://{self.registry.host}", "team/app:v1", **names)
        self.assertEqual(ended.returncode, 1, "the login of a name went to another address")

    def test_wrong_words(self):
        for words in (["UPPER/case"], ["a:b:c/d"], ["--platform", "linux", "a/b"], []):
            self.assertEqual(self.warm(*words).returncode, 64, words)

    def test_docker_registry_with_a_password(self):
        folder = self.servers.folder / f"image-{random.randrange(1 << 30)}"
        image = oci_image.make(folder, [MIB, 10 * MIB])
        registry = self.servers.services["registry"].address
        subprocess.run(["skopeo", "--insecure-policy", "copy", "--quiet", "--preserve-digests",
                        "--dest-tls-verify=false", "--dest-creds=alice:alice-password", f"oci:{folder}:latest",
                        f"docker://{registry}/app:latest"], check=True, env={**os.environ, "HOME": str(folder)})
        self.login({"auths": {registry: {"auth": base64.b64encode(b"alice:alice-password").decode()}}})
        ended = self.warm("app", BLOBLO_UPSTREAM_URL=f"http://{registry}")
        self.assertEqual(ended.returncode, 0, ended)
        for digest in image["layers"] + [image["config"]]:
            self.assertEqual(self.s3.size(digest), image["sizes"][digest])


if __name__ == "__main__":
    test_fill.FillTest = None  # its tests are not ours
    test_fill.main()
