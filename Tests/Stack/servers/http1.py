"""HTTP/1.1 as tests speak it: one request, and a server of a handler."""

import http.client
import http.server
import threading
import urllib.parse


class Listener(http.server.ThreadingHTTPServer):
    """A server on loopback. Many clients may come at once: with the five places that http.server has by itself, a
    connection waits a second and more."""

    daemon_threads = True
    request_queue_size = 512

    def __init__(self, handler):
        super().__init__(("127.0.0.1", 0), handler)

    def handle_error(self, *_):
        """Clients may leave."""


def serve_http(handler, add_cleanup):
    """A server on loopback, of a handler of http.server, until the test's cleanup."""
    server = Listener(handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    add_cleanup(server.server_close)
    add_cleanup(server.shutdown)
    return server


def request(method, url, headers=None, body=None, timeout=120):
    """One HTTP request without redirects: (status, headers, body)."""
    parts = urllib.parse.urlsplit(url)
    connection = http.client.HTTPConnection(parts.hostname, parts.port, timeout=timeout)
    try:
        connection.request(method, urllib.parse.urlunsplit(("", "", parts.path or "/", parts.query, "")),
                           body=body, headers=headers or {})
        response = connection.getresponse()
        return response.status, response.headers, response.read()
    finally:
        connection.close()
