"""bloblo as a process: signals, a log that nobody reads, core files, authorities, files of settings."""

import os
import pathlib
import re
import resource
import shutil
import signal
import subprocess
import time

import pytest

import stack
from fakes.alone import BASIC, Registry
from fakes.authority import Authority
from fakes.waiting import PATIENCE, eventually


# The log


def test_a_log_that_nobody_reads_blocks_no_request_no_fill_and_no_stop(alone):
    bloblo = alone(start=False, BLOBLO_LOG_LEVEL="trace", BLOBLO_STOP_TIMEOUT="10m")
    reading, writing = os.pipe()
    bloblo.start(stderr=writing)
    os.close(writing)
    eventually(bloblo.answers)
    digest = bloblo.put_into_bucket(b"content")
    assert bloblo.get(digest)[0] == 307
    # A line of a few hundred bytes for each: more than a pipe holds, and in the end more than the queue does.
    forwarded = ", ".join(["192.0.2.1"] * 20)
    for number in range(20_000):
        assert bloblo.get(digest, HTTP_X_FORWARDED_FOR=forwarded)[0] == 307
        if number % 500 == 0 and bloblo.metrics()["bloblo_log_lines_dropped_total"] > 0:
            break
    cold = bloblo.registry.add(b"cold")
    assert bloblo.get(cold)[0] == 200
    eventually(lambda: f"/layers/{cold}" in bloblo.bucket.objects)
    metrics = bloblo.metrics()
    assert metrics["bloblo_log_lines_dropped_total"] > 0
    eventually(lambda: bloblo.metrics()['bloblo_notice{notice="dropped-log-lines"}'] == 1)
    bloblo.process.terminate()
    assert bloblo.process.wait(PATIENCE) == 0
    os.close(reading)


def test_a_reader_that_has_gone_does_not_end_it(alone):
    bloblo = alone(start=False, BLOBLO_LOG_LEVEL="debug")
    reading, writing = os.pipe()
    os.close(reading)
    bloblo.start(stderr=writing)
    os.close(writing)
    eventually(bloblo.answers)
    assert bloblo.get(bloblo.put_into_bucket(b"content"))[0] == 307


def test_a_reader_that_goes_before_the_first_line_does_not_kill_a_command(alone):
    bloblo = alone(start=False)
    reading, writing = os.pipe()
    os.close(reading)
    process = subprocess.Popen([bloblo.program, "check"], env=bloblo.settings, stdout=writing, stderr=writing)
    os.close(writing)
    assert process.wait(PATIENCE) in (0, 1)


# Signals


def test_a_second_sigterm_ends_at_once(alone):
    bloblo = alone(BLOBLO_STOP_TIMEOUT="10m", BLOBLO_UPSTREAM_TIMEOUT="60s")
    digest = bloblo.registry.add(b"content")
    handler = bloblo.registry_server.RequestHandlerClass
    handler.do_HEAD = handler.do_GET = lambda _: time.sleep(50)
    import threading
    threading.Thread(target=lambda: pytest.raises(OSError, bloblo.get, digest), daemon=True).start()
    eventually(lambda: bloblo.metrics()['bloblo_upstream_questions{state="asked"}'] == 1)
    bloblo.process.terminate()
    eventually(lambda: bloblo.lines("stopping"))
    with pytest.raises(subprocess.TimeoutExpired):
        bloblo.process.wait(1)
    bloblo.process.terminate()
    assert bloblo.process.wait(PATIENCE) == 0
    assert bloblo.lines("stopped at once")


def test_sighup_never_kills_and_says_what_it_did(alone):
    bloblo = alone()
    for _ in range(3):
        bloblo.process.send_signal(signal.SIGHUP)
        time.sleep(0.05)
    eventually(lambda: bloblo.lines('"reloaded"'))
    assert bloblo.answers()
    assert bloblo.lines('"reloaded"')[-1]["authorities"] == "read again"


def test_sighup_reads_the_file_of_settings_again(alone):
    bloblo = alone(start=False)
    file = bloblo.folder / "bloblo.env"
    file.write_text("# a comment\nBLOBLO_LOG_LEVEL=info\nBLOBLO_PROOF_TTL='30s'\n")
    bloblo.words = ("serve", "--env-file", str(file))
    bloblo.start()
    eventually(bloblo.answers)
    [line] = bloblo.lines("settings read from a file")
    assert line["file"] == str(file)
    digest = bloblo.put_into_bucket(b"content")
    bloblo.get(digest)
    assert not bloblo.lines('"decided"')
    file.write_text('BLOBLO_LOG_LEVEL="debug"\nBLOBLO_PROOF_TTL=10s\n')
    bloblo.process.send_signal(signal.SIGHUP)
    [line] = eventually(lambda: bloblo.lines('"reloaded"'))
    assert (line["level.new"], line["waits-for-restart"]) == ("debug", "BLOBLO_PROOF_TTL")
    bloblo.get(digest)
    eventually(lambda: bloblo.lines('"decided"'))
    file.write_text("BLOBLO_LOG_LEVEL=loud\n")
    bloblo.process.send_signal(signal.SIGHUP)
    [line] = eventually(lambda: bloblo.lines("nothing was reloaded"))
    assert "BLOBLO_LOG_LEVEL" in line["problems"]
    assert bloblo.get(digest)[0] == 307


# Core files


def core_limits(pid):
    return re.search(r"Max core file size +(\S+)", pathlib.Path(f"/proc/{pid}/limits").read_text())[1]


