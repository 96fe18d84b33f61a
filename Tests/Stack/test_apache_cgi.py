"""bloblo-cgi.conf of Apache: what the program gets, registries with https or below a path, and the site's word.

    .build/venv/bin/python -m pytest Tests/Stack/test_apache_cgi.py
"""

import subprocess

import pytest

import stack
from apache_sites import BLOB, CONTENT, Sites, recorder
from fakes.client import ALICE

PATH = "/artifactory/api/docker/images"
# Tells what it has been given, in place of bloblo.
PROGRAM = """#!/bin/sh
printf 'Status: 200\\r\\nContent-Type: text/plain\\r\\nX-Bloblo: program\\r\\n\\r\\n'
env
"""


@pytest.fixture(scope="module")
def registry():
    with recorder() as server:
        yield server


@pytest.fixture(scope="module")
def tls(shared_authority):
    with recorder(shared_authority.context("localhost")) as server:
        yield server


@pytest.fixture(scope="module")
def sites(registry, tls, shared_authority):
    def texts(folder):
        (folder / "program").write_text(PROGRAM)
        (folder / "program").chmod(0o755)
        words = (f"Define BLOBLO_PROGRAM {folder}/program\n<Directory {folder}>\nRequire all granted\n</Directory>\n"
                 f"Define BLOBLO_REGISTRY_CA {shared_authority.file}\n")
        here = f"http://127.0.0.1:{registry.server_port}"
        guard = "<Location /v2/>\nAuthType Basic\nAuthName x\nAuthUserFile /nonexistent\nRequire valid-user\n</Location>"
        return {"plain": f"{words}«Include»",
                "guarded": f"{words}«Include»\n{guard}",
                "below a path": f"{words}Define BLOBLO_REGISTRY {here}{PATH}\n«Include»",
                "https": f"{words}Define BLOBLO_REGISTRY https://localhost:{tls.server_port}\n«Include»",
                "https of another name": f"{words}Define BLOBLO_REGISTRY https://127.0.0.1:{tls.server_port}\n«Include»"}

    with Sites(texts, "--services", "apache", "--registry", f"127.0.0.1:{registry.server_port}",
               includes="Include bloblo/bloblo-cgi.conf") as all_sites:
        yield all_sites


@pytest.fixture(autouse=True)
def fresh(registry, tls):
    registry.heard.clear()
    tls.heard.clear()


def test_without_its_words_the_file_says_what_to_do(sites, tmp_path):
    main = (sites.apache.folder / "apache2.conf").read_text().split("Define BLOBLO_FCGI")[0]
    config = tmp_path / "apache2.conf"
    config.write_text(main + f"Include {sites.apache.folder}/bloblo/bloblo-cgi.conf\n")
    done = subprocess.run([stack.program("apache2"), "-t", "-f", config], capture_output=True, text=True)
    assert done.returncode != 0 and "<VirtualHost>" in done.stderr


@pytest.mark.parametrize("site", ("plain", "below a path", "https"))
def test_the_program_asks_the_registry_as_apache_does(sites, registry, tls, site):
    _, _, body = sites.ask(site, headers={**ALICE, "Host": "registry.example:8443", "Proxy": "http://attacker"})
    given = dict(line.split("=", 1) for line in body.decode().splitlines() if "=" in line)
    server = tls if site == "https" else registry
    scheme, name = ("https", "localhost") if site == "https" else ("http", "127.0.0.1")
    assert given["BLOBLO_UPSTREAM_URL"] == f"{scheme}://{name}:{server.server_port}{PATH if 'path' in site else ''}"
    assert given["BLOBLO_PRESERVE_HOST"] == ("false" if site == "https" else "true")
    assert given["BLOBLO_FRONT_FILES"] == "3"
    assert given["HTTP_AUTHORIZATION"] == ALICE["Authorization"]
    assert "HTTP_PROXY" not in given
    status, _, _ = sites.ask(site, path="/v2/secret/app/manifests/1", headers={"Host": "registry.example:8443"})
    assert status == 200
    assert [path for _, path, _, _ in server.heard] == [(PATH if "path" in site else "") + "/v2/secret/app/manifests/1"]
    assert server.heard[0][2]["Host"] == (f"localhost:{server.server_port}" if site == "https" else "registry.example:8443")


def test_a_registry_of_another_name_is_not_asked(sites, tls):
    assert sites.ask("https of another name", path="/v2/secret/app/manifests/1", headers={"Host": "localhost"})[0] >= 500
    assert tls.heard == []


@pytest.mark.parametrize("method", ("GET", "HEAD", "DELETE"))
def test_a_request_with_a_body_is_the_registrys(sites, registry, method):
    status, fields, _ = sites.ask("plain", method, body=b"x" * 1000)
    assert (status, fields["X-Bloblo"]) == (200, None)
    assert [(method, path, body) for method, path, _, body in registry.heard] == [(method, BLOB, b"x" * 1000)]


def test_other_methods_are_the_registrys(sites, registry):
    for method in ("POST", "PUT"):
        registry.heard.clear()
        assert sites.ask("plain", method, BLOB + "?a=b%2fc", body=b"x")[:2][0] == 200
        assert [(method, path) for method, path, _, _ in registry.heard] == [(method, BLOB + "?a=b%2fc")]
    for method in ("GET", "HEAD", "DELETE"):
        assert sites.ask("plain", method)[1]["X-Bloblo"] == "program"


def test_an_error_of_the_sites_own_is_the_clients(sites, registry):
    for method in ("GET", "HEAD", "DELETE"):
        status, fields, body = sites.ask("guarded", method, headers=ALICE)
        assert (status, fields["X-Bloblo"]) == (500, None)
        assert CONTENT[:20] not in body
    assert registry.heard == []
