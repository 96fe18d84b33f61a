"""Pods played process by process: what a rendered Deployment says, on this machine's loopback.

A pod's containers become processes of the users that the manifest names, its volumes folders, its ports free ports.
Paths, ports and addresses in settings and configuration files are rewritten to those; nothing else is.
"""

import base64
import contextlib
import copy
import itertools
import os
import pathlib
import re
import shutil
import signal
import socket
import subprocess
import threading
import time

import pytest

import stack
from fakes.waiting import eventually

yaml = pytest.importorskip("yaml", reason="Tests/Stack/install world")


class Manifest:
    """The documents of `kubectl kustomize`, and what the pod's template finds in them."""

    def __init__(self, documents):
        self.documents = documents
        self.pod = self.one("Deployment", "bloblo")["spec"]["template"]["spec"]

    def one(self, kind, name):
        (found,) = (document for document in self.documents
                    if document["kind"] == kind and document["metadata"]["name"] == name)
        return found

    def container(self, name):
        (found,) = (container for container in self.pod["containers"] if container["name"] == name)
        return found

    def environment(self, container):
        values = {}
        for source in container.get("envFrom", []):
            if "configMapRef" in source:
                values |= self.one("ConfigMap", source["configMapRef"]["name"])["data"]
            elif source["secretRef"]["name"] in {document["metadata"]["name"] for document in self.documents}:
                secret = self.one("Secret", source["secretRef"]["name"])["data"]
                values |= {name: base64.b64decode(value).decode() for name, value in secret.items()}
        return values

    def service_links(self):
        """What the kubelet adds to each container's environment for the Services of its namespace.

        Source: <https://kubernetes.io/docs/concepts/services-networking/service/#environment-variables>
        """
        if not self.pod.get("enableServiceLinks", True):
            return {}
        name, ports = "BLOBLO", self.one("Service", "bloblo")["spec"]["ports"]
        links = {f"{name}_SERVICE_HOST": "10.0.0.11", f"{name}_SERVICE_PORT": str(ports[0]["port"]),
                 f"{name}_PORT": f"tcp://10.0.0.11:{ports[0]['port']}"}
        for port in ports:
            links[f"{name}_SERVICE_PORT_{port['name'].upper()}"] = str(port["port"])
            links[f"{name}_PORT_{port['port']}_TCP"] = f"tcp://10.0.0.11:{port['port']}"
        return links

    def files(self, volume):
        """(path below the mount, text) of each file of a projected volume."""
        (found,) = (one for one in self.pod["volumes"] if one["name"] == volume)
        for source in found["projected"]["sources"]:
            data = self.one("ConfigMap", source["configMap"]["name"])["data"]
            items = source["configMap"].get("items") or [{"key": key, "path": key} for key in data]
            for item in items:
                yield item["path"], data[item["key"]]


class Pod:
    """One replica."""

    numbers = itertools.count()

    def __init__(self, manifest, folder, ports, replaced):
        self.manifest = manifest
        self.folder = folder / f"pod{next(Pod.numbers)}"
        self.ports = {port: str(ports.take()) for port in ("8080", "8081", "8082")}
        self.replaced = replaced
        self.processes = {}

    @property
    def address(self):
        return ("127.0.0.1", int(self.ports["8080"]))

    def rewritten(self, text):
        changes = {**self.replaced, **self.mounts}
        for port, here in self.ports.items():
            changes |= {f"listen {port}": f"listen 127.0.0.1:{here}", f"listen [::]:{port}": f"listen [::1]:{here}",
                        f"127.0.0.1:{port}": f"127.0.0.1:{here}"}
        # All at once: what one change has written is no text for another.
        return re.sub("|".join(map(re.escape, changes)), lambda found: changes[found[0]], text)

    def start(self):
        self.mounts = {mount["mountPath"]: str(self.folder_of(mount["name"]))
                       for container in self.manifest.pod["containers"] for mount in container["volumeMounts"]}
        self.mounts["/tmp/"] = self.mounts.pop("/tmp") + "/"
        self.folder.chmod(0o755)
        self.write_files("nginx", pathlib.Path(self.mounts["/etc/bloblo"]))
        bloblo, nginx = self.manifest.container("bloblo"), self.manifest.container("nginx")
        settings = {name: self.rewritten(value) for name, value in self.manifest.environment(bloblo).items()}
        self.run(bloblo, [os.environ["BLOBLO"]], self.manifest.service_links() | settings)
        self.run(nginx, [self.rewritten(word) for word in nginx["command"]], {"PATH": os.environ["PATH"]})
        eventually(self.is_ready, otherwise=self.logs)

    def folder_of(self, volume):
        """As fsGroup has it: the group's, and what is made there too."""
        folder = self.folder / volume
        if not folder.exists():
            folder.mkdir(parents=True)
            os.chown(folder, 0, self.manifest.pod["securityContext"]["fsGroup"])
            folder.chmod(0o2775)
        return folder

    def write_files(self, volume, folder):
        for path, text in self.manifest.files(volume):
            file = folder / path
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(self.rewritten(text))

    def run(self, container, command, environment):
        context, group = container["securityContext"], self.manifest.pod["securityContext"]["fsGroup"]
        with (self.folder / f"{container['name']}.log").open("ab") as log:
            os.fchmod(log.fileno(), 0o666)  # nginx opens /dev/stderr anew
            self.processes[container["name"]] = stack.child(
                command, signal.SIGTERM, env=environment, stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd=self.folder,
                user=context["runAsUser"], group=context["runAsGroup"], extra_groups=[group])

    def is_ready(self):
        probe = self.manifest.container("nginx")["readinessProbe"]["httpGet"]
        try:
            return self.operator(probe["path"])[0] == 200
        except OSError:
            return False

    def operator(self, path):
        return stack.request("GET", f"http://127.0.0.1:{self.ports['8081']}{path}")

    def logs(self):
        return "\n".join(file.read_text(errors="replace")[-2000:] for file in self.folder.glob("*.log"))

    def end(self):
        """As the kubelet ends a pod: each container's preStop, its stop signal, and SIGKILL after the grace period."""
        deadline = time.monotonic() + self.manifest.pod["terminationGracePeriodSeconds"]
        signals = {"nginx": signal.SIGQUIT, "bloblo": signal.SIGTERM}
        threads = [threading.Thread(target=self.end_container, args=(name, signals[name], deadline))
                   for name in self.processes]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    def end_container(self, name, number, deadline):
        time.sleep(self.manifest.container(name)["lifecycle"]["preStop"]["sleep"]["seconds"])
        process = self.processes[name]
        process.send_signal(number)
        process.wait(max(0, deadline - time.monotonic()))

    def kill(self):
        for name, process in self.processes.items():
            if process.poll() is None:
                # nginx's first process ends its workers, if it may.
                process.send_signal(signal.SIGTERM if name == "nginx" else signal.SIGKILL)
            process.wait()
        shutil.rmtree(self.folder, ignore_errors=True)


