"""The authorizer's role: a location of something else, behind the same check; the same over both web servers."""

import pytest

import stack
from documented import apache_authorizer, example
from doors import Doors, nginx_server, of_fronts, only
from fakes import fastcgi
from fakes.blobs import ABSENT, DIGEST, MALLORY, blob
from fakes.client import ALICE


class OfApache(Doors):
    """mod_authnz_fcgi, by the lines of docs/fronts.md."""

    front_name, words = "apache", ("--tcp",)

    def configure(self, options):
        self.port = self.front.port
        options.apache_server, location = apache_authorizer(self.stack.responder_address)
        (self.folder / "secret").write_text("the secret")
        (self.folder / "secret").chmod(0o644)
        options.apache_site = f"""
    Include bloblo/bloblo.conf
    AliasMatch "^/mirror/.+/sha256:[0-9a-f]+$" {self.folder}/secret
    {location}"""


class OfNginx(Doors):
    def configure(self, options):
        (self.folder / "secret").write_text("the secret")
        options.nginx_http = nginx_server(self.port, stack.Nginx.replaced(
            example("nginx", "auth_request /_may_read"), "# what it serves: root, proxy_pass, …",
            f"root {self.folder}; try_files /secret =404;"))


shared, site = of_fronts(nginx=OfNginx, apache=OfApache)


def ask(site, headers, digest=DIGEST, name="some/name"):
    return stack.request("GET", f"http://127.0.0.1:{site.port}/mirror/{name}/{digest}", headers)


def authorize(site, path, headers):
    return fastcgi.ask(site.stack.socket, path, headers=headers, role=fastcgi.AUTHORIZER)


def test_who_may_read_the_blob_may_go_on(site):
    status, headers, body = ask(site, ALICE)
    assert (status, body, headers.get_all("Content-Length")) == (200, b"the secret", ["10"])


def test_who_may_not_is_told_what_the_registry_says(site):
    status, headers, body = ask(site, {})
    assert (status, headers.get_all("WWW-Authenticate")) == (401, ['Basic realm="the demo registry"'])
    assert ask(site, MALLORY)[0] == 401


def test_doubt_is_a_no(site):
    assert ask(site, ALICE, ABSENT)[0] == 403
    assert ask(site, ALICE, name="another/name")[0] == 403
    for path in ("/mirror/some/name/sha256:x", "/mirror/", "/mirror/secret"):
        assert stack.request("GET", f"http://127.0.0.1:{site.port}{path}", ALICE)[0] != 200


def test_a_client_cannot_name_another_blob(site):
    given = {**ALICE, "BLOBLO_AUTHORIZE_URI": blob(), "Bloblo-Authorize-Uri": blob(), "REQUEST_URI": blob()}
    assert ask(site, given, ABSENT)[0] == 403


def test_without_bloblo_nobody_may(site):
    site.bloblo.stop()
    site.ends.callback(site.forget_failures)
    site.ends.callback(site.bloblo.start)
    assert ask(site, ALICE)[0] >= 500


@only("nginx")
def test_the_role_of_fastcgi(site):
    """As mod_authnz_fcgi asks: no STDIN record follows the params."""
    assert authorize(site, blob(), ALICE).status == 200
    status, fields, _ = authorize(site, blob(), {})
    assert (status, fields["www-authenticate"]) == (401, 'Basic realm="the demo registry"')
    assert authorize(site, blob(ABSENT), ALICE).status == 403
    assert authorize(site, "/v2/", ALICE).status == 403
