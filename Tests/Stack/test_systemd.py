"""The shipped units under a real systemd, behind a real nginx: started, watched, restarted, killed, while
clients pull.

systemd is PID 1 of namespaces of its own, on a copy of this machine's files that is forgotten afterwards
(overlayfs on tmpfs); it starts nothing but the journal, the bus and bloblo. It takes root and the right to
mount: where that is missing, all of this is skipped.
"""

import concurrent.futures
import contextlib
import os
import pathlib
import shutil
import signal
import subprocess
import tempfile
import threading
import time
import uuid

import pytest

import stack
from fakes.client import ALICE, blob_path, push
from fakes.waiting import eventually
from front_site import stacks

# Within the namespaces: the machine's files under an overlay, units, program and settings in their places.
SET_UP = """
set -eu
mount --make-rprivate /
mount -t tmpfs tmpfs {folder}
mkdir {folder}/upper {folder}/work {folder}/root
mount -t overlay overlay -o lowerdir=/,upperdir={folder}/upper,workdir={folder}/work {folder}/root
root={folder}/root
mount -t proc proc $root/proc
mount --rbind /dev $root/dev
mount -t tmpfs tmpfs $root/run
mount -t tmpfs tmpfs $root/tmp
mount -t tmpfs tmpfs $root/sys
mkdir -p $root/sys/fs/cgroup $root/run/bloblo $root/etc/bloblo $root/old
mount -t cgroup2 cgroup2 $root/sys/fs/cgroup
mount --bind {shared}/run $root/run/bloblo
rm -rf $root/lib/systemd/system/*.wants $root/etc/systemd/system/*.wants
cp {shared}/units/* $root/etc/systemd/system/
mkdir -p $root/etc/systemd/system/bloblo.service.d
cp {shared}/short.conf $root/etc/systemd/system/bloblo.service.d/
install -m 755 {shared}/bloblo $root/usr/local/bin/bloblo
install -m 600 {shared}/bloblo.env $root/etc/bloblo/bloblo.env
printf '[Unit]\\nDefaultDependencies=no\\nWants=dbus.service systemd-journald.service bloblo.service\\n' \
  >$root/etc/systemd/system/test.target
cd $root
pivot_root . old
umount -l /old
exec env -i container=other PATH=/usr/sbin:/usr/bin:/sbin:/bin \
  /lib/systemd/systemd --system --unit=test.target --log-target=null --show-status=no
"""


def namespaces_are_allowed():
    return os.geteuid() == 0 and subprocess.run(
        ["unshare", "-m", "-p", "-u", "-i", "-C", "-f", "sh", "-c",
         "mount --make-rprivate / && mount -t tmpfs t /mnt && mkdir /mnt/u /mnt/w /mnt/r /mnt/c"
         " && mount -t overlay o -o lowerdir=/,upperdir=/mnt/u,workdir=/mnt/w /mnt/r && mount -t cgroup2 c /mnt/c"],
        capture_output=True).returncode == 0


