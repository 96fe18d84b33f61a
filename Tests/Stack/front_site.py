"""One bloblo between real servers, as a test sees it."""

import contextlib
import json
import os
import time

import stack
from fakes.authority import Authority
from fakes.client import ALICE, blob_path, push
from fakes.relay import Relay
from fakes.waiting import PATIENCE, eventually


@contextlib.contextmanager
def stacks():
    """A function that makes and starts stacks, which end together."""
    with contextlib.ExitStack() as ends:
        def make(services, *words, env=None, start=True, tls=None, **options):
            """`services` as in stack.py; `words` are further options of it, `options` such as have no words.

            With `tls`, "localhost" or "[::1]", bloblo asks registry and S3 by TLS under this name.
            """
            chosen = stack.options(["up", "--services", services, "--bloblo", os.environ["BLOBLO"], *words])
            chosen.env |= env or {}
            for name, value in options.items():
                setattr(chosen, name, value)
            servers = stack.Stack(chosen)
            if tls:
                secure(servers, tls, ends)
            ends.callback(servers.down)
            return servers.up() if start else servers

        yield make


def secure(servers, name, ends):
    """Puts an end of TLS before registry and S3, each of an authority of its own, and tells bloblo."""
    folder = servers.folder / "authorities"
    folder.mkdir()
    host, env = ("::1" if name == "[::1]" else "127.0.0.1"), servers.options.env

    def relay(port, authority):
        relay = Relay(int(port), authority.context(name.strip("[]")), host)
        ends.callback(relay.close)
        return relay

    servers.registry_authority, servers.s3_authority = Authority(folder), Authority(folder)
    servers.registry_relay = relay(servers.registry_address.rpartition(":")[2], servers.registry_authority)
    env |= {"BLOBLO_UPSTREAM_URL": f"https://{name}:{servers.registry_relay.port}",
            "BLOBLO_UPSTREAM_CA_FILE": str(servers.registry_authority.file)}
    if "s3" in servers.services:
        servers.s3_relay = relay(servers.services["s3"].port, servers.s3_authority)
        env |= {"BLOBLO_S3_ENDPOINT_URL": f"https://{name}:{servers.s3_relay.port}",
                "BLOBLO_S3_CA_FILE": str(servers.s3_authority.file)}


class Site:
    """A started stack with one front, "nginx" or "apache", and what tests ask of it."""

    def __init__(self, servers, front):
        self.servers = servers
        self.name = front
        self.front = servers.services[front]
        self.url = self.front.url
        self.registry = servers.services.get("registry")
        self.s3 = servers.services.get("s3")
        self.bloblo = servers.services.get("bloblo")

    def push(self, content, repository="some/name", headers=ALICE):
        """Pushes a blob through the front; its digest."""
        return push(self.url, content, repository, headers)

    def ask(self, method, path, headers=ALICE, **more):
        """One request to the front, redirects not followed: (status, fields, body)."""
        return stack.request(method, self.url + path, headers, **more)

    def get(self, digest, repository="some/name", headers=ALICE, **more):
        return self.ask("GET", blob_path(digest, repository), headers, **more)

    def fill(self, digest, repository="some/name", headers=ALICE, seconds=PATIENCE, word="redirect"):
        """Pulls a blob until it comes from the bucket, as X-Bloblo says by `word`; that answer's (status, fields)."""
        def is_warm():
            status, fields, _ = self.get(digest, repository, headers)
            if fields["X-Bloblo"] == word:
                return status, fields
            # Asked for all the while, a large blob comes late: a fill leaves the machine to who reads along.
            end = time.monotonic() + 1
            while self.s3 and not self.s3.client.size(digest) and time.monotonic() < end:
                time.sleep(0.02)
        return eventually(is_warm, seconds, otherwise=self.bloblo.tail)

    def lines(self, *words):
        """bloblo's log lines that have all these words."""
        return [json.loads(line) for line in self.bloblo.log.read_text(errors="replace").splitlines()
                if line.startswith("{") and all(word in line for word in words)]

    @contextlib.contextmanager
    def waiting_for(self, time):
        """The front waits only so long for a word of the responder: for those who try what happens then.

        All others leave it the patience that nginx is shipped with: a busy machine is no responder that hangs.
        """
        def restart(time):
            self.front.stop()
            self.servers.options.read_timeout = time
            self.front.start()

        restart(time)
        try:
            yield
        finally:
            restart(None)

    @contextlib.contextmanager
    def restarted(self, **settings):
        """bloblo with other settings, for the length of a `with`."""
        before = self.servers.options.env
        self.bloblo.stop()
        self.servers.options.env = {**before, **settings}
        try:
            self.bloblo.start()
            yield self.bloblo
        finally:
            self.bloblo.stop()
            self.servers.options.env = before
            self.bloblo.start()
