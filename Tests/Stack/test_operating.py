#!/usr/bin/env python3
"""What the person on duty sees: log, metrics, readiness and status page, after real pulls, and while S3, the
registry, the credentials and the disk are broken, one at a time.

    python3 Tests/Stack/test_operating.py

Pictures of the page are left in .build/screenshots, to be looked at.
"""

import base64
import contextlib
import hashlib
import html
import http.client
import http.server
import json
import os
import pathlib
import re
import secrets
import shutil
import signal
import subprocess
import tempfile
import threading
import time
import unittest

import demo
import faulty
import stack

PROGRAM = os.environ.get("BLOBLO", str(stack.ROOT / ".build/release/bloblo"))
SCREENSHOTS = stack.ROOT / ".build/screenshots"
MIB = 1 << 20
# The probe looks every 5 s and gives a server 3 s.
SECONDS = 15
ALICE = {"Authorization": "Basic " + base64.b64encode(b"alice:alice-password").decode()}


def eventually(found, timeout=SECONDS):
    deadline = time.monotonic() + timeout
    while True:
        if result := found():
            return result
        if time.monotonic() > deadline:
            return found()
        time.sleep(0.1)


class Operating(unittest.TestCase):
    """A stack of its own for each class; bloblo reaches S3 and the registry by relays that can be broken."""

    log_level, environment = "info", {}
    nginx_http = ""

    @classmethod
    def setUpClass(cls):
        cls.folder = pathlib.Path(tempfile.mkdtemp(prefix="operating-"))
        cls.addClassCleanup(shutil.rmtree, cls.folder, ignore_errors=True)
        options = stack.options(["up", "--bloblo", PROGRAM, "--log-level", cls.log_level])
        options.nginx_http = cls.nginx_http
        cls.stack = stack.Stack(options)
        cls.addClassCleanup(cls.stack.down)
        services = cls.stack.services
        cls.bloblo, cls.nginx, cls.s3 = services["bloblo"], services["nginx"], services["s3"]
        cls.registry = services["registry"]
        cls.s3_relay, cls.registry_relay = faulty.Relay(cls.s3.port), faulty.Relay(cls.registry.port)
        options.env = {"BLOBLO_S3_ENDPOINT_URL": cls.s3_relay.url,
                       "BLOBLO_UPSTREAM_URL": cls.registry_relay.url,
                       "BLOBLO_PROOF_TTL": "2s", "BLOBLO_PRESENCE_TTL": "2s", "BLOBLO_UPSTREAM_TIMEOUT": "1s",
                       "BLOBLO_S3_TIMEOUT": "1s", **cls.environment}
        cls.stack.up()

    def setUp(self):
        self.s3_relay.heal()
        self.registry_relay.heal()
        self.assertTrue(eventually(lambda: self.page("ready")[0] == 200, 30), self.page("ready"))

    # What is asked

    @classmethod
    def page(cls, name, headers=None, method="GET"):
        status, fields, body = stack.request(method, f"{cls.nginx.url}/bloblo/{name}", headers)
        return status, body.decode(), fields

    @classmethod
    def metrics(cls):
        """The samples by their names with labels, as they stand there."""
        return {name: float(value) for name, value in (
            line.rsplit(" ", 1) for line in cls.page("metrics")[1].splitlines() if not line.startswith("#"))}

    def passes(self, reason):
        return self.metrics()[f'bloblo_decisions_total{{decision="pass",reason="{reason}"}}']

    def text(self):
        """What a person reads on the page."""
        return html.unescape(re.sub(r"<[^>]+>", " ", re.sub(r"(?s)<(style|script)>.*?</\1>", "", self.page("")[1])))

    def need(self, name):
        """The need's class and words on the page."""
        found = re.search(rf'(?s)<li class="(\w+)" id="need-{name}">(.*?)</li>', self.page("")[1])
        return found[1], html.unescape(re.sub(r"<[^>]+>", " ", found[2]))

    def lines(self, *words):
        return [json.loads(line) for line in self.bloblo.log.read_text().splitlines()
                if all(word in line for word in words)]

    # What is done

    def push(self, size=MIB, repository="a/b"):
        content = secrets.token_bytes(size)
        digest = "sha256:" + hashlib.sha256(content).hexdigest()
        status, headers, _ = stack.request("POST", f"{self.registry.url}/v2/{repository}/blobs/uploads/", ALICE)
        self.assertEqual(status, 202)
        location = headers["Location"]
        joint = "&" if "?" in location else "?"
        self.assertEqual(201, stack.request("PUT", f"{location}{joint}digest={digest}", ALICE, content)[0])
        return digest

    def get(self, digest, headers=None, repository="a/b", method="GET", **more):
        return stack.request(method, f"{self.nginx.url}/v2/{repository}/blobs/{digest}",
                             ALICE if headers is None else headers, **more)

    def push_and_fill(self, **more):
        digest = self.push(**more)
        self.assertEqual(200, self.get(digest)[0])
        # Asked again: S3 may still be left alone for a moment, after what another test has done to it.
        self.assertTrue(eventually(lambda: self.s3.client.size(digest) or not self.get(digest)))
        # The object is there before bloblo is told so; until then clients read along.
        self.assertTrue(eventually(lambda: self.metrics()['bloblo_fills{state="running"}'] == 0))
        return digest

    @contextlib.contextmanager
    def restarted(self, **settings):
        before = self.stack.options.env
        self.bloblo.stop()
        self.stack.options.env = {**before, **settings}
        self.bloblo.start()
        try:
            yield
        finally:
            self.bloblo.stop()
            self.stack.options.env = before
            self.bloblo.start()


