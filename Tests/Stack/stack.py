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
import base64
import ctypes
import hashlib
import hmac
import http.client
import http.server
import json
import os
import pathlib
import random
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import urllib.parse
import weakref

import written

ROOT = pathlib.Path(__file__).resolve().parents[2]
SERVICES = ("registry", "s3", "nginx", "apache", "bloblo")
USERS = {"alice": "alice-password", "bob": "bob-password"}
ACCESS_KEY, SECRET_KEY, REGION = "AKIDTEST", "SECRETTEST", "us-east-1"
BUCKET = "bloblo-blobs"


def secrets():
    """What bloblo may never write: credentials that tests use, as they are and as they are sent, and what
    stands before a signature or a token."""
    basic = [base64.b64encode(f"{user}:{password}".encode()).decode() for user, password in USERS.items()]
    return [*USERS.values(), *basic, SECRET_KEY, *written.PREFIXES, "Basic ", "Bearer "]


if written.folder():
    written.watch()


class StackError(Exception):
    """A server that is missing, did not start or does not answer; says where its log is."""


# Ports


class Ports:
    """Free loopback ports below the ephemeral range, where no outgoing connection takes them meanwhile.

    A port is also claimed by the name of an abstract socket, so that two stacks that start at the
    same time never choose the same one.
    """

    def __init__(self):
        self._claims = []
        # Who forgets to close them must not keep them.
        weakref.finalize(self, self._give_back, self._claims)

    def take(self, also=lambda port: ()):
        """A port that is free, as are those that `also` derives from it."""
        while True:
            port = random.randrange(20000, 32000)
            claims = [self._claim(number) for number in (port, *also(port))]
            if all(claims):
                self._claims += claims
                return port
            for claim in filter(None, claims):
                claim.close()

    def close(self):
        self._give_back(self._claims)

    @staticmethod
    def _give_back(claims):
        while claims:
            claims.pop().close()

    @staticmethod
    def _claim(port):
        claim = socket.socket(socket.AF_UNIX)
        try:
            claim.bind(f"\0bloblo-stack-{port}")
            with socket.socket() as probe:
                probe.bind(("127.0.0.1", port))
            return claim
        except OSError:
            claim.close()
            return None


# Processes


def program(name):
    """The path of a server that Tests/Stack/install provides."""
    for folder in (str(ROOT / ".build/venv/bin"), os.environ.get("PATH", ""), "/usr/sbin"):
        if found := shutil.which(name, path=folder):
            return found
    raise StackError(f"{name} is not installed: run Tests/Stack/install")


def dies_with_parent(last_signal, parent):
    """What a child runs before its program: PR_SET_PDEATHSIG, and a session of its own, so that
    Ctrl-C reaches this process only and the servers end in order."""
    libc = ctypes.CDLL(None)

    def prepare():
        os.setsid()
        libc.prctl(1, last_signal)
        if os.getppid() != parent:  # the parent died before prctl
            os._exit(1)

    return prepare


