"""Pulp with its container plugin: API, content app and worker from PyPI, PostgreSQL and Redis from Debian.

All of it runs below one folder, on loopback, and ends with the stack that started it. No system service is touched.

Source: <https://pulpproject.org/pulpcore/docs/admin/guides/> and <https://pulpproject.org/pulp_container/>
"""

import base64
import fcntl
import hashlib
import json
import os
import pathlib
import pwd
import shutil
import signal
import subprocess
import urllib.parse

import stack
from fakes.client import basic
from fakes.waiting import eventually

VENV = stack.ROOT / ".build/venv-pulp"
USER, PASSWORD = "admin", "admin-password"
ADMIN = basic(USER, PASSWORD)


class Part(stack.Service):
    """One of its processes."""

    def __init__(self, pulp, name, *command, is_up=lambda: True, uid=None):
        self.name = f"pulp-{name}"
        super().__init__(pulp.owner)
        # PostgreSQL refuses to run as root.
        self.words, self.is_up, self.uid, self.pulp = command, is_up, uid, pulp

    def command(self):
        return self.words

    def environment(self):
        return self.pulp.environment

    def answers(self):
        return self.is_up()

    def stop(self):
        # gunicorn and PostgreSQL wait for connections that others keep open, if SIGTERM is all that they get.
        self.signal(signal.SIGINT)
        super().stop()


