"""The pages: who may see them, what they hold and send along; over nginx, and one test over Apache."""

import base64
import hashlib
import http.client
import re
import subprocess
import threading

import pytest

import stack
from documented import example
from fakes.waiting import eventually
from operating import MIB, PROGRAM, browse, operating


def bare_server(port):
    """A location that hands everything to bloblo, without the word that shows pages."""
    return f"""
  server {{ listen 127.0.0.1:{port}; location / {{
    fastcgi_pass bloblo; fastcgi_ignore_headers X-Accel-Redirect; fastcgi_param REQUEST_METHOD $request_method; fastcgi_param REQUEST_URI $request_uri; }} }}"""


@pytest.fixture(scope="module")
def shared():
    with operating(nginx_http=bare_server) as site:
        yield site


@pytest.fixture
def site(shared):
    shared.heal()
    return shared


def test_only_where_the_web_server_says_so(site):
    for name in ("health", "ready", "metrics", ""):
        status, headers, body = stack.request(
            "GET", f"http://127.0.0.1:{site.bare_port}/bloblo/{name}",
            {"BLOBLO_PAGES": "on", "Bloblo-Pages": "on"})
        assert ("pass", b"") == (headers["X-Bloblo"], body), status


def test_only_for_this_machine(site):
    address = ("127.0.0.1", site.nginx.port)
    for name in ("health", "ready", "metrics", ""):
        assert 403 == site.page(name, {"X-Forwarded-For": "10.0.0.1"})[0]
        connection = http.client.HTTPConnection(*address, source_address=("127.0.0.2", 0))
        connection.request("GET", f"/bloblo/{name}")
        assert 403 == connection.getresponse().status
        connection.close()


def test_methods_and_other_paths(site):
    for name in ("health", "ready", "metrics", ""):
        status, body, headers = site.page(name, method="HEAD")
        assert (200, "") == (status, body)
        assert int(headers["Content-Length"]) > 2
        assert 403 == site.page(name, method="POST")[0]
    assert 404 == site.page("secret")[0]
    assert 200 == site.page("metrics?a=b")[0]


def test_headers(site):
    _, body, headers = site.page("")
    policy = dict(part.strip().split(" ", 1) for part in headers["Content-Security-Policy"].split(";"))
    assert "'none'" == policy["default-src"]
    for name, tag in (("style-src", "style"), ("script-src", "script")):
        asset = re.search(rf"(?s)<{tag}>(.*?)</{tag}>", body)[1]
        digest = base64.b64encode(hashlib.sha256(asset.encode()).digest()).decode()
        assert f"'sha256-{digest}'" == policy[name]
    assert ("no-store", "nosniff", "no-referrer") == (
        headers["Cache-Control"], headers["X-Content-Type-Options"], headers["Referrer-Policy"])
    assert not re.findall(r'(?:src|href|action)="(?!#|/bloblo/|data:,)', body), "nothing from outside"
    assert not re.findall(r"\sstyle=|\son\w+=", body)


def test_what_a_client_sends_is_text(site):
    # A registry that does not answer is told with words; a client's address comes from nginx.
    page = site.page("", {"User-Agent": "<script>alert(1)</script>"})[1]
    assert 1 == page.count("<script>")


def test_settings_are_shown_and_secrets_are_not(site):
    with site.restarted(BLOBLO_PRESIGN_ACCESS_KEY_ID="AKIDOTHER",
                        BLOBLO_PRESIGN_SECRET_ACCESS_KEY="a-secret-of-ours"):
        page = site.page("")[1]
        assert "AKIDOTHER" in page
        assert "&lt;redacted&gt;" in page
        assert "a-secret-of-ours" not in page
        # What was set stands first.
        assert re.search(r"(?s)BLOBLO_PROOF_TTL\s+2s\s.*\d+ defaults.*BLOBLO_PRESIGN_EXPIRES\s+5m\s", site.text())


def test_the_pages_over_apache(make_stack):
    """For this machine only, and from no proxy."""
    servers = make_stack("registry,s3,apache,bloblo")
    apache = servers.services["apache"]

    def page(name, headers=None, method="GET"):
        return stack.request(method, f"{apache.url}/bloblo/{name}", headers)

    eventually(lambda: page("ready")[0] == 200, otherwise=lambda: page("ready"))
    assert page("health")[::2] == (200, b"ok\n")
    eventually(lambda: "All is well." in page("")[2].decode(), otherwise=lambda: page(""))
    assert "default-src 'none'" in page("")[1]["Content-Security-Policy"]
    checked = subprocess.run([stack.program("promtool"), "check", "metrics"], input=page("metrics")[2])
    assert checked.returncode == 0
    assert page("", {"X-Forwarded-For": "10.0.0.1"})[0] == 403
    assert page("", method="POST")[0] == 405
    servers.services["s3"].stop()
    eventually(lambda: page("ready")[0] == 503, otherwise=lambda: page("ready"))
    assert b"bucket: " in page("ready")[2]


def test_the_pages_have_a_site_of_their_own(ends, front):
    """README's lines. It said that they are at http://localhost/bloblo/, where Debian's default site answered 404; and
    Apache's file did not switch mod_rewrite on."""
    options = stack.options(["up", "--services", f"registry,s3,{front},bloblo", "--bloblo", PROGRAM])
    servers = stack.Stack(options)
    ends.callback(servers.down)
    port = servers.ports.take()
    text = stack.Nginx.replaced(example(front, "bloblo-pages.conf"), "8099", str(port))
    if front == "apache":
        text = stack.Nginx.replaced(text, "unix:/run/bloblo/bloblo.sock", servers.responder_address)
        options.apache_server = stack.Nginx.replaced(text, "conf-available/", "bloblo/")
    else:
        options.nginx_http = text
    servers.up()
    assert stack.request("GET", f"http://127.0.0.1:{port}/bloblo/")[0] == 200


def test_a_fill_in_progress(site, ends):
    # A browser makes the machine busy.
    ends.enter_context(site.restarted(**stack.PATIENT))
    digest = site.push(24 * MIB)
    site.registry_relay.rate = MIB // 4  # until the browser has seen it
    pull = threading.Thread(target=site.get, args=(digest,))
    pull.start()
    ends.callback(pull.join)
    ends.callback(site.registry_relay.heal)
    eventually(lambda: re.search(
        r'<progress max="25165824" value="(\d+)" aria-label="sha256:', site.page("")[1]))
    metrics = site.metrics()
    assert 1 == metrics['bloblo_fills{state="running"}']
    assert 24 * MIB == metrics["bloblo_spool_bytes"]
    assert 1 == metrics['bloblo_threads_busy{pool="fill"}']
    dom, _ = browse(site.nginx.url + "/bloblo/", "--dump-dom")
    assert "<progress" in dom
    site.registry_relay.heal()
    site.wait_until_filled(digest)
