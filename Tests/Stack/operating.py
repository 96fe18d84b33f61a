"""A stack whose bloblo reaches S3 and the registry by relays that can be broken, and what the person on duty
sees of it: log, metrics, readiness and status page.
"""

import contextlib
import html
import json
import os
import pathlib
import re
import signal
import subprocess
import tempfile

import stack
from fakes.client import ALICE, push
from fakes.relay import Relay
from fakes.waiting import eventually

PROGRAM = os.environ["BLOBLO"]
MIB = 1 << 20


# For tests in which nothing is broken: a busy machine is no server that does not answer, and what was learnt is not forgotten.
PATIENT = {"BLOBLO_UPSTREAM_TIMEOUT": "60s", "BLOBLO_S3_TIMEOUT": "60s", "BLOBLO_PROOF_TTL": "10m", "BLOBLO_PRESENCE_TTL": "10m"}


class Operating:
    """`folder` is a temporary one of its own; `nginx_http(ports)` gives more for nginx's http {}."""

    def __init__(self, ends, log_level="info", nginx_http=None, **environment):
        self.folder = pathlib.Path(ends.enter_context(tempfile.TemporaryDirectory(prefix="operating-")))
        options = stack.options(["up", "--bloblo", PROGRAM, "--log-level", log_level, "--client-ids"])
        self.stack = stack.Stack(options)
        ends.callback(self.stack.down)
        if nginx_http:
            self.bare_port = self.stack.ports.take()
            options.nginx_http = nginx_http(self.bare_port)
        services = self.stack.services
        self.bloblo, self.nginx, self.s3 = services["bloblo"], services["nginx"], services["s3"]
        self.registry = services["registry"]
        self.s3_relay, self.registry_relay = Relay(self.s3.port), Relay(self.registry.port)
        ends.callback(self.s3_relay.close)
        ends.callback(self.registry_relay.close)
        options.env = {"BLOBLO_S3_ENDPOINT_URL": self.s3_relay.url,
                       "BLOBLO_UPSTREAM_URL": self.registry_relay.url,
                       "BLOBLO_PROOF_TTL": "2s", "BLOBLO_PRESENCE_TTL": "2s", "BLOBLO_UPSTREAM_TIMEOUT": "2s",
                       "BLOBLO_S3_TIMEOUT": "2s", **environment}
        self.mark = 0
        self.stack.up()

    def heal(self):
        """All is as at the start; what a test does first."""
        self.s3_relay.heal()
        self.registry_relay.heal()
        needs = ("upstream", "bucket", "credential", "spool")
        eventually(lambda: {self.need(name)[0] for name in needs} == {"good"}, otherwise=self.text)
        self.mark = self.bloblo.log.stat().st_size

    def page(self, name, headers=None, method="GET"):
        status, fields, body = stack.request(method, f"{self.nginx.url}/bloblo/{name}", headers)
        return status, body.decode(), fields

    def metrics(self):
        """The samples by their names with labels, as they stand there."""
        status, text, _ = self.page("metrics")
        assert status == 200, (status, text, self.nginx.tail())
        return {name: float(value) for name, value in (
            line.rsplit(" ", 1) for line in text.splitlines() if not line.startswith("#"))}

    def passes(self, reason):
        return self.metrics()[f'bloblo_decisions_total{{decision="pass",reason="{reason}"}}']

    def text(self):
        """What a person reads on the page."""
        return html.unescape(re.sub(r"<[^>]+>", " ", re.sub(r"(?s)<(style|script)>.*?</\1>", "", self.page("")[1])))

    def need(self, name):
        """The need's class and words on the page."""
        page = self.page("")
        found = re.search(rf'(?s)<li class="(\w+)" id="need-{name}">(.*?)</li>', page[1])
        assert found, (page, self.nginx.tail())
        return found[1], html.unescape(re.sub(r"<[^>]+>", " ", found[2]))

    def lines(self, *words):
        """bloblo's log lines of this test that have all these words."""
        with self.bloblo.log.open(errors="replace") as log:
            log.seek(self.mark)
            return [json.loads(line) for line in log
                    if line.startswith("{") and line.endswith("\n") and all(word in line for word in words)]

    def push(self, size=MIB, repository="a/b"):
        """A blob of random bytes, pushed to the registry itself; its digest."""
        return push(self.registry.url, os.urandom(size), repository)

    def get(self, digest, headers=None, repository="a/b", method="GET", **more):
        return stack.request(method, f"{self.nginx.url}/v2/{repository}/blobs/{digest}",
                             ALICE if headers is None else headers, **more)

    def push_and_fill(self, **more):
        digest = self.push(**more)
        # Asked again each time: bloblo leaves S3 alone for a moment after a fault of another test.
        eventually(lambda: self.get(digest)[0] == 307, otherwise=self.bloblo.tail)
        self.wait_until_filled(digest)
        return digest

    def wait_until_filled(self, *digests):
        """S3 shows the object before bloblo has the answer to its upload; until then clients read along."""
        eventually(lambda: all(map(self.s3.client.size, digests)) and self.metrics()['bloblo_fills{state="running"}'] == 0,
                   otherwise=self.bloblo.tail)

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

    def assert_told(self, need, words, is_ready):
        eventually(lambda: self.need(need)[0] == "bad", otherwise=lambda: self.need(need))
        for word in words:
            assert word in self.need(need)[1]
        assert "Failing" in self.text()
        metrics = self.metrics()
        assert 0 == metrics[f'bloblo_dependency_up{{dependency="{need}"}}']
        # Others that it needs may be asked for the first time.
        eventually(lambda: int(is_ready) == self.metrics()["bloblo_ready"], otherwise=self.text)
        status, body, _ = self.page("ready")
        assert (200 if is_ready else 503) == status, body
        if not is_ready:
            assert f"{need}: " in body
            for word in words:
                assert word in body
        # The page knows it a moment before the log.
        told = eventually(lambda: [line for line in self.lines("health check failed") if line["dependency"] == need])
        assert "error" == told[-1]["level"]
        for word in words:
            assert word in told[-1]["advice"]
        assert 200 == self.page("health")[0], "alive all the while"
        subject = {"bucket": "bucket.head", "credential": "credentials"}.get(need, need)
        checked = subprocess.run([PROGRAM, "check", "--json"], env=self.bloblo.environment(), text=True,
                                 capture_output=True)
        failed = [line for line in map(json.loads, checked.stdout.splitlines()) if line["level"] == "FAIL"]
        assert failed, checked
        # A folder that is not there is a wrong setting.
        subjects = [line["subject"] for line in failed]
        assert subject in subjects or need == "spool" and "BLOBLO_SPOOL_DIR" in failed[0]["finding"], failed
        assert all(line.get("advice") for line in failed if line["subject"] != "sum")
        assert 0 != checked.returncode

    def assert_well_again(self, need):
        eventually(lambda: self.need(need)[0] == "good", otherwise=lambda: self.need(need))
        eventually(lambda: [line for line in self.lines("health check recovered") if line["dependency"] == need])
        assert 200 == self.page("ready")[0]

    def line(self, identifier):
        lines = eventually(lambda: self.lines(f'"request.id":"{identifier}"'))
        assert 1 == len(lines), lines
        return lines[0]

    def ask(self, digest, identifier, **headers):
        return self.get(digest, {**ALICE, "X-Request-Id": identifier, **headers})


