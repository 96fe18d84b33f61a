"""Metrics and status page after an image was pushed and pulled by skopeo, cold and warm."""

import html
import http.server
import json
import re
import subprocess

import pytest

import demo
import pictures
import stack
from fakes.waiting import eventually
from operating import PATIENT, browse, browsing, operating

pytestmark = pytest.mark.long


@pytest.fixture(scope="module")
def pulled():
    """`before`: the metrics of before the pulls; `image` and `total`: what was pulled."""
    with operating(log_level="trace", **PATIENT) as site:
        show = demo.Demo(site.stack)
        show.push()
        # To push, skopeo asks for the blobs too, whether they are there already.
        site.before = site.metrics()
        show.pull("cold", lambda: site.wait_until_filled(*show.blobs))
        show.pull("warm")
        show.ask("nobody", None)
        show.ask("alice, wrong password", "alice:a-wrong-password")
        site.image, site.total = show.image, sum(show.image["sizes"][blob] for blob in show.blobs)
        yield site


def loads(site):
    """How often nginx was asked for the page."""
    return site.nginx.access_log.read_text().count('"GET /bloblo/"')


def browse_well(site, **more):
    """As browse(), until the page says that all is well: a browser makes the machine busy, and a look may be late."""
    def load():
        dom, complaints = browse(site.nginx.url + "/bloblo/", "--dump-dom", **more)
        return (dom, complaints) if "All is well." in dom else None

    return eventually(load, 600, otherwise=site.text)


def test_metrics(pulled):
    metrics = pulled.metrics()
    blobs = len(pulled.image["layers"]) + 1
    assert blobs == metrics['bloblo_decisions_total{decision="tee",reason=""}']
    assert blobs == metrics['bloblo_decisions_total{decision="redirect",reason=""}']
    refused = 'bloblo_decisions_total{decision="pass",reason="upstream-status"}'
    assert 2 == metrics[refused] - pulled.before[refused]
    assert pulled.total == metrics['bloblo_blob_bytes_total{path="teed"}']
    assert pulled.total == metrics['bloblo_blob_bytes_total{path="redirected"}']
    assert 0 == metrics['bloblo_blob_bytes_total{path="passed"}']
    assert blobs == metrics['bloblo_fills_completed_total{by="this"}']
    assert pulled.total == metrics["bloblo_filled_bytes_total"]
    assert blobs == metrics["bloblo_fill_duration_seconds_count"]
    assert metrics["bloblo_upstream_check_duration_seconds_count"] >= blobs + 2
    assert metrics["bloblo_s3_head_duration_seconds_count"] >= blobs
    assert metrics["bloblo_decision_duration_seconds_count"] > 0
    assert metrics['bloblo_cache_hits_total{cache="proof"}'] > 0
    assert float("inf") == metrics["bloblo_credential_expiry_timestamp_seconds"]
    assert abs(metrics["bloblo_s3_clock_skew_seconds"]) < 60
    assert 0 == metrics["bloblo_spool_bytes"]
    assert 0 == metrics['bloblo_fills{state="running"}']
    assert 1 == metrics["bloblo_ready"]


def test_metrics_are_prometheus(pulled):
    checked = subprocess.run([stack.program("promtool"), "check", "metrics"], input=pulled.page("metrics")[1],
                             text=True, capture_output=True)
    assert (0, "") == (checked.returncode, checked.stdout + checked.stderr)


def test_alerts_and_dashboard_name_what_there_is(pulled):
    rules = stack.ROOT / "packaging/prometheus/bloblo.rules.yml"
    checked = subprocess.run([stack.program("promtool"), "check", "rules", rules], text=True, capture_output=True)
    assert 0 == checked.returncode, checked.stdout + checked.stderr
    tested = subprocess.run([stack.program("promtool"), "test", "rules", rules.with_name("bloblo.rules-test.yml")],
                            text=True, capture_output=True)
    assert 0 == tested.returncode, tested.stdout + tested.stderr
    dashboard = stack.ROOT / "packaging/grafana/bloblo.json"
    json.loads(dashboard.read_text())
    there = {re.split("[{ ]", line)[0] for line in pulled.page("metrics")[1].splitlines() if line[0] != "#"}
    for path in (rules, dashboard):
        named = set(re.findall(r"\b(?:bloblo|process)_[a-z0-9_]+\b", path.read_text()))
        assert named
        assert set() == named - there, path
    helped = set(re.findall(r"^# HELP (bloblo_\w+)", pulled.page("metrics")[1], re.M))
    chapter = (stack.ROOT / "docs/operations.md").read_text().split("\n## Metrics\n")[1].split("\n#")[0]
    assert helped == set(re.findall(r"\bbloblo_[a-z0-9_]+\b", chapter))