class Faults(Operating):
    """One thing is broken at a time; page, log, metrics and readiness say which within seconds."""

    def assert_told(self, need, words, is_ready):
        self.assertTrue(eventually(lambda: self.need(need)[0] == "bad"), self.need(need))
        for word in words:
            self.assertIn(word, self.need(need)[1])
        self.assertIn("Not well", self.text())
        metrics = self.metrics()
        self.assertEqual(0, metrics[f'bloblo_up{{need="{need}"}}'])
        self.assertEqual(int(is_ready), metrics["bloblo_ready"])
        status, body, _ = self.page("ready")
        self.assertEqual(200 if is_ready else 503, status, body)
        if not is_ready:
            self.assertIn(f"{need}: ", body)
            for word in words:
                self.assertIn(word, body)
        # The page knows it a moment before the log.
        told = eventually(lambda: self.lines(f"not well: {need}"))
        self.assertTrue(told)
        self.assertEqual("error", told[-1]["level"])
        for word in words:
            self.assertIn(word, told[-1]["advice"])
        self.assertEqual(200, self.page("health")[0], "alive all the while")
        subject = {"bucket": "bucket.head", "credential": "credentials"}.get(need, need)
        checked = subprocess.run([PROGRAM, "check", "--json"], env=self.bloblo.environment(), text=True,
                                 capture_output=True)
        failed = [line for line in map(json.loads, checked.stdout.splitlines()) if line["level"] == "FAIL"]
        # A folder that is not there is a wrong setting.
        subjects = [line["subject"] for line in failed]
        self.assertTrue(subject in subjects or need == "spool" and "BLOBLO_SPOOL_DIR" in failed[0]["finding"], failed)
        self.assertTrue(all(line["advice"] for line in failed))
        self.assertNotEqual(0, checked.returncode)

    def assert_well_again(self, need):
        self.assertTrue(eventually(lambda: self.need(need)[0] == "good"), self.need(need))
        self.assertTrue(self.lines(f"well again: {need}"))
        self.assertEqual(200, self.page("ready")[0])

    def test_s3_does_not_answer(self):
        digest = self.push_and_fill()
        before = self.passes("s3")
        self.s3_relay.stalled = True
        self.assert_told("bucket", ["bloblo-blobs", "BLOBLO_S3_ENDPOINT_URL"], is_ready=False)
        self.assertEqual(200, self.get(digest)[0], "the pull works")
        self.assertGreater(self.passes("s3"), before)
        self.assertIn("S3 does not answer as it should", self.text())
        take_pictures(self.nginx.url + "/bloblo/", "broken")
        self.s3_relay.heal()
        self.assert_well_again("bucket")

    def test_a_dead_s3_does_not_fill_the_log(self):
        digest = self.push_and_fill()
        self.s3_relay.refuse = b"HTTP/1.1 503 Slow Down\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
        self.s3_relay.cut()
        before, start = len(self.lines("S3 did not answer as it should")), time.monotonic()
        asked = self.passes("s3")
        # For up to a second what is remembered of the bucket holds.
        self.assertTrue(eventually(lambda: self.get(digest)[0] == 200))
        for _ in range(300):
            self.get(digest)
        lines = self.lines("S3 did not answer as it should")[before:]
        self.assertGreaterEqual(self.passes("s3") - asked, 300)
        self.assertGreaterEqual(len(lines), 1, "the first is told at once")
        self.assertLessEqual(len(lines), 2 + (time.monotonic() - start) // 10)
        # The rest comes as a number, and no more request is needed for that.
        told = eventually(lambda: [line for line in self.lines("S3 did not answer as it should")[before:]
                                   if line.get("repeated")], 30)
        self.assertGreaterEqual(sum(line["repeated"] for line in told), 200)
        self.s3_relay.heal()
        self.assert_well_again("bucket")

    def test_the_bucket_is_not_there(self):
        with self.restarted(BLOBLO_S3_BUCKET_NAME="no-such-bucket"):
            self.assert_told("bucket", ["no-such-bucket", "404", "Create the bucket"], is_ready=False)

    def test_the_credential_is_wrong(self):
        with self.restarted(AWS_SECRET_ACCESS_KEY="not-" + stack.SECRET_KEY):
            self.assert_told("bucket", ["403 SignatureDoesNotMatch", "The secret key is not the access key's"], is_ready=False)

    def test_the_credential_ends(self):
        said = self.folder / "credential.json"
        source = f"[default]\ncredential_process = cat {said}\n"
        (self.folder / "config").write_text(source)
        end = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + 8))
        said.write_text(json.dumps({"Version": 1, "AccessKeyId": stack.ACCESS_KEY,
                                    "SecretAccessKey": stack.SECRET_KEY, "Expiration": end}))
        with self.restarted(AWS_ACCESS_KEY_ID="", AWS_SECRET_ACCESS_KEY="",
                            AWS_CONFIG_FILE=str(self.folder / "config")):
            left = self.metrics()["bloblo_credential_remaining_seconds"]
            self.assertTrue(0 < left <= 8, left)
            said.unlink()
            self.assert_told("credential", ["There is no credential", "Mend the source"], is_ready=False)
            self.assertEqual(0, self.metrics()["bloblo_credential_remaining_seconds"])

    def test_the_registry_does_not_answer(self):
        digest = self.push_and_fill()
        before = self.passes("upstream-unreachable")
        self.registry_relay.stalled = True
        self.assert_told("upstream", ["does not answer", "BLOBLO_UPSTREAM_URL"], is_ready=True)
        self.assertEqual(200, self.get(digest)[0], "nginx has its own way to the registry")
        self.assertGreater(self.passes("upstream-unreachable"), before)
        self.assertTrue(self.lines("upstream did not answer", '"warning"'))
        self.registry_relay.heal()
        self.assert_well_again("upstream")

    def test_the_registry_is_none(self):
        with self.restarted(BLOBLO_UPSTREAM_URL=self.registry.url + "/elsewhere"):
            self.assert_told("upstream", ["status 404", "BLOBLO_UPSTREAM_URL"], is_ready=True)

    def test_the_spool_is_gone(self):
        before = self.metrics()['bloblo_fills_failed_total{cause="spool"}']
        moved = self.bloblo.spool.with_name("moved")
        self.bloblo.spool.rename(moved)
        try:
            digest = self.push()
            self.assertEqual(200, self.get(digest)[0], "the pull works")
            self.assert_told("spool", [str(self.bloblo.spool), "BLOBLO_SPOOL_DIR"], is_ready=True)
            self.assertEqual(before + 1, self.metrics()['bloblo_fills_failed_total{cause="spool"}'])
            self.assertTrue(self.lines("not filled", digest, "spool"))
        finally:
            moved.rename(self.bloblo.spool)
        self.assert_well_again("spool")

    @unittest.skipUnless(os.geteuid() == 0, "mounts a small file system")
    def test_the_disk_is_full(self):
        with tempfile.TemporaryDirectory() as folder:
            subprocess.run(["mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", folder], check=True)
            try:
                with self.restarted(BLOBLO_SPOOL_DIR=folder):
                    self.assert_told("spool", ["is full", "Make room"], is_ready=True)
                    digest = self.push(5 * MIB)
                    self.assertEqual(200, self.get(digest)[0], "the pull works")
                    self.assertEqual(1, self.metrics()['bloblo_fills_failed_total{cause="spool"}'])
            finally:
                subprocess.run(["umount", "-l", folder], check=True)


