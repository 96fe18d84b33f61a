"""A cold blob whose reading stands still: its clients hear that bloblo is alive, and bloblo hears when they leave."""

import contextlib
import socket
import struct
import threading

import pytest

from fakes import alone as fakes
from fakes.fastcgi import BEGIN_REQUEST, PARAMS, STDERR, STDIN, STDOUT, Connection, encoded
from fakes.waiting import PATIENCE, eventually

CONTENT = bytes(2 << 20)


class StallingRegistry(fakes.Registry):
    """Sends half of each blob, and then nothing until `gate` is set."""

    def __init__(self):
        super().__init__()
        self.gate = threading.Event()

    def handler(self):
        registry = self

        class Handler(super().handler()):
            def answer(self, status, body=b"", **fields):
                if self.command == "HEAD" or body not in registry.blobs.values():
                    return super().answer(status, body, **fields)
                self.send_response(200)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                if not self.headers["Range"]:
                    self.wfile.write(body[:len(body) // 2])
                    self.wfile.flush()
                registry.gate.wait(PATIENCE)
                self.close_connection = True

        return Handler


@pytest.fixture
def registry():
    registry = StallingRegistry()
    yield registry
    registry.gate.set()


@contextlib.contextmanager
def reading(bloblo, digest):
    """A web server's connection, on which the blob has been asked for."""
    with socket.socket(socket.AF_UNIX) as raw:
        raw.settimeout(PATIENCE)
        raw.connect(str(bloblo.socket))
        connection = Connection(raw)
        connection.id = 1
        connection.send(BEGIN_REQUEST, struct.pack(">HB5x", 1, 0))
        connection.send(PARAMS, encoded({
            "REQUEST_METHOD": "GET", "REQUEST_URI": f"/v2/a/b/blobs/{digest}", "SERVER_PROTOCOL": "HTTP/1.1",
            "HTTP_AUTHORIZATION": fakes.BASIC, "BLOBLO_FRONT_FILES": "3"}))
        connection.send(PARAMS, b"")
        connection.send(STDIN, b"")
        yield connection


def test_a_client_of_a_fill_that_stands_still_is_kept_and_its_leaving_noticed(alone, registry):
    bloblo = alone(registry=registry, BLOBLO_UPSTREAM_TIMEOUT="500ms")
    digest = registry.add(CONTENT)
    with reading(bloblo, digest) as connection:
        connection.raw.settimeout(10)
        kinds = []
        # Signs of life: web servers take a longer silence for the end of the answer.
        while kinds.count(STDERR) < 3:
            kinds.append(connection.record()[0])
        assert STDOUT in kinds
        assert bloblo.metrics()['bloblo_fills{state="running"}'] == 1
    # The patience of a reading without a client is over by now.
    eventually(lambda: bloblo.metrics()['bloblo_fills{state="running"}'] == 0, 40, otherwise=bloblo.log.read_text)
    assert bloblo.lines("body cut off")
