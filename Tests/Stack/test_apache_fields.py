"""What the site says of a request reaches the registry on every road through Apache, and bloblo's question; a
client's own word of it never does.

    .build/venv/bin/python -m pytest Tests/Stack/test_apache_fields.py
"""

import os
import subprocess

import pytest

import stack
from apache_sites import BLOB, DIGEST, Recorder, Sites, recorder
from fakes.responder import FakeResponder, plain
from test_apache_guards import ALICE, MALLORY

USER = 'RequestHeader set X-SSO-User "expr=%{REMOTE_USER}"'
# A field that the site sets is bloblo's too by one line, as apache/example-identity.conf has it.
ASKED = 'ProxyFCGISetEnvIf "true" BLOBLO_FIELD_X_SSO_USER "%{HTTP:X-SSO-User}"'
GUARD = """<{} "{}">
    AuthType Basic
    AuthName site
    AuthUserFile {}
    Require valid-user
    {}
</{}>"""
PLACES = {"/v2/": ("Location", "/v2/"), "/": ("Location", "/"), "a repository": ("LocationMatch", "^/v2/secret/")}


def the_sites(folder):
    users = folder / "users"
    users.write_text(subprocess.run([stack.program("htpasswd"), "-bnm", "alice", stack.USERS["alice"]],
                                    check=True, capture_output=True, text=True).stdout)
    for place, (section, path) in PLACES.items():
        for where in ("above", "below", "in the section"):
            guard = GUARD.format(section, path, users, USER if where == "in the section" else "", section)
            said = "" if where == "in the section" else USER
            yield f"{place}, {where}", (
                f"{said}\n{ASKED}\n{guard}\n«Include»" if where == "above" else f"«Include»\n{guard}\n{said}\n{ASKED}")
    yield "credential of its own", f"""«Include»
        RequestHeader set Authorization "Basic c2l0ZTpzaXRl"
        {GUARD.format("Location", "/", users, "", "Location")}"""
    yield "no credential", f"""«Include»
        RequestHeader unset Authorization
        {GUARD.format("Location", "/", users, USER, "Location")}
        {ASKED}"""
    yield "a variable of a rule above", f"""RewriteEngine on
        RewriteCond %{{LA-U:REMOTE_USER}} (.+)
        RewriteRule ^ - [E=RU:%1]
        RequestHeader set X-SSO-User %{{RU}}e
        {ASKED}
        «Include»
        {GUARD.format("Location", "/v2/", users, "", "Location")}"""


S3_IS_DOWN = plain(f"Status: 423\r\nX-Bloblo: accelerate\r\nX-Bloblo-Target: /{DIGEST}?X-Amz-Signature=ab\r\n"
                   f"X-Bloblo-Digest: {DIGEST}\r\nContent-Length: 0")
ROADS = {"passes": plain("Status: 424\r\nX-Bloblo: pass\r\nContent-Length: 0"),
         "fails": plain("Status: 500\r\nContent-Length: 0"), "is down": None, "S3 fails": S3_IS_DOWN}


@pytest.fixture(scope="module")
def registry():
    with recorder() as server:
        yield server


@pytest.fixture(scope="module")
def s3():
    """Which knows no object."""
    with recorder() as server:
        server.statuses["GET"] = 404
        yield server


@pytest.fixture(scope="module")
def sites(registry, s3):
    includes = "Include bloblo/bloblo.conf\nInclude bloblo/bloblo-tokens.conf\nInclude bloblo/bloblo-accelerate.conf"
    server = (f"Define BLOBLO_S3 http://127.0.0.1:{s3.server_port}\nInclude bloblo/bloblo-s3-gate.conf")
    with Sites(lambda folder: dict(the_sites(folder)), "--services", "apache", "--registry", f"127.0.0.1:{registry.server_port}",
               server=server, includes=includes) as all_sites:
        yield all_sites


@pytest.fixture(params=ROADS)
def responder(request, sites, registry, s3):
    registry.heard.clear()
    s3.heard.clear()
    if ROADS[request.param] is None:
        yield None
        return
    responder = FakeResponder(sites.stack.socket, ROADS[request.param])
    sites.stack.socket.chmod(0o777)
    yield responder
    responder.close()


FORGED = {**ALICE, "X-Bloblo-Authorization": "Basic forged", "X-SSO-User": "admin", "BLOBLO-FIELD-X-SSO-USER": "admin", "Cookie": "a=b", "If-Range": '"x"'}


