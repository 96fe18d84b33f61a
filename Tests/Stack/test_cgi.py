"""bloblo as a CGI program: by itself, and started by Apache and by nginx with fcgiwrap."""

import hashlib
import os
import signal
import subprocess
import threading

import pytest

import stack
from doors import BLOBS, CLIENT, Doors, nginx_server, of_fronts, only, running
from fakes.blobs import ABSENT, COLD, COLD_DIGEST, CONTENT, MALLORY, blob
from fakes.client import ALICE, push
from fakes.fastcgi import Answer
from fakes.handler import Handler
from fakes.waiting import PATIENCE, eventually


def protection(path):
    return f"""<Location "{path}">
      Require expr "%{{HTTP:X-Pass}} == 'open'"
    </Location>"""


class OfApache(Doors):
    front_name = "apache"

    def configure(self, options):
        self.port = self.front.port
        settings = "\n".join(f'SetEnv {name} "{value}"' for name, value in self.settings.items())
        options.apache_site = f"""
    Define BLOBLO_PROGRAM {self.program}
    <Directory "{self.folder}">
      Require all granted
    </Directory>
    {protection("/v2/protected/above")}
    Include bloblo/bloblo-cgi.conf
    {protection("/v2/protected/below")}
    <LocationMatch "{BLOBS}">
      {settings}
      SetEnv BLOBLO_SPOOL_DIR /var/tmp
    </LocationMatch>"""


class OfNginx(Doors):
    def configure(self, options):
        wrap = self.folder / "fcgiwrap.sock"
        settings = " ".join(f'fastcgi_param {name} "{value}";' for name, value in self.settings.items())
        options.nginx_http = nginx_server(self.port, f"""location / {{
            fastcgi_pass unix:{wrap};
            fastcgi_param GATEWAY_INTERFACE CGI/1.1;
            fastcgi_param SCRIPT_FILENAME {self.program};
            fastcgi_param REQUEST_METHOD $request_method;
            fastcgi_param REQUEST_URI $request_uri;
            fastcgi_param SERVER_PROTOCOL $server_protocol;
            {CLIENT}
            {settings}
        }}""")
        process = stack.child(["fcgiwrap", "-c", "4", "-s", f"unix:{wrap}"], signal.SIGTERM, stdout=subprocess.DEVNULL,
                              stderr=subprocess.DEVNULL)
        self.ends.callback(process.wait)
        self.ends.callback(os.killpg, process.pid, signal.SIGTERM)  # its own end may leave its children behind
        self.wait_for(wrap)
        wrap.chmod(0o777)


@pytest.fixture(scope="module")
def alone():
    with running(Doors) as doors:
        yield doors


@pytest.fixture
def doors(alone):
    with alone.one_test() as doors:
        yield doors


shared, site = of_fronts(nginx=OfNginx, apache=OfApache)


def cgi(doors, path=blob(), method="GET", headers=ALICE, more=None, arguments=()):
    environment = {**doors.settings, "GATEWAY_INTERFACE": "CGI/1.1", "REQUEST_METHOD": method,
                   **({"REQUEST_URI": path} if path else {}),
                   **{f"HTTP_{name.upper().replace('-', '_')}": value for name, value in headers.items()},
                   **(more or {})}
    done = subprocess.run([doors.program, *arguments], env=environment, capture_output=True, timeout=120,
                          stdin=subprocess.DEVNULL)
    assert done.returncode == 0, done.stderr
    return Answer(done.stdout, done.stderr)


def test_a_warm_blob_is_redirected(doors):
    status, fields, body = cgi(doors)
    assert (status, body, fields["x-bloblo"]) == (307, b"", "redirect")
    assert stack.request("GET", fields["location"])[2] == CONTENT


def test_the_web_servers_error_log_gets_errors_only(doors):
    done = subprocess.run([doors.program], capture_output=True, stdin=subprocess.DEVNULL, env={
        **doors.settings, "GATEWAY_INTERFACE": "CGI/1.1", "REQUEST_METHOD": "GET", "REQUEST_URI": blob(),
        "HTTP_AUTHORIZATION": ALICE["Authorization"]})
    assert (Answer(done.stdout, done.stderr).status, done.stderr) == (307, b"")


def test_a_head_is_answered(doors):
    status, fields, body = cgi(doors, method="HEAD")
    assert (status, fields["content-length"], body) == (200, str(len(CONTENT)), b"")


def test_what_is_passed_is_relayed(doors):
    status, fields, body = cgi(doors, headers={})
    assert (status, fields["www-authenticate"]) == (401, 'Basic realm="the demo registry"')
    assert b"UNAUTHORIZED" in body
    assert cgi(doors, headers=MALLORY).status == 401
    assert cgi(doors, blob(ABSENT)).status == 404
    assert cgi(doors, "/v2/").status == 200
    assert cgi(doors, "/v2/_catalog?n=5").body == b'{"repositories":["some/name"]}\n'


