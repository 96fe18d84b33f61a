"""A registry that lets everybody read, whose web server asks for passwords, by the lines of docs/fronts.md."""

import subprocess

import pytest

import stack
from fakes.blobs import CONTENT, MALLORY, blob
from fakes.client import ALICE, basic
from front_site import Site, stacks


class Guarded(Site):
    def __init__(self, make, front):
        super().__init__(make(f"registry,s3,{front},bloblo", "--auth", "none", start=False), front)
        self.users = self.servers.folder / "users"
        self.users.write_text(subprocess.run(
            [stack.program("htpasswd"), "-bnm", "alice", stack.USERS["alice"]], check=True, capture_output=True,
            text=True).stdout)
        self.users.chmod(0o644)
        self.port = self.front.port
        self.guard(self.servers.options)
        self.servers.up()
        self.fill(self.push(CONTENT))

    def reset(self):
        self.bloblo.start()
        self.front.stop()  # nginx remembers it
        self.front.start()

    def ask_guarded(self, method="GET", headers=ALICE):
        return stack.request(method, f"http://127.0.0.1:{self.port}{blob()}", headers)

    def assert_alice_alone_may(self, status, headers=ALICE):
        for method in ("GET", "HEAD"):
            for stranger in ({}, MALLORY, basic("bob", stack.USERS["bob"])):
                got, answer, _ = self.ask_guarded(method, stranger)
                assert (got, answer["WWW-Authenticate"][:5], answer["Location"]) == (401, "Basic", None)
        assert self.ask_guarded(headers=headers)[0] == status


class ByNginxsServer(Guarded):
    def guard(self, options):
        self.port = self.servers.ports.take()
        options.nginx_http = f"""server {{
            listen 127.0.0.1:{self.port};
            auth_basic           "registry";
            auth_basic_user_file {self.users};
            include snippets/bloblo-locations.conf;
            location / {{ proxy_pass http://bloblo_registry; }}
        }}"""


class ByNginxsLocation(Guarded):
    def guard(self, options):
        snippets = self.front.folder / "snippets"
        snippets.mkdir()
        (snippets / "bloblo-params-access.conf").write_text(
            f'auth_basic "registry";\nauth_basic_user_file {self.users};\n')


class ByApache(Guarded):
    def guard(self, options):
        options.apache_site = f"""Include bloblo/bloblo.conf
    <Location "/v2/">
        AuthType Basic
        AuthName "registry"
        AuthUserFile {self.users}
        Require valid-user
    </Location>"""


@pytest.fixture(scope="module", params=["nginx_server", "nginx_location", "apache"])
def guarded(request):
    front, kind = {"nginx_server": ("nginx", ByNginxsServer), "nginx_location": ("nginx", ByNginxsLocation),
                   "apache": ("apache", ByApache)}[request.param]
    with stacks() as make:
        yield kind(make, front)


def test_who_has_a_password_is_redirected(guarded):
    for _ in range(2):  # what is remembered of one is nobody else's
        guarded.assert_alice_alone_may(307)


def test_a_pass(guarded):
    guarded.assert_alice_alone_may(206, {**ALICE, "Range": "bytes=0-9,20-29"})


def test_bloblo_is_down(guarded, ends):
    ends.callback(guarded.reset)
    guarded.bloblo.stop()
    guarded.assert_alice_alone_may(200)
