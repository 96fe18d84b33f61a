"""What the package's scripts do to a web server's files, in a tree that is thrown away: nothing is installed here."""

import contextlib
import json
import re

import pytest

import stack
from documented import example
from throwaway import throwaway

pytestmark = pytest.mark.root

BLOB = "/v2/some/name/blobs/sha256:" + "0" * 64
LEFT = "which passes everything to the registry"
REGISTRY = """\
import http.server
class Registry(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.send_header("Content-Length", "12")
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(b"the registry")
    do_HEAD = do_GET
    def log_message(self, *_):
        pass
http.server.ThreadingHTTPServer(("127.0.0.1", 5000), Registry).serve_forever()
"""


class Package:
    """The files of the package in a tree, as dpkg leaves them at each step."""

    def __init__(self, tree):
        self.tree = tree
        self.files = []
        for name in ("nginx", "apache"):
            for path in sorted((stack.ROOT / name).glob("bloblo*.conf")):
                folder = "/etc/nginx/snippets" if name == "nginx" else "/etc/apache2/conf-available"
                self.files.append(f"{folder}/{path.name}")
                tree.copy(path, self.files[-1])
            for path in sorted((stack.ROOT / "packaging/stubs" / name).glob("*.conf")):
                tree.copy(path, f"/usr/share/bloblo/stubs/{name}/{path.name}")
        for name in ("postinst", "prerm", "postrm"):
            tree.copy(stack.ROOT / f"packaging/debian/bloblo.{name}", f"/scripts/{name}")
        # No user comes or goes.
        for name in ("adduser", "deluser"):
            tree.write(f"/usr/sbin/{name}", "#!/bin/sh\n", 0o755)

    def script(self, name, *words):
        done = self.tree.enter("sh", f"/scripts/{name}", *words)
        assert done.stderr == ""
        return done.stdout

    def remove(self):
        said = self.script("prerm", "remove")
        self.tree.sh("rm -r /usr/share/bloblo")
        return said + self.script("postrm", "remove")

    def purge(self):
        for path in self.files:
            self.tree.sh(f"rm -f {path}")
        return self.script("postrm", "purge")


@pytest.fixture
def package():
    with throwaway() as tree:
        yield Package(tree)


@pytest.fixture
def site(package):
    """Both web servers serve the documented site, before a registry at 127.0.0.1:5000."""
    tree = package.tree
    tree.sh("rm -rf /etc/nginx/sites-enabled /etc/nginx/conf.d/* /etc/apache2/sites-enabled && mkdir -p /etc/apache2/sites-enabled")
    nginx = (stack.ROOT / "nginx/example-site.conf").read_text()
    tree.write("/etc/nginx/conf.d/registry.conf", nginx)
    apache = (stack.ROOT / "apache/example-site.conf").read_text().replace("bloblo/bloblo", "conf-available/bloblo")
    tree.write("/etc/apache2/sites-enabled/registry.conf", apache.replace("*:80", "*:8080"))
    tree.write("/etc/apache2/ports.conf", "Listen 8080\n")
    tree.sh("a2enmod -q proxy proxy_http proxy_fcgi rewrite headers setenvif env filter ext_filter ssl")
    tree.write("/registry.py", REGISTRY)
    yield package


@contextlib.contextmanager
def serving(tree):
    with contextlib.ExitStack() as ends:
        tree.start(ends, "python3", "/registry.py")
        # Before it listens nginx would answer 502.
        tree.sh(f"curl -s --retry 200 --retry-connrefused --retry-delay 0 --retry-max-time 120 http://127.0.0.1:5000{BLOB}")
        tree.start(ends, "nginx", "-g", "daemon off;")
        tree.sh("mkdir -p /run/apache2 /var/lock/apache2 /var/log/apache2")
        tree.start(ends, "apache2", "-DFOREGROUND", APACHE_RUN_USER="www-data", APACHE_RUN_GROUP="www-data",
                   APACHE_PID_FILE="/run/apache2/pid", APACHE_RUN_DIR="/run/apache2", APACHE_LOCK_DIR="/var/lock/apache2",
                   APACHE_LOG_DIR="/var/log/apache2")
        yield