class PlayedPod(Pod):
    """One replica by `podman play kube`, as containers of this machine's network, so without ports of its own.

    podman 4.3 does not know projected volumes, Secrets and fsGroup: it gets folders of this machine, a ConfigMap, and the
    group as each container's own. systemd would run its probes; without it there are none.
    """

    name = "bloblo-pod-0"

    def __init__(self, podman, *more):
        super().__init__(*more)
        self.podman = podman

    def start(self):
        self.folder.mkdir()
        self.folder.chmod(0o755)
        self.mounts = {}
        file = self.folder / "pod.yaml"
        file.write_text(yaml.safe_dump_all(self.played()))
        self.podman("tag", "localhost/bloblo:latest", self.manifest.container("bloblo")["image"])
        self.podman("play", "kube", "--network=host", file)
        eventually(self.is_ready, otherwise=self.logs)

    def played(self):
        """The documents that podman gets."""
        documents = copy.deepcopy([document for document in self.manifest.documents
                                   if document["kind"] in ("ConfigMap", "Deployment")])
        for document in documents:
            if document["kind"] == "ConfigMap":
                document["data"] = {name: self.rewritten(text) for name, text in document["data"].items()}
            else:
                document["spec"]["replicas"] = 1
                self.adapt(document["spec"]["template"]["spec"])
        return documents

    def adapt(self, pod):
        for volume in pod["volumes"]:
            name = volume["name"]
            volume.clear()
            volume |= {"name": name, "hostPath": {"path": str(self.folder_of(name)), "type": "Directory"}}
        self.write_files("nginx", self.folder_of("nginx"))
        for container in pod["containers"]:
            container["securityContext"]["runAsGroup"] = pod["securityContext"]["fsGroup"]
            container["imagePullPolicy"] = "Never"
            for word in ("ports", "readinessProbe", "livenessProbe"):
                container.pop(word, None)

    def container(self, name, *words):
        """Runs words in a container, as `kubectl exec` does."""
        return self.podman("exec", f"{self.name}-{name}", *words)

    def logs(self):
        return "\n".join(self.podman("logs", "--tail=30", f"{self.name}-{name}") for name in ("bloblo", "nginx"))

    def end(self):
        """Stops the pod; returns the exit status of each container."""
        grace = self.manifest.pod["terminationGracePeriodSeconds"]
        self.podman("pod", "stop", f"--time={grace}", self.name)
        return {name: self.podman("inspect", "--format", "{{.State.ExitCode}}", f"{self.name}-{name}").strip()
                for name in ("bloblo", "nginx")}

    def kill(self):
        self.podman("pod", "rm", "--all", "--force")
        shutil.rmtree(self.folder, ignore_errors=True)


class Service:
    """A Service: connections go to its endpoints in turn; a connection stays with its pod."""

    def __init__(self):
        self.endpoints = []
        self.threads = []
        self.turn = itertools.count()
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self.listener.getsockname()[1]}"
        accepting = threading.Thread(target=self.accept, daemon=True)
        self.threads.append(accepting)
        accepting.start()

    def accept(self):
        while True:
            try:
                client, _ = self.listener.accept()
            except OSError:
                return
            thread = threading.Thread(target=self.carry, args=(client,), daemon=True)
            self.threads.append(thread)
            thread.start()

    def carry(self, client):
        """One connection, until both of its ends are done."""
        endpoints = list(self.endpoints)
        with client, socket.create_connection(endpoints[next(self.turn) % len(endpoints)]) as pod:
            back = threading.Thread(target=self.copy, args=(pod, client))
            back.start()
            self.copy(client, pod)
            back.join()

    @staticmethod
    def copy(source, target):
        try:
            while data := source.recv(65536):
                target.sendall(data)
            target.shutdown(socket.SHUT_WR)
        except OSError:
            for end in (source, target):
                with contextlib.suppress(OSError):
                    end.shutdown(socket.SHUT_RDWR)

    def close(self):
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()
        for thread in list(self.threads):
            thread.join()