class Service:
    """One server process: start, wait until it answers, stop. The port outlives a restart."""

    name = ""
    last_signal = signal.SIGKILL  # when this process is killed
    patience = 15  # seconds for an end by SIGTERM

    def __init__(self, stack):
        self.stack = stack
        self.folder = stack.folder / self.name
        self.folder.mkdir(parents=True, exist_ok=True)
        self.log = self.folder / "log"
        self.process = None

    def command(self):
        raise NotImplementedError

    def answers(self):
        """Whether it serves; may raise OSError while it does not."""
        raise NotImplementedError

    def facts(self):
        return {}

    def environment(self):
        return None

    def output(self):
        return self.log.open("ab")

    def start(self, timeout=120):
        if self.process and self.process.poll() is None:
            return
        with self.log.open("ab") as log, self.output() as output:
            self.process = subprocess.Popen(
                [str(word) for word in self.command()], stdin=subprocess.DEVNULL, stdout=output,
                stderr=log, env=self.environment(), cwd=self.folder,
                preexec_fn=dies_with_parent(self.last_signal, os.getpid()))
        deadline = time.monotonic() + timeout
        while time.monotonic() < deadline:
            if self.process.poll() is not None:
                raise StackError(f"{self.name} ended with {self.process.returncode}: {self.tail()}")
            try:
                if self.answers():
                    return
            except (OSError, http.client.HTTPException):
                pass
            time.sleep(0.02)
        raise StackError(f"{self.name} does not answer after {timeout} s: {self.tail()}")

    def signal(self, number):
        if self.process and self.process.poll() is None:
            self.process.send_signal(number)
            if number == signal.SIGSTOP:
                self.wait_until_stopped()

    def wait_until_stopped(self):
        """A thread on another processor may answer one more request after kill() has returned."""
        tasks = pathlib.Path(f"/proc/{self.process.pid}/task")
        for _ in range(1000):
            try:
                states = [path.read_text().rsplit(")", 1)[1].split()[0] for path in tasks.glob("*/stat")]
            except OSError:  # a thread has ended meanwhile
                continue
            if set(states) <= {"T", "Z"}:
                return
            time.sleep(0.005)

    def stop(self):
        if not self.process:
            return
        self.signal(signal.SIGTERM)
        self.signal(signal.SIGCONT)
        try:
            self.process.wait(self.patience)
        except subprocess.TimeoutExpired:
            self.signal(signal.SIGKILL)
            self.process.wait()

    def tail(self):
        return self.log.read_text(errors="replace")[-2000:].strip() or "its log is empty"

    @property
    def ended(self):
        """The exit status, or the negated signal; None while it runs."""
        return self.process.poll() if self.process else None

    @property
    def pid(self):
        return self.process.pid if self.process and self.process.poll() is None else None


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


def bcrypt(password):
    """What docker-registry wants in an htpasswd file; by libcrypt, which every Debian has.

    Source: <https://manpages.debian.org/bookworm/libcrypt-dev/crypt_gensalt.3.en.html>
    """
    library = ctypes.CDLL("libcrypt.so.1")
    library.crypt.restype = library.crypt_gensalt.restype = ctypes.c_char_p
    salt = os.urandom(16)
    return library.crypt(password.encode(), library.crypt_gensalt(b"$2y$", ctypes.c_ulong(5), salt, len(salt))).decode()


class Registry(Service):
    """Debian's docker-registry with its files below the folder; one line per request in access.log."""

    name = "registry"

    def __init__(self, stack):
        super().__init__(stack)
        self.port = stack.ports.take()
        self.address = f"127.0.0.1:{self.port}"
        self.url = f"http://{self.address}"
        self.storage = self.folder / "storage"
        self.access_log = self.folder / "access.log"

    def command(self):
        config = {
            "version": 0.1,
            "log": {"level": "warn", "accesslog": {"disabled": False}},
            "storage": {"filesystem": {"rootdirectory": str(self.storage)}, "delete": {"enabled": True}},
            "http": {"addr": self.address, "secret": "the same after a restart"},
        }
        if self.stack.options.auth == "htpasswd":
            users = self.folder / "htpasswd"
            users.write_text("".join(f"{user}:{bcrypt(password)}\n" for user, password in USERS.items()))
            config["auth"] = {"htpasswd": {"realm": "the demo registry", "path": str(users)}}
        path = self.folder / "config.json"
        path.write_text(json.dumps(config))  # JSON is YAML
        return program("docker-registry"), "serve", path

    def environment(self):
        # REGISTRY_* would override the configuration.
        return {name: value for name, value in os.environ.items() if not name.startswith("REGISTRY_")}

    def output(self):
        return self.access_log.open("ab")

    def answers(self):
        return request("GET", self.url + "/v2/")[0] in (200, 401)

    def facts(self):
        return {"registry_url": self.url, "registry_access_log": str(self.access_log),
                "registry_storage": str(self.storage),
                "users": USERS if self.stack.options.auth == "htpasswd" else {}}


