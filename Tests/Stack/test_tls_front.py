"""A site with TLS at [::1]: HTTP/2, client certificates that it demands, its own certificate renewed while it runs; and a
registry that demands one of the web server."""

import signal
import ssl
import subprocess

import pytest

import stack
from fakes.authority import Authority
from fakes.client import blob_path, push
from fakes.relay import Relay
from fakes.waiting import eventually
from front_site import Site, stacks


class SecureFront(Site):
    """The front with a second site at [::1], for clients that have a certificate of `authority`."""

    def __init__(self, make, front, folder):
        super().__init__(make(f"registry,s3,{front},bloblo", start=False, tls="[::1]"), front)
        self.folder, self.authority = folder, Authority(folder)
        self.client = self.authority.certificate("alice")
        self.certificate, self.key = folder / "front.pem", folder / "front.key"
        self.renew(self.authority)
        options, port = self.servers.options, self.servers.ports.take()
        self.secure_url = f"https://[::1]:{port}"
        if front == "nginx":
            options.nginx_http = f"""
  server {{
    listen [::1]:{port} ssl http2;
    ssl_certificate {self.certificate};
    ssl_certificate_key {self.key};
    ssl_client_certificate {self.authority.file};
    ssl_verify_client on;
    location / {{ proxy_pass http://bloblo_registry; }}
    include snippets/bloblo-locations.conf;
  }}"""
        else:
            options.apache_server = f"""
Define BLOBLO_FCGI "{self.servers.responder_address}|fcgi://bloblo"
Define BLOBLO_REGISTRY http://{self.servers.registry_address}
Listen [::1]:{port}
<VirtualHost [::1]:{port}>
  Protocols h2 http/1.1
  SSLEngine on
  SSLCertificateFile {self.certificate}
  SSLCertificateKeyFile {self.key}
  SSLCACertificateFile {self.authority.file}
  SSLVerifyClient require
  Include bloblo/bloblo.conf
</VirtualHost>"""
        self.servers.up()

    def renew(self, authority):
        """A new certificate of the site's own, in the same files."""
        for source, target in zip(authority.certificate("::1"), (self.certificate, self.key)):
            target.write_bytes(source.read_bytes())

    def curl(self, path, *words, authority=None, has_certificate=True):
        """One request over HTTP/2: (version, status, fields in lower case, body); nothing where there is no answer."""
        own = ["--cert", self.client[0], "--key", self.client[1]] if has_certificate else []
        done = subprocess.run(
            ["curl", "--silent", "--include", "--http2", "--cacert", (authority or self.authority).file, *own, "--user",
             f"alice:{stack.USERS['alice']}", *words, self.secure_url + path], capture_output=True, timeout=120)
        if not done.stdout:
            return None
        head, _, body = done.stdout.partition(b"\r\n\r\n")
        first, *lines = head.decode().split("\r\n")
        version, status = first.split()[:2]
        return version, int(status), dict(line.lower().split(": ", 1) for line in lines), body


@pytest.fixture(scope="module")
def site(front, tmp_path_factory):
    with stacks() as make:
        yield SecureFront(make, front, tmp_path_factory.mktemp("front"))


def warm(site, content):
    """The path of a blob that is in the bucket."""
    digest = site.push(content)
    site.fill(digest)
    return blob_path(digest)


def test_a_blob_cold_and_warm_over_http_2(site, chance):
    content = chance.randbytes(300_000)
    path = blob_path(site.push(content))
    version, status, _, body = site.curl(path)
    assert (version, status, body == content) == ("HTTP/2", 200, True)

    def redirect():
        found = site.curl(path)
        return found[1] == 307 and found

    version, _, fields, body = eventually(redirect, otherwise=site.bloblo.tail)
    assert (version, body, fields["x-bloblo"]) == ("HTTP/2", b"", "redirect")
    version, status, fields, body = site.curl(path, "--head")
    assert (version, status, fields["content-length"], body) == ("HTTP/2", 200, str(len(content)), b"")
    version, status, fields, _ = site.curl(path, "--user", "mallory:wrong")
    assert (version, status, "location" in fields) == ("HTTP/2", 401, False)


def test_without_a_certificate_there_is_no_blob_and_no_url(site, chance):
    path = warm(site, chance.randbytes(1000))
    assert site.curl(path)[1] == 307
    for method in ("GET", "HEAD"):
        answer = site.curl(path, "--head" if method == "HEAD" else "--get", has_certificate=False)
        assert answer is None or answer[1] == 400 and "location" not in answer[2]


def test_the_sites_certificate_is_renewed(site, chance, tmp_path):
    path, new = warm(site, chance.randbytes(1000)), Authority(tmp_path)
    try:
        site.renew(new)
        site.front.signal(signal.SIGHUP if site.name == "nginx" else signal.SIGUSR1)
        answer = eventually(lambda: site.curl(path, authority=new), otherwise=site.front.tail)
        assert answer[:2] == ("HTTP/2", 307)
    finally:
        site.renew(site.authority)
        site.front.signal(signal.SIGHUP if site.name == "nginx" else signal.SIGUSR1)
        eventually(lambda: site.curl(path))


def test_a_registry_that_demands_a_certificate_of_the_web_server(make_stack, front, authority, ends, chance):
    """bloblo has none to show: it proves nothing, and the web server's own way serves."""
    servers = make_stack(f"registry,s3,{front},bloblo", start=False)
    context = authority.context("localhost", "registry.internal")
    context.verify_mode = ssl.CERT_REQUIRED
    context.load_verify_locations(authority.file)
    relay = Relay(servers.services["registry"].port, context)
    ends.callback(relay.close)
    site, options = Site(servers, front), servers.options
    certificate, key = authority.certificate("the web server")
    address = options.registry = f"localhost:{relay.port}"
    options.registry_ca = str(authority.file)
    options.env |= {"BLOBLO_UPSTREAM_URL": f"https://{address}", "BLOBLO_UPSTREAM_CA_FILE": str(authority.file)}
    if front == "apache":
        both = authority.folder / "both.pem"
        both.write_bytes(certificate.read_bytes() + key.read_bytes())
        options.apache_site = (f"Define BLOBLO_REGISTRY https://{address}\nDefine BLOBLO_REGISTRY_CA {authority.file}\n"
                               f"SSLProxyMachineCertificateFile {both}\nInclude bloblo/bloblo.conf")
    else:
        command, folder = site.front.command, site.front.folder / "snippets"

        def edited():
            words = command()
            for name, old, new in (
                    ("bloblo-upstreams.conf", "default http://bloblo_registry;", "default https://bloblo_registry;"),
                    ("bloblo-registry-tls.conf", "proxy_ssl_verify on;",
                     f"proxy_ssl_certificate {certificate}; proxy_ssl_certificate_key {key}; proxy_ssl_verify on;")):
                (folder / name).write_text(stack.Nginx.replaced((folder / name).read_text(), old, new))
            return words

        site.front.command = edited
    servers.up()
    content = chance.randbytes(1000)
    digest = push(site.registry.url, content)
    for _ in range(3):
        status, fields, body = site.get(digest)
        assert (status, body, fields["Location"]) == (200, content, None)
    assert site.get(digest, headers={})[0] == 401
    assert site.s3.client.size(digest) is None
    assert site.lines("upstream did not answer")
