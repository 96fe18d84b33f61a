"""This machine, to be changed and thrown away: an overlay over its whole file system, with processes, a network and
mounts of its own. What runs in it can install, remove and listen on port 443.
"""

import contextlib
import os
import pathlib
import shutil
import subprocess
import tempfile

import stack
from fakes.waiting import eventually

PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


class Tree:
    """`root` is where the tree is seen from outside."""

    def __init__(self, ends):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="throwaway-"))
        ends.callback(shutil.rmtree, self.folder, ignore_errors=True)
        for name in ("upper", "work", "root"):
            (self.folder / name).mkdir()
        self.root = self.folder / "root"
        mounts = (f"mount -t overlay overlay -o lowerdir=/,upperdir={self.folder}/upper,workdir={self.folder}/work {self.root}",
                  f"mount -t proc proc {self.root}/proc", f"mount --rbind /dev {self.root}/dev",
                  f"mount -t tmpfs tmpfs {self.root}/tmp", f"mount -t tmpfs tmpfs {self.root}/run", f"mkdir -p {self.root}/run/lock",
                  "ip link set lo up", "exec sleep infinity")
        # The whole of it ends with this process.
        self.holder = stack.child(["unshare", "--mount", "--pid", "--net", "--fork", "--kill-child", "--propagation",
                                   "private", "sh", "-ec", "; ".join(mounts)])
        ends.callback(self.end)
        self.pid = eventually(self.child)
        eventually(lambda: "lo" in self.enter("cat", "/proc/net/route", "/proc/net/dev", check=False).stdout
                   and self.sh("true", check=False).returncode == 0)

        # Packages start no service in it, and make no index of manuals, which takes longer than they do.
        self.write("/usr/sbin/policy-rc.d", "#!/bin/sh\nexit 101\n", 0o755)
        self.path("/var/lib/man-db/auto-update").unlink(missing_ok=True)

    def end(self):
        self.holder.kill()
        self.holder.wait()

    def child(self):
        """The first process within; its parent is the one that we have started."""
        said = pathlib.Path(f"/proc/{self.holder.pid}/task/{self.holder.pid}/children").read_text().split()
        return said and int(said[0])

    def words(self, *words, **environment):
        """A command line that enters the tree."""
        settings = {"PATH": PATH, "HOME": "/root", "LC_ALL": "C.UTF-8", "DEBIAN_FRONTEND": "noninteractive", **environment}
        return ["nsenter", "-t", str(self.pid), "--mount", "--pid", "--net", "--", "chroot", str(self.root), "/usr/bin/env",
                "-i", *(f"{name}={value}" for name, value in settings.items()), *map(str, words)]

    def enter(self, *words, check=True, environment=None, **more):
        done = subprocess.run(self.words(*words, **environment or {}), capture_output=True, text=True, timeout=300, **more)
        if check and done.returncode:
            raise AssertionError(f"{words}: {done.returncode}: {done.stdout[-3000:]}{done.stderr[-3000:]}")
        return done

    def sh(self, script, check=True, **more):
        """Runs a script at the tree's top; fails as it does."""
        return self.enter("sh", "-ec", f"cd /\n{script}", check=check, **more)

    def start(self, ends, *words, **environment):
        """A process in the tree, until the end of the test."""
        log = (self.folder / f"log-{len(list(self.folder.glob('log-*')))}").open("w")
        ends.callback(log.close)
        process = subprocess.Popen(self.words(*words, **environment), stdout=log, stderr=log, stdin=subprocess.DEVNULL)

        def end():
            process.terminate()
            process.wait()

        ends.callback(end)
        return process, pathlib.Path(log.name)

    def path(self, path):
        """Where a file of the tree is written to from outside. The overlay is mounted within only."""
        return pathlib.Path(f"/proc/{self.pid}/root{self.root}{path}")

    def write(self, path, text, mode=0o644):
        target = self.path(path)
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text)
        target.chmod(mode)
        return target

    def copy(self, source, path):
        target = self.path(path)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(source, target)


@contextlib.contextmanager
def throwaway():
    with contextlib.ExitStack() as ends:
        yield Tree(ends)


def is_possible():
    return os.geteuid() == 0
