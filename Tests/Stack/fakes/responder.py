"""A FastCGI responder that does as it is told, for the tests of what web servers make of an answer."""

import pathlib
import socket
import threading

from fakes.fastcgi import END_REQUEST, STDOUT, Connection


class FakeResponder:
    """Listens until closed; `answer(params, connection)` writes the answer, and ends or cuts it."""

    def __init__(self, path, answer):
        self.answer = answer
        self.params, self.reports = [], []
        self.bytes = 0  # of all bodies
        pathlib.Path(path).unlink(missing_ok=True)
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(str(path))
        self.listener.listen(64)
        self.path = pathlib.Path(path)
        self.connections = []
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            try:
                raw, _ = self.listener.accept()
            except OSError:
                return
            self.connections.append(raw)
            threading.Thread(target=self.serve, args=(Connection(raw),), daemon=True).start()

    def serve(self, connection):
        try:
            while True:
                params = connection.request()
                if params.get("REQUEST_URI") == "/.bloblo/unread":  # as bloblo does: it hears, and passes
                    self.reports.append(params)
                    PASS(params, connection)
                    continue
                self.params.append(params)
                self.bytes = max(self.bytes, connection.stdin_bytes)
                self.answer(params, connection)
        except (EOFError, OSError):
            connection.raw.close()

    def close(self):
        self.path.unlink(missing_ok=True)
        for end in (self.listener, *self.connections):
            try:
                end.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
            end.close()


# Answers


def plain(head, body=b""):
    def answer(_, connection):
        connection.out(head.encode() + b"\r\n\r\n" + body)
        connection.end()
    return answer


def cuts(_, connection):
    connection.cut()


def raw(data):
    """Bytes that need be no record, and the end of the connection."""
    def answer(_, connection):
        connection.raw.sendall(data)
        connection.cut()
    return answer


def of_another_request(_, connection):
    connection.id += 1
    connection.out(b"Status: 200 OK\r\nX-Bloblo: tee\r\n\r\nforeign")
    connection.end()


def half_a_header(_, connection):
    connection.out(b"Status: 200 OK\r\nX-Blob")
    connection.cut()


NONSENSE = {
    "nothing at all": lambda _, connection: connection.end(),
    "the end only": lambda _, connection: connection.send(END_REQUEST, bytes(8)),
    "an empty record": lambda _, connection: (connection.send(STDOUT, b""), connection.cut()),
    "no header": plain("no header at all"),
    "a header without an end": plain("A: " + "b" * 100_000),
    "HTTP": raw(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nno"),
    "zeros": raw(bytes(4096)),
    "a kind of record that is unknown": raw(b"\1\x63\0\1\0\3\0\0abc"),
    "a record that is cut": raw(b"\1\6\0\1\x10\0\0\0Status: 200 OK\r\n"),
    "another request's answer": of_another_request,
    "half a header": half_a_header,
    "closed at once": cuts,
}


PASS = plain("Status: 424 Failed Dependency\r\nX-Bloblo: pass\r\nContent-Length: 0")
