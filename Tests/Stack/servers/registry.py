"""Debian's docker-registry."""

import ctypes
import json
import os

from .http1 import request
from .known import USERS
from .service import Service, program


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
