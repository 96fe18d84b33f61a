#!/usr/bin/env python3
"""S3 as it really is: several servers, private authorities, wrong clocks, credentials that end meanwhile.

    python3 Tests/Stack/test_s3.py [TestServers …]

What `bloblo check` says of a server is compared with what was measured of it.
"""

import hashlib
import http.client
import http.server
import json
import os
import pathlib
import shutil
import socket
import ssl
import subprocess
import threading
import time
import unittest
import urllib.parse

import botocore.session

import faulty
import stack

BLOBLO = os.environ.get("BLOBLO", str(stack.ROOT / ".build/debug/bloblo"))
NEXT_KEY, NEXT_SECRET = "AKIDNEXT", "SECRETNEXT"


def make_stack(*arguments, services="s3"):
    return stack.Stack(stack.options(["up", "--services", services, "--bloblo", BLOBLO, *arguments]))


def run(*arguments, env, prefix=()):
    environment = {"PATH": os.environ["PATH"], "HOME": "/nonexistent", "AWS_EC2_METADATA_DISABLED": "true", **env}
    return subprocess.run([*prefix, BLOBLO, *arguments], env=environment, capture_output=True, text=True, timeout=120)


def check(env, *arguments, prefix=()):
    """(exit status, {subject: (level, finding)})"""
    done = run("check", "--json", *arguments, env=env, prefix=prefix)
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    if not lines:
        raise AssertionError(f"no report: {done.returncode} {done.stderr}")
    return done.returncode, {line["subject"]: (line["level"], line["finding"]) for line in lines}


def settings(url, **more):
    return {"AWS_ACCESS_KEY_ID": stack.ACCESS_KEY, "AWS_SECRET_ACCESS_KEY": stack.SECRET_KEY,
            "AWS_REGION": stack.REGION, "BLOBLO_S3_ENDPOINT_URL": url, "BLOBLO_S3_BUCKET_NAME": stack.BUCKET,
            "BLOBLO_UPSTREAM_URL": "http://127.0.0.1:9", **more}


class JuiceFS(stack.Service):
    """Its gateway is MinIO's code."""

    name = "juicefs"
    patience = 2

    def __init__(self, owner):
        super().__init__(owner)
        self.port = owner.ports.take()
        self.url = f"http://127.0.0.1:{self.port}"
        (self.folder / "objects").mkdir()
        subprocess.run([stack.program("juicefs"), "format", "--storage", "file", "--bucket",
                        f"{self.folder}/objects/", "sqlite3://meta.db", "demo"], cwd=self.folder, check=True,
                       capture_output=True)

    def environment(self):
        return {**os.environ, "MINIO_ROOT_USER": stack.ACCESS_KEY, "MINIO_ROOT_PASSWORD": stack.SECRET_KEY}

    def command(self):
        return (stack.program("juicefs"), "gateway", "--multi-buckets", "--no-usage-report", "--cache-dir",
                self.folder / "cache", "sqlite3://meta.db", f"127.0.0.1:{self.port}")

    def answers(self):
        return stack.S3Client(self.url).call("PUT", f"/{stack.BUCKET}")[0] in (200, 409)


class JuiceFSElsewhere(JuiceFS):
    """In a region, and it refuses what is signed for another."""

    name = "juicefs-elsewhere"

    def environment(self):
        return {**super().environment(), "MINIO_REGION": "eu-west-1"}

    def answers(self):
        # It answers before it knows its region.
        return (stack.S3Client(self.url, region="eu-west-1").call("PUT", f"/{stack.BUCKET}")[0] in (200, 409)
                and stack.S3Client(self.url).call("GET", f"/{stack.BUCKET}")[0] == 400)


class Moto(stack.Service):
    name = "moto"

    def __init__(self, owner):
        super().__init__(owner)
        self.port = owner.ports.take()
        self.url = f"http://127.0.0.1:{self.port}"

    def command(self):
        return stack.program("moto_server"), "-H", "127.0.0.1", "-p", str(self.port)

    def answers(self):
        return stack.S3Client(self.url).call("PUT", f"/{stack.BUCKET}")[0] in (200, 409)


class Judge:
    """For a test case that looks at a server."""

    def judge(self, url, **wrong):
        """Runs `check` and `presign`; all is ok but what is named: subject with _ for . and its level."""
        env = settings(url)
        status, lines = check(env)
        levels = {subject: level for subject, (level, _) in lines.items()}
        # There is no registry, and these servers know no lifecycle until they are told one.
        expected = {"upstream": "FAIL", "bucket.lifecycle": "warn", "same-host": "warn",
                    **{name.replace("_", "."): level for name, level in wrong.items()}}
        for subject, level in levels.items():
            self.assertEqual(level, expected.get(subject, "ok"), f"{subject}: {lines[subject]}")
        self.assertEqual(status, 1)
        for subject in ("credentials", "bucket.head", "bucket.region", "clock", "bucket.put", "bucket.condition",
                        "presign.length", "presign.get", "presign.expiry", "presign.signature", "bucket.delete"):
            self.assertIn(subject, levels)
        # The probe is gone, and the blob of which a URL is asked is not there.
        self.assertEqual(run("presign", "sha256:" + "0" * 64, env=env).returncode, 1)
        body = os.urandom(1000)
        digest = "sha256:" + hashlib.sha256(body).hexdigest()
        client = stack.S3Client(url)
        self.assertEqual(client.call("PUT", f"/{stack.BUCKET}/{digest}", body)[0], 200)
        done = run("presign", digest, env=env)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual(stack.request("GET", done.stdout.strip())[::2], (200, body))
        return levels


