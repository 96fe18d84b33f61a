#!/usr/bin/env python3
"""Every way bloblo is started and asked, beside the two fronts: CGI, cgi-fcgi, spawn-fcgi, systemd, the
authorizer's role, choice per request, and a restart that no pull notices.

    python3 Tests/Stack/test_doors.py
"""

import concurrent.futures
import hashlib
import http.server
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import unittest
import urllib.parse

import stack
import written
from test_fronts import ABSENT, ALICE, COLD, COLD_DIGEST, CONTENT, DIGEST, MALLORY, Front, blob

PROGRAM = pathlib.Path(os.environ.get("BLOBLO", stack.ROOT / ".build/release/bloblo")).resolve()
BLOBS = "^/v2/.+/blobs/[a-z0-9+._-]+:[0-9a-zA-Z=_-]+$"

# Who asks, by the lines of docs/fronts.md.
CLIENT = """\
            fastcgi_param REMOTE_ADDR $remote_addr;
            fastcgi_param HTTP_HOST $http_host;
            fastcgi_param HTTP_X_REAL_IP $remote_addr;
            fastcgi_param HTTP_X_FORWARDED_FOR $proxy_add_x_forwarded_for;
            fastcgi_param HTTP_X_FORWARDED_PROTO $scheme;""".lstrip()


def nginx_server(port, inside):
    return f"server {{ listen 127.0.0.1:{port}; {inside} }}"


class Doors(unittest.TestCase):
    """One stack for all: bloblo behind nginx, and its settings for those started beside it."""

    services, more = "registry,s3,nginx,bloblo", ()

    @classmethod
    def setUpClass(cls):
        cls.ports = stack.Ports()
        cls.port = cls.ports.take()
        cls.folder = pathlib.Path(tempfile.mkdtemp(prefix="doors-"))
        cls.folder.chmod(0o755)
        cls.addClassCleanup(shutil.rmtree, cls.folder, ignore_errors=True)
        cls.program = cls.folder / "bloblo"
        shutil.copy(PROGRAM, cls.program)
        cls.stack = stack.Stack(stack.options(["up", "--services", cls.services, "--bloblo", str(PROGRAM), *cls.more]))
        cls.addClassCleanup(cls.stack.down)
        options = cls.stack.options
        cls.registry, cls.s3 = cls.stack.services["registry"], cls.stack.services["s3"]
        cls.settings = {name: value for name, value in cls.stack.services["bloblo"].environment().items()
                        if name.startswith(("BLOBLO_", "AWS_"))}
        cls.settings.pop("BLOBLO_LISTEN_ADDR")
        cls.settings.pop("BLOBLO_LISTEN_GROUP", None)
        options.nginx_http, options.apache_site = cls.http_text(), cls.site_text()
        cls.stack.up()
        cls.server = cls.stack.services["nginx" if "nginx" in cls.services else "apache"]
        for content in (CONTENT, COLD):
            Front.push.__func__(cls, content)
        Front.fill.__func__(cls, CONTENT)

    @classmethod
    def http_text(cls):
        return ""

    @classmethod
    def site_text(cls):
        return ""

    def start(self, *command, environment=None, **more):
        process = subprocess.Popen([str(word) for word in command], env={
            "PATH": os.environ["PATH"], **self.settings, **(environment or {})}, stderr=subprocess.PIPE, **more)
        self.addCleanup(self.end, process)
        return process

    def end(self, process):
        if process.poll() is None:
            process.terminate()
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        if not process.stderr.closed:
            # Whom it has started may live on, and hold the other end.
            os.set_blocking(process.stderr.fileno(), False)
            written.wrote(process.stderr.read())
        for stream in (process.stderr, process.stdout):
            if stream:
                stream.close()

    def bridge(self, address, path=blob(), method="GET", headers=ALICE, words=("-bind", "-connect"), program=(), **more):
        """cgi-fcgi: one request of its environment to a responder; (status, fields, body)."""
        environment = {"PATH": os.environ["PATH"], "REQUEST_METHOD": method, "REQUEST_URI": path,
                       "GATEWAY_INTERFACE": "CGI/1.1", "SERVER_PROTOCOL": "HTTP/1.1",
                       **{f"HTTP_{name.upper().replace('-', '_')}": value for name, value in headers.items()}, **more}
        done = subprocess.run(["cgi-fcgi", *words, str(address), *program], env=environment, capture_output=True,
                              timeout=30, stdin=subprocess.DEVNULL)
        return parsed(done.stdout)

    def wait_for(self, path):
        deadline = time.monotonic() + 10
        while time.monotonic() < deadline:
            try:
                with socket.socket(socket.AF_UNIX) as client:
                    client.connect(str(path))
                    return
            except OSError:
                time.sleep(0.02)
        self.fail(f"nobody listens at {path}")


