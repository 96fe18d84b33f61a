"""podman, buildah, containerd and docker, each with a folder and, where it has one, a daemon of its own."""

import os
import pathlib
import signal
import subprocess

import stack
from fakes.waiting import eventually

CREDENTIAL = f"alice:{stack.USERS['alice']}"


class Client:
    """What runs in a folder of its own, as root, with the slowest and simplest storage."""

    def __init__(self, folder, ends):
        self.folder, self.ends = pathlib.Path(folder), ends
        self.begin()

    def begin(self):
        """Starts a daemon, if there is one."""

    def run(self, *words, **more):
        done = subprocess.run([str(word) for word in words], capture_output=True, text=True, timeout=180, env={
            **os.environ, "HOME": str(self.folder), "NO_PROXY": "*", "no_proxy": "*"}, **more)
        assert done.returncode == 0, f"{words}: {done.stdout[-1500:]}{done.stderr[-1500:]}"
        return done.stdout

    def daemon(self, *words):
        log = (self.folder / "log").open("wb")
        # By SIGTERM a daemon ends those that it has started.
        process = stack.child(words, signal.SIGTERM, stdout=log, stderr=log, stdin=subprocess.DEVNULL,
                              env={**os.environ, "HOME": str(self.folder)})
        self.ends.callback(log.close)
        self.ends.callback(process.wait)
        self.ends.callback(process.terminate)

    def answers(self, *words):
        eventually(lambda: subprocess.run([str(word) for word in words], capture_output=True).returncode == 0,
                   otherwise=(self.folder / "log").read_text)


class Podman(Client):
    program = "podman"

    def command(self, *words):
        return self.run(self.program, "--root", self.folder / "root", "--runroot", self.folder / "run",
                        "--storage-driver", "vfs", *words)

    def pull(self, image):
        self.command("pull", "--quiet", "--tls-verify=false", "--creds", CREDENTIAL, f"docker://{image}")

    def push(self, image, to):
        self.command("push", "--quiet", "--tls-verify=false", "--creds", CREDENTIAL, image, f"docker://{to}")

    def forget(self, image):
        self.command("rmi", "--force", image)


class Buildah(Podman):
    program = "buildah"


class Containerd(Client):
    def begin(self):
        self.address = self.folder / "containerd.sock"
        (self.folder / "config.toml").write_text('version = 2\ndisabled_plugins = ["io.containerd.grpc.v1.cri"]\n')
        self.daemon("containerd", "--config", self.folder / "config.toml", "--root", self.folder / "root", "--state",
                    self.folder / "state", "--address", self.address)
        self.answers("ctr", "--address", self.address, "version")

    def command(self, *words):
        return self.run("ctr", "--address", self.address, "images", *words)

    def pull(self, image):
        self.command("pull", "--plain-http", "--user", CREDENTIAL, "--snapshotter", "native", image)

    def push(self, image, to):
        self.command("tag", "--force", image, to)
        self.command("push", "--plain-http", "--user", CREDENTIAL, to)
        self.command("rm", to)

    def forget(self, image):
        self.command("rm", "--sync", image)


class Docker(Client):
    """Its daemon without a bridge: a container has this machine's network or none."""

    before = ()
    network = ("--bridge", "none", "--iptables=false")

    def begin(self):
        self.host = f"unix://{self.folder}/docker.sock"
        # dockerd leaves the mount of its own network.
        self.ends.callback(subprocess.run, ["umount", self.folder / "exec/netns/default"], capture_output=True)
        self.daemon(*self.before, "dockerd", "--host", self.host, "--data-root", self.folder / "root", "--exec-root",
                    self.folder / "exec", "--pidfile", self.folder / "pid", *self.network, "--ip6tables=false",
                    "--storage-driver", "vfs")
        self.answers("docker", "--host", self.host, "info")

    def command(self, *words, **more):
        return self.run("docker", "--config", self.folder / "config", "--host", self.host, *words, **more)

    def log_in(self, image):
        user, password = CREDENTIAL.split(":")
        self.command("login", "--username", user, "--password-stdin", image.split("/")[0], input=password)

    def pull(self, image):
        self.log_in(image)
        self.command("pull", "--quiet", image)

    def push(self, image, to):
        self.log_in(to)
        self.command("tag", image, to)
        self.command("push", to)
        self.command("rmi", to)

    def forget(self, image):
        self.command("rmi", "--force", image)