class Watcher:
    """For a test case whose stack has a bloblo."""

    def log(self):
        return self.stack.services["bloblo"].log.read_text()

    def wait(self, condition, seconds=30):
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            if condition():
                return
            time.sleep(0.1)
        self.fail(self.log()[-3000:])


def boto(url):
    session = botocore.session.Session()
    session.set_credentials(stack.ACCESS_KEY, stack.SECRET_KEY)
    return session.create_client("s3", endpoint_url=url, region_name=stack.REGION)


class FakeRegistry:
    """Has the blobs that it was asked to make, in every repository."""

    def __init__(self):
        bodies = self.bodies = {}

        class Registry(Handler):
            def do_HEAD(self):
                body = bodies.get(self.path.rsplit("/", 1)[1])
                self.send_response(404 if body is None else 200)
                body = body or b""
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                return body

            def do_GET(self):
                self.wfile.write(self.do_HEAD())

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Registry)
        self.server.daemon_threads = True
        self.address = f"127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def blob(self, size):
        body = os.urandom(size)
        digest = "sha256:" + hashlib.sha256(body).hexdigest()
        self.bodies[digest] = body
        return digest, body

    def close(self):
        self.server.shutdown()
        self.server.server_close()


class TestServers(Judge, unittest.TestCase):
    """What a server does, and what it leaves to be warned of."""

    @classmethod
    def setUpClass(cls):
        cls.stack = make_stack()
        cls.addClassCleanup(cls.stack.down)
        cls.stack.up()

    def server(self, kind):
        server = kind(self.stack)
        self.addCleanup(server.stop)
        server.start()
        return server

    def test_seaweedfs(self):
        self.judge(self.stack.services["s3"].url)

    def test_juicefs(self):
        # MinIO's code of that age knows no conditions on writes.
        self.judge(self.server(JuiceFS).url, bucket_condition="warn")

    def test_moto(self):
        # It checks nothing, and is found out.
        self.judge(self.server(Moto).url, presign_expiry="FAIL", presign_signature="FAIL")

    def test_true_region_is_found_out(self):
        url = self.server(JuiceFSElsewhere).url
        lines = check(settings(url))[1]
        self.assertEqual(lines["bucket.region"], ("warn", f"the bucket is in eu-west-1, set is {stack.REGION}"))
        for subject in ("bucket.head", "bucket.put", "presign.get", "bucket.delete"):
            self.assertEqual(lines[subject][0], "ok", lines[subject])
        registry = FakeRegistry()
        self.addCleanup(registry.close)
        owner = make_stack("--registry", registry.address, services="nginx,bloblo")
        self.addCleanup(owner.down)
        owner.options.env |= {**settings(url), "BLOBLO_UPSTREAM_URL": f"http://{registry.address}"}
        owner.up()
        for _ in range(5):
            digest, body = registry.blob(1000)
            path = f"{owner.services['nginx'].url}/v2/a/blobs/{digest}"
            self.assertEqual(stack.request("GET", path)[::2], (200, body))
            deadline = time.monotonic() + 20
            while (answer := stack.request("GET", path))[0] != 307:
                self.assertLess(time.monotonic(), deadline)
            self.assertEqual(stack.request("GET", answer[1]["Location"])[::2], (200, body))
        self.assertEqual(owner.services["bloblo"].log.read_text().count("is in another region"), 1)

    def test_another_credential_presigns(self):
        url = self.stack.services["s3"].url
        digest = "sha256:" + hashlib.sha256(b"other").hexdigest()
        stack.S3Client(url).call("PUT", f"/{stack.BUCKET}/{digest}", b"other")
        env = settings(url, BLOBLO_PRESIGN_ACCESS_KEY_ID=NEXT_KEY, BLOBLO_PRESIGN_SECRET_ACCESS_KEY=NEXT_SECRET)
        location = run("presign", digest, env=env).stdout.strip()
        self.assertIn(f"X-Amz-Credential={NEXT_KEY}%2F", location)
        self.assertEqual(stack.request("GET", location)[::2], (200, b"other"))
        self.assertEqual(check(env)[1]["presign.get"][0], "ok")

    def test_what_check_says_of_registries(self):
        digest = "sha256:" + "1" * 64

        class Registry(Handler):
            def do_GET(self):
                ping = self.path == "/v2/"
                status, fields = {
                    "redirects": (200, {}) if ping else (307, {"Location": f"http://blobs.example.com/{'1' * 64}?s=1"}),
                    "refuses": (401, {"WWW-Authenticate": 'Basic realm="x"'}),
                    "is a page": (200, {"Content-Type": "text/html"}),
                    "moved": (301, {"Location": "https://registry.example.com/v2/"}),
                    "is in trouble": (500, {}),
                    "has it": (200, {}),
                }[kind]
                self.send_response(status)
                for name, value in {**fields, "Content-Length": "5"}.items():
                    self.send_header(name, value)
                self.end_headers()
                if self.command != "HEAD":
                    self.wfile.write(b"12345")

            do_HEAD = do_GET

        server = stack.serve_http(Registry, self.addCleanup)
        env = settings(self.stack.services["s3"].url, BLOBLO_UPSTREAM_URL=f"http://127.0.0.1:{server.server_port}")
        for kind, expected in [
                ("has it", {"upstream": "ok", "upstream.head": "ok", "upstream.proof": "ok", "bucket.blob": "warn"}),
                ("redirects", {"upstream": "ok", "upstream.redirect": "ok", "upstream.proof": "ok"}),
                ("refuses", {"upstream": "ok", "upstream.head": "warn", "upstream.proof": "warn"}),
                ("is a page", {"upstream": "FAIL"}), ("moved", {"upstream": "warn"}), ("is in trouble", {"upstream": "FAIL"})]:
            lines = check(env, "--blob", f"a/b@{digest}")[1]
            self.assertEqual({subject: lines[subject][0] for subject in expected}, expected, (kind, lines))

    def test_lifecycle_rule_is_found(self):
        url = self.server(Moto).url
        rule = (b"<LifecycleConfiguration><Rule><ID>a</ID><Status>Enabled</Status><Filter><Prefix></Prefix></Filter>"
                b"<AbortIncompleteMultipartUpload><DaysAfterInitiation>3</DaysAfterInitiation>"
                b"</AbortIncompleteMultipartUpload></Rule></LifecycleConfiguration>")
        self.assertEqual(
            stack.S3Client(url).call("PUT", f"/{stack.BUCKET}", rule, query=[("lifecycle", "")])[0], 200)
        self.assertEqual(check(settings(url))[1]["bucket.lifecycle"],
                         ("ok", "incomplete uploads are aborted after 3 d"))

    def test_encryption_class_tags_reach_the_object(self):
        url = self.server(Moto).url
        env = settings(url, BLOBLO_S3_SSE="aws:kms", BLOBLO_S3_SSE_KMS_KEY_ID="k",
                       BLOBLO_S3_SSE_BUCKET_KEY="true", BLOBLO_S3_STORAGE_CLASS="STANDARD_IA",
                       BLOBLO_S3_TAGS="cost=registry,repository={repository}", BLOBLO_S3_REQUESTER_PAYS="true")
        levels = check(env)[1]
        self.assertEqual(levels["bucket.put"][0], "ok", levels["bucket.put"])
        self.assertEqual(levels["presign.get"][0], "ok", levels["presign.get"])
        registry = FakeRegistry()
        self.addCleanup(registry.close)
        owner = make_stack("--registry", registry.address, services="nginx,bloblo")
        self.addCleanup(owner.down)
        owner.options.env |= {**env, "BLOBLO_UPSTREAM_URL": f"http://{registry.address}"}
        owner.up()
        client = boto(url)
        for size in (1000, 12_000_000):  # one PUT; parts
            digest, body = registry.blob(size)
            asked = {"Bucket": stack.BUCKET, "Key": digest}
            self.assertEqual(stack.request("GET", f"{owner.services['nginx'].url}/v2/team/app/blobs/{digest}")[::2],
                             (200, body))
            log = owner.services["bloblo"].log
            deadline = time.monotonic() + 30
            while digest not in "".join(line for line in log.read_text().splitlines() if '"filled"' in line):
                self.assertLess(time.monotonic(), deadline, log.read_text())
                time.sleep(0.1)
            head = client.head_object(**asked)
            self.assertEqual([head.get(name) for name in (
                "ContentLength", "ContentType", "ServerSideEncryption", "SSEKMSKeyId", "BucketKeyEnabled", "StorageClass")],
                # Of uploads in parts moto forgets the bucket key.
                [size, "application/octet-stream", "aws:kms", "k", True if size == 1000 else None, "STANDARD_IA"], head)
            tags = {tag["Key"]: tag["Value"] for tag in client.get_object_tagging(**asked)["TagSet"]}
            self.assertEqual(tags, {"cost": "registry", "repository": "team/app"})

    def test_wrong_secret_bucket_and_address_are_told(self):
        url = self.stack.services["s3"].url
        for env, subject in [
                (settings(url, AWS_SECRET_ACCESS_KEY="wrong"), "bucket.head"),
                (settings("http://127.0.0.1:1"), "bucket.head"),
                (settings(url, BLOBLO_S3_PUBLIC_ENDPOINT_URL="http://127.0.0.1:1"), "presign.get")]:
            status, lines = check(env)
            self.assertEqual((status, lines[subject][0]), (1, "FAIL"), lines)
        for subject in ("bucket.head", "bucket.put"):
            self.assertIn("SignatureDoesNotMatch", check(settings(url, AWS_SECRET_ACCESS_KEY="wrong"))[1][subject][1])
        done = run("check", "--json", env={"BLOBLO_S3_REGION": "a b", "BLOBLO_THREADS": "many"})
        self.assertEqual(done.returncode, 78)
        self.assertGreaterEqual(len(done.stdout.splitlines()), 2)

    def test_private_authority(self):
        folder = self.stack.folder / "tls"
        folder.mkdir()
        subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
                        "-keyout", folder / "key", "-out", folder / "certificate", "-days", "2", "-subj", "/CN=localhost",
                        "-addext", "subjectAltName=DNS:localhost"], check=True, capture_output=True)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(folder / "certificate", folder / "key")
        proxy = Forwarder(self.stack.services["s3"].port, context)
        self.addCleanup(proxy.close)
        url = f"https://localhost:{proxy.port}"
        self.assertEqual(check(settings(url))[1]["bucket.head"][0], "FAIL")
        for name in ("BLOBLO_S3_CA_FILE", "AWS_CA_BUNDLE"):
            lines = check(settings(url, **{name: str(folder / "certificate")}))[1]
            for subject in ("bucket.head", "bucket.put", "presign.get"):
                self.assertEqual(lines[subject][0], "ok", lines[subject])

    def test_ipv6(self):
        try:
            proxy = Forwarder(self.stack.services["s3"].port, host="::1", family=socket.AF_INET6)
        except OSError as error:
            self.skipTest(f"no IPv6: {error}")
        self.addCleanup(proxy.close)
        lines = check(settings(f"http://[::1]:{proxy.port}"))[1]
        for subject in ("bucket.head", "bucket.put", "presign.get", "bucket.delete"):
            self.assertEqual(lines[subject][0], "ok", lines[subject])

    @unittest.skipUnless(shutil.which("faketime"), "no faketime")
    def test_clock_is_corrected(self):
        url = self.stack.services["s3"].url
        for shift in ("-2h", "+2h"):
            status, lines = check(settings(url), prefix=("faketime", "-f", shift))
            self.assertEqual(lines["clock"][0], "warn", lines)
            for subject in ("bucket.head", "bucket.put", "presign.get", "presign.expiry", "bucket.delete"):
                self.assertEqual(lines[subject][0], "ok", lines[subject])

    def test_cloudfront_url_is_presigned(self):
        url = self.stack.services["s3"].url
        body = os.urandom(10)
        digest = "sha256:" + hashlib.sha256(body).hexdigest()
        stack.S3Client(url).call("PUT", f"/{stack.BUCKET}/{digest}", body)
        key = self.stack.folder / "cloudfront.pem"
        subprocess.run(["openssl", "genrsa", "-out", key, "2048"], check=True, capture_output=True)
        env = settings(url, BLOBLO_CLOUDFRONT_URL="https://cdn.example.com/blobs", BLOBLO_CLOUDFRONT_KEY_PAIR_ID="K1",
                       BLOBLO_CLOUDFRONT_PRIVATE_KEY_FILE=str(key))
        done = run("presign", digest, env=env)
        self.assertTrue(done.stdout.startswith(
            f"https://cdn.example.com/blobs/{urllib.parse.quote(digest, safe='')}?Expires="), done)
        self.assertTrue(done.stdout.strip().endswith("&Key-Pair-Id=K1"))
        if shutil.which("faketime"):  # by S3's time, not by this machine's
            done = run("presign", digest, env=env, prefix=("faketime", "-f", "-2h"))
            expires = int(urllib.parse.parse_qs(urllib.parse.urlsplit(done.stdout.strip()).query)["Expires"][0])
            self.assertLess(abs(expires - time.time() - 300), 120)
        key.write_text("nothing")
        self.assertEqual(run("presign", digest, env=env).returncode, 78)

    def test_same_host_is_explained(self):
        url = self.stack.services["s3"].url
        for host, public, level in [
                ("registry.example.com", "http://registry.example.com:9000", "warn"),
                ("registry.example.com", "http://s3.registry.example.com", "warn"),
                ("registry.example.com", "http://s3.example.com", "ok"),
                ("registry.example.com,example.com", "http://s3.example.com", "warn"),
                ("127.0.0.1:5000", "http://localhost:1", "ok")]:
            lines = check(settings(url, BLOBLO_REGISTRY_HOST=host, BLOBLO_S3_PUBLIC_ENDPOINT_URL=public))[1]
            self.assertEqual(lines["same-host"][0], level, (host, public))


