"""One id for a request: in bloblo's log, with its question and with the pass, behind nginx and Apache. A client can't choose it."""

import http.server
import json

import pytest

import stack
from fakes.client import ALICE, blob_path, digest_of
from fakes.waiting import eventually
from front_site import Site

CONTENT = b"a layer " * 500
DIGEST = digest_of(CONTENT)


@pytest.fixture
def site(front, make_stack, serve):
    heard = []

    class Registry(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def answer(self):
            if self.path != "/v2/":  # bloblo's own look
                heard.append((self.command, self.path, self.headers.get_all("X-Request-Id")))
            refused = "Authorization" not in self.headers
            self.send_response(401 if refused else 200)
            content = b"" if refused else CONTENT
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(content)

        do_GET = do_HEAD = do_DELETE = do_PATCH = answer

        def log_message(self, *_):
            pass

    server = serve(Registry)
    site = Site(make_stack(f"{front},bloblo", "--registry", f"127.0.0.1:{server.server_port}", "--log-level", "debug",
                           env={"BLOBLO_S3_ENDPOINT_URL": "http://127.0.0.1:1", "BLOBLO_FILL": "off"}), front)
    site.heard = heard
    return site


@pytest.mark.parametrize("own", [{}, {"X-Request-Id": "mine"}, {"X-Request-Id": "a\tb c"}])
def test_a_pass_has_the_id_of_the_log(site, own):
    for method, fields in (("GET", ALICE), ("GET", {}), ("HEAD", {}), ("GET", {**ALICE, "Range": "bytes=1-2,4-5,x"})):
        site.heard.clear()
        before = len(site.lines('"decision":"pass"', DIGEST))
        status, answer, _ = site.ask(method, blob_path(DIGEST), {**fields, **own})
        assert answer["X-Bloblo-Request-Id"] is None and answer["X-Request-Id"] is None
        lines = eventually(lambda: site.lines('"decision":"pass"', DIGEST)[before:], otherwise=site.bloblo.tail)
        identifier = lines[-1]["request.id"]
        assert identifier not in own.values() and len(identifier) == 32
        assert site.heard and {json.dumps(each[2]) for each in site.heard} == {json.dumps([identifier])}, site.heard


def test_a_delete_has_it_too(site):
    site.ask("DELETE", blob_path(DIGEST), {**ALICE, "X-Request-Id": "mine"})
    [line] = eventually(lambda: site.lines('"reason":"delete"'), otherwise=site.bloblo.tail)
    assert site.heard[-1] == ("DELETE", blob_path(DIGEST), [line["request.id"]])


def test_nobody_hears_a_clients_id_while_bloblo_is_down(site):
    site.bloblo.stop()
    assert site.ask("GET", blob_path(DIGEST), {**ALICE, "X-Request-Id": "mine"})[2] == CONTENT
    [(_, _, ids)] = site.heard
    if site.name == "nginx":
        assert ids != ["mine"] and len(ids) == 1