class Log(Operating):
    """One line a request, with what it took."""

    log_level = "debug"

    def line(self, identifier):
        lines = eventually(lambda: self.lines(f'"request.id":"{identifier}"'))
        self.assertEqual(1, len(lines), lines)
        return lines[0]

    def ask(self, digest, identifier, **headers):
        return self.get(digest, {**ALICE, "X-Request-Id": identifier, **headers})

    def test_the_line_of_each_decision(self):
        digest = self.push(3 * MIB)
        self.assertEqual(200, self.ask(digest, "cold-1")[0])
        line = self.line("cold-1")
        self.assertEqual(("debug", "decided", "tee"), (line["level"], line["message"], line["decision"]))
        self.assertEqual((digest, "a/b", 3 * MIB, 3 * MIB),
                         (line["blob.digest"], line["repository"], line["blob.size"], line["body.bytes"]))
        self.assertEqual(("127.0.0.1", "127.0.0.1"), (line["client.address"], line["client.forwarded-for"]))
        self.assertEqual(("upstream", "s3", 200), (line["proof"], line["presence"], line["upstream.status"]))
        self.assertTrue(0 < line["upstream.ms"] < 5000 and 0 < line["s3.ms"] < 5000)

        self.assertTrue(eventually(lambda: self.s3.client.size(digest)))
        self.assertEqual(307, self.ask(digest, "warm-1")[0])
        line = self.line("warm-1")
        self.assertEqual(("redirect", 3 * MIB, "memory"), (line["decision"], line["body.bytes"], line["proof"]))
        self.assertEqual("memory", line["presence"])

        self.assertEqual(307, self.ask(digest, "part-1", Range="bytes=10-19")[0])
        line = self.line("part-1")
        self.assertEqual(("bytes=10-19", 10), (line["range"], line["body.bytes"]))

        self.assertEqual(401, self.get(digest, {"X-Request-Id": "nobody-1"})[0])
        line = self.line("nobody-1")
        self.assertEqual(("passed", "pass", "upstream-status", 401),
                         (line["message"], line["decision"], line["reason"], line["upstream.status"]))

        self.assertEqual(200, self.get(digest, {**ALICE, "X-Request-Id": "head-1"}, method="HEAD")[0])
        line = self.line("head-1")
        self.assertEqual(("answer", "HEAD", 0), (line["decision"], line["method"], line["body.bytes"]))

    def test_the_line_of_each_decision_has_fields_that_are_explained(self):
        digest = self.push_and_fill()
        self.assertEqual(307, self.ask(digest, "explained-1", Range="bytes=0-1")[0])
        self.assertEqual(401, self.get(digest, {"X-Request-Id": "explained-2"})[0])
        chapter = (stack.ROOT / "docs/operations.md").read_text().split("\n## Log\n")[1].split("\n#")[0]
        explained = set(re.findall(r"`([a-z.0-9-]+)`", chapter)) | {"time", "level", "message"}
        for line in self.lines('"decision":'):
            self.assertLessEqual(set(line), explained)
            self.assertIn(line["decision"], explained)

    def test_an_identifier_is_made_for_who_brings_none_or_a_bad_one(self):
        digest = self.push_and_fill()
        for bad in (None, "", "a b", 'a"b', "x" * 129):
            before = len(self.lines(digest, '"decided"'))
            self.get(digest, {**ALICE, **({} if bad is None else {"X-Request-Id": bad})})
            lines = eventually(lambda: self.lines(digest, '"decided"')[before:])
            self.assertRegex(lines[-1]["request.id"], "^[0-9a-f]{32}$")

    def test_the_level_changes_while_it_runs(self):
        with self.restarted(BLOBLO_LOG_LEVEL="info"):
            digest = self.push_and_fill()

            def level(number, name):
                before = len(self.lines("log level changed"))
                self.bloblo.signal(number)
                told = eventually(lambda: self.lines("log level changed")[before:])
                self.assertEqual([name], [line["level.new"] for line in told])

            self.ask(digest, "quiet-1")
            level(signal.SIGUSR1, "debug")
            self.ask(digest, "loud-1")
            self.line("loud-1")
            self.assertFalse(self.lines('"quiet-1"'))
            level(signal.SIGUSR1, "trace")
            level(signal.SIGUSR1, "trace")
            level(signal.SIGUSR2, "debug")
            for name in ("info", "notice", "warning"):
                level(signal.SIGUSR2, name)
            self.ask(digest, "quiet-2")
            self.assertFalse(self.lines('"quiet-2"'))
            self.assertIn("the log's level is warning", self.text())

    def test_text_instead_of_json(self):
        with self.restarted(BLOBLO_LOG_FORMAT="text"):
            digest = self.push_and_fill()
            self.ask(digest, "words-1")
            log = eventually(lambda: [line for line in self.bloblo.log.read_text().splitlines()
                                      if 'request.id="words-1"' in line])
            self.assertRegex(log[0], r"^\S+Z debug decided .*body\.bytes=1048576 .*decision=\"redirect\"")
        # The rest of the log is JSON again.
        text = self.bloblo.log.read_text().splitlines()
        self.bloblo.log.write_text("".join(line + "\n" for line in text if line.startswith("{")))


