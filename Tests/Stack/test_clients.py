"""podman, buildah, containerd's ctr and docker push and pull through each front, cold and warm."""

import os
import subprocess
import tempfile

import pytest

import oci_image
from clients import CREDENTIAL, Buildah, Containerd, Docker, Podman
from fakes.waiting import eventually
from front_site import Site, stacks

pytestmark = [pytest.mark.world, pytest.mark.root]


@pytest.fixture(scope="module")
def site(front):
    with stacks() as make:
        yield Site(make(f"registry,s3,{front},bloblo", "--log-level", "debug"), front)


@pytest.fixture(params=[Podman, Buildah, Containerd, Docker], ids=lambda kind: kind.__name__.lower())
def client(request, ends):
    # A short name: podman wants one.
    folder = ends.enter_context(tempfile.TemporaryDirectory(prefix="client-", ignore_cleanup_errors=True))
    return request.param(folder, ends)


def test_a_push_and_pulls(site, client, tmp_path):
    name = type(client).__name__.lower()
    host = site.url.split("//")[1]
    layout = tmp_path / "image"
    image = oci_image.make(layout, [4096, 3 << 20])
    subprocess.run(["skopeo", "--insecure-policy", "copy", "--quiet", "--preserve-digests", "--dest-tls-verify=false",
                    f"--dest-creds={CREDENTIAL}", f"oci:{layout}:latest", f"docker://{site.registry.address}/made/{name}:latest"],
                   check=True, env={**os.environ, "HOME": str(tmp_path)})
    made, own = f"{host}/made/{name}:latest", f"{host}/own/{name}:latest"

    client.pull(made)
    eventually(lambda: all(site.s3.client.size(layer) for layer in image["layers"]), otherwise=site.bloblo.tail)
    client.push(made, own)
    client.forget(made)
    for image_name in (own, made):
        client.pull(image_name)
        client.forget(image_name)
    for layer in image["layers"]:
        assert site.lines('"decision":"tee"', layer)
        assert site.lines('"decision":"redirect"', layer)
