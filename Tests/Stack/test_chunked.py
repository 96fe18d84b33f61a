"""Pulls of zstd:chunked layers, which ask for several ranges in one request: skopeo into an overlay store, as
podman and CRI-O do, through nginx and Apache. It takes root and the right to mount: where that is missing, it is
skipped.
"""

import hashlib
import io
import json
import os
import pathlib
import random
import re
import subprocess
import tarfile
import uuid

import pytest

import stack
from fakes.client import ALICE, blob_path
from fakes.waiting import eventually


def is_mount_allowed():
    return os.geteuid() == 0 and subprocess.run(
        ["unshare", "-m", "sh", "-c", "mount --make-rprivate / && mount -t tmpfs t /mnt && mkdir /mnt/u /mnt/w /mnt/r"
         " && mount -t overlay o -o lowerdir=/,upperdir=/mnt/u,workdir=/mnt/w /mnt/r"], capture_output=True).returncode == 0


def layout(folder, files):
    """An OCI layout with one layer of many files, not compressed."""
    (folder / "blobs/sha256").mkdir(parents=True)

    def put(content, media_type):
        encoded = hashlib.sha256(content).hexdigest()
        (folder / "blobs/sha256" / encoded).write_bytes(content)
        return {"mediaType": f"application/vnd.oci.image.{media_type}", "digest": f"sha256:{encoded}", "size": len(content)}

    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w") as tar:
        # As every image's layer has: skopeo 1.9.3 writes files side by side, and fails where their folder is not yet.
        for parent in sorted({str(pathlib.PurePath(name).parent) for name in files}):
            entry = tarfile.TarInfo(parent)
            entry.type, entry.mode = tarfile.DIRTYPE, 0o755
            tar.addfile(entry)
        for name, content in files.items():
            entry = tarfile.TarInfo(name)
            entry.size, entry.mode = len(content), 0o644
            tar.addfile(entry, io.BytesIO(content))
    layer = put(archive.getvalue(), "layer.v1.tar")
    config = put(json.dumps({"architecture": "amd64", "os": "linux", "config": {}, "rootfs": {
        "type": "layers", "diff_ids": [layer["digest"]]}}).encode(), "config.v1+json")
    manifest = put(json.dumps({"schemaVersion": 2, "mediaType": "application/vnd.oci.image.manifest.v1+json",
                               "config": config, "layers": [layer]}).encode(), "manifest.v1+json")
    (folder / "oci-layout").write_text('{"imageLayoutVersion": "1.0.0"}')
    (folder / "index.json").write_text(json.dumps({"schemaVersion": 2, "manifests": [manifest]}))


class Chunked:
    """An image in two versions, of which a tenth of the files differ."""

    def __init__(self, servers, folder):
        self.stack, self.folder, self.registry = servers, folder, servers.services["registry"]
        (folder / "policy.json").write_text('{"default": [{"type": "insecureAcceptAnything"}]}')
        numbers = random.Random(5)  # Always the same: skopeo 1.9.3 fails on some contents ("short write").
        files = {f"data/{i:03}": numbers.randbytes(numbers.randrange(3000, 30000)) for i in range(300)}
        layout(folder / "one", files)
        layout(folder / "two", files | {f"data/{i:03}": numbers.randbytes(9000) for i in range(0, 300, 10)})
        for name in ("one", "two"):
            self.skopeo("--dest-tls-verify=false", "--dest-creds", f"alice:{stack.USERS['alice']}",
                        "--dest-compress-format", "zstd:chunked", f"oci:{folder}/{name}",
                        f"docker://{self.registry.address}/some/image:{name}")
        manifest = stack.request("GET", self.registry.url + "/v2/some/image/manifests/two", {
            **ALICE, "Accept": "application/vnd.oci.image.manifest.v1+json"})[2]
        [self.layer] = json.loads(manifest)["layers"]

    def skopeo(self, *words):
        done = subprocess.run(
            ["unshare", "-m", "skopeo", "--policy", self.folder / "policy.json", "copy", *words],
            env={**os.environ, "CONTAINERS_STORAGE_CONF": str(self.folder / "storage.conf"),
                 "TMPDIR": str(self.folder)}, capture_output=True, text=True, timeout=120)
        assert done.returncode == 0, done.stderr

    def pull(self, front, name, store):
        self.skopeo("--src-tls-verify=false", "--src-creds", f"alice:{stack.USERS['alice']}",
                    f"docker://127.0.0.1:{self.stack.services[front].port}/some/image:{name}",
                    f"containers-storage:[overlay@{store}/graph+{store}/run]localhost/image:{name}")

    def fill(self, front):
        """Has the layer of the second image in the bucket."""
        url = f"http://127.0.0.1:{self.stack.services[front].port}{blob_path(self.layer['digest'], 'some/image')}"
        eventually(lambda: stack.request("GET", url, ALICE)[1].get("X-Bloblo") == "redirect")

    def askers(self):
        """Who has got bytes of the layer from the registry, by its log."""
        mark = f"the-end-{uuid.uuid4().hex}"
        stack.request("GET", f"{self.registry.url}/v2/", {**ALICE, "User-Agent": mark})
        # It writes its log after the answer.
        eventually(lambda: mark in self.registry.access_log.read_text())
        return re.findall(rf'"GET \S*/blobs/{self.layer["digest"]}\S* HTTP/1.1" 20[06] \d+ "[^"]*" "([^"]*)"',
                          self.registry.access_log.read_text())


@pytest.fixture
def chunked(make_stack, tmp_path):
    if not is_mount_allowed():
        pytest.skip("no right to mount overlays")
    return Chunked(make_stack("registry,s3,nginx,apache,bloblo"), tmp_path)


def test_a_pull_of_what_has_changed(chunked, subtests):
    for front in ("nginx", "apache"):
        with subtests.test(front=front):
            store = chunked.folder / front
            (chunked.folder / "storage.conf").write_text(
                f'[storage]\ndriver = "overlay"\nrunroot = "{store}/run"\ngraphroot = "{store}/graph"\n'
                '[storage.options]\npull_options = {enable_partial_images = "true"}\n')
            chunked.pull(front, "one", store)
            chunked.fill(front)
            chunked.pull(front, "two", store)
            # A tenth of the files is new: bloblo reads as much of the layer from the bucket, and the registry gives none to
            # skopeo, which says its name.
            assert set(chunked.askers()) == {""}
    assert re.search(chunked.layer["digest"] + r'" 206 \d+ "[^"]*" "bytes=\d+-\d+,\d+-',
                     chunked.stack.services["nginx"].access_log.read_text())