class Pages(Operating):
    nginx_http = ""

    @classmethod
    def setUpClass(cls):
        cls.bare = stack.Ports()
        cls.port = cls.bare.take()
        # A location that hands everything to bloblo, without the word that shows pages.
        cls.nginx_http = f"""
  server {{ listen 127.0.0.1:{cls.port}; location / {{
    fastcgi_pass bloblo; fastcgi_ignore_headers X-Accel-Redirect; fastcgi_param REQUEST_METHOD $request_method; fastcgi_param REQUEST_URI $request_uri; }} }}"""
        super().setUpClass()

    def test_only_where_the_web_server_says_so(self):
        for name in ("health", "ready", "metrics", ""):
            status, headers, body = stack.request(
                "GET", f"http://127.0.0.1:{self.port}/bloblo/{name}",
                {"BLOBLO_PAGES": "on", "Bloblo-Pages": "on"})
            self.assertEqual(("pass", b""), (headers["X-Bloblo"], body), status)

    def test_only_for_this_machine(self):
        address = ("127.0.0.1", self.nginx.port)
        for name in ("health", "ready", "metrics", ""):
            self.assertEqual(403, self.page(name, {"X-Forwarded-For": "10.0.0.1"})[0])
            connection = http.client.HTTPConnection(*address, source_address=("127.0.0.2", 0))
            connection.request("GET", f"/bloblo/{name}")
            self.assertEqual(403, connection.getresponse().status)
            connection.close()

    def test_methods_and_other_paths(self):
        for name in ("health", "ready", "metrics", ""):
            status, body, headers = self.page(name, method="HEAD")
            self.assertEqual((200, ""), (status, body))
            self.assertGreater(int(headers["Content-Length"]), 2)
            self.assertEqual(403, self.page(name, method="POST")[0])
        self.assertEqual(404, self.page("secret")[0])
        self.assertEqual(200, self.page("metrics?a=b")[0])

    def test_headers(self):
        _, body, headers = self.page("")
        policy = dict(part.strip().split(" ", 1) for part in headers["Content-Security-Policy"].split(";"))
        self.assertEqual("'none'", policy["default-src"])
        for name, tag in (("style-src", "style"), ("script-src", "script")):
            asset = re.search(rf"(?s)<{tag}>(.*?)</{tag}>", body)[1]
            digest = base64.b64encode(hashlib.sha256(asset.encode()).digest()).decode()
            self.assertEqual(f"'sha256-{digest}'", policy[name])
        self.assertEqual(("no-store", "nosniff", "no-referrer"), (
            headers["Cache-Control"], headers["X-Content-Type-Options"], headers["Referrer-Policy"]))
        self.assertFalse(re.findall(r'(?:src|href|action)="(?!#|/bloblo/|data:,)', body), "nothing from outside")
        self.assertFalse(re.findall(r"\sstyle=|\son\w+=", body))

    def test_what_a_client_sends_is_text(self):
        # A registry that does not answer is told with words; a client's address comes from nginx.
        page = self.page("", {"User-Agent": "<script>alert(1)</script>"})[1]
        self.assertEqual(1, page.count("<script>"))

    def test_health_is_cheap(self):
        start = time.monotonic()
        for _ in range(200):
            self.assertEqual((200, "ok\n"), self.page("health")[:2])
        self.assertLess((time.monotonic() - start) / 200, 0.05)

    def test_settings_are_shown_and_secrets_are_not(self):
        with self.restarted(BLOBLO_PRESIGN_ACCESS_KEY_ID="AKIDOTHER",
                            BLOBLO_PRESIGN_SECRET_ACCESS_KEY="a-secret-of-ours"):
            page = self.page("")[1]
            self.assertIn("AKIDOTHER", page)
            self.assertIn("&lt;redacted&gt;", page)
            self.assertNotIn("a-secret-of-ours", page)
            self.assertRegex(self.text(), r"BLOBLO_PROOF_TTL\s+2s\s+set")
            self.assertRegex(self.text(), r"BLOBLO_PRESIGN_EXPIRES\s+5m\s+default")