class Pulp:
    """`owner` is a stack.Stack, whose folder and ports it uses; `token_server` the URL of `/token/` as clients know it.

    `bucket`, an S3Client of another S3 server and a bucket's name, makes Pulp store its files there.
    """

    def __init__(self, owner, token_server, content_origin=None, bucket=None):
        self.owner, self.folder = owner, owner.folder / "pulp"
        self.folder.mkdir()
        take = owner.ports.take
        self.redis_port, self.api_port, self.content_port = take(), take(), take()
        self.address = f"127.0.0.1:{self.api_port}"
        self.url = f"http://{self.address}"
        self.content_address = f"127.0.0.1:{self.content_port}"
        self.settings = self.folder / "settings.py"
        self.environment = {
            "PATH": os.environ["PATH"], "HOME": str(self.folder), "LANG": "C.UTF-8", "PULP_SETTINGS": str(self.settings),
            "DJANGO_SETTINGS_MODULE": "pulpcore.app.settings"}
        self.parts = []
        self.write_settings(token_server, content_origin or f"http://{self.content_address}", bucket)

    def write_settings(self, token_server, content_origin, bucket):
        for name in ("media", "tmp", "assets"):
            (self.folder / name).mkdir()
        keys = {name: self.folder / f"{name}.pem" for name in ("private", "public")}
        self.run("openssl", "ecparam", "-genkey", "-name", "prime256v1", "-noout", "-out", keys["private"])
        self.run("openssl", "ec", "-in", keys["private"], "-pubout", "-out", keys["public"])
        secret = self.folder / "database.key"
        secret.write_text(base64.urlsafe_b64encode(os.urandom(32)).decode())
        settings = {
            "SECRET_KEY": "of the test alone", "CONTENT_ORIGIN": content_origin, "ANALYTICS": False,
            "DATABASES": {"default": {"ENGINE": "django.db.backends.postgresql", "NAME": "pulp", "USER": "pulp",
                                      "HOST": str(self.folder / "sockets")}},
            "DB_ENCRYPTION_KEY": str(secret), "CACHE_ENABLED": True,
            "REDIS_HOST": "127.0.0.1", "REDIS_PORT": self.redis_port,
            "TOKEN_SERVER": token_server, "TOKEN_SIGNATURE_ALGORITHM": "ES256",
            "PRIVATE_KEY_PATH": str(keys["private"]), "PUBLIC_KEY_PATH": str(keys["public"]),
            "DEPLOY_ROOT": str(self.folder), "MEDIA_ROOT": str(self.folder / "media"),
            "STATIC_ROOT": str(self.folder / "assets"), "WORKING_DIRECTORY": str(self.folder / "tmp"),
            "FILE_UPLOAD_TEMP_DIR": str(self.folder / "tmp"),
        }
        self.storage = "pulpcore.app.models.storage.FileSystem"
        if bucket:
            client, name = bucket
            self.storage = "storages.backends.s3boto3.S3Boto3Storage"
            settings["MEDIA_ROOT"] = ""
            settings["STORAGES"] = {
                "default": {"BACKEND": self.storage, "OPTIONS": {
                    "access_key": client.access_key, "secret_key": client.secret_key, "bucket_name": name,
                    "endpoint_url": client.url, "region_name": client.region, "addressing_style": "path",
                    "signature_version": "s3v4", "default_acl": None}},
                "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"}}
        self.settings.write_text("".join(f"{name} = {value!r}\n" for name, value in settings.items()))

    # Life

    def run(self, *words, uid=None, **more):
        if uid:
            words = ("setpriv", f"--reuid={uid}", "--clear-groups", *words)
        done = subprocess.run(list(map(str, words)), cwd=self.folder, env=self.environment, capture_output=True,
                              text=True, timeout=600, **more)
        if done.returncode != 0:
            raise stack.StackError(f"{words[0]}: {done.stderr[-2000:]}")
        return done.stdout

    def part(self, name, *command, **more):
        part = Part(self, name, *command, **more)
        self.parts.append(part)
        part.start()

    def start(self):
        self.start_database()
        self.part("redis", "redis-server", "--port", self.redis_port, "--bind", "127.0.0.1", "--save", "",
                  "--dir", self.folder, is_up=lambda: b"PONG" in self.redis_says())
        self.migrate()
        self.part("api", VENV / "bin/pulpcore-api", "--bind", self.address, "--workers", 2, is_up=self.api_is_up)
        self.part("content", VENV / "bin/pulpcore-content", "--bind", self.content_address, "--workers", 2,
                  is_up=lambda: stack.request("GET", f"http://{self.content_address}/pulp/content/")[0] == 200)
        self.part("worker", VENV / "bin/pulpcore-worker")
        eventually(lambda: self.status()["online_workers"], otherwise=lambda: self.parts[-1].tail())
        return self

    def start_database(self):
        folder = max(pathlib.Path("/usr/lib/postgresql").glob("*/bin"))
        uid = pwd.getpwnam("postgres").pw_uid if os.geteuid() == 0 else None
        data, sockets = self.folder / "database", self.folder / "sockets"
        for path in (data, sockets):
            path.mkdir()
            if uid:
                os.chown(path, uid, -1)
        if uid:
            for path in (self.owner.folder, self.folder):
                path.chmod(0o711)
        self.run(folder / "initdb", "-D", data, "-U", "pulp", "-A", "trust", "-E", "UTF8", "--no-sync", uid=uid)
        self.part("database", folder / "postgres", "-D", data, "-k", sockets, "-c", "listen_addresses=", "-c", "fsync=off",
                  uid=uid, is_up=lambda: subprocess.run(
                      [folder / "pg_isready", "-q", "-h", sockets], check=False).returncode == 0)
        self.run(folder / "createdb", "-h", sockets, "-U", "pulp", "pulp")

    def migrate(self):
        """Takes a minute or more on two cores, so what comes of it is kept for the next run of the same versions."""
        pins = hashlib.sha256((VENV / "pins").read_bytes()).hexdigest()[:12]
        kept, database = VENV / f"migrated-{pins}.sql", ("-h", self.folder / "sockets", "-U", "pulp", "-d", "pulp")
        # One migrates, and the other workers take what it has kept.
        with (VENV / "migrating").open("w") as turn:
            fcntl.flock(turn, fcntl.LOCK_EX)
            is_new = not kept.exists()
            if is_new:
                manager = VENV / "bin/pulpcore-manager"
                self.run(manager, "migrate", "--noinput")
                self.run(manager, "reset-admin-password", "--password", PASSWORD)
                self.run("pg_dump", "--no-owner", *database, "-f", self.folder / "migrated.sql")
                shutil.move(self.folder / "migrated.sql", kept)
        if not is_new:
            self.run("psql", "-q", "-v", "ON_ERROR_STOP=1", *database, "-f", kept)
        # What the files are stored in has been written down as well.
        self.run("psql", "-q", *database, "-c", f"UPDATE core_domain SET storage_class = '{self.storage}'")

    def stop(self):
        for part in reversed(self.parts):
            part.stop()

    def redis_says(self):
        return subprocess.run(["redis-cli", "-p", str(self.redis_port), "ping"], capture_output=True, check=False).stdout

    def api_is_up(self):
        return stack.request("GET", f"{self.url}/pulp/api/v3/status/")[0] == 200

    def status(self):
        return json.loads(stack.request("GET", f"{self.url}/pulp/api/v3/status/")[2])

    # Its own interface

    def call(self, method, path, document=None):
        body = None if document is None else json.dumps(document).encode()
        status, _, answer = stack.request(
            method, urllib.parse.urljoin(self.url, path), {**ADMIN, "Content-Type": "application/json"}, body)
        if status >= 300:
            raise stack.StackError(f"{method} {path}: {status} {answer[:500]}")
        return json.loads(answer) if answer else None

    def finish(self, task):
        """What a task has made."""
        def ended():
            found = self.call("GET", task["task"])
            return found["state"] in ("completed", "failed") and found
        found = eventually(ended)
        if found["state"] != "completed":
            raise stack.StackError(f"{found['name']}: {found['error']}")
        return found["created_resources"]

    def pull_through(self, path, upstream):
        """Makes what is below `path` come from the registry at this URL when it is asked for."""
        remote = self.call("POST", "/pulp/api/v3/remotes/container/pull-through/", {
            "name": f"{path}-remote", "url": upstream, "tls_validation": False})
        self.finish(self.call("POST", "/pulp/api/v3/distributions/container/pull-through/", {
            "name": path, "base_path": path, "remote": remote["pulp_href"], "private": False}))
