"""The dashboard's panels, asked of a real Prometheus that scrapes a bloblo at work."""

import contextlib
import json
import math
import os
import tempfile
import threading
import urllib.parse

import pytest

import stack
from fakes.waiting import eventually
from operating import operating

pytestmark = pytest.mark.long

DASHBOARD = json.loads((stack.ROOT / "packaging/grafana/bloblo.json").read_text())


def expressions(title):
    [panel] = [panel for panel in DASHBOARD["panels"] if panel["title"] == title]
    return [target["expr"].replace("$instance", ".*").replace("$__rate_interval", "30s") for target in panel["targets"]]


class Prometheus:
    def __init__(self, ends, target, port):
        folder = ends.enter_context(tempfile.TemporaryDirectory(prefix="prometheus-"))
        settings = {"global": {"scrape_interval": "1s"}, "scrape_configs": [{
            "job_name": "bloblo", "metrics_path": "/bloblo/metrics", "static_configs": [{"targets": [target]}]}]}
        with open(f"{folder}/prometheus.yml", "w") as file:
            json.dump(settings, file)
        self.url = f"http://127.0.0.1:{port}"
        log = ends.enter_context(open(f"{folder}/log", "w"))
        process = stack.child([stack.program("prometheus"), f"--config.file={folder}/prometheus.yml",
                               f"--storage.tsdb.path={folder}/data", f"--web.listen-address=127.0.0.1:{port}"],
                              stdout=log, stderr=log, env={**os.environ, "GOMAXPROCS": "1"})
        ends.callback(process.wait)
        ends.callback(process.terminate)

    def ask(self, expression):
        """[(labels, value)]"""
        with contextlib.suppress(OSError):
            status, _, body = stack.request("GET", f"{self.url}/api/v1/query?query={urllib.parse.quote(expression)}")
            if status != 503:
                assert status == 200, (expression, body)
                return [(each["metric"], float(each["value"][1])) for each in json.loads(body)["data"]["result"]]
        return []


@pytest.fixture(scope="module")
def prometheus():
    with contextlib.ExitStack() as ends:
        site = ends.enter_context(operating())
        server = Prometheus(ends, f"127.0.0.1:{site.nginx.port}", site.stack.ports.take())
        eventually(lambda: server.ask("bloblo_ready"))
        digest = site.push_and_fill()
        # The panels look at the last half a minute: something has to happen in each.
        stopped = threading.Event()

        def ask():
            while not stopped.wait(0.1):
                site.get(digest)

        thread = threading.Thread(target=ask)
        thread.start()
        ends.callback(thread.join)
        ends.callback(stopped.set)
        eventually(lambda: server.ask("rate(bloblo_s3_head_duration_seconds_count[30s]) > 0"))
        yield server


@pytest.mark.parametrize("title", [panel["title"] for panel in DASHBOARD["panels"]])
def test_no_panel_shows_infinity(prometheus, title):
    for expression in expressions(title):
        for labels, value in prometheus.ask(expression):
            assert not math.isinf(value), (expression, labels)


@pytest.mark.parametrize("title,value", [("Ready", 1), ("Version", 1)])
def test_readiness_and_version(prometheus, title, value):
    [expression] = expressions(title)
    # Of a busy machine it may not get the metrics within its second.
    [(labels, _)] = eventually(lambda: [each for each in prometheus.ask(expression) if each[1] == value],
                               otherwise=lambda: str(prometheus.ask(expression)))
    assert title != "Version" or labels["version"]


@pytest.mark.parametrize("title", ["Latency of the registry", "Latency of S3", "Latency of decisions"])
def test_latency(prometheus, title):
    def shown():
        values = [value for expression in expressions(title) for _, value in prometheus.ask(expression)]
        return len(values) >= 2 and all(0 < value < 10 for value in values)

    eventually(shown, otherwise=lambda: [prometheus.ask(expression) for expression in expressions(title)])


def test_panels_do_not_overlap():
    taken = set()
    for panel in DASHBOARD["panels"]:
        place = panel["gridPos"]
        cells = {(x, y) for x in range(place["x"], place["x"] + place["w"]) for y in range(place["y"], place["y"] + place["h"])}
        assert not cells & taken and place["x"] + place["w"] <= 24, panel["title"]
        taken |= cells
