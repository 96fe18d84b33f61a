"""packaging/kubernetes: each overlay and component is valid, and the pod works, process by process."""

import functools
import os
import pathlib
import re
import shutil
import subprocess
import tempfile
import threading
import time
from contextlib import ExitStack

import pytest

import stack
from clients import Podman
from fakes import images
from fakes.client import ALICE, blob_path, digest_of, push
from fakes.pods import Manifest, PlayedPod, Pod, Service
from fakes.waiting import eventually

# Of the tier "world": a run of other tests collects this file too.
yaml = pytest.importorskip("yaml", reason="Tests/Stack/install world")
kubernetes_validate = pytest.importorskip("kubernetes_validate", reason="Tests/Stack/install world")
pytestmark = pytest.mark.world

HOME = stack.ROOT / "packaging/kubernetes"
# The oldest version that knows preStop.sleep by default, and the newest that the validator has.
VERSIONS = ("1.30", "1.34")
# Not of Kubernetes itself.
FOREIGN = {"ServiceMonitor"}


def render(folder):
    run = subprocess.run(["kubectl", "kustomize", folder], capture_output=True, text=True)
    assert run.returncode == 0, run.stderr
    return list(yaml.safe_load_all(run.stdout))


def switched_on(component):
    """An overlay of the base and one component, beside the others, since a path may not leave the repository."""
    folder = pathlib.Path(tempfile.mkdtemp(prefix=f".test-{component}-", dir=HOME / "overlays"))
    (folder / "kustomization.yaml").write_text(
        f"resources: [../../base]\ncomponents: [../../components/{component}]\n")
    try:
        return render(folder)
    finally:
        (folder / "kustomization.yaml").unlink()
        folder.rmdir()


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("overlay", ["base", "overlays/aws", "overlays/minio", "overlays/ingress"])
def test_an_overlay_is_valid(overlay, version):
    documents = render(HOME / overlay)
    assert {"Deployment", "Service", "ServiceAccount", "ConfigMap"} <= {document["kind"] for document in documents}
    for document in documents:
        kubernetes_validate.validate(document, version, strict=True)


@pytest.mark.parametrize("component", sorted(path.name for path in (HOME / "components").iterdir()))
def test_a_component_adds_one_document(component):
    added = [document for document in switched_on(component)
             if document["kind"].lower() == component.replace("-", "")]
    assert len(added) == 1
    if added[0]["kind"] not in FOREIGN:
        kubernetes_validate.validate(added[0], VERSIONS[0], strict=True)


def test_the_autoscaler_alone_decides_how_many_pods_there_are():
    (deployment,) = (document for document in switched_on("horizontal-pod-autoscaler")
                     if document["kind"] == "Deployment")
    assert "replicas" not in deployment["spec"]


def test_its_upstreams_are_the_shipped_ones_but_for_the_registry_and_the_scheme():
    def lines(path):
        """Without comments."""
        return re.sub(r"\s*#.*", "", (stack.ROOT / path).read_text()).split("\n")

    changed = {"    server 127.0.0.1:5000;": "    server registry:5000;",
               "    default $scheme;": "    default $http_x_forwarded_proto;"}
    shipped = lines("nginx/bloblo-upstreams.conf")
    assert changed.keys() <= set(shipped)
    assert [changed.get(line, line) for line in shipped] == lines("packaging/kubernetes/base/bloblo-upstreams.conf")


def test_no_container_is_root_or_may_become_it():
    manifest = Manifest(render(HOME / "base"))
    assert manifest.pod["securityContext"]["runAsNonRoot"] is True
    for container in manifest.pod["containers"]:
        context = container["securityContext"]
        assert context["readOnlyRootFilesystem"] and not context["allowPrivilegeEscalation"]
        assert context["capabilities"] == {"drop": ["ALL"]} and context["runAsUser"] > 0


@pytest.fixture
def replicas(make_stack, ports):
    """A function that makes a pod beside a registry and an S3, and their Service."""
    servers = make_stack("registry,s3")
    registry, s3 = servers.services["registry"], servers.services["s3"]
    manifest = Manifest(render(HOME / "overlays/minio"))
    replaced = {
        "registry:5000": registry.address, "http://minio.minio.svc:9000": s3.url,
        # Another name than the registry's, as in the field.
        "https://s3.example.com": s3.url.replace("127.0.0.1", "localhost"),
        "18GiB": "1GiB",
    }
    settings = manifest.environment(manifest.container("bloblo"))
    assert settings["BLOBLO_S3_BUCKET_NAME"] == "layers"
    for document in manifest.documents:
        if document["metadata"]["name"].startswith("bloblo-settings"):
            document["data"] |= {
                "BLOBLO_S3_BUCKET_NAME": stack.BUCKET, "AWS_ACCESS_KEY_ID": stack.ACCESS_KEY,
                "AWS_SECRET_ACCESS_KEY": stack.SECRET_KEY, "AWS_REGION": stack.REGION}
    manifest.documents = [document for document in manifest.documents if document["kind"] != "Secret"]
    # Short, because the path of a socket may have 107 bytes.
    folder = pathlib.Path(tempfile.mkdtemp(prefix="pods-"))
    folder.chmod(0o755)
    service, pods = Service(), []

    def make(kind=Pod):
        pod = kind(manifest, folder, ports, replaced)
        pods.append(pod)
        pod.start()
        return pod

    yield make, service
    service.close()
    for pod in pods:
        pod.kill()
    shutil.rmtree(folder)


