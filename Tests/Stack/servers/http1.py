"""HTTP/1.1 as tests speak it: one request, and a server of a handler."""

import http.client
import http.server
import threading
import urllib.parse


def serve_http(handler, add_cleanup):
    """A server on loopback, of a handler of http.server, until the test's cleanup."""
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    server.daemon_threads = True
    server.handle_error = lambda *_: None  # who has heard enough may leave
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