class Forwarder:
    """Hands the bytes on, and ends TLS if it has a context."""

    def __init__(self, port, context=None, host="127.0.0.1", family=socket.AF_INET):
        self.listener = socket.create_server((host, 0), family=family)
        self.port = self.listener.getsockname()[1]
        self.target, self.context = port, context
        faulty.serve_each(self.listener, self.serve)

    def serve(self, client):
        try:
            if self.context:
                client = self.context.wrap_socket(client, server_side=True)
            server = socket.create_connection(("127.0.0.1", self.target))
        except OSError:
            return
        threading.Thread(target=self.copy, args=(server, client), daemon=True).start()
        self.copy(client, server)

    @staticmethod
    def copy(source, target):
        try:
            while data := source.recv(1 << 16):
                target.sendall(data)
            target.shutdown(socket.SHUT_WR)
        except OSError:
            pass

    def close(self):
        self.listener.close()


class TestCredentials(Watcher, unittest.TestCase):
    """A credential that ends every few seconds, before a server that refuses it after that."""

    def setUp(self):
        test = self
        self.life = 6  # seconds
        self.given = {}  # access key: end
        self.used = []  # (method, access key) at the S3 proxy
        self.refused = []
        self.is_down = False

        class Metadata(Handler):
            def do_PUT(self):
                self.answer(503 if test.is_down else 200, b"token")

            def do_GET(self):
                if test.is_down:
                    return self.answer(503, b"")
                if self.path.endswith("/security-credentials/"):
                    return self.answer(200, b"role")
                pair = [(stack.ACCESS_KEY, stack.SECRET_KEY), (NEXT_KEY, NEXT_SECRET)][len(test.given) % 2]
                end = int(time.time()) + test.life
                test.given.clear() if len(test.given) == 2 else None
                test.given[pair[0]] = end
                self.answer(200, json.dumps({
                    "Code": "Success", "AccessKeyId": pair[0], "SecretAccessKey": pair[1], "Token": "",
                    "Expiration": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(end))}).encode())

        class Strict(Handler):
            def do_any(self):
                body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                key = (self.headers.get("Authorization") or self.path).split("Credential=", 1)[-1].split("/")[0]
                test.used.append((self.command, key.split("%2F")[0]))
                if time.time() > test.given.get(key.split("%2F")[0], 0) + 1:
                    test.refused.append(self.requestline.split("?")[0])
                    return self.answer(400, b"<Error><Code>ExpiredToken</Code></Error>")
                connection = http.client.HTTPConnection("127.0.0.1", test.s3.port)
                connection.putrequest(self.command, self.path, skip_host=True, skip_accept_encoding=True)
                for name, value in self.headers.items():
                    connection.putheader(name, value)
                connection.endheaders(body or None)
                response = connection.getresponse()
                self.send_response(response.status)
                data = response.read()
                for name, value in response.getheaders():
                    if name.lower() not in ("transfer-encoding", "connection", "content-length", "date", "server"):
                        self.send_header(name, value)
                length = response.getheader("Content-Length") if self.command == "HEAD" else len(data)
                self.send_header("Content-Length", str(length or 0))
                self.end_headers()
                self.wfile.write(data)
                connection.close()

            do_GET = do_PUT = do_HEAD = do_POST = do_DELETE = do_any

        self.body = os.urandom(30_000_000)
        self.digest = "sha256:" + hashlib.sha256(self.body).hexdigest()

        class Registry(Handler):
            def do_HEAD(self):
                self.send_response(200)
                self.send_header("Content-Length", str(len(test.body)))
                self.end_headers()

            def do_GET(self):
                self.do_HEAD()
                step = len(test.body) // 40
                for i in range(0, len(test.body), step):  # 14 s, more than two lives
                    self.wfile.write(test.body[i:i + step])
                    time.sleep(0.35)

        self.metadata, self.strict, self.registry = map(self.serve, (Metadata, Strict, Registry))
        self.stack = make_stack(
            "--registry", f"127.0.0.1:{self.registry}", "--env",
            f"AWS_EC2_METADATA_SERVICE_ENDPOINT=http://127.0.0.1:{self.metadata}",
            "--env", "AWS_EC2_METADATA_DISABLED=false", "--env", "AWS_ACCESS_KEY_ID=", "--env",
            "AWS_SECRET_ACCESS_KEY=", "--env", f"BLOBLO_S3_ENDPOINT_URL=http://127.0.0.1:{self.strict}",
            "--env", "BLOBLO_PRESENCE_TTL=0s", services="s3,nginx,bloblo")
        self.addCleanup(self.stack.down)
        self.s3 = self.stack.services["s3"]

    def serve(self, handler):
        return stack.serve_http(handler, self.addCleanup).server_port

    def get(self, timeout=60):
        return stack.request("GET", f"{self.stack.services['nginx'].url}/v2/a/blobs/{self.digest}", timeout=timeout)

    def test_fill_outlives_its_credential(self):
        self.stack.up()
        status, _, body = self.get()
        self.assertEqual((status, body), (200, self.body))
        self.wait(lambda: '"filled"' in self.log())
        self.assertEqual(self.s3.client.size(self.digest), len(self.body))
        writers = {key for method, key in self.used if method in ("PUT", "POST")}
        self.assertEqual(writers, {stack.ACCESS_KEY, NEXT_KEY})
        self.assertEqual(self.refused, [])

    def test_source_that_is_down_is_waited_for_then_passed_then_used_again(self):
        self.body = self.body[:1000]
        self.digest = "sha256:" + hashlib.sha256(self.body).hexdigest()
        self.is_down = True
        self.life = 16
        self.stack.up()  # it starts all the same
        status, headers, body = self.get()
        self.assertEqual((status, body, headers.get("X-Bloblo")), (200, self.body, None))
        self.assertIn("no credential", self.log())
        self.is_down = False
        self.wait(lambda: "credential obtained" in self.log())
        self.get()
        self.wait(lambda: self.get()[0] == 307)
        location = self.get()[1]["Location"]
        life = int(urllib.parse.parse_qs(urllib.parse.urlsplit(location).query)["X-Amz-Expires"][0])
        self.assertLess(life, 300)  # cut: the credential has but some seconds
        self.is_down = True
        self.wait(lambda: "the credential has ended" in self.log(), 30)
        self.assertEqual(self.get()[0], 200)  # the registry's own
        self.assertIn("the old one serves as long as it lives", self.log())
        self.assertNotIn(stack.SECRET_KEY, self.log())


    def test_sweep_waits_for_the_credential(self):
        """What a killed instance left is aborted though no credential was there at the start."""
        self.is_down = True
        self.life = 600
        self.stack.options.env["BLOBLO_SWEEP_AGE"] = "0s"
        other = "other-blobs"
        self.s3.start()
        client = self.s3.client
        self.assertIn(client.call("PUT", f"/{other}")[0], (200, 409))

        def left(bucket):
            return client.call("GET", f"/{bucket}", query=[("uploads", "")])[2].count(b"<UploadId>")

        for bucket in (stack.BUCKET, other):
            self.assertEqual(client.call("POST", f"/{bucket}/sha256:{'1' * 64}", query=[("uploads", "")])[0], 200)
            self.assertEqual(left(bucket), 1)
        self.stack.up()
        self.wait(lambda: "can't look for multipart uploads" in self.log())
        self.assertEqual(left(stack.BUCKET), 1)
        self.is_down = False
        self.wait(lambda: left(stack.BUCKET) == 0, 60)
        self.assertEqual(self.log().count("can't look for multipart uploads"), 1)
        self.wait(lambda: "looked for multipart uploads that were left behind" in self.log())
        # Another location's bucket is swept once a request has come from there.
        self.assertEqual(left(other), 1)
        self.ask_directly(BLOBLO_S3_BUCKET_NAME=other)
        self.wait(lambda: left(other) == 0)

    def ask_directly(self, **params):
        """A HEAD as a web server's location with these params asks it."""
        env = {"REQUEST_METHOD": "HEAD", "REQUEST_URI": f"/v2/a/blobs/{self.digest}", "SERVER_SOFTWARE": "nginx",
               "PATH": os.environ["PATH"], **params}
        done = subprocess.run(["cgi-fcgi", "-bind", "-connect", str(self.stack.socket)], env=env, capture_output=True,
                              text=True, timeout=30)
        self.assertIn("Status: 200", done.stdout, done)

    def test_fill_goes_on_when_s3_ends_a_session_early(self):
        """S3 refuses in the middle of a fill what by its own word would live on; another credential is fetched."""
        self.life = 600
        self.stack.up()
        reader = threading.Thread(target=self.get)
        reader.start()
        self.wait(lambda: any(method == "PUT" for method, _ in self.used))
        revoked = next(iter(self.given))
        self.given[revoked] = 0  # S3 knows it no more
        reader.join()
        self.wait(lambda: '"filled"' in self.log())
        self.assertEqual(self.s3.client.size(self.digest), len(self.body))
        self.assertTrue(self.refused)
        writers = {key for method, key in self.used if method in ("PUT", "POST")}
        self.assertEqual(writers, {stack.ACCESS_KEY, NEXT_KEY})


