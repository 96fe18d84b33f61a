#!/usr/bin/env python3
"""The same acceptance tests over each front: real bloblo, registry and S3 behind nginx and Apache, redirect
and accelerate, by Unix socket and TCP.

    python3 Tests/Stack/test_fronts.py [TestNginxRedirect …]    without a name: all, three at a time
"""

import base64
import hashlib
import http.client
import os
import pathlib
import signal
import socket
import subprocess
import sys
import time
import unittest
import urllib.parse

import stack

CONTENT = os.urandom(3_000_000)
DIGEST = "sha256:" + hashlib.sha256(CONTENT).hexdigest()
COLD = os.urandom(200_000)
COLD_DIGEST = "sha256:" + hashlib.sha256(COLD).hexdigest()
ABSENT = "sha256:" + "0" * 64


def basic(user, password):
    return {"Authorization": "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()}


ALICE = basic("alice", stack.USERS["alice"])
MALLORY = basic("alice", "wrong")


def blob(digest=DIGEST, name="some/name"):
    return f"/v2/{name}/blobs/{digest}"


class Front:
    """The tests; a class below says over which front."""

    front, delivery, tcp, more = "nginx", "redirect", False, ()
    program = str(stack.ROOT / ".build/release/bloblo")

    @classmethod
    def setUpClass(cls):
        cls.stack = stack.Stack(stack.options([
            "up", "--services", f"registry,s3,{cls.front},bloblo", "--bloblo", os.environ.get("BLOBLO", cls.program),
            "--env", f"BLOBLO_DELIVERY={cls.delivery}", *(["--tcp"] if cls.tcp else []),
            "--read-timeout", "2", *cls.more]))
        cls.addClassCleanup(cls.stack.down)
        cls.stack.up()
        cls.server = cls.stack.services[cls.front]
        cls.registry = cls.stack.services["registry"]
        cls.s3 = cls.stack.services["s3"]
        cls.push(CONTENT)
        cls.push(COLD)
        cls.fill(CONTENT)

    @classmethod
    def push(cls, content):
        """Through the front, in one chunk, as clients do."""
        digest = "sha256:" + hashlib.sha256(content).hexdigest()
        status, headers, _ = stack.request("POST", cls.server.url + "/v2/some/name/blobs/uploads/", ALICE)
        assert status == 202, status
        upload = headers["Location"]
        assert upload.startswith(cls.server.url), f"not where the client came from: {upload}"
        status, headers, _ = stack.request("PATCH", upload, ALICE, content)
        assert status == 202, status
        status, _, _ = stack.request("PUT", f"{headers['Location']}&digest={digest}", ALICE)
        assert status == 201, status

    @classmethod
    def fill(cls, content):
        """By a cold pull, until the bucket has it."""
        digest = "sha256:" + hashlib.sha256(content).hexdigest()
        status, headers, body = stack.request("GET", cls.server.url + blob(digest), ALICE)
        assert (status, body) == (200, content), (status, len(body))
        assert headers["Docker-Content-Digest"] == digest
        assert headers["Content-Length"] == str(len(content)), headers
        deadline = time.monotonic() + 20
        while cls.s3.client.size(digest) != len(content):
            assert time.monotonic() < deadline, cls.stack.services["bloblo"].tail()
            time.sleep(0.05)

    def setUp(self):
        bloblo = self.stack.services["bloblo"]
        bloblo.signal(signal.SIGCONT)
        bloblo.start()
        self.s3.start()
        if self.front == "nginx":  # which remembers a responder that failed
            self.server.stop()
            self.server.start()

    def assertEqual(self, got, want, message=None):
        """Long bodies by their hash: unittest takes minutes to show how two differ."""
        def short(value):
            if isinstance(value, tuple):
                return tuple(short(part) for part in value)
            if isinstance(value, bytes) and len(value) > 1000:
                return f"{len(value)} bytes, {hashlib.sha256(value).hexdigest()[:16]}"
            return value
        super().assertEqual(short(got), short(want), message)

    def ask(self, method="GET", path=None, headers=ALICE):
        return stack.request(method, self.server.url + (path or blob()), headers)

    def pull(self, headers=ALICE, path=None):
        """As a client that follows one redirect, and takes no credential along: status, headers, body."""
        status, answer, body = self.ask("GET", path, headers)
        if status not in (302, 307):
            return status, answer, body
        self.assertEqual(answer["Docker-Content-Digest"], DIGEST)
        kept = {name: value for name, value in headers.items() if name in ("Range", "If-Range")}
        return stack.request("GET", answer["Location"], kept)

    # warm

    def test_a_warm_blob(self):
        status, headers, body = self.ask()
        if self.delivery == "redirect":
            self.assertEqual((status, body, headers["Content-Length"]), (307, b"", "0"))
            self.assertIn("X-Amz-Signature=", headers["Location"])
            self.assertEqual(headers["Cache-Control"], "no-store")
        else:
            self.assertEqual((status, body), (200, CONTENT))
            self.assert_is_bloblos(headers)
        self.assertEqual(headers.get_all("Docker-Content-Digest"), [DIGEST])
        self.assertEqual(self.pull()[2], CONTENT)

    def assert_is_bloblos(self, headers, length=len(CONTENT)):
        """Nothing of S3's, and what the registry would say."""
        self.assertEqual(headers.get_all("Content-Length"), [str(length)])
        self.assertEqual(headers.get_all("Content-Type"), ["application/octet-stream"])
        if "--cache" not in self.more or not headers["Content-Range"]:
            self.assertEqual(headers.get_all("Accept-Ranges"), ["bytes"])
        self.assertEqual(headers.get_all("ETag"), [f'"{DIGEST}"'])
        for name in headers:
            self.assertFalse(name.lower().startswith(("x-amz", "x-bloblo-")), name)
        self.assertIsNone(headers["Last-Modified"])
        self.assertIsNone(headers["Set-Cookie"])
        self.assertNotIn("Seaweed", headers["Server"] or "")

    def test_a_query_changes_nothing(self):
        self.assertEqual(self.pull(path=blob() + "?ns=docker.io&x=%2f+")[2], CONTENT)

    def test_a_head_is_answered(self):
        status, headers, body = self.ask("HEAD")
        self.assertEqual((status, body), (200, b""))
        self.assert_is_bloblos(headers)
        self.assertEqual(headers["Docker-Content-Digest"], DIGEST)
        self.assertEqual(headers["X-Bloblo"], "answer")

    def test_ranges(self):
        for given, begin, end in (("bytes=0-0", 0, 1), ("bytes=1000000-", 1000000, None), ("bytes=5-99", 5, 100),
                                  ("bytes=-7", -7, None), ("bytes=2999990-9999999", 2999990, None)):
            with self.subTest(range=given):
                status, headers, body = self.pull({**ALICE, "Range": given})
                self.assertEqual((status, body), (206, CONTENT[begin:end]))
                begin %= len(CONTENT)
                last = begin + len(body) - 1
                self.assertEqual(headers["Content-Range"], f"bytes {begin}-{last}/{len(CONTENT)}")
                self.assertEqual(headers["Content-Length"], str(len(body)))
                if self.delivery == "accelerate":
                    self.assertEqual(headers["Docker-Content-Digest"], DIGEST)
                    self.assert_is_bloblos(headers, len(body))

    def test_a_range_beyond_the_end(self):
        given = {**ALICE, "Range": f"bytes={len(CONTENT)}-"}
        if self.delivery == "redirect":
            self.assertEqual(self.pull(given)[0], 416)
            return
        # The registry's own, head only: docker-registry 2.8 promises more of a body than it sends.
        connection = http.client.HTTPConnection("127.0.0.1", self.server.port, timeout=5)
        self.addCleanup(connection.close)
        connection.request("GET", blob(), headers=given)
        self.assertEqual(connection.getresponse().status, 416)

    def test_a_resumed_download(self):
        status, headers, body = self.pull()
        tag = headers["ETag"]
        status, _, rest = self.pull({**ALICE, "Range": "bytes=1500000-", "If-Range": tag})
        self.assertEqual((status, rest), (206, CONTENT[1500000:]))
        if self.delivery == "accelerate":  # else it is S3's to judge, and SeaweedFS does not
            status, _, rest = self.pull({**ALICE, "Range": "bytes=1500000-", "If-Range": '"another"'})
            self.assertEqual((status, rest), (200, CONTENT))

    def test_several_ranges(self):
        status, headers, body = self.pull({**ALICE, "Range": "bytes=0-9,100-199"})
        self.assertEqual(status, 206)
        self.assertTrue(headers["Content-Type"].startswith("multipart/byteranges; boundary="))
        self.assertIn(CONTENT[100:200], body)
        self.assertIn(b"bytes 100-199/3000000", body)

    def test_validators_are_the_registrys(self):
        self.assertEqual(self.ask(headers={**ALICE, "If-None-Match": f'"{DIGEST}"'})[0], 304)

    # cold

    def test_a_cold_head_and_range(self):
        path = blob(COLD_DIGEST)
        status, headers, _ = self.ask("HEAD", path)
        self.assertEqual((status, headers["Content-Length"]), (200, str(len(COLD))))
        status, headers, body = self.ask("GET", path, {**ALICE, "Range": "bytes=7-9"})
        self.assertEqual((status, body), (206, COLD[7:10]))
        self.assertIsNone(self.s3.client.size(COLD_DIGEST))

    # who may not

    def test_the_registrys_refusals_are_untouched(self):
        direct = self.registry.url
        for headers in ({}, MALLORY, {"Authorization": "Bearer x.y.z"}):
            for method in ("GET", "HEAD"):
                for path in (blob(), blob(ABSENT)):
                    with self.subTest(headers=headers, method=method, path=path):
                        status, got, body = self.ask(method, path, headers)
                        want = stack.request(method, direct + path, headers)
                        self.assertEqual((status, body), (want[0], want[2]))
                        self.assertEqual(got.get_all("WWW-Authenticate"), want[1].get_all("WWW-Authenticate"))
                        self.assertEqual(got["Content-Type"], want[1]["Content-Type"])
        status, got, body = self.ask("GET", blob(ABSENT))
        self.assertEqual(status, 404)
        self.assertIn(b"BLOB_UNKNOWN", body)

    def test_a_blob_of_another_repository(self):
        self.assertEqual(self.ask(path=blob(name="another/name"))[0], 404)

    # what is inside stays inside

    def test_internal_places_cannot_be_addressed(self):
        for path in ("/.bloblo/pass", "/.bloblo/s3/", f"/.bloblo/s3/{stack.BUCKET}/{DIGEST}", "/%2ebloblo/pass",
                     "//.bloblo/pass", "/./.bloblo/pass", "/v2/../.bloblo/pass", "/.bloblo//pass", "/.bloblo%2fpass",
                     "/.bloblo/./pass", "/v2/%2e%2e/.bloblo/s3/x", "/.bloblo/s3/../pass", "/@bloblo_s3",
                     "/.bloblo;x/pass", "/.bloblo/pass/x", f"//.bloblo/s3/{stack.BUCKET}/{DIGEST}"):
            for method in ("GET", "HEAD", "POST"):
                with self.subTest(path=path, method=method):
                    status, headers, body = self.ask(method, path, {**ALICE, "Redirect-Status": "423"})
                    self.assertGreaterEqual(status, 300)  # docker-registry cleans some paths by a 301
                    self.assertNotIn(b"<Error>", body)
                    self.assertNotIn("Docker-Content-Digest", headers)

    def test_a_client_can_set_nothing(self):
        """Neither params nor what fronts and bloblo say to each other."""
        # nginx and Apache make HTTP_… of each; some spellings are dropped.
        given = {**ALICE, "Bloblo-Delivery": "pass", "BLOBLO_DELIVERY": "pass", "Http-Bloblo-Delivery": "pass",
                 "HTTP_BLOBLO_DELIVERY": "pass", "Bloblo-Role": "authorizer", "BLOBLO_ROLE": "authorizer",
                 "Bloblo-S3-Bucket-Name": "another", "BLOBLO_S3_BUCKET_NAME": "another",
                 "X-Bloblo-Target": "/etc", "X-Bloblo-Host": "example.com", "X-Accel-Redirect": "/",
                 "Redirect-Status": "423", "Gateway-Interface": "CGI/1.1", "Proxy": "http://127.0.0.1:1"}
        status, headers, body = self.ask(headers=given)
        if self.delivery == "redirect":
            self.assertEqual(status, 307)
            self.assertIn(f"/{stack.BUCKET}/", headers["Location"])
        else:
            self.assertEqual((status, body, headers["X-Bloblo"]), (200, CONTENT, "accelerate"))

    def test_duplicates_of_a_header_set_nothing(self):
        target = urllib.parse.urlsplit(self.server.url)
        lines = [f"GET {blob()} HTTP/1.1", f"Host: {target.netloc}", f"Authorization: {ALICE['Authorization']}",
                 "Connection: close"] + ["BLOBLO_DELIVERY: pass", "Bloblo-Delivery: pass"] * 3
        with socket.create_connection((target.hostname, target.port), 10) as client:
            client.sendall(("\r\n".join(lines) + "\r\n\r\n").encode())
            answer = client.makefile("rb").readline()
        self.assertIn(b" 307 " if self.delivery == "redirect" else b" 200 ", answer)

    # fall-backs

    def assert_the_registry_answers(self):
        status, headers, body = self.ask()
        self.assertEqual((status, body), (200, CONTENT))
        self.assertEqual(headers["Docker-Content-Digest"], DIGEST)
        status, headers, body = self.ask(headers={**ALICE, "Range": "bytes=5-9"})
        self.assertEqual((status, body), (206, CONTENT[5:10]))
        status, headers, body = self.ask("HEAD")
        self.assertEqual((status, headers["Content-Length"], body), (200, str(len(CONTENT)), b""))
        self.assertEqual(self.ask(headers={})[0], 401)

    def test_bloblo_is_down(self):
        self.stack.services["bloblo"].stop()
        self.assert_the_registry_answers()

    def test_bloblo_hangs(self):
        self.stack.services["bloblo"].signal(signal.SIGSTOP)
        self.assert_the_registry_answers()
        self.stack.services["bloblo"].signal(signal.SIGCONT)

    def test_s3_is_down(self):
        self.s3.stop()
        self.stack.services["bloblo"].stop()  # and has forgotten all
        self.stack.services["bloblo"].start()
        self.assert_the_registry_answers()

    def test_the_registry_is_down(self):
        bloblo = self.stack.services["bloblo"]
        bloblo.stop()  # and has forgotten all
        bloblo.start()
        self.registry.stop()
        try:
            for method in ("GET", "HEAD"):
                status, headers, _ = self.ask(method)
                self.assertEqual((method, status, headers["Location"]), (method, 502, None))
        finally:
            self.registry.start()
            bloblo.stop()  # or it would leave the registry alone for a while

    def test_an_object_that_is_gone(self):
        """S3 refuses behind an acceleration; a client that was redirected is on its own."""
        if self.delivery == "redirect" or "--cache" in self.more:
            self.skipTest("bloblo remembers for BLOBLO_PRESENCE_TTL that the object was there")
        self.assertEqual(self.ask()[2], CONTENT)
        key = f"/{stack.BUCKET}/{DIGEST}"
        self.assertEqual(self.s3.client.call("DELETE", key)[0], 204)
        try:
            status, headers, body = self.ask()
            self.assertEqual((status, body), (200, CONTENT))
            status, headers, body = self.ask(headers={**ALICE, "Range": "bytes=5-9"})
            self.assertEqual((status, body), (206, CONTENT[5:10]))
            self.assertEqual(headers.get_all("Docker-Content-Digest"), [DIGEST])
        finally:
            self.assertEqual(self.s3.client.call("PUT", key, CONTENT)[0], 200)

    # all that is no download

    def test_other_methods_and_paths(self):
        for method, path in (("POST", blob()), ("GET", "/v2/"), ("GET", "/v2/_catalog"),
                             ("GET", "/v2/some/name/tags/list"), ("GET", "/v2/some/name/manifests/latest"),
                             ("GET", f"/v2/x/blobs/sha256%3a{'a' * 64}"), ("GET", f"/v2/x%2fy/blobs/sha256:{'a' * 64}")):
            with self.subTest(method=method, path=path):
                status, headers, body = self.ask(method, path)
                want = stack.request(method, self.registry.url + path, ALICE)
                self.assertEqual((status, body), (want[0], want[2]))

    def test_an_upload_streams_without_a_copy_and_without_a_limit(self):
        location = self.ask("POST", "/v2/some/name/blobs/uploads/")[1]["Location"]
        chunk, count, seen = os.urandom(1 << 20), 64, []

        def chunks():
            for _ in range(count):
                yield chunk
            time.sleep(0.7)
            seen.append(sum(path.stat().st_size for path in self.registry.storage.rglob("_uploads/*/data")))

        status, headers, _ = stack.request("PATCH", location, ALICE, chunks(), timeout=60)
        self.assertEqual((status, headers["Range"]), (202, f"0-{(count << 20) - 1}"))
        self.assertGreater(seen[0], (count - 4) << 20, "the registry had nearly all before the end")


class TestNginxRedirect(Front, unittest.TestCase):
    pass


class TestNginxRedirectTCP(Front, unittest.TestCase):
    tcp = True


class TestNginxAccelerate(Front, unittest.TestCase):
    delivery = "accelerate"


class TestNginxAccelerateTCP(Front, unittest.TestCase):
    delivery, tcp = "accelerate", True


class TestNginxCache(Front, unittest.TestCase):
    delivery, more = "accelerate", ("--cache",)

    def test_the_bucket_is_read_once(self):
        self.assertEqual(self.ask()[2], CONTENT)
        key = f"/{stack.BUCKET}/{DIGEST}"
        self.assertEqual(self.s3.client.call("DELETE", key)[0], 204)
        try:
            for headers in (ALICE, {**ALICE, "Range": "bytes=0-2999999"}):
                self.assertEqual(self.ask(headers=headers)[1]["X-Bloblo"], "accelerate")
            self.assertEqual(self.ask(headers=MALLORY)[0], 401)
        finally:
            self.assertEqual(self.s3.client.call("PUT", key, CONTENT)[0], 200)


class TestApacheRedirect(Front, unittest.TestCase):
    front = "apache"


class TestApacheRedirectTCP(Front, unittest.TestCase):
    front, tcp = "apache", True


class TestApacheAccelerate(Front, unittest.TestCase):
    front, delivery = "apache", "accelerate"


class TestApacheAccelerateTCP(Front, unittest.TestCase):
    front, delivery, tcp = "apache", "accelerate", True


class Guarded:
    """A registry that lets everybody read, whose web server asks for passwords, by the lines of docs/fronts.md."""

    front = "nginx"

    @classmethod
    def setUpClass(cls):
        cls.stack = stack.Stack(stack.options([
            "up", "--services", f"registry,s3,{cls.front},bloblo", "--auth", "none",
            "--bloblo", os.environ.get("BLOBLO", Front.program)]))
        cls.addClassCleanup(cls.stack.down)
        cls.server, cls.s3 = cls.stack.services[cls.front], cls.stack.services["s3"]
        cls.users = cls.stack.folder / "users"
        cls.users.write_text(subprocess.run(
            [stack.program("htpasswd"), "-bnm", "alice", stack.USERS["alice"]], check=True, capture_output=True, text=True).stdout)
        cls.users.chmod(0o644)
        cls.port = cls.server.port
        cls.guard(cls.stack.options)
        cls.stack.up()
        Front.push.__func__(cls, CONTENT)
        Front.fill.__func__(cls, CONTENT)

    def ask(self, method="GET", headers=ALICE):
        return stack.request(method, f"http://127.0.0.1:{self.port}{blob()}", headers)

    def assert_alice_alone_may(self, status, headers=ALICE):
        for method in ("GET", "HEAD"):
            for stranger in ({}, MALLORY, basic("bob", stack.USERS["bob"])):
                got, answer, _ = self.ask(method, stranger)
                self.assertEqual((got, answer["WWW-Authenticate"][:5], answer["Location"]), (401, "Basic", None))
        self.assertEqual(self.ask(headers=headers)[0], status)

    def test_who_has_a_password_is_redirected(self):
        for _ in range(2):  # what is remembered of one is nobody else's
            self.assert_alice_alone_may(307)

    def test_a_pass(self):
        self.assert_alice_alone_may(206, {**ALICE, "Range": "bytes=0-9,20-29"})

    def test_bloblo_is_down(self):
        bloblo = self.stack.services["bloblo"]
        bloblo.stop()
        try:
            self.assert_alice_alone_may(200)
        finally:
            bloblo.start()
            self.server.stop()  # nginx remembers it
            self.server.start()


class TestNginxServersPasswords(Guarded, unittest.TestCase):
    @classmethod
    def guard(cls, options):
        cls.port = cls.stack.ports.take()
        options.nginx_http = f"""server {{
            listen 127.0.0.1:{cls.port};
            auth_basic           "registry";
            auth_basic_user_file {cls.users};
            include snippets/bloblo-locations.conf;
            location / {{ proxy_pass http://bloblo_registry; }}
        }}"""


class TestNginxLocationsPasswords(Guarded, unittest.TestCase):
    @classmethod
    def guard(cls, options):
        snippets = cls.server.folder / "snippets"
        snippets.mkdir()
        (snippets / "bloblo-params-access.conf").write_text(
            f'auth_basic "registry";\nauth_basic_user_file {cls.users};\n')


class TestApachePasswords(Guarded, unittest.TestCase):
    front = "apache"

    @classmethod
    def guard(cls, options):
        options.apache_site = f"""Include bloblo/bloblo.conf
    <Location "/v2/">
        AuthType Basic
        AuthName "registry"
        AuthUserFile {cls.users}
        Require valid-user
    </Location>"""


if __name__ == "__main__":
    stack.run_tests(sys.modules["__main__"])
