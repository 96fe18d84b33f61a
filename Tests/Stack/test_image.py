"""The container image of packaging/image: what is in it, and pulls through bloblo as a runtime would start it."""

import json
import os
import subprocess
import tarfile

import pytest

import stack
from fakes.client import digest_of
from front_site import Site

pytestmark = [pytest.mark.world, pytest.mark.root]

IMAGE = stack.ROOT / ".build/image"
# As a runtime with --read-only: a mount namespace, the root file system read-only, /proc and /dev, the site's folder
# as a volume, bloblo's own user. One process throughout, so signals reach bloblo.
RUN = """#!/bin/bash
set -e
if [[ $1 != inside ]]; then exec unshare --mount --propagation private "$0" inside; fi
mount --bind {root} {root}
mount -t proc proc {root}/proc
mount --rbind /dev {root}/dev
site=$(dirname "$HOME")
mount -t tmpfs tmpfs {root}/tmp
mkdir -p {root}$site
chmod 0777 "$site" "$HOME" "$HOME/spool"
mount --bind "$site" {root}$site
mount -o remount,bind,ro {root}
exec chroot --userspec=7777:7777 {root} /usr/bin/bloblo
"""


@pytest.fixture(scope="module")
def built():
    subprocess.run([stack.ROOT / "packaging/image"], check=True, capture_output=True)
    return IMAGE


@pytest.fixture(scope="module")
def manifest(built):
    with tarfile.open(built / "bloblo.tar") as archive:
        entry = json.load(archive.extractfile("manifest.json"))[0]
        return entry, json.load(archive.extractfile(entry["Config"]))


@pytest.fixture(scope="module")
def root(built, manifest, tmp_path_factory):
    """The image's file system."""
    folder = tmp_path_factory.mktemp("image")
    with tarfile.open(built / "bloblo.tar") as archive:
        for name in manifest[0]["Layers"]:
            with tarfile.open(fileobj=archive.extractfile(name)) as layer:
                layer.extractall(folder, numeric_owner=True)
    for mount in ("proc", "dev"):
        (folder / mount).mkdir()
    for parent in (folder, *folder.parents):
        parent.chmod(parent.stat().st_mode | 0o011)
    return folder


def test_it_is_not_root_and_says_what_it_is(manifest):
    config = manifest[1]["config"]
    assert config["User"] == "7777:7777"
    assert config["Entrypoint"] == ["/usr/bin/bloblo"]
    assert config["StopSignal"] == "SIGTERM"
    assert config["Healthcheck"]["Test"][-2:] == ["/usr/bin/bloblo", "health"]
    labels = {name.removeprefix("org.opencontainers.image.") for name in config["Labels"]}
    assert {"title", "description", "licenses", "version", "revision", "created"} <= labels


def test_it_holds_bloblo_and_its_libraries_and_is_below_60_megabytes(root):
    files = [path for path in root.rglob("*") if path.is_file() and not path.is_symlink()]
    assert sum(path.stat().st_size for path in files) < 60_000_000
    others = {str(path.relative_to(root)) for path in files if ".so" not in path.name}
    assert others == {"usr/bin/bloblo", "etc/ssl/certs/ca-certificates.crt", "etc/passwd", "etc/group",
                      "etc/nsswitch.conf"}


def test_the_bill_of_materials_names_every_library(built, root):
    document = json.loads((built / "bloblo.spdx.json").read_text())
    assert document["spdxVersion"] == "SPDX-2.3"
    named = {package["name"] for package in document["packages"]}
    for library in root.rglob("*.so*"):
        real = os.path.realpath("/" + str(library.relative_to(root)))
        owners = subprocess.run(["dpkg-query", "-S", real, real.removeprefix("/usr")], capture_output=True, text=True)
        assert {line.split(":")[0] for line in owners.stdout.splitlines()} & named, library
    assert {"bloblo", "swift-runtime", "swift-log", "ca-certificates"} <= named


def test_a_client_pulls_through_it(root, tmp_path, make_stack):
    run = tmp_path / "run"
    run.write_text(RUN.format(root=root))
    run.chmod(0o755)
    site = Site(make_stack("registry,s3,nginx,bloblo", bloblo=str(run)), "nginx")
    content = os.urandom(2_000_000)
    digest = site.push(content)
    status, _, body = site.get(digest)
    assert (status, digest_of(body)) == (200, digest)
    status, fields = site.fill(digest)
    assert status == 307
    assert digest_of(stack.request("GET", fields["Location"])[2]) == digest
    assert int(os.stat(f"/proc/{site.bloblo.process.pid}").st_uid) == 7777