class S3(Service):
    """SeaweedFS with one identity and one bucket."""

    name = "s3"
    patience = 0  # weed takes half a minute to say goodbye to itself; writes are on disk already

    def __init__(self, stack):
        super().__init__(stack)
        self.ports = {key: stack.ports.take() for key in (
            "master", "master_grpc", "volume", "volume_grpc", "filer", "filer_grpc", "s3", "s3_grpc")}
        self.port = self.ports["s3"]
        self.url = f"http://127.0.0.1:{self.port}"
        self.client = S3Client(self.url)

    def command(self):
        identities = self.folder / "s3.json"
        identities.write_text(json.dumps({"identities": [{
            "name": "bloblo", "credentials": [
                {"accessKey": ACCESS_KEY, "secretKey": SECRET_KEY},
                {"accessKey": "AKIDNEXT", "secretKey": "SECRETNEXT"}],
            "actions": ["Admin", "Read", "Write", "List", "Tagging"]}]}))
        data = self.folder / "data"
        data.mkdir(exist_ok=True)
        ports = self.ports
        return (
            program("weed"), "-logtostderr=true", "server", "-ip=127.0.0.1", "-ip.bind=127.0.0.1", f"-dir={data}",
            "-master.telemetry=false", f"-master.port={ports['master']}",
            f"-master.port.grpc={ports['master_grpc']}", f"-volume.port={ports['volume']}",
            f"-volume.port.grpc={ports['volume_grpc']}", f"-volume.publicUrl=127.0.0.1:{ports['volume']}",
            "-volume.max=1000", "-master.volumeSizeLimitMB=1024",
            "-filer", f"-filer.port={ports['filer']}", f"-filer.port.grpc={ports['filer_grpc']}",
            "-s3", f"-s3.port={ports['s3']}", f"-s3.port.grpc={ports['s3_grpc']}", "-s3.port.iceberg=0",
            "-s3.port.lance=0", "-s3.domainName=localhost", f"-s3.config={identities}")

    def stop(self):
        super().stop()
        for port in self.ports.values():  # weed puts sockets there, whatever TMPDIR says
            for path in pathlib.Path("/tmp").glob(f"seaweedfs-*-{port}.sock"):
                path.unlink(missing_ok=True)

    def answers(self):
        # The port opens seconds before requests are served, and the first write waits for a volume.
        bucket = self.client.call("PUT", f"/{BUCKET}")[0]
        if bucket not in (200, 409):
            return False
        written = self.client.call("PUT", f"/{BUCKET}/.ready", b"ready")[0]
        return written == 200 and self.client.call("DELETE", f"/{BUCKET}/.ready")[0] == 204

    def facts(self):
        return {"s3_url": self.url, "s3_public_url": self.stack.s3_public_url, "s3_bucket": BUCKET,
                "s3_region": REGION, "s3_access_key": ACCESS_KEY, "s3_secret_key": SECRET_KEY}


class S3Client:
    """Requests signed with SigV4 in the Authorization header: just enough to look into the bucket.

    Source: <https://docs.aws.amazon.com/AmazonS3/latest/API/sig-v4-header-based-auth.html>
    """

    def __init__(self, url, access_key=ACCESS_KEY, secret_key=SECRET_KEY, region=REGION):
        self.url, self.access_key, self.secret_key, self.region = url, access_key, secret_key, region

    def call(self, method, path, body=b"", query=()):
        """(status, headers, body); `path` is raw, not percent-encoded, `query` pairs of raw strings."""
        path = urllib.parse.quote(path, safe="/-_.~")
        query = "&".join(f"{urllib.parse.quote(k, safe='-_.~')}={urllib.parse.quote(v, safe='-_.~')}"
                         for k, v in sorted(query))
        stamp = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime())
        headers = {"host": urllib.parse.urlsplit(self.url).netloc, "x-amz-date": stamp,
                   "x-amz-content-sha256": hashlib.sha256(body).hexdigest()}
        names = ";".join(sorted(headers))
        canonical = "\n".join([method, path, query, *(f"{k}:{headers[k]}" for k in sorted(headers)), "",
                               names, headers["x-amz-content-sha256"]])
        scope = f"{stamp[:8]}/{self.region}/s3/aws4_request"
        to_sign = "\n".join(["AWS4-HMAC-SHA256", stamp, scope, hashlib.sha256(canonical.encode()).hexdigest()])
        key = f"AWS4{self.secret_key}".encode()
        for part in scope.split("/"):
            key = hmac.digest(key, part.encode(), "sha256")
        signature = hmac.new(key, to_sign.encode(), "sha256").hexdigest()
        headers["authorization"] = (f"AWS4-HMAC-SHA256 Credential={self.access_key}/{scope},"
                                    f"SignedHeaders={names},Signature={signature}")
        return request(method, f"{self.url}{path}{'?' + query if query else ''}", headers, body or None)

    def size(self, key, bucket=BUCKET):
        """The size of an object, or None if there is none."""
        status, headers, _ = self.call("HEAD", f"/{bucket}/{key}")
        return int(headers["Content-Length"]) if status == 200 else None