def test_the_sites_word_goes_to_the_registry_on_every_road(sites, registry, responder, s3):
    wrong = []
    for site in sites.ports:
        for method, path in (("GET", BLOB), ("HEAD", BLOB), ("GET", BLOB + "?ns=x"), ("GET", "/v2/"),
                             ("GET", "/v2/token?a=b"), ("GET", "/v2/secret/app/manifests/1"), ("POST", "/v2/secret/app/blobs/uploads/")):
            if responder and responder.answer is S3_IS_DOWN and "blobs/sha256" not in path:
                continue  # no answer for a token
            if "repository" in site and not path.startswith("/v2/secret/"):
                continue
            registry.heard.clear()
            status, answer, body = sites.ask(site, method, path, FORGED)
            heard = [(path, fields["X-SSO-User"], fields["Authorization"], fields["Cookie"], fields["If-Range"])
                     if "X-Bloblo-Authorization" not in fields else "X-Bloblo-Authorization" for _, path, fields, _ in registry.heard]
            wanted = (path, "alice", ALICE["Authorization"], "a=b", '"x"')
            if site == "credential of its own":
                wanted = (path, "admin", "Basic c2l0ZTpzaXRl", "a=b", '"x"')  # no field of this site's
            if site == "no credential":
                wanted = (path, "alice", None, "a=b", '"x"')
            if responder and "blobs/sha256" in path:
                # bloblo asks as the registry is asked.
                assert (responder.params[-1].get("HTTP_AUTHORIZATION") or None) == wanted[2], site
            if heard != [wanted]:
                wrong.append((site, method, path[-12:], status, heard, dict(answer), body[:200]))
    assert not wrong, "\n".join(map(str, wrong))
    for _, path, fields, _ in s3.heard:
        for name in ("Authorization", "X-Bloblo-Authorization", "Cookie", "If-Range", "Referer", "X-Forwarded-For"):
            assert name not in fields
    if responder:
        for params in responder.params:
            assert "forged" not in str(params)
            if "Basic c2l0ZTpzaXRl" == params.get("HTTP_AUTHORIZATION"):
                assert "BLOBLO_FIELD_X_SSO_USER" not in params
            else:
                assert (params["BLOBLO_FIELD_X_SSO_USER"], params["HTTP_X_SSO_USER"]) == ("alice", "alice")


class Named(Recorder):
    """A registry that believes the web server who asks."""

    def answer(self):
        if self.headers.get_all("X-SSO-User") == ["alice"]:
            return super().answer()
        self.server.heard.append((self.command, self.path, self.headers, b""))
        self.send_response(401)
        self.send_header("Content-Length", "0")
        self.end_headers()

    do_GET = do_HEAD = answer


def test_bloblo_asks_in_the_users_name():
    with recorder() as server:
        server.RequestHandlerClass = Named
        guard = "<Location />\nAuthType Basic\nAuthName site\nAuthUserFile {}/users\nRequire valid-user\n</Location>"

        def texts(folder):
            (folder / "users").write_text(subprocess.run(
                [stack.program("htpasswd"), "-bnm", "alice", stack.USERS["alice"]],
                check=True, capture_output=True, text=True).stdout)
            return {"named": f"«Include»\nInclude example-identity.conf\n{guard.format(folder)}",
                    "open": "«Include»\nInclude example-identity.conf"}

        with Sites(texts, "--services", "apache,bloblo", "--bloblo", os.environ["BLOBLO"],
                   "--registry", f"127.0.0.1:{server.server_port}", "--env", "BLOBLO_S3_ENDPOINT_URL=http://127.0.0.1:1") as site:
            for fields in ({}, {"X-SSO-User": "bob"}):
                status, answer, _ = site.ask("named", "HEAD", headers={**ALICE, **fields})
                assert (status, answer["X-Bloblo"]) == (200, "answer")
            for fields in ({}, {"X-SSO-User": "alice"}, {"BLOBLO-FIELD-X-SSO-USER": "alice"}, {"X_SSO_User": "alice"}):
                for method, path in (("HEAD", BLOB), ("GET", BLOB), ("GET", "/v2/a/manifests/1")):
                    assert site.ask("open", method, path, fields)[0] == 401


def test_who_has_no_name_is_refused_by_apache(sites, registry, responder):
    for site in sites.ports:
        for headers in ({"X-SSO-User": "admin"}, {**MALLORY, "X-SSO-User": "admin"}):
            for method in ("GET", "HEAD", "DELETE"):
                assert sites.ask(site, method, BLOB, headers)[0] == 401
    assert registry.heard == []