@unittest.skipUnless(shutil.which("faketime"), "no faketime")
class TestClocks(Watcher, unittest.TestCase):
    """bloblo's clock is wrong from the start, or is set while it runs; SeaweedFS refuses what is 15 minutes off."""

    def setUp(self):
        registry = FakeRegistry()
        self.addCleanup(registry.close)
        self.blob = registry.blob
        self.stack = make_stack("--registry", registry.address, services="s3,nginx,bloblo")
        self.addCleanup(self.stack.down)
        self.clock = self.stack.folder / "clock"
        found = list(pathlib.Path("/usr/lib").glob("*/faketime/libfaketimeMT.so.1"))
        self.stack.options.env |= {
            "LD_PRELOAD": str(found[0]), "FAKETIME_TIMESTAMP_FILE": str(self.clock), "FAKETIME_NO_CACHE": "1",
            "FAKETIME_DONT_FAKE_MONOTONIC": "1"}

    def set(self, shift):
        file = self.clock.with_suffix(".new")
        file.write_text(shift + "\n")
        file.replace(self.clock)

    def get(self, digest):
        return stack.request("GET", f"{self.stack.services['nginx'].url}/v2/a/blobs/{digest}", timeout=60)

    def cold_then_warm(self):
        """A fill in parts, then a redirect whose URL works."""
        digest, body = self.blob(12_000_000)
        self.assertEqual(self.get(digest)[::2], (200, body))
        self.assert_warm(digest, body)
        return digest, body

    def assert_warm(self, digest, body):
        deadline = time.monotonic() + 20
        while True:
            status, headers, _ = self.get(digest)
            if status == 307 and stack.request("GET", headers["Location"])[::2] == (200, body):
                return
            if time.monotonic() > deadline:
                self.fail((status, self.log()[-3000:]))
            time.sleep(0.2)

    def test_wrong_from_the_start(self):
        for shift in ("-2h", "+2h"):
            self.set(shift)
            self.stack.up()
            self.cold_then_warm()
            self.assertIn("this machine's clock differs from S3's", self.log())
            self.stack.services["bloblo"].stop()

    def test_set_while_it_runs(self):
        self.set("+0")
        self.stack.up()
        digest, body = self.cold_then_warm()
        for shift in ("+3h", "-3h", "+0"):
            self.set(shift)
            self.assert_warm(digest, body)
            self.cold_then_warm()


