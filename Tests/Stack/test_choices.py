"""By the shipped example-choices.conf the web server chooses bucket, delivery and registry, and no client can."""

import shutil
import socket
import urllib.parse

import pytest

import stack
from doors import Doors, nginx_server, of_fronts
from fakes.blobs import CONTENT, DIGEST, blob
from fakes.client import ALICE
from fakes.handler import Handler
from fakes.waiting import PATIENCE


class OtherRegistry(Handler):
    """Has CONTENT, for everybody."""

    def do_HEAD(self):
        self.server.seen.append((self.command, self.path))
        self.send_response(200)
        self.send_header("Content-Length", str(len(CONTENT)))
        self.end_headers()


class Choices(Doors):
    def __init__(self, make, ends):
        self.other = stack.serve_http(OtherRegistry, ends.callback)
        self.other.seen = []
        super().__init__(make, ends)
        for bucket in ("my-bucket-us-west-2", "team-a-bucket", "other-bucket"):
            assert self.s3.client.call("PUT", f"/{bucket}")[0] == 200
            assert self.s3.client.call("PUT", f"/{bucket}/{DIGEST}", CONTENT)[0] == 200
        for repository in ("secret/name", "team-a/name", "team-b/name"):
            mount = f"/v2/{repository}/blobs/uploads/?mount={DIGEST}&from=some/name"
            assert stack.request("POST", self.registry.url + mount, ALICE)[0] == 201


class OfNginx(Choices):
    def configure(self, options):
        nginx = self.front
        self.careless_port = self.stack.ports.take()
        snippets = nginx.folder / "snippets"
        snippets.mkdir(exist_ok=True)
        shipped = stack.ROOT / "nginx"
        shutil.copy(shipped / "example-params.conf", snippets / "bloblo-params.conf")
        locations = (shipped / "bloblo-locations.conf").read_text()
        (snippets / "other-locations.conf").write_text(locations.replace("bloblo_registry", "other_registry"))
        (snippets / "careless-locations.conf").write_text(nginx.replaced(
            locations, "include snippets/bloblo-params*.conf;", "fastcgi_param BLOBLO_DELIVERY $http_bloblo_delivery;"))
        choices = nginx.replaced((shipped / "example-choices.conf").read_text(), "127.0.0.1:5001",
                                 f"127.0.0.1:{self.other.server_port}")
        real = "set_real_ip_from 127.0.0.1; real_ip_header X-Test-Address; underscores_in_headers on;"
        registry = "location / { proxy_pass http://bloblo_registry; }"
        options.nginx_http = choices + nginx_server(self.port, f"""
          {real}
          include snippets/bloblo-locations.conf;
          include snippets/bloblo-accelerate.conf;
          {registry}""") + nginx_server(self.port, """
          server_name other.example.com;
          include snippets/other-locations.conf;
          location / { proxy_pass http://other_registry; }""") + nginx_server(self.careless_port, f"""
          include snippets/careless-locations.conf;
          include snippets/bloblo-accelerate.conf;
          {registry}""")


class OfApache(Choices):
    front_name = "apache"

    def configure(self, options):
        apache = self.front
        self.port, self.careless_port = apache.port, self.stack.ports.take()
        choices = apache.folder / "bloblo/choices.conf"
        choices.parent.mkdir(exist_ok=True)
        shutil.copy(stack.ROOT / "apache/example-choices.conf", choices)
        # The second registry's <VirtualHost>, by the lines in the example's comment.
        lines = choices.read_text().split("the second's <VirtualHost> says\n#\n")[1]
        other = stack.Nginx.replaced(lines.replace("#   ", ""), "127.0.0.1:5001", f"127.0.0.1:{self.other.server_port}")
        options.apache_site = f"""
    Include bloblo/bloblo.conf
    Include bloblo/bloblo-accelerate.conf
    Include bloblo/choices.conf
    RemoteIPHeader X-Test-Address
    RemoteIPInternalProxy 127.0.0.1
</VirtualHost>
Listen 127.0.0.1:{self.careless_port}
<VirtualHost 127.0.0.1:{self.careless_port}>
    Include bloblo/bloblo.conf
    Include bloblo/bloblo-accelerate.conf
    SetEnvIf Bloblo-Delivery "(.+)" BLOBLO_DELIVERY=$1
</VirtualHost>
<VirtualHost 127.0.0.1:{self.port}>
    ServerName other.example.com
{other}"""


shared, site = of_fronts(nginx=OfNginx, apache=OfApache)


