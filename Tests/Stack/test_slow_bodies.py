"""Bodies that come byte by byte, which Apache streams to bloblo: nobody waits for what nobody wants."""

import socket
import threading
import time

import pytest

import stack
from fakes.waiting import eventually


@pytest.mark.parametrize("front", ["apache", "nginx"])
@pytest.mark.parametrize("method, name", [("GET", None), ("DELETE", "0" * 64)], ids=["GET", "DELETE"])
def test_a_body_in_drops_holds_nobody_up(both_fronts, ends, front, method, name):
    address = both_fronts.services[front].url
    path = both_fronts.path if name is None else both_fronts.path[:-64] + name
    host, port = address.removeprefix("http://").split(":")
    stop = threading.Event()
    clients = [socket.create_connection((host, int(port))) for _ in range(36)]
    try:
        for client in clients:
            client.sendall(f"{method} {path} HTTP/1.1\r\nHost: a\r\nContent-Length: 4000\r\n\r\n".encode())

        def drip():
            while not stop.wait(0.2):
                for client in clients:
                    try:
                        client.sendall(b"x")
                    except OSError:
                        pass  # answered and closed

        thread = threading.Thread(target=drip)
        thread.start()
        ends.callback(thread.join)
        ends.callback(stop.set)
        time.sleep(1)
        for number in range(5):
            # All the drops take a quarter of an hour.
            status = stack.request("GET", address + both_fronts.path, {"Authorization": f"Bearer {front}{number}"})[0]
            assert status in (200, 307)
    finally:
        stop.set()
        for client in clients:
            client.close()


@pytest.mark.parametrize("front", ["apache", "nginx"])
@pytest.mark.parametrize("field", ["Content-Length: 5\r\n\r\nhello", "Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n"])
def test_only_the_registry_judges_a_get_with_a_body(both_fronts, front, field):
    address = both_fronts.services[front].url
    host, port = address.removeprefix("http://").split(":")
    eventually(lambda: stack.request("GET", address + both_fronts.path)[0] == 307)
    with socket.create_connection((host, int(port))) as client:
        client.sendall(f"GET {both_fronts.path} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n{field}".encode())
        answer = b"".join(iter(lambda: client.recv(1 << 16), b""))
    assert answer.startswith(b"HTTP/1.1 200 "), answer[:500]
