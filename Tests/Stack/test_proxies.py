"""Proxies of the environment: for S3, STS and the registry; never from a client, and never in CGI."""

import base64
import http.client
import urllib.parse

import pytest

from fakes.alone import BASIC
from fakes.handler import Handler
from fakes.waiting import eventually


@pytest.fixture
def proxy(serve):
    """A proxy for http, that remembers what it was asked for, and leads names below .test to 127.0.0.1."""
    seen = []

    class Proxy(Handler):
        def do_GET(self):
            seen.append(f"{self.command} {self.path}")
            parts = urllib.parse.urlsplit(self.path)
            connection = http.client.HTTPConnection("127.0.0.1", parts.port, timeout=120)
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            target = urllib.parse.urlunsplit(("", "", parts.path, parts.query, ""))
            headers = {name: value for name, value in self.headers.items() if name.lower() != "proxy-connection"}
            connection.request(self.command, target, body, headers)
            answer = connection.getresponse()
            content = answer.read()
            connection.close()
            self.send_response(answer.status)
            for name, value in answer.getheaders():
                self.send_header(name, value)
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(content)

        do_HEAD = do_PUT = do_GET

        def do_CONNECT(self):
            seen.append(f"CONNECT {self.path}")
            self.answer(502)

    server = serve(Proxy)
    return f"http://127.0.0.1:{server.server_port}", seen


def behind_a_proxy(alone, **settings):
    """A bloblo whose registry and S3 have names that only the proxy knows."""
    bloblo = alone(start=False)
    registry, s3 = bloblo.registry_server.server_port, bloblo.bucket_server.server_port
    bloblo.settings |= {"BLOBLO_UPSTREAM_URL": f"http://registry.test:{registry}",
                        "BLOBLO_S3_ENDPOINT_URL": f"http://s3.test:{s3}", **settings}
    bloblo.start()
    eventually(bloblo.answers)
    return bloblo


def test_lower_case_http_proxy_leads_to_registry_and_s3(alone, proxy):
    url, seen = proxy
    bloblo = behind_a_proxy(alone, http_proxy=url)
    assert bloblo.get(bloblo.put_into_bucket(b"content"))[0] == 307
    cold = bloblo.registry.add(b"cold")
    assert bloblo.get(cold)[0] == 200
    eventually(lambda: f"/layers/{cold}" in bloblo.bucket.objects)
    assert any("registry.test" in line for line in seen) and any("s3.test" in line for line in seen)
    assert bloblo.lines("proxies are used")


@pytest.mark.parametrize("name", ["https_proxy", "HTTPS_PROXY"])
def test_https_goes_by_a_tunnel(alone, proxy, name):
    url, seen = proxy
    bloblo = behind_a_proxy(alone, BLOBLO_UPSTREAM_URL="https://registry.test:444", **{name: url})
    bloblo.get(bloblo.put_into_bucket(b"content"))
    eventually(lambda: "CONNECT registry.test:444" in seen)


@pytest.mark.parametrize("name", ["no_proxy", "NO_PROXY"])
def test_no_proxy_names_those_that_are_asked_directly(alone, proxy, name):
    url, seen = proxy
    bloblo = behind_a_proxy(alone, http_proxy=url, **{name: "example.com,.test"})
    assert bloblo.get(bloblo.put_into_bucket(b"content"))[0] == 424
    assert not seen


def test_the_loopback_and_the_cloud_s_own_addresses_need_no_proxy(alone, proxy):
    url, seen = proxy
    bloblo = alone(http_proxy=url)
    assert bloblo.get(bloblo.put_into_bucket(b"content"))[0] == 307
    assert not seen


def test_upper_case_http_proxy_is_never_read(alone, proxy):
    url, seen = proxy
    bloblo = behind_a_proxy(alone, HTTP_PROXY=url)
    bloblo.get(bloblo.put_into_bucket(b"content"))
    # Nor from a client's field, nor from a param.
    bloblo.get(bloblo.put_into_bucket(b"more"), HTTP_PROXY=url, http_proxy=url, https_proxy=url)
    assert not seen
    assert len(bloblo.lines("HTTP_PROXY is ignored")) == 1


@pytest.mark.parametrize("environment", [{}, {"http_proxy": "{url}", "HTTP_PROXY": "{url}"}])
def test_nothing_is_said_of_http_proxy_where_nothing_is_ignored(alone, proxy, environment):
    bloblo = behind_a_proxy(alone, **{name: value.replace("{url}", proxy[0]) for name, value in environment.items()})
    bloblo.get(bloblo.put_into_bucket(b"content"))
    assert not bloblo.lines("HTTP_PROXY is ignored")


@pytest.mark.parametrize("environment", [{}, {"http_proxy": "{url}"}])
def test_in_cgi_no_proxy_is_used_whatever_a_client_sends(alone, proxy, environment):
    url, seen = proxy
    bloblo = alone(start=False)
    digest = bloblo.put_into_bucket(b"content")
    registry = bloblo.settings["BLOBLO_UPSTREAM_URL"].replace("127.0.0.1", "localhost.localdomain")
    for upstream in (bloblo.settings["BLOBLO_UPSTREAM_URL"], registry):
        # A client's "Proxy: http://attacker".
        done = bloblo.run(GATEWAY_INTERFACE="CGI/1.1", REQUEST_METHOD="GET", HTTP_PROXY=url, BLOBLO_LISTEN_ADDR=None,
                          REQUEST_URI=f"/v2/a/b/blobs/{digest}", HTTP_AUTHORIZATION=BASIC, BLOBLO_UPSTREAM_URL=upstream,
                          **{name: value.replace("{url}", url) for name, value in environment.items()})
        assert done.stdout, done
    assert not seen


def test_a_proxy_that_is_none_is_told_and_its_password_is_not(alone):
    bloblo = alone(start=False)
    done = bloblo.run("check", http_proxy="me:pass-word@")
    assert done.returncode == 78 and "http_proxy" in done.stdout + done.stderr
    assert "pass-word" not in done.stdout + done.stderr
    bloblo = behind_a_proxy(alone, http_proxy="http://me:pass-word@127.0.0.1:9")
    bloblo.get(bloblo.put_into_bucket(b"content"))
    assert "pass-word" not in bloblo.log.read_text() + bloblo.page()[1]