class Nginx(Service):
    """nginx on the files of nginx/, of which only addresses change: port, socket, registry
    (and the timeout, for tests that have no 20 s).

    access.log tells which bytes came from where. A second port leads to S3 and is what clients see
    of it, so that s3-access.log counts the bytes they fetch there; bloblo itself asks S3 directly.
    """

    name = "nginx"
    last_signal = signal.SIGTERM  # the master then ends its workers

    def __init__(self, stack):
        super().__init__(stack)
        self.port = stack.ports.take()
        self.url = f"http://127.0.0.1:{self.port}"
        self.access_log = self.folder / "access.log"
        self.s3_access_log = self.folder / "s3-access.log"

    @staticmethod
    def replaced(text, old, new):
        if old not in text:
            raise StackError(f"nginx/ does not say “{old}” any more: stack.py replaces it")
        return text.replace(old, new)

    def command(self):
        shipped = {path.name: path.read_text() for path in (ROOT / "nginx").glob("*.conf")}
        upstreams = self.replaced(shipped["bloblo-upstreams.conf"], "unix:/run/bloblo/bloblo.sock",
                                  self.stack.responder_address)
        upstreams = self.replaced(upstreams, "127.0.0.1:5000", self.stack.registry_address)
        site = self.replaced(shipped["example-site.conf"], "listen 80;", f"listen 127.0.0.1:{self.port};")
        locations = shipped["bloblo-locations.conf"]
        if timeout := self.stack.options.read_timeout:
            locations = self.replaced(locations, "fastcgi_read_timeout 20s;", f"fastcgi_read_timeout {timeout};")
        files = {**shipped, "bloblo-upstreams.conf": upstreams, "bloblo-locations.conf": locations}
        if authority := self.stack.options.registry_ca:
            files["bloblo-registry-tls.conf"] = self.replaced(
                shipped["bloblo-registry-tls.conf"], "/etc/ssl/certs/ca-certificates.crt", authority)
        if s3 := self.stack.bucket_url:
            for name in ("bloblo-s3", "bloblo-accelerate"):
                site = self.replaced(site, f"#include snippets/{name}.conf;", f"include snippets/{name}.conf;")
            address = urllib.parse.urlsplit(s3)
            files["bloblo-s3.conf"] = self.replaced(self.replaced(
                shipped["bloblo-s3.conf"], "s3.eu-west-1.amazonaws.com:443", address.netloc),
                "default https;", f"default {address.scheme};")
            if authority := self.stack.options.bucket_ca:
                files["bloblo-s3-request.conf"] = self.replaced(
                    shipped["bloblo-s3-request.conf"], "/etc/ssl/certs/ca-certificates.crt", authority)
            if self.stack.options.cache:
                site = self.replaced(site, "bloblo-accelerate.conf", "bloblo-accelerate-cache.conf")
        files |= {"example-site.conf": site, "nginx.conf": self.wrapper()}
        (self.folder / "snippets").mkdir(exist_ok=True)
        for name, text in files.items():
            folder = "snippets" if name.startswith("bloblo-") else "."
            (self.folder / folder / name).write_text(text)
        return (program("nginx"), "-p", self.folder, "-c", self.folder / "nginx.conf", "-e", self.log,
                "-g", "daemon off;")

    def wrapper(self):
        temporary = "\n  ".join(f"{kind}_temp_path {self.folder}/{kind}_temp;"
                                for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi"))
        s3 = ""
        if "s3" in self.stack.services:
            s3 = f"""
  server {{
    listen 127.0.0.1:{self.stack.s3_public_port};
    access_log {self.s3_access_log} s3;
    client_max_body_size 0;
    location / {{
      proxy_pass {self.stack.services["s3"].url};
      proxy_set_header Host $http_host;  # it is signed
      proxy_request_buffering off;
      proxy_buffering off;
    }}
  }}"""
        return f"""\
{"user root;" if os.geteuid() == 0 else ""}
worker_processes 2;
pid {self.folder}/pid;
error_log {self.log} info;
events {{ worker_connections 2048; }}
http {{
  {temporary}
  # method, path without query, status, bytes of the body, where each try went, Range, seconds
  log_format stack '"$request_method $uri" $status $body_bytes_sent "$upstream_addr" "$http_range" $request_time';
  log_format s3    '"$request_method $uri" $status $body_bytes_sent "$http_range" $request_time';
  access_log {self.access_log} stack;
  proxy_cache_path {self.folder}/cache keys_zone=bloblo_blobs:1m use_temp_path=off;
  {self.stack.options.nginx_http}
  include {self.folder}/example-site.conf;{s3}
}}
"""

    def answers(self):
        with socket.create_connection(("127.0.0.1", self.port), 1):
            return True

    def facts(self):
        return {"nginx_url": self.url, "nginx_host": f"127.0.0.1:{self.port}",
                "nginx_access_log": str(self.access_log), "nginx_error_log": str(self.log),
                "nginx_config": str(self.folder / "nginx.conf"), "s3_access_log": str(self.s3_access_log)}


class Apache(Service):
    """Apache on the files of apache/, of which only addresses change (and the timeout, for tests)."""

    name = "apache"
    last_signal = signal.SIGTERM
    modules = ("mpm_event", "authz_core", "authz_host", "proxy", "proxy_http", "proxy_fcgi", "rewrite",
               "headers", "setenvif", "env", "reqtimeout", "ssl", "socache_shmcb", "alias", "cgid", "authn_core",
               "authn_file", "auth_basic", "authz_user", "authnz_fcgi", "filter", "ext_filter", "remoteip", "http2",
               "slotmem_shm", "proxy_balancer", "lbmethod_byrequests")

    def __init__(self, stack):
        super().__init__(stack)
        self.port, self.gate_port = stack.ports.take(), stack.ports.take()
        self.url = f"http://127.0.0.1:{self.port}"
        self.access_log = self.folder / "access.log"

    def command(self):
        replaced = Nginx.replaced
        shipped = {path.name: path.read_text() for path in (ROOT / "apache").glob("*.conf")}
        site = replaced(shipped["example-site.conf"], "<VirtualHost *:80>", f"<VirtualHost 127.0.0.1:{self.port}>")
        address = self.stack.responder_address
        responder = f"{address}|fcgi://bloblo" if address.startswith("unix:") else f"fcgi://{address}"
        site = replaced(site, '"unix:/run/bloblo/bloblo.sock|fcgi://bloblo"', f'"{responder}"')
        site = replaced(site, "http://127.0.0.1:5000", f"http://{self.stack.registry_address}")
        if self.stack.options.apache_site:
            site = replaced(site, "Include bloblo/bloblo.conf", self.stack.options.apache_site)
        files = dict(shipped)
        if timeout := self.stack.options.read_timeout:
            files["bloblo.conf"] = replaced(shipped["bloblo.conf"], "timeout=4 ", f"timeout={timeout} ")
        if s3 := self.stack.bucket_url:
            site = replaced(site, "#Define BLOBLO_S3      https://my-bucket.s3.eu-west-1.amazonaws.com",
                            f"Define BLOBLO_S3 {s3}")
            site = replaced(site, "#Define BLOBLO_S3_GATE 127.0.0.1:7780", f"Define BLOBLO_S3_GATE 127.0.0.1:{self.gate_port}")
            site = replaced(site, "#Include bloblo/bloblo-s3-gate.conf", "Include bloblo/bloblo-s3-gate.conf")
            if not self.stack.options.apache_site:
                site = replaced(site, "#Include bloblo/bloblo-acc", "Include bloblo/bloblo-acc")
            if authority := self.stack.options.bucket_ca:
                files["bloblo-s3-gate.conf"] = replaced(
                    shipped["bloblo-s3-gate.conf"], "/etc/ssl/certs/ca-certificates.crt", authority)
        files |= {"example-site.conf": site, "apache2.conf": self.wrapper()}
        (self.folder / "bloblo").mkdir(exist_ok=True)
        for name, text in files.items():
            folder = "bloblo" if name.startswith("bloblo") else "."
            (self.folder / folder / name).write_text(text)
        return program("apache2"), "-DFOREGROUND", "-f", self.folder / "apache2.conf"

    def identity(self):
        """Apache refuses to serve as root; its other user has to reach the socket, and one of its own."""
        if os.geteuid() != 0:
            return ""
        for folder in (self.stack.folder, self.folder):
            folder.chmod(0o711)
        return "User www-data\nGroup www-data"

    def wrapper(self):
        loads = "\n".join(f"LoadModule {name}_module /usr/lib/apache2/modules/mod_{name}.so" for name in self.modules)
        return f"""\
ServerRoot {self.folder}
PidFile {self.folder}/pid
ErrorLog {self.log}
LogLevel info
DefaultRuntimeDir {self.folder}
Mutex file:{self.folder} default
Listen 127.0.0.1:{self.port}
ServerName localhost
{loads}
ScriptSock {self.folder}/cgid.sock
{self.identity()}
LogFormat "\\"%m %U\\" %>s %B" stack
CustomLog {self.access_log} stack
<Directory />
  AllowOverride None
  Require all denied
</Directory>
{self.stack.options.apache_server}
Include example-site.conf
"""

    def answers(self):
        with socket.create_connection(("127.0.0.1", self.port), 1):
            return True

    def facts(self):
        return {"apache_url": self.url, "apache_host": f"127.0.0.1:{self.port}",
                "apache_access_log": str(self.access_log), "apache_error_log": str(self.log)}


class Bloblo(Service):
    """The built program, told everything by its environment."""

    name = "bloblo"

    def __init__(self, stack):
        super().__init__(stack)
        self.spool = self.folder / "spool"
        self.spool.mkdir(exist_ok=True)

    def command(self):
        path = pathlib.Path(self.stack.options.bloblo).resolve()
        if not os.access(path, os.X_OK):
            raise StackError(f"there is no program {path}: swift build")
        return (path,)

    def environment(self):
        # Not the caller's environment: his AWS_* and BLOBLO_* are not ours.
        kept = {name: value for name, value in os.environ.items()
                if name in ("PATH", "LANG", "TMPDIR") or name.endswith("SAN_OPTIONS")}
        settings = {
            "HOME": str(self.folder),
            "BLOBLO_LISTEN_ADDR": self.stack.responder_address,
            "BLOBLO_UPSTREAM_URL": f"http://{self.stack.registry_address}",
            "BLOBLO_SPOOL_DIR": str(self.spool),
            "BLOBLO_LOG_LEVEL": self.stack.options.log_level,
            "BLOBLO_S3_BUCKET_NAME": BUCKET,
            "AWS_ACCESS_KEY_ID": ACCESS_KEY, "AWS_SECRET_ACCESS_KEY": SECRET_KEY, "AWS_REGION": REGION,
            "AWS_EC2_METADATA_DISABLED": "true",
            # Tests count what clients fetch; those of the looks turn them on.
            "BLOBLO_LOOK_AS_CLIENT": "off",
        }
        if "apache" in self.stack.services and os.geteuid() == 0:
            settings["BLOBLO_LISTEN_GROUP"] = "www-data"
        if "s3" in self.stack.services:
            settings["BLOBLO_S3_ENDPOINT_URL"] = self.stack.services["s3"].url
            settings["BLOBLO_S3_PUBLIC_ENDPOINT_URL"] = self.stack.s3_public_url
        return {**kept, **settings, **self.stack.options.env}

    def answers(self):
        if self.stack.options.tcp:
            with socket.create_connection(("127.0.0.1", self.stack.responder_port), 1):
                return True
        with socket.socket(socket.AF_UNIX) as client:
            client.connect(str(self.stack.socket))
            return True

    def facts(self):
        return {"bloblo_log": str(self.log), "bloblo_spool": str(self.spool)}


# The stack


class Stack:
    """The chosen services, in the order in which they start; the reverse of it in which they end."""

    def __init__(self, options):
        self.options = options
        # Short, because the path of a socket may have 107 bytes.
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="bloblo-", dir=options.directory))
        self.ports = Ports()
        self.socket = self.folder / "bloblo.sock"
        self.services = {}
        chosen = [kind for kind in (Registry, S3, Nginx, Apache, Bloblo) if kind.name in options.services]
        self.s3_public_port = self.ports.take()
        self.responder_port = self.ports.take()
        for kind in chosen:
            self.services[kind.name] = kind(self)

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
