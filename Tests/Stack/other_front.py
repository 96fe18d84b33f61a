"""Caddy, HAProxy and lighttpd on the examples of docs/fronts.md."""

import contextlib
import signal

import stack
from documented import example
from fakes.waiting import eventually

COMMANDS = {"caddy": ("caddy", "run", "--adapter", "caddyfile", "--config"), "haproxy": ("haproxy", "-db", "-f"),
            "lighttpd": ("lighttpd", "-D", "-f")}
LANGUAGES = {"caddy": "caddyfile", "haproxy": "haproxy", "lighttpd": "lighttpd"}
# What the comment "guards … : here" stands for, and where the example's addresses are.
GUARD = {"caddy": "\t\t# forward_auth, basicauth, respond and other guards: here\n",
         "haproxy": "  # http-request auth, deny and other guards: here\n",
         "lighttpd": "# auth.require and other guards: here, and their modules above the next line\n"}


def text_of(front, folder, port, responder, registry, guard=""):
    """The documented configuration with a test's addresses, a test's timeout, and its guard."""
    host, upstream = registry.split(":")
    edits = [("/run/bloblo/bloblo.sock", str(responder)), (GUARD[front], guard + "\n"), ("127.0.0.1:5000", registry)]
    edits += {
        "caddy": [("registry.example.com {", f"http://127.0.0.1:{port} {{"), ("read_timeout 20s", "read_timeout 5s")],
        "haproxy": [("bind :80", f"bind 127.0.0.1:{port}"), ("timeout server 20s", "timeout server 5s")],
        "lighttpd": [("server.port = 80", f'server.bind = "127.0.0.1"\nserver.port = {port}'),
                     ("/var/www/html", str(folder)), ('"host" => "127.0.0.1", "port" => 5000',
                                                      f'"host" => "{host}", "port" => {upstream}')],
    }[front]
    text = example(LANGUAGES[front])
    for old, new in edits:
        if front != "lighttpd" or old != "127.0.0.1:5000":
            text = stack.Nginx.replaced(text, old, new)
    return "{\n\tadmin off\n\tauto_https off\n}\n" + text if front == "caddy" else text


@contextlib.contextmanager
def documented_front(front, folder, port, responder, registry, guard=""):
    """Runs it on `port` until the end of the block."""
    path, log = folder / f"{port}.conf", folder / f"{port}.log"
    path.write_text(text_of(front, folder, port, responder, registry, guard))
    command = COMMANDS[front]
    with log.open("wb") as output:
        process = stack.child([stack.program(command[0]), *command[1:], path], signal.SIGTERM, stdout=output, stderr=output,
                              cwd=folder, env={"HOME": str(folder), "PATH": "/usr/bin:/usr/sbin"})

    def answers():
        try:
            return stack.request("GET", f"http://127.0.0.1:{port}/v2/")
        except OSError:
            return None

    try:
        eventually(answers, otherwise=log.read_text)
        yield
    finally:
        process.terminate()
        process.wait()