class Unit:
    """bloblo.service and its socket under a systemd of the test's own, behind nginx."""

    def __init__(self, make, ends):
        self.shared = pathlib.Path(ends.enter_context(
            tempfile.TemporaryDirectory(prefix="units-", ignore_cleanup_errors=True)))
        self.shared.chmod(0o755)
        (self.shared / "run").mkdir()
        (self.shared / "root").mkdir()
        shutil.copytree(stack.ROOT / "packaging/systemd", self.shared / "units")
        shutil.copy(os.environ["BLOBLO"], self.shared / "bloblo")
        # The shipped 30 s are too long for a test.
        (self.shared / "short.conf").write_text("[Service]\nWatchdogSec=10s\n")
        self.stack = make("registry,s3,nginx", "--read-timeout", "8", start=False)
        self.stack.socket = self.shared / "run/bloblo.sock"
        self.stack.up()
        self.server, self.s3 = self.stack.services["nginx"], self.stack.services["s3"]
        settings = stack.Bloblo(self.stack).environment()
        (self.shared / "bloblo.env").write_text("".join(
            f"{name}={value}\n" for name, value in settings.items()
            if name.startswith(("BLOBLO_", "AWS_")) and name not in ("BLOBLO_LISTEN_ADDR", "BLOBLO_SPOOL_DIR")))
        self.systemd = subprocess.Popen(
            ["unshare", "-m", "-p", "-u", "-i", "-C", "-f", "--kill-child", "bash", "-c",
             SET_UP.format(folder=self.shared / "root", shared=self.shared)],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, preexec_fn=self.prepared())
        ends.callback(self.end)
        eventually(lambda: self.systemctl("is-active", "bloblo.service") == "active",
                   otherwise=lambda: self.systemctl("status", "bloblo.service", "bloblo.socket"))
        self.content = os.urandom(3_000_000)
        self.digest = push(self.server.url, self.content)
        eventually(lambda: self.ask()[0] == 307)

    def ask(self, **more):
        return stack.request("GET", self.server.url + blob_path(self.digest), ALICE, **more)

    def prepared(self):
        """A cgroup of its own, so that those that systemd makes can be removed; an end when we end."""
        mounts = [line.split() for line in pathlib.Path("/proc/mounts").read_text().splitlines()]
        places = [pathlib.Path(mount[1]) for mount in mounts if mount[2] == "cgroup2"]
        self.cgroup = None
        if places:
            own = pathlib.Path("/proc/self/cgroup").read_text().split("0::")[1].split()[0]
            self.cgroup = pathlib.Path(f"{places[0]}{own}/bloblo-test-{uuid.uuid4().hex}")
            self.cgroup.mkdir()
        dies = stack.dies_with_parent(signal.SIGKILL, os.getpid())

        def prepare():
            dies()
            if self.cgroup:
                (self.cgroup / "cgroup.procs").write_text(str(os.getpid()))
        return prepare

    def end(self):
        self.systemd.kill()  # and with it PID 1 of the namespaces, and all that is in them
        self.systemd.wait()
        self.systemd.stdout.close()
        if self.cgroup:
            eventually(lambda: "populated 0" in (self.cgroup / "cgroup.events").read_text())
            for folder, _, _ in os.walk(self.cgroup, topdown=False):
                os.rmdir(folder)

    def systemctl(self, *words):
        children = pathlib.Path(f"/proc/{self.systemd.pid}/task/{self.systemd.pid}/children").read_text().split()
        if not children:
            return ""
        done = subprocess.run(["nsenter", "-t", children[0], "-m", "-p", "-u", "-i", "-C", "systemctl", "--no-pager", *words],
                              capture_output=True, text=True, timeout=120)
        return (done.stdout + done.stderr).strip()

    def show(self, name):
        return self.systemctl("show", "--value", "-p", name, "bloblo.service")

    def wait_until_running(self, restarts=None):
        """Until the unit is up; and if `restarts` is given, has been started again more often than that."""
        eventually(lambda: (restarts is None or int(self.show("NRestarts")) > restarts)
                   and self.show("SubState") == "running",
                   otherwise=lambda: self.systemctl("status", "bloblo.service"))

    def process(self):
        """bloblo's pid as it is outside of the namespaces."""
        for folder in pathlib.Path("/proc").glob("[0-9]*"):
            try:
                if os.readlink(folder / "exe").endswith("/usr/local/bin/bloblo") and \
                        self.show("MainPID") == (folder / "status").read_text().split("NSpid:")[1].split()[1]:
                    return int(folder.name)
            except (OSError, IndexError):
                pass
        pytest.fail("it does not run")

    def pulls_while(self, act):
        """16 clients pull while `act` runs, and once more when it is over; every pull must end with the right
        bytes. Returns how many pulls were redirected.
        """
        is_over, wrong, redirects = threading.Event(), [], []

        def pull():
            is_last = False
            while not is_last:
                is_last = is_over.is_set()
                try:
                    status, headers, body = self.ask(timeout=120)
                    if status == 307:
                        redirects.append(1)
                        status, headers, body = stack.request("GET", headers["Location"])
                    if (status, body == self.content) != (200, True):
                        wrong.append((status, len(body)))
                except Exception as error:
                    wrong.append(repr(error))

        with concurrent.futures.ThreadPoolExecutor(16) as pool:
            pulls = [pool.submit(pull) for _ in range(16)]
            try:
                act()
            finally:
                is_over.set()
            for each in pulls:
                each.result()
        assert wrong == []
        return len(redirects)