@contextlib.contextmanager
def operating(**options):
    with contextlib.ExitStack() as ends:
        yield Operating(ends, **options)


def small_file_system(ends, size):
    """The folder of a file system in memory that has so much room; wants root."""
    folder = ends.enter_context(tempfile.TemporaryDirectory())
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", folder], check=True)
    ends.callback(subprocess.run, ["umount", "-l", folder], check=True)
    return folder


@contextlib.contextmanager
def browsing(url, *options, has_scripts=True):
    """Headless Chromium at work, with all that it starts; ended at the end."""
    with tempfile.TemporaryDirectory(prefix="chromium-", ignore_cleanup_errors=True) as profile:
        preferences = pathlib.Path(profile, "Default/Preferences")
        preferences.parent.mkdir()
        preferences.write_text(json.dumps({"profile": {"default_content_setting_values": {
            "javascript": 1 if has_scripts else 2}}}))
        process = stack.child(
            [stack.program("chromium"), "--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage",
             f"--user-data-dir={profile}", "--enable-logging=stderr", "--no-first-run", *options, url],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        with process:
            try:
                yield process
            finally:
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(process.pid, signal.SIGKILL)


def browse(url, *options, has_scripts=True, timeout=300):
    """What headless Chromium writes to its output, and to its error stream."""
    with browsing(url, *options, has_scripts=has_scripts) as process:
        return process.communicate(timeout=timeout)