def test_a_range_of_a_cold_blob_is_relayed(doors):
    status, fields, body = cgi(doors, blob(COLD_DIGEST), headers={**ALICE, "Range": "bytes=5-9"})
    assert (status, body) == (206, COLD[5:10])
    assert fields["content-range"] == f"bytes 5-9/{len(COLD)}"


def test_the_path_may_come_in_pieces(doors):
    status, fields, _ = cgi(doors, None, more={"SCRIPT_NAME": "/v2", "PATH_INFO": blob()[3:], "QUERY_STRING": "ns=x"})
    assert (status, fields["x-bloblo"]) == (307, "redirect")


def test_the_clients_words_on_the_command_line_are_not_read(doors):
    assert cgi(doors, arguments=["--help"]).status == 307


def test_a_cold_blob_fills(doors, chance):
    content = chance.randbytes(100_000)
    digest = push(doors.url, content)
    status, fields, body = cgi(doors, blob(digest))
    assert (status, fields["x-bloblo"], body) == (200, "tee", content)
    assert doors.s3.client.size(digest) == len(content)


def test_what_is_relayed_streams(doors, serve, chance):
    """The client has the first bytes while the registry holds the last ones back."""
    is_read, want = threading.Event(), chance.randbytes(4 << 20)

    class Slow(Handler):
        def do_GET(self):
            self.send_response(200)
            self.send_header("Content-Length", str(len(want)))
            self.end_headers()
            self.wfile.write(want[:2 << 20])
            if is_read.wait(PATIENCE):
                self.wfile.write(want[2 << 20:])

    server = serve(Slow)
    process = doors.start(doors.program, stdout=subprocess.PIPE, stdin=subprocess.DEVNULL, environment={
        "GATEWAY_INTERFACE": "CGI/1.1", "REQUEST_METHOD": "GET", "REQUEST_URI": "/v2/some/name/manifests/x",
        "BLOBLO_UPSTREAM_URL": f"http://127.0.0.1:{server.server_port}"})
    got = process.stdout.read(1 << 20)
    is_read.set()
    got += process.stdout.read()
    assert (process.wait(PATIENCE), Answer(got).body == want) == (0, True)


def test_a_loop_ends(doors):
    assert cgi(doors, headers={**ALICE, "Via": "1.1 bloblo"}).status == 508


def test_the_registry_is_down(doors):
    status, fields, body = cgi(doors, "/v2/", more={"BLOBLO_UPSTREAM_URL": "http://127.0.0.1:1"})
    assert status == 502
    assert b'"errors"' in body


def test_a_method_that_brings_a_body(doors):
    assert cgi(doors, "/v2/some/name/blobs/uploads/", "POST").status == 501


def test_wrong_settings_are_an_answer_too(doors):
    done = subprocess.run([doors.program], env={"GATEWAY_INTERFACE": "CGI/1.1", "REQUEST_METHOD": "GET",
                                               "BLOBLO_UPSTREAM_URL": "nonsense"}, capture_output=True)
    assert (done.returncode, Answer(done.stdout, done.stderr).status) == (78, 500)
    assert b"BLOBLO_UPSTREAM_URL" in done.stderr


# By a web server: the same over both.


def ask(site, method="GET", path=blob(), headers=ALICE):
    return stack.request(method, f"http://127.0.0.1:{site.port}{path}", headers)


def test_warm(site):
    status, headers, body = ask(site)
    assert (status, headers["X-Bloblo"]) == (307, "redirect")
    assert stack.request("GET", headers["Location"])[2] == CONTENT


def test_head(site):
    status, headers, body = ask(site, "HEAD")
    assert (status, headers["Content-Length"], body) == (200, str(len(CONTENT)), b"")


def test_relayed(site):
    for headers in ({}, MALLORY):
        status, got, body = ask(site, headers=headers)
        assert (status, got["WWW-Authenticate"]) == (401, 'Basic realm="the demo registry"')
    status, got, body = ask(site, path=blob(COLD_DIGEST), headers={**ALICE, "Range": "bytes=5-9"})
    assert (status, body) == (206, COLD[5:10])


def test_cold(site, chance):
    content = chance.randbytes(2_000_000)
    digest = push(site.url, content)
    status, headers, body = ask(site, path=blob(digest))
    assert (status, hashlib.sha256(body).hexdigest()) == (200, digest[7:])
    eventually(lambda: site.s3.client.size(digest) == len(content))


@only("apache")
def test_what_a_site_requires_holds(site, subtests):
    """Whether it stands above the Include or below."""
    for place in ("above", "below"):
        with subtests.test(place):
            path = blob(name=f"protected/{place}")
            for method in ("GET", "HEAD"):
                assert ask(site, method, path)[0] == 403
            assert ask(site, path=path, headers={**ALICE, "X-Pass": "open"})[0] == 404
