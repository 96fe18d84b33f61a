#!/usr/bin/env python3
"""Real servers for the tests, the demo and you: registry, S3, nginx and Apache with the shipped files, bloblo.

    stack.py up [--services registry,s3,nginx,apache,bloblo] [--bloblo PATH] [--until-eof] …

Starts them on free loopback ports, everything below one temporary directory, prints ONE line of JSON
when all of them answer, and stays. SIGINT, SIGTERM or, with --until-eof, the end of standard input ends
them all and removes the directory; if this process is killed, the kernel ends them.

With --until-eof each line on standard input is a command, answered by one line of JSON (the same
as at the start, or {"error": …}):

    stop NAME             ask NAME to end, and wait until it has
    start NAME            start it again as it was, on the same port, and wait until it answers
    signal NAME SIGNAL    SIGKILL, SIGSTOP, SIGCONT, … to NAME
    facts                 nothing but the answer

Standard library only. Every process is ended by its pid, never by a name.
"""

import argparse
import json
import pathlib
import shutil
import signal
import sys
import tempfile

import written
from servers.apache import Apache
# What tests take from here.
from servers.bloblo import PATIENT, Bloblo  # noqa: F401
from servers.http1 import Listener, request, serve_http  # noqa: F401
from servers.known import ACCESS_KEY, BUCKET, REGION, ROOT, SECRET_KEY, USERS, secrets  # noqa: F401
from servers.nginx import Nginx
from servers.ports import Ports
from servers.registry import Registry
from servers.s3 import S3, S3Client  # noqa: F401
from servers.service import Service, StackError, built, child, dies_with_parent, program  # noqa: F401

SERVICES = ("registry", "s3", "nginx", "apache", "bloblo")

if written.folder():
    written.watch()


class Early:
    """A folder, ports and an S3 server there, which is launched before a stack needs it.

    SeaweedFS waits for itself for three seconds at its start. So where one stack follows another, as in tests, it does
    that while the one before is at work.
    """

    is_on = False
    next = None

    def __init__(self):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="bloblo-"))
        self.ports = Ports()
        self.s3 = S3(self)
        self.s3.launch()
        self.s3.is_early = True

    @classmethod
    def take(cls, options):
        """The one that is ready, if there is one that fits; then the next one is launched."""
        if not cls.is_on or "s3" not in options.services or options.directory:
            return None
        taken, cls.next = cls.next, cls()
        return taken

    @classmethod
    def pid(cls):
        return cls.next.s3.process.pid if cls.next else None

    @classmethod
    def end(cls):
        """The last one is not needed."""
        if last := cls.next:
            cls.is_on, cls.next = False, None
            last.s3.stop()
            last.ports.close()
            shutil.rmtree(last.folder, ignore_errors=True)


class Stack:
    """The chosen services, in the order in which they start; the reverse of it in which they end."""

    def __init__(self, options):
        self.options = options
        early = Early.take(options)
        # Short, because the path of a socket may have 107 bytes.
        self.folder = early.folder if early else pathlib.Path(tempfile.mkdtemp(prefix="bloblo-", dir=options.directory))
        self.ports = early.ports if early else Ports()
        self.socket = self.folder / "bloblo.sock"
        self.services = {}
        chosen = [kind for kind in (Registry, S3, Nginx, Apache, Bloblo) if kind.name in options.services]
        self.s3_public_port = self.ports.take()
        self.responder_port = self.ports.take()
        if early:
            early.s3.stack = self
        for kind in chosen:
            self.services[kind.name] = early.s3 if early and kind is S3 else kind(self)

    @property
    def registry_address(self):
        """The registry's own, unless --registry names another, say a fake in a test."""
        if self.options.registry:
            return self.options.registry
        if "registry" not in self.services:
            raise StackError("no registry: name the service, or give --registry HOST:PORT")
        return self.services["registry"].address

    @property
    def responder_address(self):
        return f"127.0.0.1:{self.responder_port}" if self.options.tcp else f"unix:{self.socket}"

    @property
    def bucket_url(self):
        """Where the web servers read the bucket; None without one."""
        if self.options.bucket:
            return self.options.bucket
        return self.services["s3"].url if "s3" in self.services else None

    @property
    def s3_public_url(self):
        # Another host name than the registry's, as in the field: clients then leave their
        # Authorization header behind when they are redirected.
        port = self.s3_public_port if "nginx" in self.services else self.services["s3"].port
        return f"http://localhost:{port}"

    def up(self):
        for service in self.services.values():
            service.start()
        return self

    def down(self):
        for service in reversed(self.services.values()):
            service.stop()
        self.ports.close()
        written = self.secrets_written()
        if self.options.keep:
            print(f"kept: {self.folder}", file=sys.stderr)
        else:
            shutil.rmtree(self.folder, ignore_errors=True)
        if written:
            raise StackError(f"bloblo wrote secrets: {written}")

    def secrets_written(self):
        """Of every run, whatever it was for."""
        bloblo = self.services.get("bloblo")
        if not bloblo or not bloblo.log.exists():
            return []
        written.wrote(bloblo.log.read_bytes())
        text = bloblo.log.read_text(errors="replace")
        return [secret for secret in secrets() if secret in text]

    def facts(self):
        facts = {"directory": str(self.folder), "socket": str(self.socket),
                 "pids": {name: service.pid for name, service in self.services.items()},
                 "ended": {name: service.ended for name, service in self.services.items()}}
        for service in self.services.values():
            facts.update(service.facts())
        return facts

    def obey(self, line):
        """Carries out one command of standard input; the answer is a line of JSON."""
        try:
            if line.split() == ["facts"]:
                return self.facts()
            verb, name, *rest = line.split()
            service = self.services[name]
            if verb == "signal":
                service.signal(signal.Signals[rest[0]])
            else:
                {"start": service.start, "stop": service.stop}[verb]()
            return self.facts()
        except (KeyError, ValueError, IndexError):
            return {"error": f"not a command: {line.strip()!r}"}
        except StackError as error:
            return {"error": str(error)}

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.down()


