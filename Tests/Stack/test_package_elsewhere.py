"""The package on Debian 12 and 13 that have nothing else: installed, used and purged in a folder of debootstrap's."""

import os
import shutil
import subprocess

import pytest

import stack
from fakes.client import digest_of
from front_site import Site

pytestmark = [pytest.mark.world, pytest.mark.root]

# bloblo of the folder, as the package's user. It meets the servers of this machine, which see its socket and its spool.
RUN = """#!/bin/bash
site=$(dirname "$HOME")
chmod 0777 "$site" "$HOME" "$HOME/spool"
exec unshare --mount sh -ec 'mount -t proc proc "$0/proc"; mkdir -p "$0$1"; mount --bind "$1" "$0$1"
  exec chroot --userspec=bloblo:bloblo "$0" /usr/bin/bloblo' {debian} "$site"
"""


@pytest.fixture(scope="module", params=["bookworm", "trixie"])
def debian(request):
    """The folder of a smallest Debian; made once, and kept for the next run."""
    folder = stack.ROOT / f".build/debian-{request.param}"
    if not (folder / "complete").exists():
        shutil.rmtree(folder, ignore_errors=True)
        subprocess.run(["debootstrap", "--variant=minbase", request.param, folder, *mirror()], check=True,
                       capture_output=True, timeout=1200)
        (folder / "complete").touch()
    # As this machine reaches them.
    for path in ("etc/resolv.conf", "etc/apt/apt.conf.d"):
        source = stack.ROOT.anchor + path
        if path.endswith(".d"):
            shutil.copytree(source, folder / path, dirs_exist_ok=True)
        else:
            shutil.copy(source, folder / path)
    return folder


def mirror():
    """The address by which this machine installs its packages, if its list names one."""
    said = subprocess.run(["apt-get", "indextargets", "--format", "$(SITE)", "Created-By: Packages"],
                          capture_output=True, text=True).stdout.split()
    return said[:1]


def run(debian, *words):
    # With /proc: there Swift finds its arguments.
    done = subprocess.run(["unshare", "--mount", "--pid", "--fork", "sh", "-ec",
                           'mount -t proc proc "$0/proc"; exec chroot "$0" "$@"', debian, "/usr/bin/env", "-i",
                           "PATH=/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL=C.UTF-8", "DEBIAN_FRONTEND=noninteractive",
                           *words], capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    return done.stdout


def test_it_is_installed_used_and_purged(debian, tmp_path, make_stack):
    package = stack.built("deb/*.deb", "make deb")
    shutil.copy(package, debian / "bloblo.deb")
    run(debian, "apt-get", "-qq", "update")
    run(debian, "apt-get", "-qq", "-y", "--no-install-recommends", "install", "/bloblo.deb")
    assert "not found" not in run(debian, "ldd", "/usr/bin/bloblo")
    assert run(debian, "bloblo", "--version").strip()
    pull_through(debian, tmp_path, make_stack)
    # With what came with it: the next run finds the Debian as it was.
    run(debian, "apt-get", "-qq", "-y", "purge", "--autoremove", "bloblo")
    assert not (debian / "etc/bloblo").exists()
    assert not (debian / "usr/bin/bloblo").exists()


def pull_through(debian, tmp_path, make_stack):
    """A cold pull and a warm one."""
    program = tmp_path / "run"
    program.write_text(RUN.format(debian=debian))
    program.chmod(0o755)
    site = Site(make_stack("registry,s3,nginx,bloblo", bloblo=str(program)), "nginx")
    digest = site.push(os.urandom(2_000_000))
    status, _, body = site.get(digest)
    assert (status, digest_of(body)) == (200, digest)
    status, fields = site.fill(digest)
    assert status == 307
    assert digest_of(stack.request("GET", fields["Location"])[2]) == digest
    user = run(debian, "id", "-u", "bloblo").strip()
    assert site.servers.socket.stat().st_uid == int(user) > 0
    site.bloblo.stop()
    assert site.bloblo.ended == 0, site.bloblo.tail()
