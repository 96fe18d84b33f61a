"""The container image of packaging/image: what is in it, and pulls through it as runtimes start it."""

import json
import os
import re
import subprocess
import tarfile
import tempfile
from contextlib import ExitStack

import pytest

import stack
from clients import Containerd, Docker, Podman
from fakes import images
from fakes.client import digest_of
from fakes.waiting import eventually
from front_site import Site

pytestmark = [pytest.mark.world, pytest.mark.root]

COMPOSE = stack.ROOT / "packaging/container/compose.yaml"
# bloblo as a container of this machine's network, with a read-only root file system and without any capability. The
# site's folder is a volume, and its settings are the container's. The runtime hands signals on.
RUN = """#!/bin/bash
site=$(dirname "$HOME")
chmod 0777 "$site" "$HOME" "$HOME/spool"
env | grep -E '^(BLOBLO|AWS|HOME)' >"$HOME/settings"
exec {command}
"""
CONFINED = ["--read-only", "--cap-drop=all", "--security-opt=no-new-privileges", "--network=host", "--rm",
            "--env-file=$HOME/settings", "--volume=$site:$site"]


def image():
    return stack.built("image/bloblo.tar", "make image")


class RunByPodman(Podman):
    def words(self):
        self.command("load", "--quiet", "--input", image())
        self.ends.callback(self.command, "rm", "--all", "--force")
        # Neither systemd, nor more descriptors and processes than a machine may give, nor one kind of cgroups.
        return ["podman", "--root", self.folder / "root", "--runroot", self.folder / "run", "--storage-driver=vfs",
                "--runtime=runc", "--cgroup-manager=cgroupfs", "run", "--no-healthcheck", "--ulimit=nofile=4096",
                "--ulimit=nproc=4096", *CONFINED, "localhost/bloblo:latest"]


class RunByDocker(Docker):
    def words(self):
        self.command("load", "--quiet", "--input", image())
        return ["docker", "--host", self.host, "run", *CONFINED, "localhost/bloblo:latest"]


class RunByContainerd(Containerd):
    def words(self):
        self.command("import", "--snapshotter=native", image())
        return ["ctr", "--address", self.address, "run", "--rm", "--net-host", "--read-only", "--snapshotter=native",
                "--env-file=$HOME/settings", "--mount=type=bind,src=$site,dst=$site,options=rbind:rw",
                "localhost/bloblo:latest", "bloblo"]


class ComposeDocker(Docker):
    """In a network of its own, where the compose file's ports are free."""

    before = ("unshare", "--net", "--mount", "sh", "-c", 'ip link set lo up && exec "$@"', "sh")
    network = ()

    def compose(self, *words):
        return self.run("docker-compose", "--host", self.host, "--project-name", "bloblo", "--file", COMPOSE, *words)


@pytest.fixture
def runtime(request):
    # A short name: podman wants one. The runtime ends before its folder goes.
    with tempfile.TemporaryDirectory(prefix="run-", ignore_cleanup_errors=True) as folder, ExitStack() as ends:
        yield request.param(folder, ends)


@pytest.fixture(scope="module")
def manifest():
    with tarfile.open(image()) as archive:
        entry = json.load(archive.extractfile("manifest.json"))[0]
        return entry, json.load(archive.extractfile(entry["Config"]))


@pytest.fixture(scope="module")
def root(manifest, tmp_path_factory):
    """The image's file system."""
    folder = tmp_path_factory.mktemp("image")
    with tarfile.open(image()) as archive:
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


def test_the_bill_of_materials_names_every_library(root):
    document = json.loads(stack.built("image/bloblo.spdx.json", "make image").read_text())
    assert document["spdxVersion"] == "SPDX-2.3"
    named = {package["name"] for package in document["packages"]}
    libraries = {os.path.realpath("/" + str(library.relative_to(root))) for library in root.rglob("*.so*")}
    owners = subprocess.run(["dpkg-query", "-S", *libraries, *(path.removeprefix("/usr") for path in libraries)],
                            capture_output=True, text=True).stdout
    owned = {os.path.realpath(line.split(": ")[1]) for line in owners.splitlines() if line.split(":")[0] in named}
    assert libraries and not libraries - owned
    assert {"bloblo", "swift-runtime", "swift-log", "ca-certificates"} <= named


@pytest.mark.parametrize("runtime", [RunByPodman, RunByDocker, RunByContainerd], indirect=True,
                         ids=["podman", "docker", "containerd"])
def test_a_client_pulls_through_it(runtime, tmp_path, make_stack):
    run = tmp_path / "run"
    run.write_text(RUN.format(command=" ".join(str(word) for word in runtime.words())))
    run.chmod(0o755)
    site = Site(make_stack("registry,s3,nginx,bloblo", bloblo=str(run)), "nginx")
    content = os.urandom(2_000_000)
    digest = site.push(content)
    status, _, body = site.get(digest)
    assert (status, digest_of(body)) == (200, digest)
    status, fields = site.fill(digest)
    assert status == 307
    assert digest_of(stack.request("GET", fields["Location"])[2]) == digest
    # Not root, though the user who started the runtime is.
    assert site.servers.socket.stat().st_uid == 7777
    site.bloblo.stop()
    assert site.bloblo.ended == 0, site.bloblo.tail()


@pytest.mark.parametrize("runtime", [ComposeDocker], indirect=True, ids=["docker"])
def test_the_compose_file_offloads(runtime, tmp_path):
    runtime.command("load", "--quiet", "--input", image())
    images.load(runtime.command, tmp_path)
    runtime.ends.callback(runtime.compose, "down", "--volumes", "--timeout", "1")
    runtime.compose("up", "--detach")
    # As the file's head shows: the daemon pushes an image and pulls it back.
    name = "localhost:8080/my/image:latest"
    (tmp_path / "image.tar").write_bytes(images.file_system({}, {"/content": os.urandom(1_000_000).hex()}, []))
    runtime.command("import", tmp_path / "image.tar", name)
    runtime.answers("docker", "--host", runtime.host, "push", name)

    def statuses():
        """Of a pull's layers and configuration."""
        before = len(served())
        runtime.command("rmi", name)
        runtime.command("pull", name)
        return served()[before:]

    def served():
        return re.findall(r'"GET /v2/my/image/blobs/\S+ HTTP/1\.1" (\d+)', runtime.compose("logs", "--no-color", "nginx"))

    assert set(statuses()) == {"200"}
    eventually(lambda: set(statuses()) == {"307"}, otherwise=lambda: runtime.compose("logs", "bloblo"))

    def health(service):
        """How its probes ended, the last one last."""
        container = runtime.compose("ps", "--quiet", service).strip()
        probes = json.loads(runtime.command("inspect", "--format", "{{json .State.Health.Log}}", container))
        return [probe["ExitCode"] for probe in probes]

    for service in ("s3", "bloblo"):
        eventually(lambda: health(service)[1:] and health(service)[-1] == 0, otherwise=lambda: str(health(service)))