def answers(tree, method="GET"):
    """What both web servers give for a blob."""
    words = "-I" if method == "HEAD" else ""
    said = []
    for port in (80, 8080):
        said.append(tree.sh(f"curl -s {words} -w '|%{{http_code}}' --retry 200 --retry-connrefused --retry-delay 0 "
                            f"--retry-max-time 120 http://127.0.0.1:{port}{BLOB}").stdout)
    return said


def test_purge_leaves_nothing_where_no_site_includes_it(package):
    package.remove()
    assert package.purge() == ""
    left = package.tree.sh("find /etc /var/lib/bloblo* /var/cache/bloblo* /usr/share/bloblo* -name '*bloblo*' 2>/dev/null || true").stdout
    assert left == ""


def test_purge_with_the_includes_in_place_breaks_no_reload(site):
    tree = site.tree
    assert LEFT not in site.remove()
    assert [*tree.sh("nginx -t 2>&1; apache2ctl -t 2>&1").stdout.split("\n")]
    said = site.purge()
    for name in ("bloblo-upstreams.conf", "bloblo-locations.conf", "bloblo-pages.conf", "bloblo.conf"):
        assert f"/{name}, {LEFT}" in said, said
    assert "/etc/nginx/conf.d/registry.conf" in said and "/etc/apache2/sites-enabled/registry.conf" in said
    tree.sh("nginx -t && apache2ctl -t")
    with serving(tree):
        assert answers(tree) == ["the registry|200"] * 2
        assert [said[-3:] for said in answers(tree, "HEAD")] == ["200"] * 2
    assert "connect() to unix" not in tree.sh("cat /var/log/nginx/error.log").stdout
    # The lines are taken out, as it says: nothing of it is needed any more.
    assert tree.sh("ls /var/lib/bloblo 2>&1 || true").stdout.startswith("ls: cannot access")


def test_the_example_sites_without_bloblo_are_as_the_documentation_says(site):
    """The includes are taken out first, as docs/packages.md has it: then a purge leaves nothing, and nothing is missed."""
    tree = site.tree
    nginx, apache = tree.path("/etc/nginx/conf.d/registry.conf"), tree.path("/etc/apache2/sites-enabled/registry.conf")
    without = re.sub(r"(?m)^ *#?include .*\n", "", nginx.read_text())
    without, count = re.subn(r"(?ms)^    location / \{.*?^    \}\n", lambda _: example("nginx", "# the registry\n"), without)
    assert count == 1
    tree.write("/etc/nginx/conf.d/registry.conf", without)
    without = re.sub(r"(?m)^ *#?Include .*\n", "", apache.read_text())
    tree.write("/etc/apache2/sites-enabled/registry.conf", without.replace(
        "</VirtualHost>", example("apache", "127.0.0.1:5000/v2/\" nocanon") + "</VirtualHost>"))
    site.remove()
    assert site.purge() == ""
    tree.sh("nginx -t && apache2ctl -t")
    with serving(tree):
        assert answers(tree) == ["the registry|200"] * 2


def test_what_the_administrator_wrote_holds_after_a_purge(site):
    """The registry's address, whom nginx trusts, and what guards blobs."""
    tree = site.tree
    tree.sh("sed -i s/127.0.0.1:5000/127.0.0.1:5001/ /etc/nginx/snippets/bloblo-upstreams.conf")
    tree.write("/etc/nginx/snippets/bloblo-registry-tls.conf", "proxy_ssl_verify on;\nproxy_ssl_trusted_certificate /etc/ssl/certs/ca-certificates.crt; # mine\n")
    tree.write("/etc/nginx/snippets/bloblo-params-access.conf", "deny all;\n")
    site.remove()
    site.purge()
    tree.sh("nginx -t && apache2ctl -t")
    assert "127.0.0.1:5001" in tree.path("/etc/nginx/snippets/bloblo-upstreams.conf").read_text()
    assert "# mine" in tree.path("/etc/nginx/snippets/bloblo-registry-tls.conf").read_text()
    with serving(tree):
        assert answers(tree)[0].endswith("|403")


