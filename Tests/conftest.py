"""What all Python tests share: the program under test, the seed and the order, and fixtures of real servers.

Settings of the run:

    BLOBLO       the program under test; without it the debug build
    --seed N     replays the order and the random choices of an earlier run, whose header names N (run_options.py)
"""

import contextlib
import ctypes
import gc
import os
import pathlib
import random
import shutil
import signal
import sys
import warnings

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "Tests/Stack"))
# Before any test module reads it.
os.environ["BLOBLO"] = str(pathlib.Path(os.environ.get("BLOBLO", ROOT / ".build/debug/bloblo")).resolve())

pytest.register_assert_rewrite("front_site", "operating", "s3_servers", "doors", "filling", "fakes")

import stack  # noqa: E402
from fakes.authority import Authority  # noqa: E402
from fakes.registry import Registry  # noqa: E402
from fakes.waiting import eventually  # noqa: E402
from front_site import Site, stacks  # noqa: E402

stack.Early.is_on = True


# The run


def pytest_configure(config):
    # SIGTERM ends a run as Ctrl-C does: fixtures are torn down.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    workers_seed = getattr(config, "workerinput", {}).get("seed")
    chosen = config.getoption("seed")
    config.option.loadscopereorder = False  # the order below, not by number of tests
    config.seed = next(seed for seed in (workers_seed, chosen, random.SystemRandom().randrange(1 << 32))
                       if seed is not None)


def pytest_unconfigure():
    stack.Early.end()


def pytest_report_header(config):
    return f"bloblo: {os.environ['BLOBLO']}\nseed: {config.seed} (replay with --seed {config.seed})"


def scope(nodeid):
    """Tests of one scope share servers, so they run on one worker: a class, or a module and its front.

    A parameter whose name begins with @ takes the front's place: its servers stand behind all fronts.
    """
    place, _, name = nodeid.rpartition("::")
    words = name.partition("[")[2].rstrip("]").split("-")
    fronts = ("nginx", "apache", "caddy", "haproxy", "lighttpd")
    chosen = [word for word in words if word.startswith("@")] or [word for word in words if word.startswith(fronts)]
    return "@".join([place, *sorted(chosen)])


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config, items):
    """Shuffles modules, scopes and the tests in them; scopes with a long test start first."""
    draw = random.Random(config.seed)
    items.sort(key=lambda item: item.nodeid)  # each worker draws the same numbers
    rank = {}
    for item in items:
        for key in (item.module.__name__, scope(item.nodeid), item.nodeid):
            rank.setdefault(key, draw.random())
    long = {scope(item.nodeid) for item in items if item.get_closest_marker("long")}
    items.sort(key=lambda item: (scope(item.nodeid) not in long, rank[item.module.__name__],
                                 rank[scope(item.nodeid)], rank[item.nodeid]))


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node):
    """Each worker of pytest-xdist hears of the seed."""
    node.workerinput["seed"] = node.config.seed


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config, log):
    from xdist.scheduler import LoadScopeScheduling

    class Scheduler(LoadScopeScheduling):
        def _split_scope(self, nodeid):
            return scope(nodeid)

    return Scheduler(config, log)


def pytest_runtest_setup(item):
    if item.get_closest_marker("root") and os.geteuid() != 0:
        pytest.skip("needs root")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item):
    report = yield
    item.has_failed = getattr(item, "has_failed", False) or report.failed
    return report


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item):
    """What a failed test left open goes with it: its traceback would keep that, and a later test would be blamed."""
    ran = yield
    if getattr(item, "has_failed", False):
        for name in ("last_type", "last_value", "last_traceback", "last_exc"):
            vars(sys).pop(name, None)
        with warnings.catch_warnings(action="ignore", category=ResourceWarning):
            gc.collect()
    return ran


@pytest.fixture
def chance(request):
    """A random.Random of this test's own: the run's seed and the test's name give the same choices again."""
    return random.Random(f"{request.config.seed}:{request.node.nodeid}")