def pull(service, digest):
    """One pull, as a client's: its redirect followed, without its credential."""
    status, fields, body = stack.request("GET", service.url + blob_path(digest), ALICE, timeout=120)
    if status == 307:
        status, _, body = stack.request("GET", fields["Location"], timeout=120)
    return (status, digest_of(body)) == (200, digest)


@pytest.fixture
def podman(monkeypatch):
    """podman with the image of packaging/image, and stand-ins for the others."""
    with tempfile.TemporaryDirectory(prefix="run-", ignore_cleanup_errors=True) as name, ExitStack() as ends:
        folder = pathlib.Path(name)
        # Not more descriptors and processes than this machine may give.
        (folder / "containers.conf").write_text(
            f'[engine]\ninfra_image = "{images.PAUSE}"\nruntime = "runc"\ncgroup_manager = "cgroupfs"\n'
            'events_logger = "file"\n[containers]\ndefault_ulimits = ["nofile=4096:4096", "nproc=4096:4096"]\n')
        monkeypatch.setenv("CONTAINERS_CONF", str(folder / "containers.conf"))
        command = Podman(folder, ends).command
        command("load", "--quiet", "--input", stack.built("image/bloblo.tar", "make image"))
        # The real one ends by SIGTERM; its stand-in, the first process of its namespace, does not hear it.
        images.load(command, folder, images.PAUSE, stop_signal="SIGKILL")
        images.load(command, folder, "docker.io/library/nginx:1.28", stop_signal="SIGQUIT")
        yield command


@pytest.mark.root
def test_podman_plays_the_pod(podman, replicas):
    make, service = replicas
    pod = make(functools.partial(PlayedPod, podman))
    service.endpoints = [pod.address]
    digest = push(service.url, os.urandom(1_000_000))
    assert pull(service, digest)
    eventually(lambda: stack.request("GET", service.url + blob_path(digest), ALICE)[0] == 307, otherwise=pod.logs)
    assert pull(service, digest)
    # The probes' questions, and what docs/kubernetes.md asks.
    probe = pod.manifest.container("bloblo")["livenessProbe"]["exec"]["command"]
    assert pod.container("bloblo", *probe).strip() == "ok"
    assert "0 FAIL" in pod.container("bloblo", "bloblo", "check")
    assert pod.end() == {"bloblo": "0", "nginx": "0"}


@pytest.mark.root
def test_the_pod_offloads_and_shows_its_state(replicas):
    make, service = replicas
    pod = make()
    service.endpoints = [pod.address]
    content = os.urandom(1_000_000)
    digest = push(service.url, content)
    assert pull(service, digest)
    eventually(lambda: stack.request("GET", service.url + blob_path(digest), ALICE)[0] == 307, otherwise=pod.logs)
    assert pull(service, digest)
    assert pod.operator("/bloblo/health")[0] == 200
    assert b"bloblo_decisions_total" in pod.operator("/bloblo/metrics")[2]
    assert stack.request("GET", service.url + "/bloblo/metrics", ALICE)[0] == 404
    # `kubectl port-forward` connects from within the pod to its loopback; the browser names localhost.
    status, _, page = stack.request("GET", f"http://127.0.0.1:{pod.ports['8082']}/bloblo/", {"Host": "localhost:8082"})
    assert status == 200 and b"<h1>" in page
    assert pod.operator("/bloblo/")[0] == 404


@pytest.mark.root
def test_the_pod_starts_without_a_warning(replicas):
    make, service = replicas
    logs = make().logs()
    assert '"level":"info"' in logs
    assert not re.search(r'"level":"(warning|error)".*', logs), logs


@pytest.mark.root
@pytest.mark.long
def test_a_rolling_update_of_three_replicas_loses_no_pull(replicas):
    make, service = replicas
    pods = [make() for _ in range(3)]
    service.endpoints = [pod.address for pod in pods]
    digests = [push(service.url, os.urandom(500_000)) for _ in range(8)]
    results, ends = [], threading.Event()

    def work(number):
        for turn in range(10**9):
            if ends.is_set():
                return
            results.append(pull(service, digests[(number + turn) % len(digests)]))

    threads = [threading.Thread(target=work, args=(number,)) for number in range(6)]
    for thread in threads:
        thread.start()
    try:
        for old in pods:
            new = make()
            service.endpoints = [*service.endpoints, new.address]
            ending = threading.Thread(target=old.end)
            ending.start()
            # The endpoints follow some time after the end has begun.
            time.sleep(2)
            service.endpoints = [address for address in service.endpoints if address != old.address]
            ending.join()
            assert all(process.returncode == 0 for process in old.processes.values()), old.logs()
    finally:
        ends.set()
        for thread in threads:
            thread.join()
    assert len(results) > 100 and all(results), (len(results), results.count(False))