def test_mistakes_in_a_site_have_answers(site):
    """What the web servers' own checks say of the commonest."""
    tree = site.tree

    def said(command):
        done = tree.sh(command, check=False)
        assert done.returncode == 1, done
        return done.stdout + done.stderr

    tree.sh("a2dismod -q -f proxy_fcgi proxy_http proxy rewrite headers")
    assert "Apache lacks the module proxy. Run a2enmod" in said("apache2ctl -t")
    tree.sh("a2enmod -q proxy proxy_http rewrite headers")
    assert "Apache lacks the module proxy_fcgi. Run a2enmod" in said("apache2ctl -t")
    tree.sh("a2enmod -q proxy_fcgi && sed -i '/Define BLOBLO_REGISTRY/d' /etc/apache2/sites-enabled/registry.conf")
    assert "no BLOBLO_REGISTRY. Include this file in your <VirtualHost>, below two Define lines" in said("apache2ctl -t")
    # nginx names the line, and the line says what to do.
    tree.sh("sed -i '/include snippets.bloblo-upstreams/d' /etc/nginx/conf.d/registry.conf")
    [number] = re.findall(r"no port in upstream .bloblo. in /etc/nginx/snippets/bloblo-locations.conf:(\d+)", said("nginx -t"))
    line = tree.path("/etc/nginx/snippets/bloblo-locations.conf").read_text().splitlines()[int(number) - 1]
    assert "bloblo-upstreams.conf is not included in http {}" in line


def test_an_include_that_is_a_comment_is_none(site):
    tree = site.tree
    tree.sh(r"sed -i 's/^\( *\)include/\1#include/' /etc/nginx/conf.d/registry.conf;"
            r"sed -i 's/^\( *\)Include/\1#Include/' /etc/apache2/sites-enabled/registry.conf")
    site.remove()
    assert site.purge() == ""


def test_installing_again_takes_what_a_removal_put_by(package):
    package.remove()
    assert package.tree.path("/var/lib/bloblo").exists()
    package.script("postinst", "configure", "")
    assert not package.tree.path("/var/lib/bloblo").exists()


def test_an_upgrade_names_files_that_are_older(package):
    tree = package.tree
    assert package.script("postinst", "configure", "0.1.0") == ""
    old = (stack.ROOT / "nginx/bloblo-locations.conf").read_text()
    tree.write("/etc/nginx/conf.d/mine.conf", re.sub(r"(BLOBLO_FRONT_FILES +)\d+", r"\g<1>1", old))
    tree.write("/etc/apache2/bloblo/bloblo.conf", re.sub(r".*BLOBLO_FRONT_FILES.*\n", "", (stack.ROOT / "apache/bloblo.conf").read_text()))
    said = package.script("postinst", "configure", "0.1.0")
    assert "/etc/nginx/conf.d/mine.conf is older" in said and "/etc/apache2/bloblo/bloblo.conf is older" in said
    assert len(said.splitlines()) == 2
    assert package.script("postinst", "configure", "") == "", "a first installation"


def test_the_scripts_know_the_version_of_the_files():
    [said] = re.findall(r"^front_files=(\d+)$", (stack.ROOT / "packaging/debian/bloblo.postinst").read_text(), re.M)
    assert said in re.findall(r"current = (\d+)", (stack.ROOT / "Sources/Gateway/Front/FrontFiles.swift").read_text())
    assert json.loads(said) >= 2