@unittest.skipUnless(os.geteuid() == 0 and shutil.which("ip"), "wants root and iproute2")
class TestWellKnownAddresses(unittest.TestCase):
    """AWS's own addresses, in a network that has nothing else; botocore beside us."""

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

    def results(self, addresses, cases):
        done = subprocess.run(
            ["unshare", "--net", stack.program("python"), "-c", self.SCRIPT, str(pathlib.Path(BLOBLO).resolve()),
             json.dumps(addresses), json.dumps(cases)], capture_output=True, text=True, timeout=120)
        if "unshare" in done.stderr:
            self.skipTest(done.stderr)
        self.assertEqual(done.returncode, 0, done.stderr)
        return json.loads(done.stdout)

    def test_they_are_found(self):
        addresses = ["169.254.169.254/32", "169.254.170.2/32", "169.254.170.23/32", "fd00:ec2::254/128", "fd00:ec2::23/128"]
        cases = [({}, "ASIA169254169254"),
                 ({"AWS_EC2_METADATA_SERVICE_ENDPOINT_MODE": "IPv6"}, "ASIAFD00EC2254"),
                 ({"AWS_EC2_METADATA_SERVICE_ENDPOINT_MODE": "ipv4"}, "ASIA169254169254"),
                 ({"AWS_EC2_METADATA_SERVICE_ENDPOINT": "http://[fd00:ec2::23]",
                   "AWS_EC2_METADATA_SERVICE_ENDPOINT_MODE": "IPv4"}, "ASIAFD00EC223"),
                 ({"AWS_CONTAINER_CREDENTIALS_RELATIVE_URI": "/x"}, "ASIA1692541702"),
                 ({"AWS_CONTAINER_CREDENTIALS_FULL_URI": "http://169.254.170.23/x"}, "ASIA16925417023"),
                 ({"AWS_CONTAINER_CREDENTIALS_FULL_URI": "http://[fd00:ec2::23]/x"}, "ASIAFD00EC223")]
        for (case, key), (ours, theirs) in zip(cases, self.results(addresses, [case for case, _ in cases])):
            self.assertTrue(ours.startswith(key + " from "), (case, ours))
            self.assertEqual(theirs, key, case)

    def test_a_machine_without_any_ends_with_no_credential(self):
        cases = [{}, {"AWS_EC2_METADATA_SERVICE_ENDPOINT_MODE": "IPv6"}]
        for ours, theirs in self.results([], cases):
            self.assertIn("none found", ours)
            self.assertIn("instance (EC2 metadata): no answer from http://", ours)
            self.assertIsNone(theirs)


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def answer(self, status, body):
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)


