"""Other S3 servers than SeaweedFS, and the built program asked about them."""

import hashlib
import json
import os
import subprocess

import botocore.session

import stack

NEXT_KEY, NEXT_SECRET = "AKIDNEXT", "SECRETNEXT"


def run(*arguments, env, prefix=()):
    environment = {"PATH": os.environ["PATH"], "HOME": "/nonexistent", "AWS_EC2_METADATA_DISABLED": "true", **env}
    return subprocess.run([*prefix, os.environ["BLOBLO"], *arguments], env=environment, capture_output=True, text=True, timeout=120)


class Report(dict):
    """What `check --json` has written, by subject; `done` is the process that has ended."""

    def __init__(self, done, entry=lambda line: (line["level"], line["finding"])):
        self.done = done
        lines = [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]
        assert lines, f"no report: {done}"
        super().__init__((line["subject"], entry(line)) for line in lines)

    def __missing__(self, subject):
        raise AssertionError(f"nothing is said of {subject}: {self.done}")


def check(env, *arguments, prefix=()):
    """(exit status, {subject: (level, finding)})"""
    done = run("check", "--json", *arguments, env=env, prefix=prefix)
    return done.returncode, Report(done)


def presigned(digest, env, prefix=()):
    """The URL that `bloblo presign` writes."""
    done = run("presign", digest, env=env, prefix=prefix)
    assert (done.returncode, len(done.stdout.split())) == (0, 1), done
    return done.stdout.strip()


def settings(url, **more):
    return {"AWS_ACCESS_KEY_ID": stack.ACCESS_KEY, "AWS_SECRET_ACCESS_KEY": stack.SECRET_KEY,
            "AWS_REGION": stack.REGION, "BLOBLO_S3_ENDPOINT_URL": url, "BLOBLO_S3_BUCKET_NAME": stack.BUCKET,
            "BLOBLO_UPSTREAM_URL": "http://127.0.0.1:9", **more}


class JuiceFS(stack.Service):
    """Its gateway is MinIO's code."""

    name = "juicefs"
    patience = 2

    def __init__(self, owner):
        super().__init__(owner)
        self.port = owner.ports.take()
        self.url = f"http://127.0.0.1:{self.port}"
        (self.folder / "objects").mkdir()
        subprocess.run([stack.program("juicefs"), "format", "--storage", "file", "--bucket",
                        f"{self.folder}/objects/", "sqlite3://meta.db", "demo"], cwd=self.folder, check=True,
                       capture_output=True)

    def environment(self):
        return {**os.environ, "MINIO_ROOT_USER": stack.ACCESS_KEY, "MINIO_ROOT_PASSWORD": stack.SECRET_KEY}

    def command(self):
        return (stack.program("juicefs"), "gateway", "--multi-buckets", "--no-usage-report", "--cache-dir",
                self.folder / "cache", "sqlite3://meta.db", f"127.0.0.1:{self.port}")

    def answers(self):
        return stack.S3Client(self.url).call("PUT", f"/{stack.BUCKET}")[0] in (200, 409)


class JuiceFSElsewhere(JuiceFS):
    """In a region, and it refuses what is signed for another."""

    name = "juicefs-elsewhere"

    def environment(self):
        return {**super().environment(), "MINIO_REGION": "eu-west-1"}

    def answers(self):
        # It answers before it knows its region.
        return (stack.S3Client(self.url, region="eu-west-1").call("PUT", f"/{stack.BUCKET}")[0] in (200, 409)
                and stack.S3Client(self.url).call("GET", f"/{stack.BUCKET}")[0] == 400)


class Moto(stack.Service):
    name = "moto"

    def __init__(self, owner):
        super().__init__(owner)
        self.port = owner.ports.take()
        self.url = f"http://127.0.0.1:{self.port}"

    def command(self):
        return stack.program("moto_server"), "-H", "127.0.0.1", "-p", str(self.port)

    def answers(self):
        return stack.S3Client(self.url).call("PUT", f"/{stack.BUCKET}")[0] in (200, 409)


class LocalStack(stack.Service):
    """In host mode: its own pins are at odds with moto's, so it has a virtual environment of its own.

    Source: <https://docs.localstack.cloud/references/configuration/>
    """

    name = "localstack"
    patience = 2
    access_key = secret_key = "test"

    def __init__(self, owner):
        super().__init__(owner)
        self.port = owner.ports.take()
        self.url = f"http://127.0.0.1:{self.port}"
        self.client = stack.S3Client(self.url, self.access_key, self.secret_key)

    def environment(self):
        return {**os.environ, "SERVICES": "s3", "S3_SKIP_SIGNATURE_VALIDATION": "0", "EAGER_SERVICE_LOADING": "1",
                "GATEWAY_LISTEN": f"127.0.0.1:{self.port}", "SKIP_SSL_CERT_DOWNLOAD": "1", "DISABLE_EVENTS": "1",
                "LOCALSTACK_VOLUME_DIR": str(self.folder / "volume"), "TMPDIR": str(self.folder)}

    def command(self):
        return stack.ROOT / ".build/venv-localstack/bin/python", "-m", "localstack.runtime.main"

    def answers(self):
        return self.client.call("PUT", f"/{stack.BUCKET}")[0] in (200, 409)


def boto(url):
    session = botocore.session.Session()
    session.set_credentials(stack.ACCESS_KEY, stack.SECRET_KEY)
    return session.create_client("s3", endpoint_url=url, region_name=stack.REGION)


def judge(url, access_key=stack.ACCESS_KEY, secret_key=stack.SECRET_KEY, **wrong):
    """Runs `check` and `presign`; all is ok but what is named: subject with _ for . and its level."""
    env = settings(url, AWS_ACCESS_KEY_ID=access_key, AWS_SECRET_ACCESS_KEY=secret_key)
    status, lines = check(env)
    levels = {subject: level for subject, (level, _) in lines.items()}
    # There is no registry, these servers have no lifecycle rule until a test sets one, and they are on this machine.
    expected = {"upstream": "FAIL", "sum": "FAIL", "bucket.lifecycle": "warn", "same-host": "warn", "public-address": "warn",
                **{name.replace("_", "."): level for name, level in wrong.items()}}
    for subject, level in levels.items():
        assert level == expected.get(subject, "ok"), f"{subject}: {lines[subject]}"
    assert status == 1
    for subject in ("credentials", "bucket.head", "bucket.region", "clock", "bucket.put", "bucket.condition",
                    "presign.length", "presign.get", "presign.expiry", "presign.signature", "bucket.delete"):
        assert subject in levels
    # The probe is gone, and the blob of which a URL is asked is not there.
    assert run("presign", "sha256:" + "0" * 64, env=env).returncode == 1
    body = os.urandom(1000)
    digest = "sha256:" + hashlib.sha256(body).hexdigest()
    client = stack.S3Client(url, access_key, secret_key)
    assert client.call("PUT", f"/{stack.BUCKET}/{digest}", body)[0] == 200
    assert stack.request("GET", presigned(digest, env))[::2] == (200, body)
    return levels
