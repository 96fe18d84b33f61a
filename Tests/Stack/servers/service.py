"""One server process, whichever it is."""

import ctypes
import http.client
import os
import pathlib
import shutil
import signal
import subprocess
import time

from .known import ROOT


class StackError(Exception):
    """A server that is missing, did not start or does not answer; says where its log is."""


def program(name):
    """The path of a server that Tests/Stack/install provides."""
    for folder in (str(ROOT / ".build/venv/bin"), os.environ.get("PATH", ""), "/usr/sbin"):
        if found := shutil.which(name, path=folder):
            return found
    raise StackError(f"{name} is not installed: run Tests/Stack/install")


def dies_with_parent(last_signal, parent):
    """What a child runs before its program: PR_SET_PDEATHSIG, and a session of its own, so that
    Ctrl-C reaches this process only and the servers end in order."""
    # Looked up here: between fork and exec another thread's lock may never be released.
    prctl = ctypes.CDLL(None).prctl

    def prepare():
        os.setsid()
        prctl(1, last_signal)
        if os.getppid() != parent:  # the parent died before prctl
            os._exit(1)

    return prepare


def child(words, last_signal=signal.SIGKILL, **more):
    """A process that gets `last_signal` when this one is killed, and no Ctrl-C. Not for a thread: its end is enough."""
    return subprocess.Popen([str(word) for word in words], preexec_fn=dies_with_parent(last_signal, os.getpid()), **more)


def built(pattern, command):
    """The one file of .build that `command` makes; tests use it as it is, so they neither wait for it nor meet there."""
    found = list((ROOT / ".build").glob(pattern))
    if len(found) != 1:
        raise StackError(f"{len(found)} files are .build/{pattern}, not 1: run {command}")
    return found[0]


class Service:
    """One server process: start, wait until it answers, stop. The port outlives a restart."""

    name = ""
    last_signal = signal.SIGKILL  # when this process is killed
    uid = None  # another user's
    patience = 60  # seconds for an end by SIGTERM

    def __init__(self, stack):
        self.stack = stack
        self.folder = stack.folder / self.name
        self.folder.mkdir(parents=True, exist_ok=True)
        self.log = self.folder / "log"
        self.process = None
        self.is_early = False  # launched, and nobody has waited yet until it answers

    def command(self):
        raise NotImplementedError

    def answers(self):
        """Whether it serves; may raise OSError while it does not."""
        raise NotImplementedError

    def facts(self):
        return {}

    def environment(self):
        return None

    def output(self):
        return self.log.open("ab")

    def launch(self):
        """Starts the process, and does not wait until it answers."""
        with self.log.open("ab") as log, self.output() as output:
            self.process = child(self.command(), self.last_signal, stdin=subprocess.DEVNULL, stdout=output,
                                 stderr=log, env=self.environment(), cwd=self.folder,
                                 user=self.uid, extra_groups=[] if self.uid else None)

    def start(self, timeout=120):
        is_running = self.process and self.process.poll() is None
        if is_running and not self.is_early:
            return
        if not is_running:
            self.launch()
        self.is_early = False
        deadline = time.monotonic() + timeout
        while time.monotonic() < deadline:
            if self.process.poll() is not None:
                raise StackError(f"{self.name} ended with {self.process.returncode}: {self.tail()}")
            try:
                if self.answers():
                    return
            except (OSError, http.client.HTTPException):
                pass
            time.sleep(0.02)
        raise StackError(f"{self.name} does not answer after {timeout} s: {self.tail()}")

    def signal(self, number):
        if self.process and self.process.poll() is None:
            self.process.send_signal(number)
            if number == signal.SIGSTOP:
                self.wait_until_stopped()

    def wait_until_stopped(self):
        """A thread on another processor may answer one more request after kill() has returned."""
        tasks = pathlib.Path(f"/proc/{self.process.pid}/task")
        deadline = time.monotonic() + 120
        while time.monotonic() < deadline:
            try:
                states = [path.read_text().rsplit(")", 1)[1].split()[0] for path in tasks.glob("*/stat")]
            except OSError:  # a thread has ended meanwhile
                continue
            if set(states) <= {"T", "Z"}:
                return
            time.sleep(0.005)
        raise StackError(f"{self.name} was sent SIGSTOP and runs on: {states}")

    def stop(self):
        if not self.process:
            return
        self.signal(signal.SIGTERM)
        self.signal(signal.SIGCONT)
        try:
            self.process.wait(self.patience)
        except subprocess.TimeoutExpired:
            self.signal(signal.SIGKILL)
            self.process.wait()

    def tail(self):
        return self.log.read_text(errors="replace")[-2000:].strip() or "its log is empty"

    @property
    def ended(self):
        """The exit status, or the negated signal; None while it runs."""
        return self.process.poll() if self.process else None

    @property
    def pid(self):
        return self.process.pid if self.process and self.process.poll() is None else None
