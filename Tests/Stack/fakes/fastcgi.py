"""FastCGI's records, as a responder and as a client reads and writes them.

Source: <https://fastcgi-archives.github.io/FastCGI_Specification.html>
"""

import socket
import struct

from fakes.waiting import PATIENCE

BEGIN_REQUEST, END_REQUEST, PARAMS, STDIN, STDOUT, STDERR = 1, 3, 4, 5, 6, 7
RESPONDER, AUTHORIZER = 1, 2


class Connection:
    """One connection between web server and responder; one request on it at a time."""

    def __init__(self, raw):
        self.raw = raw
        self.id = 0
        self.stdin_bytes = 0

    def exactly(self, count):
        data = b""
        while len(data) < count:
            piece = self.raw.recv(count - len(data))
            if not piece:
                raise EOFError
            data += piece
        return data

    def record(self):
        """The next record's kind and content; EOFError when there is none."""
        _, kind, self.id, length, padding = struct.unpack(">BBHHBx", self.exactly(8))
        return kind, self.exactly(length + padding)[:length]

    def request(self):
        """The params of the next request, after its end; EOFError when there is none."""
        params = b""
        while True:
            kind, content = self.record()
            if kind == PARAMS:
                params += content
            if kind == STDIN:
                self.stdin_bytes += len(content)
            if kind == STDIN and not content:
                return self.pairs(params)

    @staticmethod
    def pairs(data):
        pairs, at = {}, 0

        def length():
            nonlocal at
            if data[at] < 128:
                at += 1
                return data[at - 1]
            at += 4
            return struct.unpack(">I", data[at - 4:at])[0] & 0x7FFFFFFF

        while at < len(data):
            name, value = length(), length()
            pairs.setdefault(data[at:at + name].decode(), data[at + name:at + name + value].decode())  # as bloblo does
            at += name + value
        return pairs

    def send(self, kind, content):
        self.raw.sendall(struct.pack(">BBHHBx", 1, kind, self.id, len(content), 0) + content)

    def out(self, content):
        for at in range(0, len(content), 65535):
            self.send(STDOUT, content[at:at + 65535])

    def end(self):
        self.send(STDOUT, b"")
        self.send(END_REQUEST, bytes(8))

    def cut(self):
        self.raw.shutdown(socket.SHUT_RDWR)


def encoded(params):
    """Names and values as the PARAMS records hold them."""
    def length(text):
        return bytes([len(text)]) if len(text) < 128 else struct.pack(">I", len(text) | 0x80000000)

    data = b""
    for name, value in params.items():
        name, value = name.encode(), value.encode()
        data += length(name) + length(value) + name + value
    return data


class Answer:
    """What a responder wrote to one request: `status`, `fields` (names in lower case), `body`, `errors`."""

    def __init__(self, output, errors=b""):
        head, _, self.body = output.partition(b"\r\n\r\n")
        lines = [line.split(": ", 1) for line in head.decode("latin-1").split("\r\n") if line]
        self.fields = {name.lower(): value for name, value in lines}
        assert "status" in self.fields, f"no answer: {output[:1000]!r}, and on the error stream {errors[-1000:]!r}"
        self.status = int(self.fields["status"].split()[0])
        self.errors = errors

    def __iter__(self):
        return iter((self.status, self.fields, self.body))


def ask(address, path, method="GET", headers=None, role=RESPONDER, timeout=PATIENCE, **params):
    """One request to the responder at a Unix socket, as a web server asks it, on a connection of its own.

    An authorizer is asked without STDIN, as mod_authnz_fcgi does.
    """
    fields = {f"HTTP_{name.upper().replace('-', '_')}": value for name, value in (headers or {}).items()}
    params = {"REQUEST_METHOD": method, "REQUEST_URI": path, "SERVER_PROTOCOL": "HTTP/1.1", **fields, **params}
    with socket.socket(socket.AF_UNIX) as raw:
        raw.settimeout(timeout)
        raw.connect(str(address))
        connection = Connection(raw)
        connection.id = 1
        connection.send(BEGIN_REQUEST, struct.pack(">HB5x", role, 0))
        data = encoded(params)
        for at in range(0, len(data), 65535):
            connection.send(PARAMS, data[at:at + 65535])
        connection.send(PARAMS, b"")
        if role == RESPONDER:
            connection.send(STDIN, b"")
        output, errors = [], []
        while True:
            kind, content = connection.record()
            if kind == STDOUT:
                output.append(content)
            elif kind == STDERR:
                errors.append(content)
            elif kind == END_REQUEST:
                return Answer(b"".join(output), b"".join(errors))
