"""Caddy, HAProxy and lighttpd of Debian before bloblo, by the snippets of docs/fronts.md."""

import signal
import subprocess

import pytest

import stack
from doors import Doors, running
from fakes.blobs import COLD, COLD_DIGEST, CONTENT, DIGEST, MALLORY, blob
from fakes.client import ALICE
from fakes.responder import NONSENSE, FakeResponder
from fakes.waiting import eventually

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

COMMANDS = {"caddy": (CADDY, "caddy", "run", "--adapter", "caddyfile", "--config"),
            "haproxy": (HAPROXY, "haproxy", "-db", "-f"), "lighttpd": (LIGHTTPD, "lighttpd", "-D", "-f")}
# What Caddy takes for a whole answer, and what HAProxy itself ends of: see docs/fronts.md.
UNSEEN = {"a record that is cut", "another request's answer", "a header without an end", "half a header"}
# Lighttpd can't: see docs/fronts.md.
fails_open = pytest.mark.parametrize("other", ["caddy", "haproxy"], indirect=True, scope="module")


class OtherFront(Doors):
    """The server of COMMANDS at `port`, beside nginx by which the blobs came."""

    def begin(self, text, *command):
        host, port = self.stack.registry_address.split(":")
        for word, value in (("PORT", self.port), ("SOCKET", self.stack.socket), ("REGISTRY", f"{host}:{port}"),
                            ("HOST", host), ("UPSTREAM", port), ("FOLDER", self.folder)):
            text = text.replace(word, str(value))
        path, log = self.folder / "front.conf", self.folder / "front.log"
        path.write_text(text)
        with log.open("wb") as output:
            process = subprocess.Popen([stack.program(command[0]), *command[1:], str(path)], stdout=output,
                                       stderr=output, cwd=self.folder,
                                       env={"HOME": str(self.folder), "PATH": "/usr/bin:/usr/sbin"})
        self.ends.callback(process.wait)
        self.ends.callback(process.terminate)

        def answers():
            try:
                return stack.request("GET", f"http://127.0.0.1:{self.port}/v2/")
            except OSError:
                return None
        eventually(answers, otherwise=log.read_text)


@pytest.fixture(scope="module", params=COMMANDS)
def other(request):
    return request.param


@pytest.fixture(scope="module")
def shared(other):
    with running(OtherFront) as site:
        site.begin(*COMMANDS[other])
        yield site


@pytest.fixture
def site(shared):
    with shared.one_test() as site:
        yield site


def ask(site, method="GET", path=blob(), headers=ALICE):
    return stack.request(method, f"http://127.0.0.1:{site.port}{path}", headers)


def test_a_warm_blob(site):
    status, headers, _ = ask(site)
    assert (status, headers["Docker-Content-Digest"]) == (307, DIGEST)
    assert stack.request("GET", headers["Location"])[2] == CONTENT


def test_a_head(site):
    status, headers, body = ask(site, "HEAD")
    assert (status, headers["Content-Length"], body) == (200, str(len(CONTENT)), b"")


def test_what_is_passed(site):
    for headers in ({}, MALLORY):
        status, got, body = ask(site, headers=headers)
        assert (status, got["WWW-Authenticate"]) == (401, 'Basic realm="the demo registry"')
    status, _, body = ask(site, path=blob(COLD_DIGEST), headers={**ALICE, "Range": "bytes=5-9"})
    assert (status, body) == (206, COLD[5:10])


@fails_open
def test_bloblo_is_down_or_hangs(site):
    site.bloblo.signal(signal.SIGSTOP)
    site.ends.callback(site.bloblo.start)
    site.ends.callback(site.bloblo.signal, signal.SIGCONT)
    assert ask(site)[0] == 200
    site.bloblo.signal(signal.SIGCONT)
    site.bloblo.stop()
    assert ask(site)[0] == 200
    assert ask(site, "HEAD")[0] == 200


@fails_open
def test_nonsense(site, subtests):
    site.bloblo.stop()
    site.ends.callback(site.bloblo.start)
    for name in sorted(NONSENSE.keys() - UNSEEN):
        responder = FakeResponder(site.stack.socket, NONSENSE[name])
        site.ends.callback(responder.close)
        with subtests.test(name):
            status, _, body = ask(site)
            assert (status, body == CONTENT, len(responder.params) > 0) == (200, True, True)
        responder.close()
