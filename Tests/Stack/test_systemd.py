#!/usr/bin/env python3
"""The shipped units under a real systemd, behind a real nginx: started, watched, restarted, killed, while
clients pull.

    python3 Tests/Stack/test_systemd.py

systemd is PID 1 of namespaces of its own, on a copy of this machine's files that is forgotten afterwards
(overlayfs on tmpfs); it starts nothing but the journal, the bus and bloblo. It takes root and the right to
mount: where that is missing, all of this is skipped, and says so.
"""

import concurrent.futures
import os
import pathlib
import shutil
import signal
import subprocess
import tempfile
import threading
import time
import unittest

import stack
from test_fronts import ALICE, CONTENT, Front, blob

PROGRAM = pathlib.Path(os.environ.get("BLOBLO", stack.ROOT / ".build/release/bloblo")).resolve()

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


@unittest.skipUnless(namespaces_are_allowed(), "no right to make namespaces and mount in them")
class TestSystemd(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.shared = pathlib.Path(tempfile.mkdtemp(prefix="units-"))
        cls.addClassCleanup(shutil.rmtree, cls.shared, ignore_errors=True)
        cls.shared.chmod(0o755)
        (cls.shared / "run").mkdir()
        (cls.shared / "root").mkdir()
        shutil.copytree(stack.ROOT / "packaging/systemd", cls.shared / "units")
        shutil.copy(PROGRAM, cls.shared / "bloblo")
        # The shipped 30 s are too long for a test.
        (cls.shared / "short.conf").write_text("[Service]\nWatchdogSec=3s\n")
        cls.stack = stack.Stack(stack.options(["up", "--services", "registry,s3,nginx", "--read-timeout", "8"]))
        cls.addClassCleanup(cls.stack.down)
        cls.stack.socket = cls.shared / "run/bloblo.sock"
        cls.stack.up()
        cls.server, cls.registry, cls.s3 = (cls.stack.services[name] for name in ("nginx", "registry", "s3"))
        settings = stack.Bloblo(cls.stack).environment()
        (cls.shared / "bloblo.env").write_text("".join(
            f"{name}={value}\n" for name, value in settings.items()
            if name.startswith(("BLOBLO_", "AWS_")) and name not in ("BLOBLO_LISTEN_ADDR", "BLOBLO_SPOOL_DIR")))
        cls.systemd = subprocess.Popen(
            ["unshare", "-m", "-p", "-u", "-i", "-C", "-f", "--kill-child", "bash", "-c",
             SET_UP.format(folder=cls.shared / "root", shared=cls.shared)],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, preexec_fn=cls.prepared())
        cls.addClassCleanup(cls.end)
        deadline = time.monotonic() + 30
        while cls.systemctl("is-active", "bloblo.service") != "active":
            assert cls.systemd.poll() is None, cls.systemd.stdout.read()
            assert time.monotonic() < deadline, cls.systemctl("status", "bloblo.service", "bloblo.socket")
            time.sleep(0.1)
        Front.push.__func__(cls, CONTENT)
        Front.fill.__func__(cls, CONTENT)

    @classmethod
    def prepared(cls):
        """A cgroup of its own, so that those that systemd makes can be removed; an end when we end."""
        mounts = [line.split() for line in pathlib.Path("/proc/mounts").read_text().splitlines()]
        places = [pathlib.Path(mount[1]) for mount in mounts if mount[2] == "cgroup2"]
        cls.cgroup = None
        if places:
            own = pathlib.Path("/proc/self/cgroup").read_text().split("0::")[1].split()[0]
            cls.cgroup = pathlib.Path(f"{places[0]}{own}/bloblo-test-{os.getpid()}")
            cls.cgroup.mkdir()
        dies = stack.dies_with_parent(signal.SIGKILL, os.getpid())

        def prepare():
            dies()
            if cls.cgroup:
                (cls.cgroup / "cgroup.procs").write_text(str(os.getpid()))
        return prepare

    @classmethod
    def end(cls):
        cls.systemd.kill()  # and with it PID 1 of the namespaces, and all that is in them
        cls.systemd.wait()
        cls.systemd.stdout.close()
        if cls.cgroup:
            deadline = time.monotonic() + 10
            while "populated 1" in (cls.cgroup / "cgroup.events").read_text() and time.monotonic() < deadline:
                time.sleep(0.05)
            for folder, _, _ in os.walk(cls.cgroup, topdown=False):
                os.rmdir(folder)

    def setUp(self):
        self.wait_until(lambda: self.show("SubState") == "running", "running")
        self.server.stop()  # nginx remembers a responder that failed
        self.server.start()

    @classmethod
    def systemctl(cls, *words):
        children = pathlib.Path(f"/proc/{cls.systemd.pid}/task/{cls.systemd.pid}/children").read_text().split()
        if not children:
            return ""
        done = subprocess.run(["nsenter", "-t", children[0], "-m", "-p", "-u", "-i", "-C", "systemctl", "--no-pager", *words],
                              capture_output=True, text=True, timeout=60)
        return (done.stdout + done.stderr).strip()

    def show(self, name):
        return self.systemctl("show", "--value", "-p", name, "bloblo.service")

    def wait_until(self, is_true, what):
        deadline = time.monotonic() + 30
        while not is_true():
            self.assertLess(time.monotonic(), deadline, f"{what}: {self.systemctl('status', 'bloblo.service')}")
            time.sleep(0.1)

    def process(self):
        """bloblo's pid as it is outside of the namespaces."""
        for folder in pathlib.Path("/proc").glob("[0-9]*"):
            try:
                if os.readlink(folder / "exe").endswith("/usr/local/bin/bloblo") and \
                        self.show("MainPID") == (folder / "status").read_text().split("NSpid:")[1].split()[1]:
                    return int(folder.name)
            except (OSError, IndexError):
                pass
        self.fail("it does not run")

    def pulls_while(self, act, least=50):
        """16 clients pull while `act` runs; every pull must end with the right bytes."""
        is_over, wrong, count = threading.Event(), [], [0, 0]

        def pull():
            while not is_over.is_set():
                try:
                    status, headers, body = stack.request("GET", self.server.url + blob(), ALICE, timeout=30)
                    if status == 307:
                        count[1] += 1
                        status, headers, body = stack.request("GET", headers["Location"])
                    if (status, body == CONTENT) != (200, True):
                        wrong.append((status, len(body)))
                except Exception as error:
                    wrong.append(repr(error))
                count[0] += 1

        with concurrent.futures.ThreadPoolExecutor(16) as pool:
            pulls = [pool.submit(pull) for _ in range(16)]
            try:
                act()
            finally:
                is_over.set()
            for each in pulls:
                each.result()
        self.assertEqual(wrong, [])
        self.assertGreater(count[0], least)
        return count

    def test_it_is_ready_confined_and_serves(self):
        self.assertEqual(self.show("SubState"), "running")  # of Type=notify: READY=1 came
        self.assertEqual(self.systemctl("is-active", "bloblo.socket"), "active")
        status = dict(line.split(":\t", 1) for line in pathlib.Path(f"/proc/{self.process()}/status").read_text().splitlines()
                      if ":\t" in line)
        self.assertNotIn("0", status["Uid"].split())
        self.assertEqual((int(status["CapEff"], 16), int(status["CapBnd"], 16)), (0, 0))
        self.assertEqual((status["NoNewPrivs"], status["Seccomp"]), ("1", "2"))
        headers = stack.request("GET", self.server.url + blob(), ALICE)[1]
        self.assertEqual(headers["X-Bloblo"], "redirect")
        socket = self.stack.socket.stat()
        self.assertEqual(oct(socket.st_mode & 0o777), "0o660")

    def test_a_restart_fails_no_pull(self):
        def act():
            for _ in range(3):
                before = self.show("MainPID")
                self.assertEqual(self.systemctl("restart", "bloblo.service"), "")
                self.assertNotEqual(self.show("MainPID"), before)
                time.sleep(0.5)
        # Most requests wait in the socket. nginx may send one on a kept connection in the instant of its end,
        # twice, and then ask the registry for the next ten seconds.
        self.assertGreater(self.pulls_while(act)[1], 0)
        self.assertEqual(self.show("Result"), "success")

    def test_killed_it_comes_back(self):
        before = int(self.show("NRestarts"))
        def act():
            os.kill(self.process(), signal.SIGKILL)
            self.wait_until(lambda: int(self.show("NRestarts")) > before and self.show("SubState") == "running", "back")
        self.pulls_while(act, least=16)

    def test_hanging_it_is_killed_by_the_watchdog(self):
        before = int(self.show("NRestarts"))
        def act():
            os.kill(self.process(), signal.SIGSTOP)
            self.wait_until(lambda: int(self.show("NRestarts")) > before and self.show("SubState") == "running", "back")
        self.pulls_while(act, least=16)

    def test_it_lives_longer_than_the_watchdog_waits(self):
        before = self.show("MainPID")
        self.pulls_while(lambda: time.sleep(5))
        self.assertEqual(self.show("MainPID"), before)

    def test_wrong_settings_are_not_tried_for_ever(self):
        child = pathlib.Path(f"/proc/{self.systemd.pid}/task/{self.systemd.pid}/children").read_text().split()[0]
        folder = f"/proc/{child}/root/etc/systemd/system/bloblo.service.d"
        path = pathlib.Path(folder) / "wrong.conf"
        path.write_text("[Service]\nEnvironment=BLOBLO_DELIVERY=nonsense\n")
        try:
            self.systemctl("daemon-reload")
            before = self.show("NRestarts")
            self.systemctl("restart", "bloblo.service")
            time.sleep(2.5)  # RestartSec, twice
            self.assertEqual((self.show("SubState"), self.show("ExecMainStatus"), self.show("NRestarts")),
                             ("failed", "78", "0"))
        finally:
            path.unlink()
            self.systemctl("daemon-reload")
            self.systemctl("reset-failed", "bloblo.service", "bloblo.socket")
            self.systemctl("start", "bloblo.socket", "bloblo.service")
        self.wait_until(lambda: self.show("SubState") == "running", "started")


if __name__ == "__main__":
    stack.end_by_signal()
    unittest.main(verbosity=2)
