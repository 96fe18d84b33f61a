"""The shipped files of Apache in sites of several kinds: in wrong places, before registries with https or below
a path, beside CGI programs; and requests that bloblo had better not get.

    .build/venv/bin/python -m pytest Tests/Stack/test_apache_sites.py
"""

import http.client
import socket
import subprocess

import pytest

import stack
from apache_sites import BLOB, CONTENT, DIGEST, SIGNED, Sites, recorder
from fakes.responder import FakeResponder, plain
from test_apache_guards import ALICE

PASSES = plain("Status: 424\r\nX-Bloblo: pass\r\nContent-Length: 0")
REDIRECTS = plain(f"Location: {SIGNED}\r\nStatus: 307\r\nContent-Length: 0\r\nX-Bloblo: redirect")
PATH = "/artifactory/api/docker/images"
PROGRAM = """#!/bin/sh
printf 'Content-Type: text/plain\\r\\n\\r\\n'
env
"""


@pytest.fixture(scope="module")
def registry():
    with recorder() as server:
        yield server


@pytest.fixture(scope="module")
def tls_registry(shared_authority):
    with recorder(shared_authority.context("localhost")) as server:
        yield server


@pytest.fixture(scope="module")
def sites(registry, tls_registry, shared_authority):
    here, tls = f"http://127.0.0.1:{registry.server_port}", tls_registry.server_port

    def texts(folder):
        for name in ("env", "missing"):
            (folder / name).write_text(PROGRAM)
            (folder / name).chmod(0o755)
        return {
            "plain": f'«Include»\nScriptAlias "/cgi/" "{folder}/"\n<Directory "{folder}">\nRequire all granted\n</Directory>\n'
                     "ErrorDocument 401 /cgi/env\nErrorDocument 404 /cgi/missing",
            "a rule above": f'RewriteEngine on\nRewriteRule "^/v2/(.*)" "{here}/v2/$1" [P]\n«Include»',
            "another's ProxyPass above": f'ProxyPass "/" "{here}/"\n«Include»',
            "below a path": f"Define BLOBLO_REGISTRY {here}{PATH}\n«Include»",
            "https": f"Define BLOBLO_REGISTRY https://localhost:{tls}\nDefine BLOBLO_REGISTRY_CA {shared_authority.file}\n«Include»",
            "https below a path": f"Define BLOBLO_REGISTRY https://localhost:{tls}{PATH}\n«Include»",
            "https of another name": f"Define BLOBLO_REGISTRY https://127.0.0.1:{tls}\n«Include»",
            "https of nobody known": f"Define BLOBLO_REGISTRY https://localhost:{tls}\nDefine BLOBLO_REGISTRY_CA none\n«Include»",
        }

    with Sites(texts, "--services", "apache", "--registry", f"127.0.0.1:{registry.server_port}",
               server="Protocols h2c http/1.1",
               includes="Include bloblo/bloblo.conf\nInclude bloblo/bloblo-tokens.conf\nInclude bloblo/bloblo-pages.conf") as all_sites:
        yield all_sites


@pytest.fixture(autouse=True)
def fresh(registry, tls_registry):
    for server in (registry, tls_registry):
        server.heard.clear()
        server.statuses.clear()
        server.fields.clear()


@pytest.fixture
def respond(sites):
    responders = []

    def make(answer):
        responders.append(FakeResponder(sites.stack.socket, answer))
        sites.stack.socket.chmod(0o777)
        return responders[-1]

    yield make
    for responder in responders:
        responder.close()


def heard(server):
    return [(method, path) for method, path, _, _ in server.heard]


# Wrong places


@pytest.mark.parametrize("site", ("a rule above", "another's ProxyPass above"))
def test_a_blob_is_read_once_whoever_takes_the_path(sites, registry, respond, site):
    responder = respond(PASSES)
    for method in ("GET", "HEAD"):
        registry.heard.clear()
        status, _, body = sites.ask(site, method)
        assert (status, body) == (200, CONTENT if method == "GET" else b"")
        assert len(registry.heard) == 1
    registry.statuses["GET"] = 503
    assert sites.ask("a rule above")[0] == 503
    assert len(responder.params) == (0 if site == "a rule above" else 2)


