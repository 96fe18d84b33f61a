"""The Debian package, on this machine: installed, used behind nginx as it was installed, purged.

Starts no service: nginx, registry and S3 are the stack's.
"""

import grp
import os
import pathlib
import pwd
import re
import shutil
import stat
import subprocess
import tempfile

import pytest

import stack
from front_site import Site

pytestmark = [pytest.mark.package, pytest.mark.root]

SNIPPETS = pathlib.Path("/etc/nginx/snippets")
EXAMPLES = pathlib.Path("/usr/share/doc/bloblo/examples")
ENVIRONMENT = pathlib.Path("/etc/bloblo/bloblo.env")


def run(*words, **more):
    more = {"env": {**os.environ, "DEBIAN_FRONTEND": "noninteractive", "LC_ALL": "C.UTF-8"}, **more}
    result = subprocess.run([str(word) for word in words], capture_output=True, text=True, **more)
    if result.returncode:
        raise AssertionError(f"{words}: {result.returncode}: {result.stdout}{result.stderr}")
    return result.stdout


def is_installed():
    result = subprocess.run(["dpkg-query", "-W", "-f", "${db:Status-Status}", "bloblo"],
                            capture_output=True, text=True)
    return result.returncode == 0


@pytest.fixture(scope="module")
def file():
    """The package; what was installed from it is purged at the end."""
    if is_installed():
        pytest.fail("bloblo is installed on this machine, and not ours to purge")
    path = stack.built("deb/*.deb", "make deb")
    policy = pathlib.Path("/usr/sbin/policy-rc.d")
    had_policy = policy.exists()
    if not had_policy:
        policy.write_text("#!/bin/sh\nexit 101\n")
        policy.chmod(0o755)
    yield path
    if is_installed():
        run("dpkg", "--purge", "bloblo")
    if not had_policy:
        policy.unlink(missing_ok=True)


@pytest.fixture
def package(file):
    """It is installed: the paths of its files."""
    if not is_installed():
        run("dpkg", "--install", file)
    return run("dpkg", "--listfiles", "bloblo").split("\n")


def pull_twice(site):
    content = os.urandom(200_000)
    digest = site.push(content)
    assert site.get(digest)[::2] == (200, content)
    status, fields = site.fill(digest)
    assert status == 307
    assert stack.request("GET", fields["Location"])[2] == content
    assert site.get(digest, headers={})[0] == 401


def test_what_is_installed(package):
    assert re.search(r"^\d+\.\d+\.\d+\n$", run("/usr/bin/bloblo", "--version"))
    assert "libswift" not in run("ldd", "/usr/bin/bloblo")
    facts = ENVIRONMENT.stat()
    assert stat.S_IMODE(facts.st_mode) == 0o640
    assert (facts.st_uid, facts.st_gid) == (0, grp.getgrnam("bloblo").gr_gid)
    assert pwd.getpwnam("bloblo").pw_shell == "/usr/sbin/nologin"
    assert str(ENVIRONMENT) in run("dpkg-query", "-W", "-f", "${Conffiles}", "bloblo")
    for path in (stack.ROOT / "nginx").glob("bloblo-*.conf"):
        assert (SNIPPETS / path.name).read_bytes() == path.read_bytes()
    for path in (stack.ROOT / "apache").glob("bloblo*.conf"):
        installed = pathlib.Path("/etc/apache2/conf-available") / path.name
        assert installed.read_bytes() == path.read_bytes()


def test_every_setting_is_a_comment(package):
    lines = ENVIRONMENT.read_text().split("\n")
    assert not [line for line in lines if line and not line.startswith("#")]


def test_units(package):
    service = pathlib.Path("/lib/systemd/system/bloblo.service").read_text()
    assert "\nUser=bloblo\n" in service
    assert "ExecStart=/usr/bin/bloblo\n" in service
    assert f"EnvironmentFile={ENVIRONMENT}\n" in service
    if shutil.which("systemd-analyze"):
        run("systemd-analyze", "verify", "/lib/systemd/system/bloblo.socket",
            "/lib/systemd/system/bloblo.service")


def test_completions(package):
    sourced = "source /usr/share/bash-completion/completions/bloblo && complete -p bloblo"
    assert "bloblo" in run("bash", "-c", sourced)
    for shell, path in (("zsh", "/usr/share/zsh/vendor-completions/_bloblo"),
                        ("fish", "/usr/share/fish/vendor_completions.d/bloblo.fish")):
        run(shell, "-n", path)
    run("bash", "-n", "/usr/share/bash-completion/completions/bloblo")


def test_use(package):
    """A blob through the installed program and the installed files of nginx: cold, then from S3."""
    with tempfile.TemporaryDirectory() as folder:
        root = pathlib.Path(folder)
        (root / ".build").symlink_to(stack.ROOT / ".build")
        (root / "nginx").mkdir()
        for path in [*SNIPPETS.glob("bloblo-*.conf"), EXAMPLES / "nginx/example-site.conf"]:
            shutil.copy(path, root / "nginx")
        before, stack.ROOT = stack.ROOT, root
        try:
            with stack.Stack(stack.options(["up", "--bloblo", "/usr/bin/bloblo"])) as servers:
                servers.up()
                pull_twice(Site(servers, "nginx"))
        finally:
            stack.ROOT = before


def test_purge(package):
    # As after a run of the service.
    pathlib.Path("/var/cache/bloblo").mkdir(exist_ok=True)
    run("dpkg", "--purge", "bloblo")
    left = [path for path in package if os.path.isfile(path)]
    assert left == []
    for path in ("/etc/bloblo", "/var/cache/bloblo", "/usr/share/doc/bloblo", "/run/bloblo"):
        assert not os.path.exists(path), path
    for names, kind in ((pwd.getpwall(), "pw_name"), (grp.getgrall(), "gr_name")):
        assert "bloblo" not in [getattr(entry, kind) for entry in names]
