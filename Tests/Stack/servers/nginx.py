"""nginx on the shipped files."""

import os
import signal
import socket
import urllib.parse

from .known import ROOT
from .service import Service, StackError, program


class Nginx(Service):
    """nginx on the files of nginx/, of which only addresses change: port, socket, registry
    (and the timeout, for tests that have no 20 s).

    access.log tells which bytes came from where. A second port leads to S3 and is what clients see
    of it, so that s3-access.log counts the bytes they fetch there; bloblo itself asks S3 directly.
    """

    name = "nginx"
    last_signal = signal.SIGTERM  # the master then ends its workers
    worker_connections = 2048

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
        if self.stack.options.client_ids:
            upstreams = self.replaced(upstreams, "default $request_id;", "default $http_x_request_id;")
        site = self.replaced(shipped["example-site.conf"], "listen 80;", f"listen 127.0.0.1:{self.port} backlog=4096;")
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
events {{ worker_connections {self.worker_connections}; }}
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
