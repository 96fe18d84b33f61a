"""bloblo behind one front, and its settings for those that are started beside it."""

import contextlib
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import tempfile

import pytest

import stack
import written
from fakes.blobs import COLD, CONTENT
from fakes.client import push
from fakes.waiting import eventually
from front_site import Site, stacks

BLOBS = "^/v2/.+/blobs/[a-z0-9+._-]+:[0-9a-zA-Z=_-]+$"

# Who asks, by the lines of the documentation.
CLIENT = """\
            fastcgi_param REMOTE_ADDR $remote_addr;
            fastcgi_param HTTP_HOST $http_host;
            fastcgi_param HTTP_X_REAL_IP $remote_addr;
            fastcgi_param HTTP_X_FORWARDED_FOR $proxy_add_x_forwarded_for;
            fastcgi_param HTTP_X_FORWARDED_PROTO $scheme;""".lstrip()


def nginx_server(port, inside):
    return f"server {{ listen 127.0.0.1:{port}; {inside} }}"


def listens(path):
    """Whether somebody listens at a Unix socket: its file is there a moment before."""
    with socket.socket(socket.AF_UNIX) as client, contextlib.suppress(OSError):
        client.connect(str(path))
        return True


class Doors(Site):
    """`port` is for a server of the subclass's own, which `configure` enters into the front's files."""

    front_name, words = "nginx", ()

    def __init__(self, make, ends):
        self.folder = pathlib.Path(ends.enter_context(
            tempfile.TemporaryDirectory(prefix="doors-", ignore_cleanup_errors=True)))
        self.folder.chmod(0o755)
        self.program = self.folder / "bloblo"
        shutil.copy(os.environ["BLOBLO"], self.program)
        self.stack = make(f"registry,s3,{self.front_name},bloblo", *self.words, start=False)
        super().__init__(self.stack, self.front_name)
        self.port = self.stack.ports.take()
        self.settings = {name: value for name, value in self.bloblo.environment().items()
                         if name.startswith(("BLOBLO_", "AWS_"))}
        self.settings.pop("BLOBLO_LISTEN_ADDR")
        self.settings.pop("BLOBLO_LISTEN_GROUP", None)
        self.ends = ends
        self.configure(self.stack.options)
        self.stack.up()
        for content in (COLD, CONTENT):
            digest = push(self.url, content)
        self.fill(digest)

    def configure(self, options):
        """Sets options of the stack before it starts."""

    @contextlib.contextmanager
    def one_test(self):
        """What a test starts ends with it."""
        with contextlib.ExitStack() as self.ends:
            yield self

    def start(self, *command, environment=None, **more):
        process = stack.child(command, signal.SIGTERM, env={
            "PATH": os.environ["PATH"], **self.settings, **(environment or {})}, stderr=subprocess.PIPE, **more)
        self.ends.callback(self.end, process)
        return process

    def end(self, process):
        if process.poll() is None:
            process.terminate()
            try:
                process.wait(60)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        if not process.stderr.closed:
            # Whom it has started may live on, and hold the other end.
            os.set_blocking(process.stderr.fileno(), False)
            written.wrote(process.stderr.read())
        for stream in (process.stderr, process.stdout):
            if stream:
                stream.close()

    def forget_failures(self):
        if self.name == "nginx":  # which remembers a responder that failed
            self.front.stop()
            self.front.start()

    def wait_for(self, path):
        """Until somebody listens at a Unix socket."""
        eventually(lambda: listens(path))


@contextlib.contextmanager
def running(kind):
    with stacks() as make, contextlib.ExitStack() as ends:
        yield kind(make, ends)


def of_fronts(**kinds):
    """The fixtures `shared` and `site` of a module that runs with each of these fronts; what a test starts ends with it."""
    @pytest.fixture(scope="module")
    def shared(front):
        with running(kinds[front]) as doors:
            yield doors

    @pytest.fixture
    def site(shared):
        with shared.one_test() as doors:
            yield doors

    return shared, site


def only(front):
    """For a test of one of the fronts."""
    return pytest.mark.parametrize("front", [front], indirect=True, scope="module")