class AfterPulls(Operating):
    """An image pushed and pulled by skopeo, cold and warm; then everything is looked at."""

    log_level = "trace"
    environment = {"BLOBLO_PROOF_TTL": "1m", "BLOBLO_PRESENCE_TTL": "1m"}

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        show = demo.Demo(cls.stack)
        show.push()
        # To push, skopeo asks for the blobs too, whether they are there already.
        cls.before = cls.metrics()
        show.pull("cold", show.wait_for_bucket)
        show.pull("warm")
        show.ask("nobody", None)
        show.ask("alice, wrong password", "alice:a-wrong-password")
        cls.image, cls.total = show.image, sum(show.image["sizes"][blob] for blob in show.blobs)

    def test_metrics(self):
        metrics = self.metrics()
        blobs = len(self.image["layers"]) + 1
        self.assertEqual(blobs, metrics['bloblo_decisions_total{decision="tee",reason=""}'])
        self.assertEqual(blobs, metrics['bloblo_decisions_total{decision="redirect",reason=""}'])
        refused = 'bloblo_decisions_total{decision="pass",reason="upstream-status"}'
        self.assertEqual(2, metrics[refused] - self.before[refused])
        self.assertEqual(self.total, metrics['bloblo_blob_bytes_total{road="teed"}'])
        self.assertEqual(self.total, metrics['bloblo_blob_bytes_total{road="redirected"}'])
        self.assertEqual(0, metrics['bloblo_blob_bytes_total{road="passed"}'])
        self.assertEqual(blobs, metrics['bloblo_fills_done_total{by="this"}'])
        self.assertEqual(self.total, metrics["bloblo_filled_bytes_total"])
        self.assertEqual(blobs, metrics["bloblo_fill_seconds_count"])
        self.assertGreaterEqual(metrics["bloblo_upstream_check_seconds_count"], blobs + 2)
        self.assertGreaterEqual(metrics["bloblo_s3_head_seconds_count"], blobs)
        self.assertGreater(metrics["bloblo_decision_seconds_count"], 0)
        self.assertGreater(metrics['bloblo_memory_hits_total{memory="proof"}'], 0)
        self.assertEqual(float("inf"), metrics["bloblo_credential_remaining_seconds"])
        self.assertLess(abs(metrics["bloblo_s3_clock_skew_seconds"]), 60)
        self.assertEqual(0, metrics["bloblo_spool_bytes"])
        self.assertEqual(0, metrics['bloblo_fills{state="running"}'])
        self.assertEqual(1, metrics["bloblo_ready"])

    def test_metrics_are_prometheus(self):
        checked = subprocess.run([stack.program("promtool"), "check", "metrics"], input=self.page("metrics")[1],
                                 text=True, capture_output=True)
        self.assertEqual((0, ""), (checked.returncode, checked.stdout + checked.stderr))

    def test_alerts_and_dashboard_name_what_there_is(self):
        rules = stack.ROOT / "packaging/prometheus/bloblo.rules.yml"
        checked = subprocess.run([stack.program("promtool"), "check", "rules", rules], text=True, capture_output=True)
        self.assertEqual(0, checked.returncode, checked.stdout + checked.stderr)
        tested = subprocess.run([stack.program("promtool"), "test", "rules", rules.with_name("bloblo.rules-test.yml")],
                                text=True, capture_output=True)
        self.assertEqual(0, tested.returncode, tested.stdout + tested.stderr)
        dashboard = stack.ROOT / "packaging/grafana/bloblo.json"
        json.loads(dashboard.read_text())
        there = {re.split("[{ ]", line)[0] for line in self.page("metrics")[1].splitlines() if line[0] != "#"}
        for path in (rules, dashboard):
            named = set(re.findall(r"\b(?:bloblo|process)_[a-z0-9_]+\b", path.read_text()))
            self.assertTrue(named)
            self.assertEqual(set(), named - there, path)
        helped = set(re.findall(r"^# HELP (bloblo_\w+)", self.page("metrics")[1], re.M))
        chapter = (stack.ROOT / "docs/operations.md").read_text().split("\n## Metrics\n")[1].split("\n#")[0]
        self.assertEqual(helped, set(re.findall(r"\bbloblo_[a-z0-9_]+\b", chapter)))

    def test_the_page_in_a_browser(self):
        dom, complaints = browse(self.nginx.url + "/bloblo/", "--dump-dom")
        text = html.unescape(re.sub(r"<[^>]+>", " ", re.sub(r"(?s)<(style|script)>.*?</\1>", "", dom)))
        self.assertIn("All is well.", text)
        self.assertRegex(text, r"50\u202f%\s+of 130\.0 MiB")
        self.assertRegex(text, r"65\.0 MiB redirected\s+65\.0 MiB teed")
        self.assertRegex(text, r"redirect\s+sent to the bucket\s+4\b")
        self.assertRegex(text, r"4 done \(65\.0 MiB\)")
        self.assertRegex(text, r"upstream-status: status 401")
        for name in ("Registry", "S3 bucket", "S3 credential", "Spool folder"):
            self.assertIn(f"{name}: well", text)
        self.assertIn("<rect", dom)
        self.assertNotIn("Content Security Policy", complaints)

    def test_for_keyboard_and_screen_reader(self):
        dom, _ = browse(self.nginx.url + "/bloblo/", "--dump-dom")
        self.assertRegex(dom, r'<html lang="en"')
        self.assertEqual(1, dom.count("<h1"))
        self.assertIn('name="viewport"', dom)
        self.assertRegex(dom, r'<div id="state"[^>]*role="status"')
        self.assertRegex(dom, r'<svg[^>]*role="img"[^>]*aria-labelledby="chart-title"')
        self.assertEqual(dom.count("<section"), len(re.findall(r'<section aria-labelledby="(h-\w+)"><h2 id="\1"', dom)))
        self.assertEqual(dom.count("<th "), dom.count('<th scope="col"'))
        self.assertNotRegex(dom, r'tabindex="[1-9]')
        levels = [int(level) for level in re.findall(r"<h([1-6])", dom)]
        self.assertTrue(all(b - a <= 1 for a, b in zip(levels, levels[1:])), levels)

    def test_without_javascript(self):
        dom, _ = browse(self.nginx.url + "/bloblo/", "--dump-dom", has_scripts=False)
        self.assertIn("All is well.", dom)
        self.assertIn("4 done (65.0 MiB)", dom)
        # The browser loads it anew by itself, here until it is ended.
        before = self.loads()
        with self.assertRaises(subprocess.TimeoutExpired):
            browse(self.nginx.url + "/bloblo/", "--remote-debugging-port=0", has_scripts=False, timeout=15)
        self.assertGreaterEqual(self.loads() - before, 2)

    def loads(self):
        return self.nginx.access_log.read_text().count('"GET /bloblo/"')

    def test_it_refreshes_itself(self):
        page, fields = self.page("")[1], self.page("")[2]
        answers = iter([(200, page), (200, page.replace("All is well.", "It is fresh.")), (500, "")])

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                status, body = next(answers, (500, ""))
                self.send_response(status)
                for name in ("Content-Type", "Content-Security-Policy"):
                    self.send_header(name, fields[name])
                self.end_headers()
                self.wfile.write(body.encode())

            def log_message(self, *_):
                pass

        server = stack.serve_http(Handler, self.addCleanup)
        dom, _ = browse(f"http://127.0.0.1:{server.server_port}/bloblo/", "--virtual-time-budget=13000", "--dump-dom")
        self.assertIn("It is fresh.", dom)
        self.assertRegex(dom, r'<p id="lost" role="alert">bloblo does not answer since .*status 500')

    def test_pictures(self):
        take_pictures(self.nginx.url + "/bloblo/", "well")

    def test_no_secret_anywhere(self):
        written = self.bloblo.log.read_text() + "".join(self.page(name)[1] for name in ("", "metrics", "ready"))
        self.assertGreater(len(self.lines('"redirect"')), 0)
        for secret in [*stack.secrets(), "a-wrong-password", "AWSAccessKeyId=", "X-Amz-Credential"]:
            self.assertNotIn(secret, written)