def ask(site, headers, path=blob(), method="GET", port=None):
    return stack.request(method, f"http://127.0.0.1:{port or site.port}{path}", {**ALICE, **headers})


def assert_from(site, bucket, headers, path=blob(), region=stack.REGION):
    """The Location names bucket and region, and leads to the bytes."""
    status, got, _ = ask(site, headers, path)
    assert status == 307
    location = urllib.parse.urlsplit(got["Location"])
    assert location.path.split("/")[1] == bucket
    assert urllib.parse.parse_qs(location.query)["X-Amz-Credential"][0].split("/")[2] == region
    if region == stack.REGION:  # SeaweedFS has but one
        assert stack.request("GET", got["Location"])[2] == CONTENT


def test_a_network_that_cannot_reach_s3(site):
    status, headers, body = ask(site, {"X-Test-Address": "10.7.0.9"})
    assert (status, headers["X-Bloblo"], body == CONTENT) == (200, "accelerate", True)
    assert_from(site, stack.BUCKET, {"X-Test-Address": "192.0.2.1"})
    assert_from(site, stack.BUCKET, {})


def test_a_network_near_another_region(site):
    assert_from(site, "my-bucket-us-west-2", {"X-Test-Address": "10.8.0.9"}, region="us-west-2")
    assert_from(site, stack.BUCKET, {"X-Test-Address": "10.9.0.9"})


def test_a_user_agent(site):
    status, headers, body = ask(site, {"User-Agent": "old-client/1.0"})
    assert (status, headers["X-Bloblo"], body == CONTENT) == (200, "accelerate", True)
    assert_from(site, stack.BUCKET, {"User-Agent": "containerd/2 old-client/1.0"})


def test_repositories(site):
    assert_from(site, "team-a-bucket", {}, blob(name="team-a/name"))
    assert_from(site, "team-a-bucket", {"X-Test-Address": "10.8.0.9"}, blob(name="team-a/name"))
    assert_from(site, stack.BUCKET, {}, blob(name="team-b/name"))
    status, headers, body = ask(site, {}, blob(name="secret/name"))
    assert (status, body == CONTENT, "Location" in headers) == (200, True, False)
    assert headers["X-Bloblo"] in (None, "pass")


def test_two_registries(site):
    site.other.seen.clear()
    assert_from(site, "other-bucket", {"Host": "other.example.com"})
    assert site.other.seen == [("HEAD", blob())]
    assert_from(site, stack.BUCKET, {})


def test_a_client_cannot_choose(site, subtests):
    wishes = {"BLOBLO_DELIVERY": "accelerate", "BLOBLO_S3_BUCKET_NAME": "other-bucket",
              "BLOBLO_UPSTREAM_URL": f"http://127.0.0.1:{site.other.server_port}", "BLOBLO_ROLE": "authorizer"}
    site.other.seen.clear()
    for name, value in wishes.items():
        title = name.replace("_", "-").title()
        for spelling in (name, name.lower(), title, f"HTTP_{name}", f"Http-{title}", f"REDIRECT_{name}"):
            with subtests.test(spelling):
                assert_from(site, stack.BUCKET, {spelling: value})
    assert site.other.seen == []


def test_a_client_cannot_choose_by_saying_it_often(site):
    lines = [f"GET {blob()} HTTP/1.1", "Host: localhost", f"Authorization: {ALICE['Authorization']}",
             "Connection: close"] + ["BLOBLO_DELIVERY: accelerate", "Bloblo-Delivery: accelerate"] * 3
    for more in ([], ["Bloblo-Delivery: pass\0accelerate"], [" BLOBLO_DELIVERY: accelerate"]):
        with socket.create_connection(("127.0.0.1", site.port), PATIENCE) as client:
            client.sendall(("\r\n".join(lines + more) + "\r\n\r\n").encode())
            line = client.makefile("rb").readline()
        status = (line.split() + [None, None])[1]
        # A NUL, or a line that is the last one's continuation, is refused as a whole.
        assert status in ((b"307", b"400") if more else (b"307",)), line


def test_this_test_would_see_a_choice(site):
    """The same wishes by a server {} that lets its clients choose, as nobody should."""
    for value, status in (("accelerate", 200), ("pass", 200), ("", 307)):
        got, headers, _ = ask(site, {"Bloblo-Delivery": value}, port=site.careless_port)
        assert got == status
    assert ask(site, {"Bloblo-Delivery": "accelerate"}, port=site.careless_port)[1]["X-Bloblo"] == "accelerate"