def options(arguments=None):
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("command", choices=["up"])
    parser.add_argument("--services", default="registry,s3,nginx,bloblo", type=lambda text: text.split(","))
    parser.add_argument("--bloblo", default=str(ROOT / ".build/release/bloblo"), help="the program to run")
    parser.add_argument("--auth", choices=["htpasswd", "none"], default="htpasswd", help="of the registry")
    parser.add_argument("--registry", metavar="HOST:PORT", help="the registry behind nginx and bloblo, if another")
    parser.add_argument("--env", metavar="NAME=VALUE", action="append", default=[],
                        type=lambda text: text.split("=", 1), help="for bloblo; may be repeated")
    parser.add_argument("--read-timeout", metavar="TIME", help="nginx's fastcgi_read_timeout instead of the shipped one")
    parser.add_argument("--tcp", action="store_true", help="web servers ask bloblo by TCP, not by a Unix socket")
    parser.add_argument("--bucket", metavar="URL", help="the endpoint that accelerating web servers read, if another")
    parser.add_argument("--registry-ca", metavar="FILE", help="the authorities that nginx trusts as the registry")
    parser.add_argument("--bucket-ca", metavar="FILE", help="the authorities they trust there")
    parser.add_argument("--cache", action="store_true", help="nginx accelerates with bloblo-accelerate-cache.conf")
    parser.add_argument("--client-ids", action="store_true", help="nginx takes the X-Request-Id of a client")
    parser.add_argument("--nginx-http", default="", help="more for nginx's http {}")
    parser.add_argument("--apache-server", default="", help="for Apache's server configuration")
    parser.add_argument("--apache-site", default="", help="for Apache's <VirtualHost>, in place of bloblo.conf")
    parser.add_argument("--log-level", default="info", help="of bloblo")
    parser.add_argument("--directory", help="where the temporary directory is made")
    parser.add_argument("--keep", action="store_true", help="keep it at the end")
    parser.add_argument("--until-eof", action="store_true", help="obey standard input, end with it")
    chosen = parser.parse_args(arguments)
    if unknown := set(chosen.services) - set(SERVICES):
        parser.error(f"no such service: {', '.join(sorted(unknown))}")
    chosen.env = dict(chosen.env)
    return chosen


class Ended(BaseException):
    """SIGTERM, SIGINT or SIGHUP came."""


def end_by_signal():
    """From here on these signals raise Ended once; later ones do not disturb the ending."""
    numbers = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)

    def end(number, _):
        for other in numbers:
            signal.signal(other, signal.SIG_IGN)
        raise Ended(number)

    for number in numbers:
        signal.signal(number, end)


def say(facts):
    print(json.dumps(facts), flush=True)


def main():
    chosen = options()
    end_by_signal()
    try:
        with Stack(chosen) as stack:
            stack.up()
            say(stack.facts())
            if not chosen.until_eof:
                while True:
                    signal.pause()
            for line in sys.stdin:
                say(stack.obey(line))
    except StackError as error:
        sys.exit(f"stack.py: {error}")
    except (Ended, BrokenPipeError):
        pass


if __name__ == "__main__":
    main()