def test_the_page_in_a_browser(pulled):
    dom, complaints = browse_well(pulled)
    text = html.unescape(re.sub(r"<[^>]+>", " ", re.sub(r"(?s)<(style|script)>.*?</\1>", "", dom)))
    assert "All is well." in text
    assert re.search(r"50\u202f%\s+of 130\.0 MiB", text)
    assert re.search(r"65\.0 MiB redirected\s+65\.0 MiB teed", text)
    assert re.search(r"redirect\s+sent to the bucket\s+4\b", text)
    assert re.search(r"4 done \(65\.0 MiB\)", text)
    assert re.search(r"upstream-status: status 401", text)
    for name in ("Registry", "S3 bucket", "S3 credential", "Spool folder"):
        assert f"{name}: ok" in text
    assert "<rect" in dom
    assert "Content Security Policy" not in complaints


def test_for_keyboard_and_screen_reader(pulled):
    dom, _ = browse(pulled.nginx.url + "/bloblo/", "--dump-dom")
    assert re.search(r'<html lang="en"', dom)
    assert 1 == dom.count("<h1")
    assert 'name="viewport"' in dom
    assert re.search(r'<div id="state"[^>]*role="status"', dom)
    assert re.search(r'<svg[^>]*role="img"[^>]*aria-labelledby="chart-title"', dom)
    assert dom.count("<section") == len(re.findall(r'<section aria-labelledby="(h-\w+)"><h2 id="\1"', dom))
    assert dom.count("<th ") == dom.count('<th scope="col"')
    assert not re.search(r'tabindex="[1-9]', dom)
    levels = [int(level) for level in re.findall(r"<h([1-6])", dom)]
    assert all(b - a <= 1 for a, b in zip(levels, levels[1:])), levels


def test_without_javascript(pulled):
    dom, _ = browse_well(pulled, has_scripts=False)
    assert "4 done (65.0 MiB)" in dom
    # The browser loads it anew by itself, here until it is ended.
    before = loads(pulled)
    with browsing(pulled.nginx.url + "/bloblo/", "--remote-debugging-port=0", has_scripts=False):
        eventually(lambda: loads(pulled) - before >= 2)


def test_it_refreshes_itself(pulled, serve):
    _, page, fields = eventually(lambda: "All is well." in (answer := pulled.page(""))[1] and answer, otherwise=pulled.text)
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

    server = serve(Handler)
    dom, _ = browse(f"http://127.0.0.1:{server.server_port}/bloblo/", "--virtual-time-budget=13000", "--dump-dom")
    assert "It is fresh." in dom
    assert re.search(r'<p id="lost" role="alert">bloblo does not answer since .*status 500', dom)


def test_pictures(pulled):
    def take():
        taken = pictures.take(pulled.nginx.url + "/bloblo/", "well")
        return taken if all(shown[pictures.BAD[scheme]] == 0 for (_, scheme), shown in taken.items()) else None

    # As in browse_well: all is well in each.
    for (form, scheme), shown in eventually(take, 600, otherwise=pulled.text).items():
        assert shown[pictures.BACK[scheme]] > 50_000, (form, scheme)
        assert shown[pictures.BLUE[scheme]] > 500, (form, scheme, "the bars of what was offloaded")


def test_no_secret_anywhere(pulled):
    written = pulled.bloblo.log.read_text() + "".join(pulled.page(name)[1] for name in ("", "metrics", "ready"))
    assert len(pulled.lines('"redirect"')) > 0
    for secret in [*stack.secrets(), "a-wrong-password", "AWSAccessKeyId=", "X-Amz-Credential"]:
        assert secret not in written