@pytest.fixture(scope="module")
def shared():
    if not namespaces_are_allowed():
        pytest.skip("no right to make namespaces and mount in them")
    with stacks() as make, contextlib.ExitStack() as ends:
        yield Unit(make, ends)


@pytest.fixture
def unit(shared):
    shared.wait_until_running()
    shared.server.stop()  # nginx remembers a responder that failed
    shared.server.start()
    return shared


def test_it_is_ready_confined_and_serves(unit):
    assert unit.show("SubState") == "running"  # of Type=notify: READY=1 came
    assert unit.systemctl("is-active", "bloblo.socket") == "active"
    status = dict(line.split(":\t", 1) for line in pathlib.Path(f"/proc/{unit.process()}/status").read_text().splitlines()
                  if ":\t" in line)
    assert "0" not in status["Uid"].split()
    assert (int(status["CapEff"], 16), int(status["CapBnd"], 16)) == (0, 0)
    assert (status["NoNewPrivs"], status["Seccomp"]) == ("1", "2")
    headers = unit.ask()[1]
    assert headers["X-Bloblo"] == "redirect"
    socket = unit.stack.socket.stat()
    assert oct(socket.st_mode & 0o777) == "0o660"


def test_a_restart_fails_no_pull(unit):
    def act():
        for _ in range(3):
            before = unit.show("MainPID")
            assert unit.systemctl("restart", "bloblo.service") == ""
            assert unit.show("MainPID") != before
            time.sleep(0.5)
    # Most requests wait in the socket. nginx may send one on a kept connection in the instant of its end,
    # twice, and then ask the registry for the next ten seconds.
    assert unit.pulls_while(act) > 0
    assert unit.show("Result") == "success"


def test_killed_it_comes_back(unit):
    before = int(unit.show("NRestarts"))
    def act():
        os.kill(unit.process(), signal.SIGKILL)
        unit.wait_until_running(before)
    unit.pulls_while(act)


def test_hanging_it_is_killed_by_the_watchdog(unit):
    before = int(unit.show("NRestarts"))
    def act():
        os.kill(unit.process(), signal.SIGSTOP)
        unit.wait_until_running(before)
    unit.pulls_while(act)


def test_it_lives_longer_than_the_watchdog_waits(unit):
    before = unit.show("MainPID")
    unit.pulls_while(lambda: time.sleep(15))
    assert unit.show("MainPID") == before


def test_wrong_settings_are_not_tried_for_ever(unit):
    child = pathlib.Path(f"/proc/{unit.systemd.pid}/task/{unit.systemd.pid}/children").read_text().split()[0]
    folder = f"/proc/{child}/root/etc/systemd/system/bloblo.service.d"
    path = pathlib.Path(folder) / "wrong.conf"
    path.write_text("[Service]\nEnvironment=BLOBLO_DELIVERY=nonsense\n")
    try:
        unit.systemctl("daemon-reload")
        before = unit.show("NRestarts")
        unit.systemctl("restart", "bloblo.service")
        eventually(lambda: unit.show("SubState") == "failed")
        time.sleep(2.5)  # RestartSec, twice
        assert (unit.show("SubState"), unit.show("ExecMainStatus"), unit.show("NRestarts")) == \
                         ("failed", "78", "0")
    finally:
        path.unlink()
        unit.systemctl("daemon-reload")
        unit.systemctl("reset-failed", "bloblo.service", "bloblo.socket")
        unit.systemctl("start", "bloblo.socket", "bloblo.service")
    unit.wait_until_running()