def test_without_its_words_or_as_a_conf_of_the_server_the_file_says_what_to_do(sites, tmp_path):
    for words in ("", "Define BLOBLO_FCGI fcgi://127.0.0.1:7777"):
        site = tmp_path / "site.conf"
        site.write_text(f"{words}\nInclude {sites.apache.folder}/bloblo/bloblo.conf\n")
        main = (sites.apache.folder / "apache2.conf").read_text().split("Define BLOBLO_FCGI")[0]
        config = tmp_path / "apache2.conf"
        config.write_text(main + f"Include {site}\n")
        done = subprocess.run([stack.program("apache2"), "-t", "-f", config], capture_output=True, text=True)
        assert done.returncode != 0
        assert "<VirtualHost>" in done.stderr and "a2enconf" in done.stderr


def test_a_conf_of_the_server_breaks_no_site(registry):
    """Whose Define lines stand before it."""
    text = f'ProxyPass "/v2/" "http://127.0.0.1:{registry.server_port}/v2/" nocanon'
    with Sites(lambda _: {"other": text}, "--services", "apache", "--registry", f"127.0.0.1:{registry.server_port}",
               server="Include bloblo/bloblo.conf") as wrong:
        registry.heard.clear()
        for method in ("GET", "HEAD"):
            assert wrong.ask("other", method)[0] == 200
        assert len(registry.heard) == 2
        assert wrong.ask("other", path="/.bloblo/s3/x")[0] in (403, 404)


# Registries


@pytest.mark.parametrize("site", ("plain", "below a path", "https", "https below a path"))
@pytest.mark.parametrize("is_up", (True, False))
def test_every_road_leads_to_the_registry_as_it_is_named(sites, registry, tls_registry, respond, site, is_up):
    if is_up:
        responder = respond(PASSES)
    server = tls_registry if "https" in site else registry
    prefix = PATH if "below" in site else ""
    for method, path in (("GET", BLOB), ("HEAD", BLOB), ("GET", BLOB + "?ns=a%2fb"), ("GET", "/v2/"), ("GET", "/v2/token?a=b"),
                         ("GET", "/v2/secret/app/manifests/1"), ("POST", "/v2/secret/app/blobs/uploads/")):
        server.heard.clear()
        status, _, body = sites.ask(site, method, path, {"Host": "registry.example:8443"})
        assert (status, [path for _, path in heard(server)]) == (200, [prefix + path])
        fields = server.heard[0][2]
        if "https" in site:
            assert fields["Host"] == f"localhost:{server.server_port}"
            assert fields["X-Forwarded-Host"] == "registry.example:8443"
        else:
            assert fields["Host"] == "registry.example:8443"
        assert fields["X-Forwarded-Proto"] == "http"
    if is_up:
        for params in responder.params:
            assert params["BLOBLO_PRESERVE_HOST"] == ("false" if "https" in site else "true")
            assert params["BLOBLO_FRONT_FILES"] == "3"


@pytest.mark.parametrize("site", ("https of another name", "https of nobody known"))
def test_a_registry_is_asked_under_its_own_certificate_only(sites, tls_registry, respond, site):
    respond(PASSES)
    for path in (BLOB, "/v2/", "/v2/secret/app/manifests/1"):
        status, _, body = sites.ask(site, "GET", path, {"Host": "localhost", **ALICE})
        assert status >= 424 and CONTENT[:20] not in body
    assert tls_registry.heard == []


@pytest.mark.parametrize("status", (200, 401, 404, 423, 424, 500, 502, 503, 504))
def test_no_word_of_the_registrys_moves_apache(sites, registry, respond, status):
    """Nor is its own answer exchanged for another."""
    respond(PASSES)
    registry.statuses["GET"] = status
    registry.fields |= {"X-Bloblo": "accelerate", "X-Bloblo-Target": "/x?X-Amz-Signature=ab", "X-Accel-Redirect": "/cgi/env",
                        "X-Sendfile": "/etc/passwd", "X-Own": "word"}
    for path in (BLOB, "/v2/token"):
        registry.heard.clear()
        got, answer, body = sites.ask("below a path", path=path)
        assert (got, body, answer["X-Own"]) == (status, CONTENT if path == BLOB else b"{}", "word")
        assert answer.get_all("X-Bloblo") == ["pass"]
        assert len(registry.heard) == 1


