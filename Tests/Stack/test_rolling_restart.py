"""A restart that no pull notices: of two responders one after the other, and of the only one."""

import concurrent.futures
import hashlib
import os
import threading
import time

import pytest

import stack
from doors import Doors, nginx_server, running
from fakes.blobs import DIGEST, blob
from fakes.client import ALICE, push
from fakes.waiting import PATIENCE, eventually


class Rolling(Doors):
    def configure(self, options):
        self.sockets = [self.folder / "one.sock", self.folder / "two.sock"]
        servers = " ".join(f"server unix:{path} max_fails=1 fail_timeout=1s;" for path in self.sockets)
        locations = (stack.ROOT / "nginx/bloblo-locations.conf").read_text().replace(
            "fastcgi_pass bloblo;", "fastcgi_pass two_bloblos;")
        (self.folder / "locations.conf").write_text(locations)
        options.nginx_http = f"upstream two_bloblos {{ zone two 64k; {servers} keepalive 64; }}" + nginx_server(
            self.port, f"include {self.folder}/locations.conf; location / {{ proxy_pass http://bloblo_registry; }}")

    def responder(self, path):
        process = self.start(self.program, environment={"BLOBLO_LISTEN_ADDR": f"unix:{path}"})
        self.wait_for(path)
        return process

    def pulls_while(self, act, port):
        """32 clients pull a warm blob, and cold ones now and then, while `act` runs; it gets a function that waits until
        so many more pulls were redirected."""
        cold = [push(self.url, os.urandom(300_000)) for _ in range(8)]
        is_over, redirects = threading.Event(), []

        def more(count):
            wanted = len(redirects) + count
            eventually(lambda: len(redirects) >= wanted, otherwise=self.bloblo.tail)

        def pull(number):
            count, wrong = 0, []
            while not is_over.is_set():
                digest = cold[number % 8] if count % 10 == 9 else DIGEST
                try:
                    status, headers, body = stack.request("GET", f"http://127.0.0.1:{port}{blob(digest)}", ALICE)
                    if status == 307:
                        redirects.append(number)
                        status, _, body = stack.request("GET", headers["Location"])
                    if status != 200 or hashlib.sha256(body).hexdigest() != digest[7:]:
                        wrong.append((status, len(body)))
                except Exception as error:
                    wrong.append(repr(error))
                count += 1
            return wrong

        with concurrent.futures.ThreadPoolExecutor(32) as pool:
            pulls = [pool.submit(pull, number) for number in range(32)]
            try:
                act(more)
            finally:
                is_over.set()
            results = [each.result() for each in pulls]
        assert [wrong for wrong in results if wrong] == []


@pytest.fixture(scope="module")
def shared():
    with running(Rolling) as site:
        yield site


@pytest.fixture
def site(shared):
    with shared.one_test() as site:
        site.forget_failures()
        yield site


def test_two_responders_one_after_the_other(site):
    processes = [site.responder(path) for path in site.sockets]

    def replace(more):
        for i in (0, 1, 0):
            time.sleep(1.5)  # nginx leaves one that was away alone for a second
            more(30)
            processes[i].terminate()
            assert processes[i].wait(PATIENCE) == 0
            processes[i] = site.responder(site.sockets[i])
        more(30)
    site.pulls_while(replace, site.port)


def test_the_only_responder(site):
    """By the shipped configuration: what comes meanwhile is the registry's to answer."""
    bloblo = site.bloblo

    def replace(more):
        for _ in range(3):
            more(30)
            bloblo.stop()
            assert bloblo.ended == 0
            time.sleep(0.3)
            bloblo.start()
        more(30)
    site.pulls_while(replace, site.front.port)