class TestFront(unittest.TestCase):
    """`check --front` sees what a web server makes of a request, in the location of the blobs."""

    DIGEST = "sha256:" + "0" * 64
    # As long as the tokens that STS gives, and as none should be.
    TOKEN, HUGE_TOKEN = "T" * 3000, "T" * 9000

    def up(self, front, change=lambda text: text, token=None, auth="htpasswd"):
        """A stack whose shipped file of the blobs' location is changed; (exit status, report)."""
        owner = make_stack("--auth", auth, services=f"registry,s3,{front},bloblo")
        self.addCleanup(owner.down)
        server = owner.services[front]
        command = server.command
        file = server.folder / ("snippets/bloblo-locations.conf" if front == "nginx" else "bloblo/bloblo.conf")

        def changed():
            words = command()
            file.write_text(change(file.read_text()))
            return words

        server.command = changed
        owner.up()
        env = settings(owner.services["s3"].url, BLOBLO_UPSTREAM_URL=owner.services["registry"].url)
        if token:
            env["AWS_SESSION_TOKEN"] = token
        return check(env, "--front", server.url, "--blob", f"a/b@{self.DIGEST}")

    def test_a_front_as_shipped(self):
        for front in ("nginx", "apache"):
            with self.subTest(front):
                status, lines = self.up(front)
                for subject in ("upstream", "front", "front.authorization", "front.uri", "front.header"):
                    self.assertEqual(lines[subject][0], "ok", lines)
                for subject in ("upstream.head", "bucket.blob", "front.blob"):
                    self.assertEqual(lines[subject][0], "warn", lines)
                self.assertNotIn("front.host", lines)
                self.assertEqual(status, 0)

    def test_header_buffers(self):
        def small(text):
            text = stack.Nginx.replaced(text, "fastcgi_buffer_size 64k;", "fastcgi_buffer_size 4k;")
            text = stack.Nginx.replaced(text, "fastcgi_buffers 16 64k;", "fastcgi_buffers 16 4k;")
            return stack.Nginx.replaced(text, "fastcgi_busy_buffers_size 128k;", "fastcgi_busy_buffers_size 8k;")

        def same(text):
            return text

        for front, change, token, level in [
                ("nginx", small, None, "ok"),  # without a token a URL is short
                ("nginx", small, self.TOKEN, "FAIL"), ("nginx", same, self.TOKEN, "ok"),
                ("apache", same, self.TOKEN, "ok"), ("apache", same, self.HUGE_TOKEN, "FAIL")]:
            with self.subTest(front=front, token=len(token or "")):
                status, lines = self.up(front, change, token)
                self.assertEqual(lines["front.header"][0], level, lines["front.header"])
                self.assertEqual(lines["front.uri"][0], "ok", lines)
                if level == "FAIL":
                    self.assertEqual(status, 1)

    def test_a_front_that_hides_and_decodes(self):
        def worse(text):
            text = stack.Nginx.replaced(text, "REQUEST_URI             $request_uri;", "REQUEST_URI $uri?probe=a:b/c;")
            return stack.Nginx.replaced(text, "fastcgi_keep_conn on;", 'fastcgi_keep_conn on; fastcgi_param HTTP_AUTHORIZATION "";')

        status, lines = self.up("nginx", worse)
        self.assertEqual((lines["front.authorization"][0], lines["front.uri"][0]), ("FAIL", "FAIL"), lines)
        self.assertEqual(status, 1)

    def test_apache_that_keeps_authorization_to_itself(self):
        status, lines = self.up("apache", lambda text: stack.Nginx.replaced(text, "CGIPassAuth On", ""))
        self.assertEqual((lines["front.authorization"][0], lines["front.uri"][0]), ("FAIL", "ok"), lines)
        self.assertEqual(status, 1)

    def test_a_front_that_guards_all_but_blobs(self):
        for guarded in ("v2", "both"):
            with self.subTest(guarded):
                guard = "deny 127.0.0.1;"
                status, lines = self.up(
                    "nginx", lambda text: f"location = /v2/ {{ {guard} proxy_pass http://bloblo_registry; }}\n" + (
                        text if guarded == "v2" else stack.Nginx.replaced(text, "fastcgi_keep_conn on;", f"fastcgi_keep_conn on; {guard}")),
                    auth="none")
                subject, level = ("front.guard", "FAIL") if guarded == "v2" else ("front.route", "warn")
                self.assertEqual((lines[subject][0], status), (level, int(level == "FAIL")), lines)
                self.assertIn("guards", lines[subject][1])

    def test_another_location_takes_the_blobs(self):
        hidden = "location ^~ /v2/ { proxy_pass http://bloblo_registry; }\n"
        status, lines = self.up("nginx", lambda text: hidden + text)
        # The pages are not routed in this site, or they are: told either way.
        self.assertTrue("front.route" in lines or "front.params" in lines, lines)
        self.assertNotIn("front.header", lines)

    def test_the_page(self):
        owner = make_stack(services="registry,s3,nginx,bloblo")
        self.addCleanup(owner.down)
        owner.up()
        url = owner.services["nginx"].url
        for path in ("/bloblo/check", "/v2/bloblo/blobs/check:params"):
            status, headers, body = stack.request("GET", url + path, {"Authorization": "Basic c2VjcmV0"})
            self.assertEqual((status, headers["X-Bloblo"]), (200, "check"))
            self.assertEqual(json.loads(body)["authorization"], True)
            self.assertNotIn(b"c2VjcmV0", body)
            # A proxy before the web server, and a client beyond it: not of this machine.
            status, headers, _ = stack.request("GET", url + path, {"X-Forwarded-For": "192.0.2.1"})
            self.assertNotEqual((status, headers.get("X-Bloblo")), (200, "check"))
        status, headers, _ = stack.request("GET", url + "/v2/bloblo/blobs/check:500")
        self.assertEqual((status, len(headers["Location"])), (307, 500))
        for path in ("/v2/bloblo/blobs/check:1", "/v2/bloblo/blobs/check:99999", "/v2/bloblo/blobs/check:x"):
            self.assertNotEqual(stack.request("GET", url + path)[1].get("X-Bloblo"), "check")