class Apache(unittest.TestCase):
    """The same pages on the other shipped configuration."""

    def test_for_this_machine_and_from_no_proxy(self):
        options = stack.options(["up", "--bloblo", PROGRAM, "--services", "registry,s3,apache,bloblo"])
        with stack.Stack(options) as servers:
            servers.up()
            apache = servers.services["apache"]

            def page(name, headers=None, method="GET"):
                return stack.request(method, f"{apache.url}/bloblo/{name}", headers)

            self.assertTrue(eventually(lambda: page("ready")[0] == 200), page("ready"))
            self.assertEqual((200, b"ok\n"), page("health")[::2])
            self.assertIn("All is well.", page("")[2].decode())
            self.assertIn("default-src 'none'", page("")[1]["Content-Security-Policy"])
            checked = subprocess.run([stack.program("promtool"), "check", "metrics"], input=page("metrics")[2])
            self.assertEqual(0, checked.returncode)
            self.assertEqual(403, page("", {"X-Forwarded-For": "10.0.0.1"})[0])
            self.assertEqual(405, page("", method="POST")[0])
            servers.services["s3"].stop()
            self.assertTrue(eventually(lambda: page("ready")[0] == 503), page("ready"))
            self.assertIn(b"bucket: ", page("ready")[2])


class InProgress(Operating):
    def test_a_fill_in_progress(self):
        digest = self.push(24 * MIB)
        self.registry_relay.rate = 6 * MIB
        pull = threading.Thread(target=self.get, args=(digest,), kwargs={"timeout": 60})
        pull.start()
        found = eventually(lambda: re.search(
            r'<progress max="25165824" value="(\d+)" aria-label="sha256:', self.page("")[1]))
        self.assertTrue(found)
        metrics = self.metrics()
        self.assertEqual(1, metrics['bloblo_fills{state="running"}'])
        self.assertEqual(24 * MIB, metrics["bloblo_spool_bytes"])
        self.assertEqual(1, metrics['bloblo_threads_busy{pool="fill"}'])
        dom, _ = browse(self.nginx.url + "/bloblo/", "--dump-dom")
        self.assertIn("<progress", dom)
        self.registry_relay.heal()
        pull.join()
        self.assertTrue(eventually(lambda: self.s3.client.size(digest)))


