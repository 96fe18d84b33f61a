"""`check --front` compares the web server with the registry, and asks what a site that guards must refuse."""

import json
import re
import subprocess

import pytest

import stack
from fakes.alone import BASIC, Registry, text_of
from fakes.handler import Handler
from fakes.waiting import eventually
from s3_servers import Report


# The version of the shipped files.
FILES = re.search(r"BLOBLO_FRONT_FILES +(\d+)", (stack.ROOT / "nginx/bloblo-locations.conf").read_text())[1]


class Web:
    """A web server that hands check's question to bloblo, and does with a blob's request what a test says."""

    def __init__(self, bloblo, blob=None, guard=False, software="nginx/1.22.1", files=FILES):
        self.bloblo, self.blob, self.guard, self.software, self.files = bloblo, blob, guard, software, files

    def handler(web):
        class WebHandler(Handler):
            def do_GET(self):
                credential = self.headers["Authorization"]
                if web.guard and self.path == "/v2/" and credential != BASIC:
                    return self.answer(401, WWW_Authenticate='Basic realm="site"')
                if "/check" in self.path and "blobs/sha256" not in self.path:
                    status, fields, body = web.bloblo.ask(
                        self.path, HTTP_HOST="front", HTTP_AUTHORIZATION=credential or "",
                        BLOBLO_FRONT_FILES=web.files, SERVER_SOFTWARE=web.software, BLOBLO_PAGES="on")
                    fields.pop("Content-Length", None)
                    return self.answer(status, body, **fields)
                if web.blob and "/blobs/" in self.path:
                    return web.blob(self)
                return web.passes(self)

            do_HEAD = do_GET

        return WebHandler

    def passes(self, request, target=None):
        """As the registry itself answers."""
        url = self.bloblo.settings["BLOBLO_UPSTREAM_URL"]
        fields = {"Authorization": request.headers["Authorization"]} if request.headers["Authorization"] else {}
        status, headers, body = stack.request(request.command, url + (target or request.path), fields)
        kept = {name: value for name, value in headers.items()
                if name.lower() in ("www-authenticate", "docker-distribution-api-version", "docker-content-digest")}
        request.answer(status, body, **kept)


@pytest.fixture
def checked(alone, serve):
    """Runs `check --front` before a web server; (exit status, {subject: (level, finding)})."""
    def run(*words, registry=None, authorization=BASIC, bloblo=None, **web):
        bloblo = bloblo or alone(registry=registry)
        server = serve(Web(bloblo, **web).handler())
        done = bloblo.run("check", "--json", "--front", f"http://127.0.0.1:{server.server_port}", *words,
                          BLOBLO_CHECK_AUTHORIZATION=authorization)
        return done.returncode, Report(done)
    return run


def status(code, **fields):
    return lambda request: request.answer(code, b"<html>sorry</html>", **fields)


def test_all_as_it_should_be(checked):
    lines = checked()[1]
    assert (lines["front.pass"][0], lines["front.files"][0]) == ("ok", "ok"), lines
    assert [name for name, line in lines.items() if name.startswith("front") and line[0] == "FAIL"] == []


@pytest.mark.parametrize("code", [400, 404, 424, 500, 502, 503, 504, 508])
def test_a_pass_that_gets_another_answer_than_the_registry_s(checked, code):
    found, lines = checked(blob=status(code))
    assert (lines["front.pass"][0], found) == ("FAIL", 1), lines


def test_a_404_that_is_not_the_registry_s(checked):
    found, lines = checked(blob=status(404))
    assert lines["front.pass"][0] == "FAIL" and "Docker-Distribution-Api-Version" in lines["front.pass"][1] and found == 1


@pytest.mark.parametrize("challenge", [None, 'Bearer realm="https://elsewhere/token"'])
def test_a_challenge_that_is_not_the_registry_s(checked, challenge):
    fields = {"Docker_Distribution_Api_Version": "registry/2.0"} | (
        {"WWW_Authenticate": challenge} if challenge else {})
    found, lines = checked(authorization=None, blob=status(401, **fields))
    assert lines["front.pass"][0] == "FAIL" and "WWW-Authenticate" in lines["front.pass"][1] and found == 1


@pytest.mark.parametrize("software", ["nginx/1.22.1", "Apache/2.4"])
@pytest.mark.parametrize("files", ["", "1"])
def test_older_files(checked, software, files):
    found, lines = checked(software=software, files=files)
    assert (lines["front.files"][0], found) == ("FAIL", 1), lines


def test_a_bloblo_that_is_dead(checked, alone):
    bloblo = alone(start=False)
    bloblo.ask = lambda *_, **__: (502, {}, b"")
    found, lines = checked(bloblo=bloblo)
    assert (lines["front.params"][0], found) == ("FAIL", 1), lines


@pytest.mark.parametrize("front", ["nginx", "apache"])
def test_a_bloblo_that_is_dead_behind_a_real_web_server(make_stack, front):
    servers = make_stack(f"registry,s3,{front},bloblo").services
    bloblo, url = servers["bloblo"], servers[front].url
    env = bloblo.environment()
    bloblo.stop()
    done = subprocess.run([*bloblo.command(), "check", "--front", url], env=env, capture_output=True, text=True)
    assert done.returncode == 1 and "FAIL  front.params" in done.stdout, done


# The guard


