"""Every way in which bloblo is started: by cgi-fcgi, spawn-fcgi and systemd's socket; and what it tells each front."""

import os
import pathlib
import signal
import socket
import subprocess
import uuid

import pytest

import stack
from doors import Doors, running
from fakes.blobs import COLD, COLD_DIGEST, CONTENT, blob
from fakes.client import ALICE
from fakes.fastcgi import Answer, ask
from fakes.waiting import PATIENCE


@pytest.fixture(scope="module")
def shared():
    with running(Doors) as doors:
        yield doors


@pytest.fixture
def doors(shared):
    with shared.one_test() as doors:
        yield doors


def assert_responds(address):
    status, fields, body = ask(address, blob(), headers=ALICE)
    assert (status, fields["x-bloblo"]) == (307, "redirect")
    assert stack.request("GET", fields["location"])[2] == CONTENT
    assert ask(address, blob()).status == 424


def end_listeners(program):
    """By pid: those whose program is our own copy of bloblo."""
    for folder in pathlib.Path("/proc").glob("[0-9]*"):
        try:
            if (folder / "exe").resolve() == program.resolve():
                os.kill(int(folder.name), signal.SIGTERM)
        except OSError:
            pass


def cgi_fcgi(address, method="GET"):
    """One request of its environment to a responder."""
    done = subprocess.run(["cgi-fcgi", "-bind", "-connect", str(address)], capture_output=True, timeout=120,
                          stdin=subprocess.DEVNULL, env={
                              "PATH": os.environ["PATH"], "REQUEST_METHOD": method, "REQUEST_URI": blob(),
                              "GATEWAY_INTERFACE": "CGI/1.1", "SERVER_PROTOCOL": "HTTP/1.1",
                              "HTTP_AUTHORIZATION": ALICE["Authorization"]})
    return Answer(done.stdout, done.stderr)


def test_cgi_fcgi_asks_the_running_responder(doors):
    status, fields, _ = cgi_fcgi(doors.stack.socket)
    assert status == 307
    assert stack.request("GET", fields["location"])[2] == CONTENT
    status, fields, _ = cgi_fcgi(doors.stack.socket, "HEAD")
    assert (status, fields["content-length"]) == (200, str(len(CONTENT)))


def test_cgi_fcgi_starts_one(doors):
    path = doors.folder / "started.sock"
    subprocess.run(["cgi-fcgi", "-start", "-connect", path, doors.program], env={
        "PATH": os.environ["PATH"], **doors.settings}, check=True, timeout=120, stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    doors.wait_for(path)
    try:
        assert_responds(path)
    finally:
        end_listeners(doors.program)


def test_spawn_fcgi(doors):
    path = doors.folder / "spawned.sock"
    process = doors.start("spawn-fcgi", "-n", "-s", path, "--", doors.program, stdout=subprocess.DEVNULL)
    doors.wait_for(path)
    assert_responds(path)
    process.terminate()
    assert process.wait(PATIENCE) == 0


def test_systemd_socket_and_notifications(doors):
    path, notify = doors.folder / "activated.sock", doors.folder / "notify.sock"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(str(notify))
        manager.settimeout(PATIENCE)
        process = doors.start(
            "systemd-socket-activate", "-l", path, *(f"--setenv={name}={value}" for name, value in {
                **doors.settings, "NOTIFY_SOCKET": str(notify), "WATCHDOG_USEC": "900000"}.items()), doors.program)
        doors.wait_for(path)
        assert manager.recv(1000).startswith(b"READY=1\n")
        assert_responds(path)
        assert [manager.recv(1000) for _ in range(3)] == [b"WATCHDOG=1"] * 3
        process.terminate()
        while (word := manager.recv(1000)) == b"WATCHDOG=1":
            pass
        assert word == b"STOPPING=1"
        assert process.wait(PATIENCE) == 0


def test_an_abstract_notify_socket(doors):
    name = f"bloblo-notify-{uuid.uuid4().hex}"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(f"\0{name}")
        manager.settimeout(PATIENCE)
        doors.start(doors.program, environment={"NOTIFY_SOCKET": f"@{name}",
                                              "BLOBLO_LISTEN_ADDR": f"unix:{doors.folder}/abstract.sock"})
        assert manager.recv(1000).startswith(b"READY=1\n")


def test_the_units(doors):
    units = stack.ROOT / "packaging/systemd"
    for unit in ("bloblo.service", "bloblo.socket"):  # with a program that is there
        text = (units / unit).read_text().replace("/usr/local/bin/bloblo", str(doors.program))
        (doors.folder / unit).write_text(text)
    said = subprocess.run(["systemd-analyze", "verify", "--man=no", doors.folder / "bloblo.service",
                           doors.folder / "bloblo.socket"], capture_output=True, text=True)
    assert (said.returncode, [line for line in said.stderr.splitlines() if "bloblo" in line]) == (0, [])
    said = subprocess.run(["systemd-analyze", "security", "--offline=yes", "--no-pager", units / "bloblo.service"],
                          capture_output=True, text=True)
    assert "bloblo.service:" in said.stdout, said
    score = float(said.stdout.rsplit("bloblo.service:", 1)[1].split()[0])
    assert score <= 1.5


def test_front_server_none_relays(doors):
    path = doors.folder / "none.sock"
    doors.start(doors.program, environment={"BLOBLO_LISTEN_ADDR": f"unix:{path}", "BLOBLO_FRONT_SERVER": "none"})
    doors.wait_for(path)
    status, fields, body = ask(path, blob())
    assert (status, fields["www-authenticate"]) == (401, 'Basic realm="the demo registry"')
    status, fields, body = ask(path, blob(COLD_DIGEST), headers={**ALICE, "Range": "bytes=5-9"})
    assert (status, body) == (206, COLD[5:10])


def test_what_each_front_is_told(doors, subtests):
    for software, status in (("nginx/1.22.1", 424), ("Apache/2.4.71 (Debian)", 424), ("HAProxy 2.6.12", 425)):
        with subtests.test(software=software):
            got, fields, _ = ask(doors.stack.socket, blob(), SERVER_SOFTWARE=software)
            assert got == status
            assert ("x-accel-redirect" in fields) == software.startswith("nginx")
    assert ask(doors.stack.socket, blob(), SERVER_SOFTWARE="lighttpd/1.4.69").status == 401