class TestStart(unittest.TestCase):
    """All that is wrong is told at once, and the status is 78."""

    WRONG = {"BLOBLO_THREADS": "many", "BLOBLO_LISTEN_GROUP": "no-such-group", "BLOBLO_REGISTRY_HOST": "a b",
             "BLOBLO_S3_SSE": "rot13", "BLOBLO_PRESIGN_EXPIRES": "8d", "BLOBLO_UPSTREAM_URL": "registry",
             "BLOBLO_S3_REGION": "no region"}

    def lines(self, done):
        return (done.stdout + done.stderr).splitlines()

    def test_every_wrong_setting_and_the_credential_in_one_round(self):
        for arguments in ((), ("serve",), ("check",), ("presign", "sha256:" + "0" * 64), ("sweep",), ("warm", "a")):
            env = dict(self.WRONG)
            if arguments and arguments[0] in ("presign", "sweep", "warm"):
                del env["BLOBLO_THREADS"], env["BLOBLO_LISTEN_GROUP"]  # they are serve's
            done = run(*arguments, env=env)
            self.assertEqual(done.returncode, 78, done)
            text = done.stdout + done.stderr
            for name in set(env) - {"BLOBLO_S3_REGION"}:
                self.assertRegex(text, rf"{name}: want .*, got", (arguments, name))
            self.assertIn('region "no region"', text)
            self.assertIn("AWS credentials: none found", text)
            self.assertIn("web identity: AWS_WEB_IDENTITY_TOKEN_FILE is not set", text)

    def test_a_wrong_credential_beside_a_wrong_setting(self):
        for env, words in [
                ({"AWS_ACCESS_KEY_ID": "A"}, "AWS_SECRET_ACCESS_KEY: want the secret of AWS_ACCESS_KEY_ID"),
                ({"AWS_PROFILE": "none"}, 'AWS_PROFILE: no profile "none"'),
                ({"AWS_CONTAINER_CREDENTIALS_FULL_URI": "http://192.0.2.1/"}, "want https, a loopback address"),
                ({"AWS_ACCESS_KEY_ID": "A", "AWS_SECRET_ACCESS_KEY": "B"}, None)]:
            done = run(env={"BLOBLO_THREADS": "many", "AWS_REGION": "r", **env})
            self.assertEqual(done.returncode, 78)
            self.assertIn("BLOBLO_THREADS: want a number", done.stderr)
            if words:
                self.assertEqual(done.stderr.count(words), 1, done.stderr)
            else:
                self.assertEqual(len(done.stderr.splitlines()), 2, done.stderr)
            self.assertNotIn("none found", done.stderr)

    def test_a_missing_credential_alone(self):
        done = run(env={"AWS_REGION": "r"})
        self.assertEqual(done.returncode, 78)
        self.assertIn("AWS credentials: none found", done.stderr)

    def test_serve_warns_of_the_same_host(self):
        for host, public, is_warned in [
                ("registry.example.com", "http://registry.example.com:9000", True),
                ("hub.example.org, registry.example.com", "http://s3.registry.example.com", True),
                ("registry.example.com", "http://s3.example.com", False)]:
            owner = make_stack("--registry", "127.0.0.1:1", "--env", f"BLOBLO_REGISTRY_HOST={host}", "--env",
                               f"BLOBLO_S3_PUBLIC_ENDPOINT_URL={public}", "--env",
                               "BLOBLO_S3_ENDPOINT_URL=http://127.0.0.1:1", services="bloblo")
            self.addCleanup(owner.down)
            owner.up()
            log = owner.services["bloblo"].log.read_text()
            self.assertEqual("many send their Authorization along" in log, is_warned, log)


if __name__ == "__main__":
    unittest.main(verbosity=2)
