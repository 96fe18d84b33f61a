"""What the little HTTP servers of single tests are made of; the fixture `serve` starts them."""

import http.server


class Handler(http.server.BaseHTTPRequestHandler):
    """HTTP/1.1, and silent."""

    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def answer(self, status, body=b"", **fields):
        """`fields` with _ for -; a HEAD's answer has the length and no body."""
        self.send_response(status)
        for name, value in {"Content-Length": str(len(body)), **fields}.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)
