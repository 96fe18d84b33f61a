"""A certificate authority of a test's own."""

import pathlib
import ssl
import subprocess
import uuid


class Authority:
    """`file` is its certificate, which clients are to trust."""

    def __init__(self, folder):
        self.folder = pathlib.Path(folder)
        self.file, key = self._make("-subj", "/CN=an authority of the tests")
        self._issuer = ("-CA", self.file, "-CAkey", key)

    def certificate(self, *names):
        """The files of a certificate for these host names and addresses, and of its key."""
        given = ",".join(f"{'IP' if set(name) <= set('0123456789.:abcdef') and set(name) & set('.:') else 'DNS'}:{name}"
                         for name in names)
        return self._make("-subj", f"/CN={names[0]}", "-addext", f"subjectAltName={given}", *self._issuer)

    def context(self, *names):
        """What a server of these names wraps its connections with."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(*self.certificate(*names))
        return context

    def _make(self, *words):
        certificate, key = (self.folder / f"{uuid.uuid4().hex}.{kind}" for kind in ("pem", "key"))
        subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
                        "-days", "2", "-keyout", key, "-out", certificate, *words], check=True, capture_output=True)
        certificate.chmod(0o644)
        return certificate, key
