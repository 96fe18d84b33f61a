"""The built program."""

import os
import pathlib
import socket

from .known import ACCESS_KEY, BUCKET, REGION, SECRET_KEY
from .service import Service, StackError


# A busy machine is no server that does not answer. The web servers wait for 20 s.
PATIENT = {"BLOBLO_UPSTREAM_TIMEOUT": "15s", "BLOBLO_S3_TIMEOUT": "15s"}


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
            **PATIENT,
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
