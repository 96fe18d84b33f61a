#!/usr/bin/env python3
"""S3 as it really is: several servers, private authorities, wrong clocks, credentials that end meanwhile.

    python3 Tests/Stack/test_s3.py [TestServers …]

What `bloblo check` says of a server is compared with what S3_SERVERS.md measured of it.
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


class TestServers(unittest.TestCase):
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

    def test_seaweedfs(self):
        self.judge(self.stack.services["s3"].url)

    def test_juicefs(self):
        # MinIO's code of that age knows no conditions on writes.
        self.judge(self.server(JuiceFS).url, bucket_condition="warn")

    def test_moto(self):
        # It checks nothing, and is found out.
        self.judge(self.server(Moto).url, presign_expiry="FAIL", presign_signature="FAIL")

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
        server = self.server(Moto)
        # Kept as they were sent: the probe is removed, so a fill's twin is looked at by its request.
        env = settings(server.url, BLOBLO_S3_SSE="aws:kms", BLOBLO_S3_SSE_KMS_KEY_ID="k",
                       BLOBLO_S3_SSE_BUCKET_KEY="true", BLOBLO_S3_STORAGE_CLASS="STANDARD_IA",
                       BLOBLO_S3_TAGS="cost=registry,repository={repository}", BLOBLO_S3_REQUESTER_PAYS="true")
        levels = check(env)[1]
        self.assertEqual(levels["bucket.put"][0], "ok", levels["bucket.put"])
        self.assertEqual(levels["presign.get"][0], "ok", levels["presign.get"])

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
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            try:
                client, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self.serve, args=(client,), daemon=True).start()

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


class TestCredentials(unittest.TestCase):
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
        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, daemon=True).start()
        self.addCleanup(server.server_close)
        self.addCleanup(server.shutdown)
        return server.server_port

    def get(self, timeout=60):
        return stack.request("GET", f"{self.stack.services['nginx'].url}/v2/a/blobs/{self.digest}", timeout=timeout)

    def log(self):
        return self.stack.services["bloblo"].log.read_text()

    def wait(self, condition, seconds=20):
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            if condition():
                return
            time.sleep(0.1)
        self.fail(self.log()[-3000:])

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
    """`check --front` sees what a web server makes of a request."""

    def report(self, *params, route=True):
        owner = make_stack(services="registry,s3,nginx,bloblo")
        self.addCleanup(owner.down)
        server = owner.services["nginx"]
        command = server.command

        def with_page():
            words = command()
            site = server.folder / "example-site.conf"
            # Shipped or not, the page has this test's location; a prefix more exact than any shipped wins.
            page = (f"location ^~ /bloblo/check {{ fastcgi_pass unix:{owner.socket};"
                    "fastcgi_param REQUEST_METHOD $request_method; fastcgi_param REMOTE_ADDR $remote_addr;"
                    "fastcgi_param SERVER_SOFTWARE nginx;" + "".join(f"fastcgi_param {param};" for param in params) + "}")
            if not route:
                page = "location ^~ /bloblo/check { return 404; }"
            text = site.read_text()
            site.write_text(text.replace("server {", "server {\n" + page, 1))
            return words

        server.command = with_page
        owner.up()
        env = settings(owner.services["s3"].url, BLOBLO_UPSTREAM_URL=owner.services["registry"].url)
        digest = "sha256:" + "0" * 64
        return check(env, "--front", server.url, "--blob", f"a/b@{digest}")

    def test_a_front_that_hands_all_on(self):
        status, lines = self.report("REQUEST_URI $request_uri", "HTTP_HOST $http_host")
        for subject in ("upstream", "front", "front.authorization", "front.uri"):
            self.assertEqual(lines[subject][0], "ok", lines)
        for subject in ("upstream.head", "bucket.blob", "front.blob"):
            self.assertEqual(lines[subject][0], "warn", lines)
        self.assertEqual(status, 0)

    def test_a_front_that_hides_and_decodes(self):
        status, lines = self.report("REQUEST_URI $uri?probe=a:b/c", 'HTTP_AUTHORIZATION ""')
        self.assertEqual((lines["front.authorization"][0], lines["front.uri"][0]), ("FAIL", "FAIL"), lines)
        self.assertEqual(status, 1)

    def test_a_front_without_the_page(self):
        _, lines = self.report(route=False)
        self.assertEqual(lines["front.params"][0], "warn", lines)


if __name__ == "__main__":
    unittest.main(verbosity=2)