# What others may know


def test_no_program_hears_a_password(sites, respond):
    respond(plain("Status: 404\r\nX-Bloblo: pass\r\nContent-Length: 0"))
    secret = ALICE["Authorization"].split()[1]
    for path in ("/cgi/env", "/cgi/env?x", "/cgi/none"):
        _, _, body = sites.ask("plain", path=path, headers=ALICE)
        assert secret not in body.decode(errors="replace")


# Requests that bloblo does not get


def slow(sites, method, fields):
    connection = socket.create_connection(("127.0.0.1", sites.ports["plain"]))
    connection.sendall(f"{method} {BLOB} HTTP/1.1\r\nHost: x\r\n{fields}\r\n\r\n".encode())
    return connection


# A DELETE goes through bloblo with or without a body: test_deletions.
@pytest.mark.parametrize("method", ("GET", "HEAD"))
@pytest.mark.parametrize("fields", ("Content-Length: 1000", "Transfer-Encoding: chunked", "Transfer-encoding: Chunked"))
def test_a_request_with_a_body_is_the_registrys(sites, registry, respond, method, fields):
    responder = respond(REDIRECTS)
    connection = slow(sites, method, fields)
    body = b"x" * 1000
    connection.sendall(body if "Content" in fields else b"3e8\r\n" + body + b"\r\n0\r\n\r\n")
    response = http.client.HTTPResponse(connection, method=method)
    response.begin()
    assert (response.status, response.getheader("Location")) == (200, None)
    response.read()
    connection.close()
    assert (heard(registry), registry.heard[0][3]) == ([(method, BLOB)], body)
    assert responder.params == []


def test_an_empty_body_is_none(sites, respond):
    responder = respond(REDIRECTS)
    assert sites.ask("plain", headers={"Content-Length": "0"})[0] == 307
    assert len(responder.params) == 1


def test_bodies_that_drip_never_reach_bloblo(sites, respond):
    responder = respond(REDIRECTS)
    connections = [slow(sites, "GET", fields) for fields in ("Content-Length: 1000", "Transfer-Encoding: chunked") * 4]
    try:
        assert sites.ask("plain")[0] == 307
        assert len(responder.params) == 1
    finally:
        for connection in connections:
            connection.close()


def test_a_body_over_http_2_without_a_length(sites, registry, respond, tmp_path):
    responder = respond(REDIRECTS)
    (tmp_path / "body").write_bytes(b"x" * 1000)
    with (tmp_path / "body").open() as body:
        done = subprocess.run(["curl", "--silent", "--http2-prior-knowledge", "--request", "GET", "--upload-file", "-",
                               "--write-out", "%{stderr}%{http_version} %{http_code}", sites.url("plain") + BLOB],
                              stdin=body, capture_output=True, timeout=120)
    assert done.stderr.decode() == "2 200"
    assert done.stdout == CONTENT
    assert responder.params == []


# A deletion


def test_a_deletion_is_bloblos_to_hand_on(sites, registry, respond):
    for status, marked in (("202 Accepted", True), ("404 Not Found", True), ("500 No", True), ("502 Bad", True),
                           ("405 No", True), ("200 OK", True)):
        responder = respond(plain(f"Status: {status}\r\nX-Bloblo: pass\r\nContent-Length: 2", b"{}"))
        got, answer, body = sites.ask("plain", "DELETE", headers=ALICE)
        assert (got, body) == (int(status[:3]), b"{}")
        [params] = responder.params
        assert (params["REQUEST_METHOD"], params["HTTP_AUTHORIZATION"]) == ("DELETE", ALICE["Authorization"])
        responder.close()
    assert registry.heard == []


@pytest.mark.parametrize("answer", (plain(""), lambda _, connection: connection.end(), lambda _, connection: connection.cut()))
def test_a_deletion_of_which_nothing_is_known_has_failed(sites, registry, respond, answer):
    respond(answer)
    assert sites.ask("plain", "DELETE")[0] >= 500
    assert registry.heard == []


def test_a_deletion_without_bloblo(sites, registry, respond):
    assert sites.ask("plain", "DELETE")[0] == 503
    assert registry.heard == []
