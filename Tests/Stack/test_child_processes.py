"""What a test starts ends with the test, also when the test's own process is killed."""

import pathlib
import subprocess
import sys

import stack
from fakes.waiting import eventually

STARTS = f"import sys; sys.path.insert(0, {str(stack.ROOT / 'Tests/Stack')!r}); import signal, stack, time\n"

# Each ends otherwise.
OTHERS = {
    "Tests/Stack/servers/service.py": "stack.child itself",
    "Tests/Stack/test_systemd.py": "asks the kernel for the same, and enters a control group",
    "Tests/Stack/throwaway.py": "ends with the tree, whose first process is such a child",
    "Tests/Stack/test_process.py": "a command that ends by itself",
    "Tests/Stack/test_apache_lasting.py": "curl with a limit, from threads",
    "Benchmarks/fill.py": "curl, which ends with the servers",
    "Benchmarks/transfers.py": "curl, which ends with the servers",
}


def is_running(pid):
    try:
        return pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except FileNotFoundError:
        return False


def test_a_child_ends_with_a_killed_process():
    with subprocess.Popen([sys.executable, "-c", STARTS + "print(stack.child(['sleep', 1000]).pid, flush=True); time.sleep(1000)"],
                          stdout=subprocess.PIPE, text=True) as process:
        pid = int(process.stdout.readline())
        assert is_running(pid)
        process.kill()
    eventually(lambda: not is_running(pid))


def test_nginx_ends_with_its_workers(ports, tmp_path):
    """Killed outright, its first process leaves them behind, and they keep the port."""
    (tmp_path / "nginx.conf").write_text(
        f"daemon off; worker_processes 2; pid {tmp_path}/pid; error_log stderr; events {{}}\n"
        f"http {{ access_log off; server {{ listen 127.0.0.1:{ports.take()}; }} }}\n")
    words = [stack.program("nginx"), "-c", str(tmp_path / "nginx.conf"), "-e", "stderr"]
    script = STARTS + f"print(stack.child({words!r}, signal.SIGTERM, stderr=-3).pid, flush=True); time.sleep(1000)"
    with subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True) as process:
        pid = int(process.stdout.readline())
        children = pathlib.Path(f"/proc/{pid}/task/{pid}/children")
        workers = eventually(lambda: len(found := children.read_text().split()) == 2 and found)
        process.kill()
    eventually(lambda: not any(is_running(each) for each in (pid, *workers)))


def test_each_process_is_started_so():
    found = {str(path.relative_to(stack.ROOT)) for folder in ("Tests", "Benchmarks")
             for path in (stack.ROOT / folder).rglob("*.py") if "subprocess.Popen(" in path.read_text()}
    assert found - {"Tests/Stack/test_child_processes.py"} == set(OTHERS), "stack.child starts a process that ends with this one"