def running_children():
    """{pid: command line} of this process's children, and of orphans, whose parent it becomes; buries the dead.

    The S3 server that waits for the next stack is none of a module's.
    """
    found, pids, early = {}, [], stack.Early.pid()
    for children in pathlib.Path("/proc/self/task").glob("*/children"):
        with contextlib.suppress(OSError):  # of a thread that ends meanwhile
            pids += map(int, children.read_text().split())
    for pid in pids:
        if pid != early and os.waitpid(pid, os.WNOHANG)[0] == 0:
            found[pid] = pathlib.Path(f"/proc/{pid}/cmdline").read_text().replace("\0", " ").strip()
    return found


@pytest.fixture(scope="module", autouse=True)
def nothing_stays():
    """A module fails whose processes, or those that they have left behind, run on after it."""
    ctypes.CDLL(None).prctl(36, 1)  # PR_SET_CHILD_SUBREAPER
    yield
    try:
        eventually(lambda: not running_children(), otherwise=lambda: f"these run on: {running_children()}")
    finally:
        for pid in running_children():
            os.kill(pid, signal.SIGKILL)


# Servers


@pytest.fixture
def ports():
    """Claims on free loopback ports: `ports.take()`."""
    claims = stack.Ports()
    yield claims
    claims.close()


@pytest.fixture
def fake_registry():
    """A registry whose blobs the test adds: fakes/registry.py."""
    registry = Registry()
    yield registry
    registry.close()


@pytest.fixture
def authority(tmp_path):
    """A private certificate authority: fakes/authority.py."""
    return Authority(tmp_path)


@pytest.fixture(scope="module")
def shared_authority(tmp_path_factory):
    """The same, for fixtures of module scope."""
    return Authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture
def serve(request):
    """Starts a handler of http.server on loopback until the end of the test; the server."""
    return lambda handler: stack.serve_http(handler, request.addfinalizer)


@pytest.fixture
def ends():
    """What a test ends at its end: `ends.callback(f, …)`."""
    with contextlib.ExitStack() as stack_of_ends:
        yield stack_of_ends


@pytest.fixture
def make_stack():
    """make_stack("registry,s3,nginx,bloblo", env={…}): real servers of this test's own."""
    with stacks() as make:
        yield make


@pytest.fixture(scope="module")
def make_shared_stack():
    """The same, for fixtures of module scope."""
    with stacks() as make:
        yield make


@pytest.fixture(scope="module")
def both_fronts(make_shared_stack):
    """nginx and Apache with the shipped files before one bloblo and one fake `registry`, which has a blob at `path`."""
    registry = Registry()
    servers = make_shared_stack("s3,apache,nginx,bloblo", "--registry", registry.address)
    servers.registry, servers.path = registry, f"/v2/good/blobs/{registry.add(1000)}"
    yield servers
    registry.close()


@pytest.fixture(scope="module", params=["nginx", "apache"])
def front(request):
    """The name of a front; a test that has it runs with each of them."""
    return request.param


@pytest.fixture(scope="module")
def site(front):
    """registry, SeaweedFS, the front and bloblo with the shipped files; the module shares them.

    Beside nginx bloblo asks registry and S3 by TLS, at [::1].
    """
    with stacks() as make:
        yield Site(make(f"registry,s3,{front},bloblo", tls="[::1]" if front == "nginx" else None), front)


@pytest.fixture
def alone(serve, ports):
    """Starts a bloblo without a web server: `alone(BLOBLO_…="…")`; with `tcp=True` on a port."""
    from fakes.alone import Alone

    with contextlib.ExitStack() as ends:
        def make(tcp=False, start=True, **more):
            bloblo = Alone(serve, port=ports.take() if tcp else None, **more)
            ends.callback(shutil.rmtree, bloblo.folder, ignore_errors=True)
            ends.callback(bloblo.end)
            if start:
                bloblo.start()
                eventually(bloblo.answers)
            return bloblo
        yield make