@pytest.mark.parametrize("settings", [{}, {"BLOBLO_CORE_DUMPS": "true"}])
def test_no_core_file_is_written_unless_it_is_allowed(alone, settings):
    bloblo = alone(start=False, **settings)
    bloblo.start(start_new_session=False)
    eventually(bloblo.answers)
    resource.prlimit(bloblo.process.pid, resource.RLIMIT_CORE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    # The kernel gives the files of a process that can't be dumped to root; a test that runs as root sees that
    # by the status of the end alone.
    bloblo.process.send_signal(signal.SIGABRT)
    status = eventually(lambda: os.waitpid(bloblo.process.pid, os.WNOHANG)[1])
    assert os.WTERMSIG(status) == signal.SIGABRT
    assert os.WCOREDUMP(status) == bool(settings)
    bloblo.process.returncode = -signal.SIGABRT


# Authorities


@pytest.fixture
def secure(serve, authority):
    """A registry with a certificate of the authority: (registry, URL)."""
    registry = Registry()
    server = serve(registry.handler())
    server.socket = authority.context("127.0.0.1").wrap_socket(server.socket, server_side=True)
    return registry, f"https://127.0.0.1:{server.server_port}"


def trusted_by_the_system(certificate):
    """Puts a certificate into the system's folder, by its hash; the link."""
    name = subprocess.run(["openssl", "x509", "-hash", "-noout", "-in", certificate], check=True,
                          capture_output=True, text=True).stdout.strip()
    # OpenSSL counts up from 0, until there is no such file.
    link = next(path for path in (pathlib.Path(f"/etc/ssl/certs/{name}.{number}") for number in range(9))
                if not path.is_symlink())
    link.symlink_to(certificate)
    return link


@pytest.mark.skipif(os.geteuid() != 0, reason="writes to /etc/ssl/certs")
def test_a_file_of_authorities_alone_is_trusted(alone, secure, authority, tmp_path):
    (registry, url), other = secure, Authority(tmp_path)
    link = trusted_by_the_system(authority.file)
    try:
        for file, is_trusted in ((None, True), (authority.file, True), (other.file, False)):
            bloblo = alone(BLOBLO_UPSTREAM_URL=url, BLOBLO_UPSTREAM_CA_FILE=file and str(file))
            digest = bloblo.put_into_bucket(b"content")
            registry.add(b"content")
            assert (bloblo.get(digest)[0] == 307) == is_trusted, file
    finally:
        link.unlink()


def test_a_renewed_file_of_authorities_is_read_at_sighup(alone, secure, authority, tmp_path):
    (registry, url), other, file = secure, Authority(tmp_path), tmp_path / "authorities"
    shutil.copy(other.file, file)
    bloblo = alone(BLOBLO_UPSTREAM_URL=url, BLOBLO_UPSTREAM_CA_FILE=str(file))
    digest = bloblo.put_into_bucket(b"content")
    registry.add(b"content")
    assert bloblo.get(digest)[0] == 424
    shutil.copy(authority.file, file)
    bloblo.process.send_signal(signal.SIGHUP)
    eventually(lambda: bloblo.get(digest)[0] == 307)
    # And the other way: what was trusted is so no more, also on connections that are open.
    shutil.copy(other.file, file)
    bloblo.process.send_signal(signal.SIGHUP)
    eventually(lambda: bloblo.lines('"reloaded"')[1:])
    assert bloblo.get(registry.add(b"more"))[0] == 424


# Files of settings


@pytest.mark.parametrize("command", [
    ("check",), ("presign", "sha256:" + "0" * 64), ("sweep",), ("warm", "nowhere.invalid/a:b"),
    ("purge", "sha256:" + "0" * 64)])
def test_each_command_reads_a_file_and_says_so(alone, command):
    bloblo = alone(start=False)
    file = bloblo.folder / "a.env"
    file.write_text("".join(f"{name}={value}\n" for name, value in bloblo.settings.items()
                            if name.startswith(("BLOBLO_", "AWS_"))))
    bare = {name: None for name in bloblo.settings if name.startswith(("BLOBLO_", "AWS_"))}
    done = bloblo.run(*command, "--env-file", file, **bare)
    assert str(file) in done.stdout + done.stderr
    assert "credentials" not in done.stderr and done.returncode in (0, 1), done
    done = bloblo.run(*command, "--env-file", "/nowhere", **bare)
    assert done.returncode == 78 and "/nowhere" in done.stderr


def test_a_variable_goes_before_the_file(alone):
    bloblo = alone(start=False)
    file = bloblo.folder / "a.env"
    file.write_text("BLOBLO_S3_BUCKET_NAME=from-the-file\n")
    assert "from-the-file" not in bloblo.run("check", "--env-file", file).stdout


def test_cgi_reads_no_file(alone):
    bloblo = alone(start=False)
    file = bloblo.folder / "a.env"
    file.write_text("BLOBLO_DELIVERY=pass\n")
    digest = bloblo.put_into_bucket(b"content")
    done = bloblo.run("serve", "--env-file", file, GATEWAY_INTERFACE="CGI/1.1", REQUEST_METHOD="GET",
                      REQUEST_URI=f"/v2/a/b/blobs/{digest}", HTTP_AUTHORIZATION=BASIC, BLOBLO_LISTEN_ADDR=None)
    assert "307" in done.stdout.splitlines()[0] + done.stdout, done
