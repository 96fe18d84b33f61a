#!/usr/bin/env python3
"""Caddy, HAProxy and lighttpd of Debian before bloblo, by the snippets of docs/fronts.md; skipped where they
are not installed.

    python3 Tests/Stack/test_other_fronts.py
"""

import pathlib
import shutil
import signal
import subprocess
import sys
import time
import unittest

import stack
from fake_responder import NONSENSE, FakeResponder
from test_doors import Doors
from test_fronts import ALICE, COLD, COLD_DIGEST, CONTENT, DIGEST, MALLORY, blob

CADDY = """\
{
	admin off
	auto_https off
}
http://127.0.0.1:PORT {
	@blob {
		method GET HEAD
		path_regexp ^/v2/.+/blobs/[a-z0-9]+:[0-9a-fA-F]+$
	}
	handle @blob {
		reverse_proxy unix/SOCKET {
			transport fastcgi {
				dial_timeout 500ms
				read_timeout 2s
			}
			@pass status 424 500 502 503 504
			handle_response @pass {
				reverse_proxy REGISTRY
			}
		}
	}
	handle {
		reverse_proxy REGISTRY
	}
	handle_errors {
		@down expression `{http.error.status_code} in [502, 503, 504]`
		reverse_proxy @down REGISTRY
	}
}
"""

HAPROXY = """\
defaults
  mode http
  timeout connect 1s
  timeout client 900s
  timeout server 900s

frontend registry
  bind 127.0.0.1:PORT
  acl is_blob path_reg ^/v2/.+/blobs/[a-z0-9]+:[0-9a-fA-F]+$
  acl is_read method GET HEAD
  use_backend blobs if is_blob is_read
  default_backend registry

fcgi-app bloblo
  docroot /
  path-info ^(/.+)$
  pass-header Authorization

backend blobs
  use-fcgi-app bloblo
  balance first
  timeout server 2s
  option redispatch 1
  retries 2
  retry-on conn-failure empty-response response-timeout 425 500 502 503 504 junk-response
  server bloblo unix@SOCKET proto fcgi
  server registry REGISTRY

backend registry
  server registry REGISTRY
"""

LIGHTTPD = """\
server.document-root = "FOLDER"
server.bind = "127.0.0.1"
server.port = PORT
server.modules = ("mod_fastcgi", "mod_proxy")
$HTTP["url"] =~ "^/v2/.+/blobs/[a-z0-9]+:[0-9a-fA-F]+$" {
  $HTTP["request-method"] =~ "^(GET|HEAD)$" {
    fastcgi.server = ("" => (("socket" => "SOCKET", "check-local" => "disable")))
  } else {
    proxy.server = ("" => (("host" => "HOST", "port" => UPSTREAM)))
  }
} else {
  proxy.server = ("" => (("host" => "HOST", "port" => UPSTREAM)))
}
"""


class OtherFront:
    services = "registry,s3,bloblo,nginx"
    fails_open = True

    @classmethod
    def setUpClass(cls):
        program = cls.command[0]
        if not shutil.which(program, path="/usr/bin:/usr/sbin"):
            raise unittest.SkipTest(f"{program} is not installed")
        super().setUpClass()
        host, port = cls.stack.registry_address.split(":")
        text = cls.text
        for word, value in (("PORT", cls.port), ("SOCKET", cls.stack.socket), ("REGISTRY", f"{host}:{port}"),
                            ("HOST", host), ("UPSTREAM", port), ("FOLDER", cls.folder)):
            text = text.replace(word, str(value))
        path = cls.folder / "front.conf"
        path.write_text(text)
        log = (cls.folder / "front.log").open("wb")
        process = subprocess.Popen([*cls.command, str(path)], stdout=log, stderr=log, cwd=cls.folder,
                                   env={"HOME": str(cls.folder), "PATH": "/usr/bin:/usr/sbin"})
        cls.addClassCleanup(process.wait)
        cls.addClassCleanup(process.terminate)
        cls.addClassCleanup(log.close)
        deadline = time.monotonic() + 10
        while True:
            try:
                stack.request("GET", f"http://127.0.0.1:{cls.port}/v2/")
                return
            except OSError:
                if time.monotonic() > deadline:
                    raise AssertionError((cls.folder / "front.log").read_text())
                time.sleep(0.05)

    def ask(self, method="GET", path=blob(), headers=ALICE):
        return stack.request(method, f"http://127.0.0.1:{self.port}{path}", headers)

    def test_a_warm_blob(self):
        status, headers, _ = self.ask()
        self.assertEqual((status, headers["Docker-Content-Digest"]), (307, DIGEST))
        self.assertEqual(stack.request("GET", headers["Location"])[2], CONTENT)

    def test_a_head(self):
        status, headers, body = self.ask("HEAD")
        self.assertEqual((status, headers["Content-Length"], body), (200, str(len(CONTENT)), b""))

    def test_what_is_passed(self):
        for headers in ({}, MALLORY):
            status, got, body = self.ask(headers=headers)
            self.assertEqual((status, got["WWW-Authenticate"]), (401, 'Basic realm="the demo registry"'))
        status, _, body = self.ask(path=blob(COLD_DIGEST), headers={**ALICE, "Range": "bytes=5-9"})
        self.assertEqual((status, body), (206, COLD[5:10]))

    def test_bloblo_is_down_or_hangs(self):
        bloblo = self.stack.services["bloblo"]
        if not self.fails_open:
            self.skipTest("this front can't: see docs/fronts.md")
        bloblo.signal(signal.SIGSTOP)
        try:
            self.assertEqual(self.ask()[0], 200)
        finally:
            bloblo.signal(signal.SIGCONT)
        bloblo.stop()
        try:
            self.assertEqual(self.ask()[0], 200)
            self.assertEqual(self.ask("HEAD")[0], 200)
        finally:
            bloblo.start()


    def test_nonsense(self):
        if not self.fails_open:
            self.skipTest("this front can't: see docs/fronts.md")
        bloblo = self.stack.services["bloblo"]
        bloblo.stop()
        try:
            for name in sorted(NONSENSE.keys() - UNSEEN):
                responder = FakeResponder(self.stack.socket, NONSENSE[name])
                with self.subTest(name):
                    status, _, body = self.ask()
                    self.assertEqual((status, body == CONTENT, len(responder.params) > 0), (200, True, True))
                responder.close()
        finally:
            bloblo.start()


# What Caddy takes for a whole answer, and what HAProxy itself ends of: see docs/fronts.md.
UNSEEN = {"a record that is cut", "another request's answer", "a header without an end", "half a header"}


class TestCaddy(OtherFront, Doors):
    text, command = CADDY, ("caddy", "run", "--adapter", "caddyfile", "--config")


class TestHAProxy(OtherFront, Doors):
    text, command = HAPROXY, ("haproxy", "-db", "-f")


class TestLighttpd(OtherFront, Doors):
    text, command, fails_open = LIGHTTPD, ("lighttpd", "-D", "-f"), False


del Doors

if __name__ == "__main__":
    stack.run_tests(sys.modules["__main__"])