def take_pictures(url, name):
    SCREENSHOTS.mkdir(exist_ok=True)
    for form, size in (("desktop", "1280,2200"), ("phone", "390,3200")):
        for scheme, number in (("dark", 0), ("light", 1)):
            picture = SCREENSHOTS / f"{name}-{form}-{scheme}.png"
            picture.unlink(missing_ok=True)
            browse(url, f"--window-size={size}", "--hide-scrollbars",
                   f"--blink-settings=preferredColorScheme={number}", f"--screenshot={picture}")
            if picture.stat().st_size < 10_000:
                raise AssertionError(f"{picture} shows little")


def browse(url, *options, has_scripts=True, timeout=60):
    """What headless Chromium writes to its output, and to its error stream."""
    with tempfile.TemporaryDirectory(prefix="chromium-", ignore_cleanup_errors=True) as profile:
        preferences = pathlib.Path(profile, "Default/Preferences")
        preferences.parent.mkdir()
        preferences.write_text(json.dumps({"profile": {"default_content_setting_values": {
            "javascript": 1 if has_scripts else 2}}}))
        result = subprocess.run(
            [stack.program("chromium"), "--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage",
             f"--user-data-dir={profile}", "--enable-logging=stderr", "--no-first-run", *options, url],
            capture_output=True, text=True, timeout=timeout)
    return result.stdout, result.stderr


if __name__ == "__main__":
    unittest.main()
