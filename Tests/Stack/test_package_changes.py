"""The package itself, upgraded and purged by dpkg in a tree that is thrown away."""

import contextlib
import re

import pytest

import stack
from throwaway import Tree

pytestmark = [pytest.mark.package, pytest.mark.root]


@pytest.fixture
def tree():
    with contextlib.ExitStack() as ends:
        tree = Tree(ends)
        package = stack.built("deb/*.deb", "make deb")
        tree.copy(package, "/bloblo.deb")
        tree.sh("dpkg --install /bloblo.deb")
        yield tree


def include(tree):
    tree.sh("rm -rf /etc/nginx/sites-enabled/* /etc/nginx/conf.d/*")
    tree.write("/etc/nginx/conf.d/registry.conf", (stack.ROOT / "nginx/example-site.conf").read_text())


def test_a_purge_with_the_includes_in_place(tree):
    include(tree)
    tree.sh("echo '# mine' >>/etc/nginx/snippets/bloblo-upstreams.conf; nginx -t")
    said = tree.sh("dpkg --purge bloblo").stdout
    assert "left /etc/nginx/snippets/bloblo-locations.conf" in said, said
    tree.sh("nginx -t")
    assert "# mine" in tree.path("/etc/nginx/snippets/bloblo-upstreams.conf").read_text()
    assert sorted(path.name for path in tree.path("/etc/nginx/snippets").glob("bloblo-*.conf")) == [
        "bloblo-locations.conf", "bloblo-pages.conf", "bloblo-registry-tls.conf", "bloblo-upstreams.conf"]
    assert not tree.path("/var/lib/bloblo").exists() and not tree.path("/etc/bloblo").exists()


def test_a_removal_and_then_a_purge(tree):
    include(tree)
    assert "left" not in tree.sh("dpkg --remove bloblo").stdout
    tree.sh("nginx -t")
    assert "left /etc/nginx/snippets/bloblo-locations.conf" in tree.sh("dpkg --purge bloblo").stdout
    tree.sh("nginx -t")


def test_a_purge_without_includes_leaves_nothing(tree):
    tree.sh("mkdir -p /var/cache/bloblo && dpkg --purge bloblo")
    left = tree.sh("find /etc /usr /var/lib/bloblo /var/cache/bloblo -xdev -name '*bloblo*' -newer /bloblo.deb 2>/dev/null || true").stdout
    assert left == ""


def test_an_upgrade_restarts_what_runs_and_names_older_copies(tree):
    """systemd is a script here that writes down what it is asked."""
    for name in ("systemctl", "deb-systemd-invoke", "deb-systemd-helper"):
        tree.write(f"/usr/bin/{name}", f'#!/bin/sh\necho "{name} $*" >>/asked\n', 0o755)
    tree.sh("mkdir -p /run/systemd/system; rm -f /asked")
    old = re.sub(r".*BLOBLO_FRONT_FILES.*\n", "", (stack.ROOT / "nginx/bloblo-locations.conf").read_text())
    tree.write("/etc/nginx/copied/bloblo-locations.conf", old)
    tree.sh("dpkg-deb -R /bloblo.deb /next && sed -i 's/^Version: .*/Version: 99.0/' /next/DEBIAN/control && dpkg-deb -Znone -b /next /next.deb")
    said = tree.sh("dpkg --install /next.deb").stdout
    assert "/etc/nginx/copied/bloblo-locations.conf is older than this bloblo" in said, said
    asked = tree.path("/asked").read_text()
    assert re.findall(r"^deb-systemd-invoke.*", asked, re.M) == ["deb-systemd-invoke try-restart bloblo.service"], asked
    assert asked.index("daemon-reload") < asked.index("try-restart")