def parsed(answer):
    head, _, body = answer.partition(b"\r\n\r\n")
    fields = [line.split(": ", 1) for line in head.decode().split("\r\n") if line]
    named = {name.lower(): value for name, value in fields}
    return int(named["status"].split()[0]), named, body


class TestCGI(Doors):
    def cgi(self, path=blob(), method="GET", headers=ALICE, more=None, arguments=()):
        environment = {**self.settings, "GATEWAY_INTERFACE": "CGI/1.1", "REQUEST_METHOD": method,
                       **({"REQUEST_URI": path} if path else {}),
                       **{f"HTTP_{name.upper().replace('-', '_')}": value for name, value in headers.items()},
                       **(more or {})}
        done = subprocess.run([self.program, *arguments], env=environment, capture_output=True, timeout=30,
                              stdin=subprocess.DEVNULL)
        self.assertEqual(done.returncode, 0, done.stderr)
        return parsed(done.stdout)

    def test_a_warm_blob_is_redirected(self):
        status, fields, body = self.cgi()
        self.assertEqual((status, body, fields["x-bloblo"]), (307, b"", "redirect"))
        self.assertEqual(stack.request("GET", fields["location"])[2], CONTENT)

    def test_the_web_servers_error_log_gets_errors_only(self):
        done = subprocess.run([self.program], capture_output=True, stdin=subprocess.DEVNULL, env={
            **self.settings, "GATEWAY_INTERFACE": "CGI/1.1", "REQUEST_METHOD": "GET", "REQUEST_URI": blob(),
            "HTTP_AUTHORIZATION": ALICE["Authorization"]})
        self.assertEqual((parsed(done.stdout)[0], done.stderr), (307, b""))

    def test_a_head_is_answered(self):
        status, fields, body = self.cgi(method="HEAD")
        self.assertEqual((status, fields["content-length"], body), (200, str(len(CONTENT)), b""))

    def test_what_is_passed_is_relayed(self):
        status, fields, body = self.cgi(headers={})
        self.assertEqual((status, fields["www-authenticate"]), (401, 'Basic realm="the demo registry"'))
        self.assertIn(b"UNAUTHORIZED", body)
        self.assertEqual(self.cgi(headers=MALLORY)[0], 401)
        self.assertEqual(self.cgi(blob(ABSENT))[0], 404)
        self.assertEqual(self.cgi("/v2/")[0], 200)
        self.assertEqual(self.cgi("/v2/_catalog?n=5")[2], b'{"repositories":["some/name"]}\n')

    def test_a_range_of_a_cold_blob_is_relayed(self):
        status, fields, body = self.cgi(blob(COLD_DIGEST), headers={**ALICE, "Range": "bytes=5-9"})
        self.assertEqual((status, body), (206, COLD[5:10]))
        self.assertEqual(fields["content-range"], f"bytes 5-9/{len(COLD)}")

    def test_the_path_may_come_in_pieces(self):
        status, fields, _ = self.cgi(None, more={"SCRIPT_NAME": "/v2", "PATH_INFO": blob()[3:], "QUERY_STRING": "ns=x"})
        self.assertEqual((status, fields["x-bloblo"]), (307, "redirect"))

    def test_the_clients_words_on_the_command_line_are_not_read(self):
        self.assertEqual(self.cgi(arguments=["--help"])[0], 307)

    def test_a_cold_blob_fills(self):
        content = os.urandom(100_000)
        Front.push.__func__(type(self), content)
        digest = "sha256:" + hashlib.sha256(content).hexdigest()
        status, fields, body = self.cgi(blob(digest))
        self.assertEqual((status, fields["x-bloblo"], body), (200, "tee", content))
        self.assertEqual(self.s3.client.size(digest), len(content))

    def test_what_is_relayed_streams(self):
        """The client has the first bytes while the registry holds the last ones back."""
        is_read, want = threading.Event(), os.urandom(4 << 20)

        class Slow(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                self.send_response(200)
                self.send_header("Content-Length", str(len(want)))
                self.end_headers()
                self.wfile.write(want[:2 << 20])
                if is_read.wait(20):
                    self.wfile.write(want[2 << 20:])

            def log_message(self, *_):
                pass

        server = stack.serve_http(Slow, self.addCleanup)
        process = self.start(self.program, stdout=subprocess.PIPE, stdin=subprocess.DEVNULL, environment={
            "GATEWAY_INTERFACE": "CGI/1.1", "REQUEST_METHOD": "GET", "REQUEST_URI": "/v2/some/name/manifests/x",
            "BLOBLO_UPSTREAM_URL": f"http://127.0.0.1:{server.server_port}"})
        got = process.stdout.read(1 << 20)
        is_read.set()
        got += process.stdout.read()
        self.assertEqual((process.wait(10), parsed(got)[2] == want), (0, True))

    def test_a_loop_ends(self):
        self.assertEqual(self.cgi(headers={**ALICE, "Via": "1.1 bloblo"})[0], 508)

    def test_the_registry_is_down(self):
        status, fields, body = self.cgi("/v2/", more={"BLOBLO_UPSTREAM_URL": "http://127.0.0.1:1"})
        self.assertEqual(status, 502)
        self.assertIn(b'"errors"', body)

    def test_a_method_that_brings_a_body(self):
        self.assertEqual(self.cgi("/v2/some/name/blobs/uploads/", "POST")[0], 501)

    def test_wrong_settings_are_an_answer_too(self):
        done = subprocess.run([self.program], env={"GATEWAY_INTERFACE": "CGI/1.1", "REQUEST_METHOD": "GET",
                                                   "BLOBLO_UPSTREAM_URL": "nonsense"}, capture_output=True)
        self.assertEqual((done.returncode, parsed(done.stdout)[0]), (78, 500))
        self.assertIn(b"BLOBLO_UPSTREAM_URL", done.stderr)


class OverAWebServer:
    """CGI by a web server: the same over both."""

    def ask(self, method="GET", path=blob(), headers=ALICE):
        return stack.request(method, f"http://127.0.0.1:{self.port}{path}", headers)

    def test_warm(self):
        status, headers, body = self.ask()
        self.assertEqual((status, headers["X-Bloblo"]), (307, "redirect"))
        self.assertEqual(stack.request("GET", headers["Location"])[2], CONTENT)

    def test_head(self):
        status, headers, body = self.ask("HEAD")
        self.assertEqual((status, headers["Content-Length"], body), (200, str(len(CONTENT)), b""))

    def test_relayed(self):
        for headers in ({}, MALLORY):
            status, got, body = self.ask(headers=headers)
            self.assertEqual((status, got["WWW-Authenticate"]), (401, 'Basic realm="the demo registry"'))
        status, got, body = self.ask(path=blob(COLD_DIGEST), headers={**ALICE, "Range": "bytes=5-9"})
        self.assertEqual((status, body), (206, COLD[5:10]))

    def test_cold(self):
        content = os.urandom(2_000_000)
        Front.push.__func__(type(self), content)
        digest = "sha256:" + hashlib.sha256(content).hexdigest()
        status, headers, body = self.ask(path=blob(digest))
        self.assertEqual((status, hashlib.sha256(body).hexdigest()), (200, digest[7:]))
        deadline = time.monotonic() + 10
        while self.s3.client.size(digest) is None and time.monotonic() < deadline:
            time.sleep(0.05)
        self.assertEqual(self.s3.client.size(digest), len(content))


class TestCGIOfApache(OverAWebServer, Doors):
    services = "registry,s3,apache,bloblo"

    @classmethod
    def site_text(cls):
        cls.port = cls.stack.services["apache"].port
        settings = "\n".join(f'SetEnv {name} "{value}"' for name, value in cls.settings.items())
        return f"""
    Define BLOBLO_PROGRAM {cls.program}
    <Directory "{cls.folder}">
      Require all granted
    </Directory>
    {cls.protection("/v2/protected/above")}
    Include bloblo/bloblo-cgi.conf
    {cls.protection("/v2/protected/below")}
    <LocationMatch "{BLOBS}">
      {settings}
      SetEnv BLOBLO_SPOOL_DIR /var/tmp
    </LocationMatch>"""

    @staticmethod
    def protection(path):
        return f"""<Location "{path}">
      Require expr "%{{HTTP:X-Pass}} == 'open'"
    </Location>"""

    def test_what_a_site_requires_holds(self):
        """Whether it stands above the Include or below."""
        for place in ("above", "below"):
            with self.subTest(place):
                path = blob(name=f"protected/{place}")
                for method in ("GET", "HEAD"):
                    self.assertEqual(self.ask(method, path)[0], 403)
                self.assertEqual(self.ask(path=path, headers={**ALICE, "X-Pass": "open"})[0], 404)


class TestCGIOfNginx(OverAWebServer, Doors):
    @classmethod
    def http_text(cls):
        cls.wrap = cls.folder / "fcgiwrap.sock"
        settings = " ".join(f'fastcgi_param {name} "{value}";' for name, value in cls.settings.items())
        return nginx_server(cls.port, f"""location / {{
            fastcgi_pass unix:{cls.wrap};
            fastcgi_param GATEWAY_INTERFACE CGI/1.1;
            fastcgi_param SCRIPT_FILENAME {cls.program};
            fastcgi_param REQUEST_METHOD $request_method;
            fastcgi_param REQUEST_URI $request_uri;
            fastcgi_param SERVER_PROTOCOL $server_protocol;
            {CLIENT}
            {settings}
        }}""")

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        wrap = subprocess.Popen(["fcgiwrap", "-c", "4", "-s", f"unix:{cls.wrap}"], stdout=subprocess.DEVNULL,
                                stderr=subprocess.DEVNULL, start_new_session=True)
        cls.addClassCleanup(wrap.wait)
        cls.addClassCleanup(os.killpg, wrap.pid, signal.SIGTERM)  # its own end may leave its children behind
        time.sleep(0.3)
        cls.wrap.chmod(0o777)


class TestStarters(Doors):
    def assert_responds(self, address):
        status, fields, body = self.bridge(address)
        self.assertEqual((status, fields["x-bloblo"]), (307, "redirect"))
        self.assertEqual(stack.request("GET", fields["location"])[2], CONTENT)
        self.assertEqual(self.bridge(address, headers={})[0], 424)

    def test_cgi_fcgi_asks_the_running_responder(self):
        self.assert_responds(self.stack.socket)
        status, fields, _ = self.bridge(self.stack.socket, method="HEAD")
        self.assertEqual((status, fields["content-length"]), (200, str(len(CONTENT))))

    def test_cgi_fcgi_starts_one(self):
        path = self.folder / "started.sock"
        subprocess.run(["cgi-fcgi", "-start", "-connect", path, self.program], env={
            "PATH": os.environ["PATH"], **self.settings}, check=True, timeout=10, stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        self.wait_for(path)
        try:
            self.assert_responds(path)
        finally:
            self.end_listeners(path)

    def end_listeners(self, path):
        """By pid: those whose program is our own copy of bloblo."""
        for folder in pathlib.Path("/proc").glob("[0-9]*"):
            try:
                if (folder / "exe").resolve() == self.program.resolve():
                    os.kill(int(folder.name), signal.SIGTERM)
            except OSError:
                pass

    def test_spawn_fcgi(self):
        path = self.folder / "spawned.sock"
        process = self.start("spawn-fcgi", "-n", "-s", path, "--", self.program, stdout=subprocess.DEVNULL)
        self.wait_for(path)
        self.assert_responds(path)
        process.terminate()
        self.assertEqual(process.wait(10), 0)

    def test_systemd_socket_and_notifications(self):
        path, notify = self.folder / "activated.sock", self.folder / "notify.sock"
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
            manager.bind(str(notify))
            manager.settimeout(10)
            process = self.start(
                "systemd-socket-activate", "-l", path, *(f"--setenv={name}={value}" for name, value in {
                    **self.settings, "NOTIFY_SOCKET": str(notify), "WATCHDOG_USEC": "900000"}.items()), self.program)
            self.wait_for(path)
            self.assertTrue(manager.recv(1000).startswith(b"READY=1\n"))
            self.assert_responds(path)
            self.assertEqual([manager.recv(1000) for _ in range(3)], [b"WATCHDOG=1"] * 3)
            process.terminate()
            while (word := manager.recv(1000)) == b"WATCHDOG=1":
                pass
            self.assertEqual(word, b"STOPPING=1")
            self.assertEqual(process.wait(10), 0)

    def test_an_abstract_notify_socket(self):
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
            manager.bind(f"\0bloblo-notify-{os.getpid()}")
            manager.settimeout(10)
            self.start(self.program, environment={"NOTIFY_SOCKET": f"@bloblo-notify-{os.getpid()}",
                                                  "BLOBLO_LISTEN_ADDR": f"unix:{self.folder}/abstract.sock"})
            self.assertTrue(manager.recv(1000).startswith(b"READY=1\n"))

    def test_the_units(self):
        units = stack.ROOT / "packaging/systemd"
        for unit in ("bloblo.service", "bloblo.socket"):  # with a program that is there
            text = (units / unit).read_text().replace("/usr/local/bin/bloblo", str(self.program))
            (self.folder / unit).write_text(text)
        said = subprocess.run(["systemd-analyze", "verify", "--man=no", self.folder / "bloblo.service",
                               self.folder / "bloblo.socket"], capture_output=True, text=True)
        self.assertEqual((said.returncode, [line for line in said.stderr.splitlines() if "bloblo" in line]), (0, []))
        said = subprocess.run(["systemd-analyze", "security", "--offline=yes", "--no-pager", units / "bloblo.service"],
                              capture_output=True, text=True).stdout
        score = float(said.rsplit("bloblo.service:", 1)[1].split()[0])
        self.assertLessEqual(score, 1.5)

    def test_front_server_none_relays(self):
        path = self.folder / "none.sock"
        self.start(self.program, environment={"BLOBLO_LISTEN_ADDR": f"unix:{path}", "BLOBLO_FRONT_SERVER": "none"})
        self.wait_for(path)
        status, fields, body = self.bridge(path, headers={})
        self.assertEqual((status, fields["www-authenticate"]), (401, 'Basic realm="the demo registry"'))
        status, fields, body = self.bridge(path, blob(COLD_DIGEST), headers={**ALICE, "Range": "bytes=5-9"})
        self.assertEqual((status, body), (206, COLD[5:10]))

    def test_what_each_front_is_told(self):
        for software, status in (("nginx/1.22.1", 424), ("Apache/2.4.71 (Debian)", 424), ("HAProxy 2.6.12", 425)):
            with self.subTest(software=software):
                got, fields, _ = self.bridge(self.stack.socket, headers={}, SERVER_SOFTWARE=software)
                self.assertEqual(got, status)
                self.assertEqual("x-accel-redirect" in fields, software.startswith("nginx"))
        self.assertEqual(self.bridge(self.stack.socket, headers={}, SERVER_SOFTWARE="lighttpd/1.4.69")[0], 401)


class Authorizer:
    """A location of something else, behind the same check; the same over both web servers."""

    def ask(self, headers, digest=DIGEST, name="some/name"):
        return stack.request("GET", f"http://127.0.0.1:{self.port}/mirror/{name}/{digest}", headers)

    def test_who_may_read_the_blob_may_go_on(self):
        status, headers, body = self.ask(ALICE)
        self.assertEqual((status, body, headers.get_all("Content-Length")), (200, b"the secret", ["10"]))

    def test_who_may_not_is_told_what_the_registry_says(self):
        status, headers, body = self.ask({})
        self.assertEqual((status, headers.get_all("WWW-Authenticate")), (401, ['Basic realm="the demo registry"']))
        self.assertEqual(self.ask(MALLORY)[0], 401)

    def test_doubt_is_a_no(self):
        self.assertEqual(self.ask(ALICE, ABSENT)[0], 403)
        self.assertEqual(self.ask(ALICE, name="another/name")[0], 403)
        self.assertNotEqual(self.ask(ALICE, name="some/../some/name")[2], b"the secret")
        for path in ("/mirror/some/name/sha256:x", "/mirror/", "/mirror/secret"):
            self.assertNotEqual(stack.request("GET", f"http://127.0.0.1:{self.port}{path}", ALICE)[0], 200)

    def test_a_client_cannot_name_another_blob(self):
        given = {**ALICE, "BLOBLO_AUTHORIZE_URI": blob(), "Bloblo-Authorize-Uri": blob(), "REQUEST_URI": blob()}
        self.assertEqual(self.ask(given, ABSENT)[0], 403)

    def test_without_bloblo_nobody_may(self):
        bloblo = self.stack.services["bloblo"]
        bloblo.stop()
        try:
            self.assertGreaterEqual(self.ask(ALICE)[0], 500)
        finally:
            bloblo.start()
            if "nginx" in self.services:  # which remembers it
                self.server.stop()
                self.server.start()


class TestAuthorizerOfApache(Authorizer, Doors):
    """mod_authnz_fcgi, by the lines of docs/fronts.md."""

    services, more = "registry,s3,apache,bloblo", ("--tcp",)

    @classmethod
    def site_text(cls):
        cls.port = cls.stack.services["apache"].port
        cls.stack.options.apache_server = (
            f"AuthnzFcgiDefineProvider authnz bloblo fcgi://{cls.stack.responder_address}/")
        (cls.folder / "secret").write_text("the secret")
        (cls.folder / "secret").chmod(0o644)
        return f"""
    Include bloblo/bloblo.conf
    AliasMatch "^/mirror/.+/sha256:[0-9a-f]+$" {cls.folder}/secret
    SetEnvIf Request_URI "^/mirror/(.+)/(sha256:[0-9a-f]+)$" BLOBLO_AUTHORIZE_URI=/v2/$1/blobs/$2
    <Location "/mirror/">
        CGIPassAuth On
        AuthType None
        AuthnzFcgiCheckAuthnProvider bloblo Authoritative On RequireBasicAuth Off UserExpr "registry"
        Require valid-user
    </Location>"""


class TestAuthorizerOfNginx(Authorizer, Doors):
    @classmethod
    def http_text(cls):
        (cls.folder / "secret").write_text("the secret")
        return nginx_server(cls.port, f"""
          root {cls.folder};
          location ~ ^/mirror/(?<name>.+)/(?<digest>sha256:[0-9a-f]+)$ {{
            auth_request /_may_read;
            try_files /secret =404;
          }}
          location = /_may_read {{
            internal;
            if ($request_uri ~ "^/mirror/(?<asked_name>[^?]+)/(?<asked_digest>sha256:[0-9a-f]+)") {{ set $asked /v2/$asked_name/blobs/$asked_digest; }}
            fastcgi_pass bloblo;
            fastcgi_pass_request_body off;
            fastcgi_keep_conn on;
            fastcgi_param BLOBLO_ROLE authorizer;
            fastcgi_param REQUEST_METHOD GET;
            fastcgi_param REQUEST_URI $asked;
            {CLIENT}
          }}""")

    def test_the_role_of_fastcgi(self):
        """As mod_authnz_fcgi asks: no STDIN record follows the params."""
        self.assertEqual(self.authorize(blob(), ALICE)[0], 200)
        status, fields, _ = self.authorize(blob(), {})
        self.assertEqual((status, fields["www-authenticate"]), (401, 'Basic realm="the demo registry"'))
        self.assertEqual(self.authorize(blob(ABSENT), ALICE)[0], 403)
        self.assertEqual(self.authorize("/v2/", ALICE)[0], 403)

    def authorize(self, path, headers):
        from fake_responder import BEGIN_REQUEST, PARAMS, STDOUT, Connection
        import struct
        params = {"REQUEST_METHOD": "GET", "REQUEST_URI": path,
                  **{f"HTTP_{name.upper()}": value for name, value in headers.items()}}
        data = b"".join(struct.pack(">BB" if len(value) < 128 else ">BI", len(name),
                                    len(value) if len(value) < 128 else len(value) | 0x80000000)
                        + name.encode() + value.encode() for name, value in params.items())
        with socket.socket(socket.AF_UNIX) as raw:
            raw.settimeout(2)
            raw.connect(str(self.stack.socket))
            connection = Connection(raw)
            connection.id = 1
            connection.send(BEGIN_REQUEST, struct.pack(">HB5x", 2, 0))
            connection.send(PARAMS, data)
            connection.send(PARAMS, b"")
            answer = b""
            while True:
                _, kind, _, length, padding = struct.unpack(">BBHHBx", connection.exactly(8))
                content = connection.exactly(length + padding)[:length]
                if kind == STDOUT:
                    answer += content
                if kind == 3:
                    return parsed(answer)


class OtherRegistry(http.server.BaseHTTPRequestHandler):
    """Has CONTENT, for everybody."""

    def do_HEAD(self):
        self.server.seen.append((self.command, self.path))
        self.send_response(200)
        self.send_header("Content-Length", str(len(CONTENT)))
        self.end_headers()

    def log_message(self, *_):
        pass


class Choices:
    """By the shipped example-choices.conf the web server chooses, and no client can."""

    buckets = ("my-bucket-us-west-2", "team-a-bucket", "other-bucket")

    @classmethod
    def setUpClass(cls):
        cls.other = stack.serve_http(OtherRegistry, cls.addClassCleanup)
        cls.other.seen = []
        super().setUpClass()
        for bucket in cls.buckets:
            assert cls.s3.client.call("PUT", f"/{bucket}")[0] == 200
            assert cls.s3.client.call("PUT", f"/{bucket}/{DIGEST}", CONTENT)[0] == 200
        for repository in ("secret/name", "team-a/name", "team-b/name"):
            mount = f"/v2/{repository}/blobs/uploads/?mount={DIGEST}&from=some/name"
            assert stack.request("POST", cls.registry.url + mount, ALICE)[0] == 201

    def ask(self, headers, path=blob(), method="GET", port=None):
        return stack.request(method, f"http://127.0.0.1:{port or self.port}{path}", {**ALICE, **headers})

    def assert_from(self, bucket, headers, path=blob(), region=stack.REGION):
        """The Location names bucket and region, and leads to the bytes."""
        status, got, _ = self.ask(headers, path)
        self.assertEqual(status, 307)
        location = urllib.parse.urlsplit(got["Location"])
        self.assertEqual(location.path.split("/")[1], bucket)
        self.assertEqual(urllib.parse.parse_qs(location.query)["X-Amz-Credential"][0].split("/")[2], region)
        if region == stack.REGION:  # SeaweedFS has but one
            self.assertEqual(stack.request("GET", got["Location"])[2], CONTENT)

    def test_a_network_that_cannot_reach_s3(self):
        status, headers, body = self.ask({"X-Test-Address": "10.7.0.9"})
        self.assertEqual((status, headers["X-Bloblo"], body == CONTENT), (200, "accelerate", True))
        self.assert_from(stack.BUCKET, {"X-Test-Address": "192.0.2.1"})
        self.assert_from(stack.BUCKET, {})

    def test_a_network_near_another_region(self):
        self.assert_from("my-bucket-us-west-2", {"X-Test-Address": "10.8.0.9"}, region="us-west-2")
        self.assert_from(stack.BUCKET, {"X-Test-Address": "10.9.0.9"})

    def test_a_user_agent(self):
        status, headers, body = self.ask({"User-Agent": "old-client/1.0"})
        self.assertEqual((status, headers["X-Bloblo"], body == CONTENT), (200, "accelerate", True))
        self.assert_from(stack.BUCKET, {"User-Agent": "containerd/2 old-client/1.0"})

    def test_repositories(self):
        self.assert_from("team-a-bucket", {}, blob(name="team-a/name"))
        self.assert_from("team-a-bucket", {"X-Test-Address": "10.8.0.9"}, blob(name="team-a/name"))
        self.assert_from(stack.BUCKET, {}, blob(name="team-b/name"))
        status, headers, body = self.ask({}, blob(name="secret/name"))
        self.assertEqual((status, body == CONTENT, "Location" in headers), (200, True, False))
        self.assertIn(headers["X-Bloblo"], (None, "pass"))

    def test_two_registries(self):
        self.other.seen.clear()
        self.assert_from("other-bucket", {"Host": "other.example.com"})
        self.assertEqual(self.other.seen, [("HEAD", blob())])
        self.assert_from(stack.BUCKET, {})

    def test_a_client_cannot_choose(self):
        wishes = {"BLOBLO_DELIVERY": "accelerate", "BLOBLO_S3_BUCKET_NAME": "other-bucket",
                  "BLOBLO_UPSTREAM_URL": f"http://127.0.0.1:{self.other.server_port}", "BLOBLO_ROLE": "authorizer"}
        self.other.seen.clear()
        for name, value in wishes.items():
            title = name.replace("_", "-").title()
            for spelling in (name, name.lower(), title, f"HTTP_{name}", f"Http-{title}", f"REDIRECT_{name}"):
                with self.subTest(spelling):
                    self.assert_from(stack.BUCKET, {spelling: value})
        self.assertEqual(self.other.seen, [])

    def test_a_client_cannot_choose_by_saying_it_often(self):
        lines = [f"GET {blob()} HTTP/1.1", "Host: localhost", f"Authorization: {ALICE['Authorization']}",
                 "Connection: close"] + ["BLOBLO_DELIVERY: accelerate", "Bloblo-Delivery: accelerate"] * 3
        for more in ([], ["Bloblo-Delivery: pass\0accelerate"], [" BLOBLO_DELIVERY: accelerate"]):
            with socket.create_connection(("127.0.0.1", self.port), 10) as client:
                client.sendall(("\r\n".join(lines + more) + "\r\n\r\n").encode())
                status = client.makefile("rb").readline().split()[1]
            # A NUL, or a line that is the last one's continuation, is refused as a whole.
            self.assertIn(status, (b"307", b"400") if more else (b"307",))

    def test_this_test_would_see_a_choice(self):
        """The same wishes by a server {} that lets its clients choose, as nobody should."""
        for value, status in (("accelerate", 200), ("pass", 200), ("", 307)):
            got, headers, _ = self.ask({"Bloblo-Delivery": value}, port=self.careless_port)
            self.assertEqual(got, status)
        self.assertEqual(self.ask({"Bloblo-Delivery": "accelerate"}, port=self.careless_port)[1]["X-Bloblo"], "accelerate")


class TestChoicesOfNginx(Choices, Doors):
    @classmethod
    def http_text(cls):
        nginx = cls.stack.services["nginx"]
        cls.careless_port = cls.ports.take()
        snippets = nginx.folder / "snippets"
        snippets.mkdir(exist_ok=True)
        shipped = stack.ROOT / "nginx"
        shutil.copy(shipped / "example-params.conf", snippets / "bloblo-params.conf")
        locations = (shipped / "bloblo-locations.conf").read_text()
        (snippets / "other-locations.conf").write_text(locations.replace("bloblo_registry", "other_registry"))
        (snippets / "careless-locations.conf").write_text(nginx.replaced(
            locations, "include snippets/bloblo-params*.conf;", "fastcgi_param BLOBLO_DELIVERY $http_bloblo_delivery;"))
        choices = nginx.replaced((shipped / "example-choices.conf").read_text(), "127.0.0.1:5001",
                                 f"127.0.0.1:{cls.other.server_port}")
        real = "set_real_ip_from 127.0.0.1; real_ip_header X-Test-Address; underscores_in_headers on;"
        registry = "location / { proxy_pass http://bloblo_registry; }"
        return choices + nginx_server(cls.port, f"""
          {real}
          include snippets/bloblo-locations.conf;
          include snippets/bloblo-accelerate.conf;
          {registry}""") + nginx_server(cls.port, """
          server_name other.example.com;
          include snippets/other-locations.conf;
          location / { proxy_pass http://other_registry; }""") + nginx_server(cls.careless_port, f"""
          include snippets/careless-locations.conf;
          include snippets/bloblo-accelerate.conf;
          {registry}""")


class TestChoicesOfApache(Choices, Doors):
    services = "registry,s3,apache,bloblo"

    @classmethod
    def site_text(cls):
        apache = cls.stack.services["apache"]
        cls.port, cls.careless_port = apache.port, cls.ports.take()
        choices = apache.folder / "bloblo/choices.conf"
        choices.parent.mkdir(exist_ok=True)
        shutil.copy(stack.ROOT / "apache/example-choices.conf", choices)
        # The second registry's <VirtualHost>, by the lines in the example's comment.
        lines = choices.read_text().split("the second's <VirtualHost> says\n#\n")[1]
        other = stack.Nginx.replaced(lines.replace("#   ", ""), "127.0.0.1:5001", f"127.0.0.1:{cls.other.server_port}")
        return f"""
    Include bloblo/bloblo.conf
    Include bloblo/bloblo-accelerate.conf
    Include bloblo/choices.conf
    RemoteIPHeader X-Test-Address
    RemoteIPInternalProxy 127.0.0.1
</VirtualHost>
Listen 127.0.0.1:{cls.careless_port}
<VirtualHost 127.0.0.1:{cls.careless_port}>
    Include bloblo/bloblo.conf
    Include bloblo/bloblo-accelerate.conf
    SetEnvIf Bloblo-Delivery "(.+)" BLOBLO_DELIVERY=$1
</VirtualHost>
<VirtualHost 127.0.0.1:{cls.port}>
    ServerName other.example.com
{other}"""


class TestRollingRestart(Doors):
    @classmethod
    def http_text(cls):
        cls.sockets = [cls.folder / "one.sock", cls.folder / "two.sock"]
        servers = " ".join(f"server unix:{path} max_fails=1 fail_timeout=1s;" for path in cls.sockets)
        locations = (stack.ROOT / "nginx/bloblo-locations.conf").read_text().replace(
            "fastcgi_pass bloblo;", "fastcgi_pass two_bloblos;")
        (cls.folder / "locations.conf").write_text(locations)
        return f"upstream two_bloblos {{ zone two 64k; {servers} keepalive 64; }}" + nginx_server(
            cls.port, f"include {cls.folder}/locations.conf; location / {{ proxy_pass http://bloblo_registry; }}")

    def responder(self, path):
        process = self.start(self.program, environment={"BLOBLO_LISTEN_ADDR": f"unix:{path}"})
        self.wait_for(path)
        return process

    def pulls_while(self, act, port):
        """32 clients pull a warm blob, and cold ones now and then, while `act` runs: how many were redirected."""
        cold = [os.urandom(300_000) for _ in range(8)]
        for content in cold:
            Front.push.__func__(type(self), content)
        cold = {"sha256:" + hashlib.sha256(content).hexdigest(): content for content in cold}
        is_over = threading.Event()

        def pull(number):
            count, wrong, redirects = 0, [], 0
            while not is_over.is_set():
                digest = list(cold)[number % 8] if count % 10 == 9 else DIGEST
                try:
                    status, headers, body = stack.request("GET", f"http://127.0.0.1:{port}{blob(digest)}", ALICE)
                    if status == 307:
                        redirects += 1
                        status, _, body = stack.request("GET", headers["Location"])
                    if status != 200 or hashlib.sha256(body).hexdigest() != digest[7:]:
                        wrong.append((status, len(body)))
                except Exception as error:
                    wrong.append(repr(error))
                count += 1
            return redirects, wrong

        with concurrent.futures.ThreadPoolExecutor(32) as pool:
            pulls = [pool.submit(pull, number) for number in range(32)]
            try:
                act()
            finally:
                is_over.set()
            results = [each.result() for each in pulls]
        self.assertEqual([wrong for _, wrong in results if wrong], [])
        return sum(redirects for redirects, _ in results)

    def test_two_responders_one_after_the_other(self):
        processes = [self.responder(path) for path in self.sockets]

        def replace():
            for i in (0, 1, 0):
                time.sleep(1.5)
                processes[i].terminate()
                self.assertEqual(processes[i].wait(30), 0)
                processes[i] = self.responder(self.sockets[i])
            time.sleep(1)
        self.assertGreater(self.pulls_while(replace, self.port), 100)

    def test_the_only_responder(self):
        """By the shipped configuration: what comes meanwhile is the registry's to answer."""
        bloblo = self.stack.services["bloblo"]

        def replace():
            for _ in range(3):
                time.sleep(1)
                bloblo.stop()
                self.assertEqual(bloblo.ended, 0)
                time.sleep(0.3)
                bloblo.start()
            time.sleep(1)
        self.assertGreater(self.pulls_while(replace, self.server.port), 0)

if __name__ == "__main__":
    stack.run_tests(sys.modules["__main__"])