BAD = "Basic %%%"


def opened_to(*credentials, code=307):
    """A guard that lets those through whose credential is one of these."""
    def blob(request):
        credential = request.headers["Authorization"]
        if credential != BASIC and credential not in credentials:
            return request.answer(401, WWW_Authenticate='Basic realm="site"')
        if credential == BASIC:
            return request.answer(404, b"{}", Docker_Distribution_Api_Version="registry/2.0")
        fields = {"Location": "http://s3.example/x"} if code == 307 else {}
        return request.answer(code, b"x", **fields)
    return blob


@pytest.mark.parametrize("code", [200, 206, 307])
@pytest.mark.parametrize("credentials", [(None,), (BAD,)])
def test_bytes_or_a_url_for_those_whom_the_site_refuses(checked, code, credentials):
    found, lines = checked(registry=Registry(None), guard=True, blob=opened_to(*credentials, code=code))
    assert (lines["front.guard"][0], found) == ("FAIL", 1), lines


@pytest.mark.parametrize("credentials", [(None,), (BAD,)])
def test_a_request_that_reaches_an_open_registry_past_the_guard(checked, credentials):
    found, lines = checked(registry=Registry(None), guard=True, blob=opened_to(*credentials, code=404))
    assert (lines["front.guard"][0], found) == ("FAIL", 1), lines


def test_a_guard_that_holds(checked):
    lines = checked(registry=Registry(None), guard=True, blob=opened_to())[1]
    assert lines["front.guard"][0] == "ok", lines


# The upstream


def test_an_upstream_that_is_the_web_server_itself(make_stack):
    owner = make_stack("registry,s3,nginx,bloblo")
    bloblo, url = owner.services["bloblo"], owner.services["nginx"].url
    env = bloblo.environment() | {"BLOBLO_UPSTREAM_URL": url}
    for words in ((), ("--front", url.replace("127.0.0.1", "localhost"))):
        done = subprocess.run([*bloblo.command(), "check", *words], env=env, capture_output=True, text=True)
        assert done.returncode == 1 and "FAIL  upstream.loop" in done.stdout, done


def test_what_is_wrong_with_the_upstream_is_said(make_stack):
    owner = make_stack("registry,s3,bloblo")
    registry, bloblo = owner.services["registry"], owner.services["bloblo"]

    def advice(*words, **settings):
        done = subprocess.run([*bloblo.command(), "check", "--json", *words], env=bloblo.environment() | settings,
                              capture_output=True, text=True)
        assert done.returncode == 1, done
        return next(line for line in map(json.loads, done.stdout.splitlines())
                    if line["level"] == "FAIL" and line["subject"].startswith("upstream"))["advice"]

    assert "BLOBLO_UPSTREAM_URL ends before /v2" in advice(BLOBLO_UPSTREAM_URL=f"{registry.url}/v2/")
    assert "it is not set, and this is its default" in advice(BLOBLO_UPSTREAM_URL="")
    assert "--front is the web server as clients know it" in advice("--front", registry.url)


@pytest.mark.parametrize("open_to_all", [True, False])
def test_a_registry_that_lets_everybody_read_is_said_so(alone, open_to_all):
    bloblo = alone(registry=Registry(None if open_to_all else BASIC))
    eventually(lambda: "All is well" in bloblo.page()[1])
    words = "must guard blobs too"
    assert bool(bloblo.lines(words)) == open_to_all
    assert (words in text_of(bloblo.page()[1])) == open_to_all
    assert (words in bloblo.run("check").stdout) == open_to_all
    assert bloblo.metrics()['bloblo_notice{notice="open-registry"}'] == int(open_to_all)


@pytest.mark.parametrize("authorization,digest,words", [
    ("Basic wrong", None, "the registry refuses this credential (401)"),
    (BASIC, "sha256:" + "0" * 64, "the registry has no such blob in this repository (404)"),
])
def test_what_a_registry_says_is_said_in_words(alone, authorization, digest, words):
    bloblo = alone()
    digest = digest or bloblo.put_into_bucket(b"content")
    done = bloblo.run("check", "--blob", f"a/b@{digest}", BLOBLO_CHECK_AUTHORIZATION=authorization)
    assert words in done.stdout and done.returncode == 1
    assert "status(" not in done.stdout


# The page that check asks for


@pytest.mark.parametrize("params,is_answered", [
    ({}, True),
    ({"HTTP_X_FORWARDED_FOR": "127.0.0.1"}, True),  # nginx's own word
    ({"HTTP_X_FORWARDED_FOR": "0, 127.0.0.1"}, False),
    ({"HTTP_X_FORWARDED_FOR": "127.0.0.1, 127.0.0.1"}, False),
    ({"HTTP_X_FORWARDED_FOR": "127.0.0.1", "SERVER_SOFTWARE": "Apache/2.4"}, False),
    ({"HTTP_FORWARDED": "for=127.0.0.1"}, False),
    ({"HTTP_VIA": "1.1 tunnel"}, False),
    ({"REMOTE_ADDR": "192.0.2.1"}, False),
])
def test_who_comes_by_a_proxy_or_tunnel_gets_no_params(alone, params, is_answered):
    status, fields, _ = alone().ask("/v2/bloblo/blobs/check:params", **params)
    assert ((status, fields.get("X-Bloblo")) == (200, "check")) == is_answered
