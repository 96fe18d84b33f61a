"""A TCP relay that misbehaves on purpose; threads, since each does little."""

import re
import select
import socket
import ssl
import struct
import threading
import time

from .waiting import PATIENCE


def serve_each(listener, serve):
    """Hands each connection to `serve`, in a thread of its own, until the listener is closed."""
    def accept():
        while True:
            try:
                client, _ = listener.accept()
            except OSError:
                return
            threading.Thread(target=serve, args=(client,), daemon=True).start()
    threading.Thread(target=accept, daemon=True).start()


class Alternating:
    """A TLS connection that one thread reads while another writes: of OpenSSL only one may be at it at a time."""

    def __init__(self, connection):
        connection.setblocking(False)
        self.connection, self.lock = connection, threading.Lock()

    def when_ready(self, move):
        """The result of `move`; it waits outside of the lock."""
        while True:
            with self.lock:
                try:
                    return move()
                except ssl.SSLWantReadError:
                    events = select.POLLIN
                except ssl.SSLWantWriteError:
                    events = select.POLLOUT
                number = self.connection.fileno()
            waiter = select.poll()
            waiter.register(number, events)
            waiter.poll(1000)  # looks again: the number is another's if this one is closed meanwhile

    def recv(self, count):
        return self.when_ready(lambda: self.connection.recv(count))

    def sendall(self, data):
        view = memoryview(data)
        while view:
            sent = self.when_ready(lambda view=view: self.connection.send(view))
            view = view[sent:]

    def shutdown(self, how):
        # SSLSocket's own forgets the TLS, and the other direction would go on with what is not decrypted.
        with self.lock:
            socket.socket.shutdown(self.connection, how)

    def setsockopt(self, *words):
        self.connection.setsockopt(*words)

    def close(self):
        with self.lock:
            self.connection.close()


class Relay:
    """A TCP relay to 127.0.0.1:port, which ends TLS if it is given a `context`. What it does wrong can be
    changed while connections are open.

    refuse     answers each new connection by itself with this, bytes, so many times (`times`; None: always)
    reset_at   resets a connection when so many bytes have gone to the server
    cut_at     ends one, as a server that goes away does
    stalled    moves nothing, while set
    rate       bytes a second at most, each way, of each connection
    drip       "up" or "down": a connection on which one of `victims` comes moves 4 bytes a second that way
               from then on, also when this relay is well again; so many of them (`times`; None: all)
    forget     so many answers to `victims` are lost: their connections are reset when the answer comes
    victims    pattern of requests' first lines
    """

    def __init__(self, port, context=None, host="127.0.0.1"):
        self.target, self.context = port, context
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        self.listener = socket.create_server((host, 0), family=family, backlog=512)
        self.port = self.listener.getsockname()[1]
        shown = f"[{host}]" if ":" in host else host
        self.url = f"https://localhost:{self.port}" if context else f"http://{shown}:{self.port}"
        self.connections = []
        self.lock = threading.Lock()
        self.flow = threading.Event()
        self.heal()
        serve_each(self.listener, self.serve)

    @property
    def stalled(self):
        return not self.flow.is_set()

    @stalled.setter
    def stalled(self, is_stalled):
        # Those who wait cost nothing: a benchmark has hundreds.
        (self.flow.clear if is_stalled else self.flow.set)()

    def heal(self):
        self.refuse, self.times, self.reset_at, self.stalled, self.rate = None, None, None, False, None
        self.cut_at, self.drip, self.forget, self.victims = None, None, 0, b"PUT "

    def is_refused(self):
        with self.lock:
            if not self.refuse or self.times == 0:
                return False
            if self.times:
                self.times -= 1
            return True

    def serve(self, client):
        if self.is_refused():
            client.settimeout(PATIENCE)
            try:
                client.recv(65536)
                client.sendall(self.refuse)
                client.shutdown(socket.SHUT_WR)
                while client.recv(1 << 20):
                    pass
            except OSError:
                pass
            client.close()
            return
        try:
            if self.context:
                client = Alternating(self.context.wrap_socket(client, server_side=True))
            server = socket.create_connection(("127.0.0.1", self.target))
        except OSError:
            client.close()
            return
        with self.lock:
            self.connections.append((client, server))
        state = {"drip": None, "forget": False, "ends": 0}
        for pair in ((client, server, True), (server, client, False)):
            threading.Thread(target=self.pump, args=(*pair, state), daemon=True).start()

    def look(self, data, state):
        """What is to happen to a connection on which this has just come."""
        if not re.match(self.victims, data):
            return
        with self.lock:
            if self.forget:
                self.forget -= 1
                state["forget"] = True
            if self.drip and not state["drip"] and self.times != 0:
                state["drip"] = self.drip
                if self.times:
                    self.times -= 1

    def pump(self, source, sink, is_upward, state):
        moved = 0
        try:
            while True:
                data = source.recv(4096 if self.rate else 262144)
                if not data:
                    break
                self.flow.wait()
                moved += len(data)
                if is_upward:
                    self.look(data, state)
                elif state["forget"]:
                    for each in (sink, source):
                        reset(each)
                    return
                if is_upward and self.reset_at is not None and moved >= self.reset_at:
                    self.reset_at = None
                    for each in (source, sink):
                        reset(each)
                    return
                if is_upward and self.cut_at is not None and moved >= self.cut_at:
                    self.cut_at = None
                    for each in (source, sink):
                        each.shutdown(socket.SHUT_RDWR)
                    return
                while state["drip"] == ("up" if is_upward else "down") and data:
                    sink.sendall(data[:1])
                    data = data[1:]
                    time.sleep(0.25)
                sink.sendall(data)
                if self.rate:
                    time.sleep(len(data) / self.rate)
            sink.shutdown(socket.SHUT_WR)
        except OSError:
            for each in (source, sink):
                try:
                    each.shutdown(socket.SHUT_RDWR)
                except OSError:
                    pass
        with self.lock:
            state["ends"] += 1
            is_over = state["ends"] == 2
        if is_over:
            source.close()
            sink.close()

    def cut(self):
        """Resets all connections that are open."""
        with self.lock:
            pairs, self.connections = self.connections, []
        for pair in pairs:
            for each in pair:
                reset(each)

    def close(self):
        self.stalled = False
        # It wakes the thread that accepts, which close() alone does not.
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()
        self.cut()


def reset(connection):
    """An RST instead of a FIN."""
    try:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        connection.shutdown(socket.SHUT_RD)
    except OSError:
        pass
    connection.close()


def slow_down(status=503, code="SlowDown"):
    """An S3 server's refusal, as bytes on the wire."""
    body = f"<?xml version=\"1.0\"?><Error><Code>{code}</Code><Message>test</Message></Error>".encode()
    return (f"HTTP/1.1 {status} {code}\r\nContent-Type: application/xml\r\nConnection: close\r\n"
            f"Content-Length: {len(body)}\r\n\r\n").encode() + body
