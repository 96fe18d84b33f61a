"""SeaweedFS, and a client that looks into its bucket."""

import hashlib
import hmac
import json
import pathlib
import time
import urllib.parse

from .http1 import request
from .known import ACCESS_KEY, BUCKET, REGION, SECRET_KEY
from .service import Service, program


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
        ends = tuple(f"-{port}.sock" for port in self.ports.values())
        for path in pathlib.Path("/tmp").glob("seaweedfs-*.sock"):  # weed puts sockets there, whatever TMPDIR says
            if path.name.endswith(ends):
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
