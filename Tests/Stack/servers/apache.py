"""Apache on the shipped files."""

import os
import signal
import socket

from .known import ROOT
from .nginx import Nginx
from .service import Service, program


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
        # As long as nginx waits, unless a test says otherwise: a busy machine is no responder that hangs.
        timeout = self.stack.options.read_timeout or 20
        files = {**shipped, "bloblo.conf": replaced(shipped["bloblo.conf"], "timeout=4 ", f"timeout={timeout} ")}
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
