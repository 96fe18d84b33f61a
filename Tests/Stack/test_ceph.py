"""bloblo before Ceph, whose gateway knows policies and is as strict as AWS."""

import subprocess
import time

import pytest

import oci_image
import stack
from ceph import GUEST_KEY, GUEST_SECRET, Ceph
from fakes.client import push
from fakes.waiting import eventually
from filling import faults_of_s3, pull_until_published
from front_site import Site, stacks
from s3_servers import boto, check, judge, settings

pytestmark = pytest.mark.long

MIB = 1 << 20


@pytest.fixture(scope="module")
def ceph():
    """One gateway for all."""
    with stacks() as make:
        gateway = Ceph(make("s3"))
        try:
            gateway.start()
            yield gateway
        finally:
            gateway.stop()


class CephSite(Site):
    """A registry, nginx and bloblo before the gateway."""

    def push_beside(self, body):
        """Into the registry, beside the web server: the digest."""
        return push(self.registry.url, body, "a")

    def get(self, digest, **more):
        return super().get(digest, "a", timeout=120, **more)

    def fill(self, digest, size):
        """The answers until `size` says that the bucket has the blob."""
        return pull_until_published(lambda: self.get(digest), lambda: size() is not None,
                                    lambda: faults_of_s3(self.lines(digest)), self.bloblo.tail)

    def put_bucket_at_the_registry(self, ceph):
        """The trap: clients reach the bucket at the registry's own address, by another path."""
        self.servers.options.env["BLOBLO_S3_PUBLIC_ENDPOINT_URL"] = self.front.url
        command = self.front.command

        def with_bucket():
            words = command()
            site = self.front.folder / "example-site.conf"
            bucket = (f"location /{stack.BUCKET}/ {{ proxy_pass {ceph.url}; proxy_set_header Host $http_host; }}")
            site.write_text(site.read_text().replace("server {", "server {\n" + bucket, 1))
            return words

        self.front.command = with_bucket


@pytest.fixture
def up(ceph, make_stack):
    def start(key=stack.ACCESS_KEY, secret=stack.SECRET_KEY, is_at_registry=False, **env):
        site = CephSite(make_stack("registry,nginx,bloblo", "--log-level", "debug", start=False, env={
            "BLOBLO_S3_ENDPOINT_URL": ceph.url, "AWS_ACCESS_KEY_ID": key, "AWS_SECRET_ACCESS_KEY": secret,
            "BLOBLO_S3_PUBLIC_ENDPOINT_URL": f"http://localhost:{ceph.port}", **env}), "nginx")
        if is_at_registry:
            site.put_bucket_at_the_registry(ceph)
        site.servers.up()
        return site
    return start


def test_check_and_presign(ceph):
    # It refuses two credentials, and is asked by the registry's own address here.
    judge(ceph.url, **{"presign_authorization": "ok", "same-host": "FAIL"})
    _, lines = check(settings(ceph.url))
    assert "S3 refuses an Authorization field next to the signature with 400" in lines["presign.authorization"][1]


def test_cold_then_warm(ceph, up, chance):
    site = up()
    for size in (1000, 20 * MIB):  # one PUT; parts
        body = chance.randbytes(size)
        digest = site.push_beside(body)
        for answer in site.fill(digest, lambda digest=digest: ceph.client.size(digest)):
            assert answer[::2] == (200, body)
        assert ceph.client.size(digest) == size
        eventually(lambda: site.get(digest)[0] == 307)
        assert stack.request("GET", site.get(digest)[1]["Location"])[::2] == (200, body)


def test_without_list_absent_blobs_pass_and_the_others_are_redirected(ceph, up, chance):
    ceph.let_guest("s3:GetObject", "s3:PutObject", "s3:AbortMultipartUpload")
    site, started = up(key=GUEST_KEY, secret=GUEST_SECRET), time.monotonic()
    warm = chance.randbytes(1000)
    warm_digest = site.push_beside(warm)
    ceph.client.call("PUT", f"/{stack.BUCKET}/{warm_digest}", warm)
    for _ in range(12):  # more than open a breaker
        body = chance.randbytes(100)
        status, headers, got = site.get(site.push_beside(body))
        assert (status, got, headers.get("X-Bloblo")) == (200, body, None)
        status, headers, _ = site.get(warm_digest)
        assert status == 307
    assert stack.request("GET", headers["Location"])[::2] == (200, warm)
    told = site.lines("S3 does not say whether it has the blob")
    assert len(told) >= 1
    assert len(told) <= 2 + (time.monotonic() - started) // 10, told  # once in ten seconds
    assert "403 AccessDenied" in str(told[0])
    assert "s3:ListBucket" in str(told[0])
    # Mended, and nobody need be told.
    ceph.let_guest("s3:GetObject", "s3:PutObject", "s3:AbortMultipartUpload", "s3:ListBucket")
    digest = site.push_beside(chance.randbytes(100))
    guest = stack.S3Client(ceph.url, GUEST_KEY, GUEST_SECRET)
    site.fill(digest, lambda: guest.size(digest))
    assert guest.size(digest) == 100


def test_a_key_that_is_no_more_ends_redirects(ceph, up, chance):
    ceph.let_guest("s3:GetObject", "s3:PutObject", "s3:ListBucket")
    key, secret = "AKIDSHORT", "SECRETSHORT"
    ceph.run("radosgw-admin", *ceph.options, "key", "create", "--uid=guest", "--key-type=s3",
             f"--access-key={key}", f"--secret-key={secret}")
    site = up(key=key, secret=secret)
    body = chance.randbytes(1000)
    digest = site.push_beside(body)
    ceph.client.call("PUT", f"/{stack.BUCKET}/{digest}", body)
    assert site.get(digest)[0] == 307
    ceph.run("radosgw-admin", *ceph.options, "key", "rm", "--uid=guest", "--key-type=s3",
             f"--access-key={key}")
    # Though the object is remembered to be there.
    eventually(lambda: site.get(digest)[::2] == (200, body))
    eventually(lambda: "InvalidAccessKeyId" in site.bloblo.log.read_text())


def test_a_denied_object_is_not_redirected_to_any_more(ceph, up, chance):
    ceph.let_guest("s3:GetObject", "s3:PutObject", "s3:ListBucket")
    site = up(key=GUEST_KEY, secret=GUEST_SECRET)
    body = chance.randbytes(1000)
    digest = site.push_beside(body)
    ceph.client.call("PUT", f"/{stack.BUCKET}/{digest}", body)
    assert site.get(digest)[0] == 307
    ceph.let_guest("s3:PutObject")
    eventually(lambda: site.get(digest)[::2] == (200, body))


def levels(found, *subjects):
    return [found[subject][0] for subject in subjects]


def test_check_tells_key_secret_and_policy_apart(ceph):
    def lines(key=GUEST_KEY, secret=GUEST_SECRET):
        env = settings(ceph.url, AWS_ACCESS_KEY_ID=key, AWS_SECRET_ACCESS_KEY=secret)
        return check(env)[1]

    ceph.let_guest("s3:GetObject", "s3:PutObject")
    found = lines()
    assert levels(found, "bucket.head", "bucket.put", "bucket.list", "presign.get", "bucket.delete",
                  "bucket.lifecycle") == ["FAIL", "ok", "FAIL", "ok", "warn", "warn"], found
    ceph.let_guest("s3:PutObject", "s3:DeleteObject", deny=["s3:GetObject"])
    found = lines()
    assert levels(found, "bucket.head", "bucket.put", "bucket.read", "presign.get",
                  "bucket.delete") == ["FAIL", "ok", "FAIL", "FAIL", "ok"], found
    ceph.let_guest("s3:GetObject", "s3:ListBucket")
    found = lines()
    assert (found["bucket.head"][0], found["bucket.put"][0]) == ("ok", "FAIL"), found
    assert "SignatureDoesNotMatch" in lines(secret="WRONG")["bucket.head"][1]
    assert "InvalidAccessKeyId" in lines(key="AKIDNOBODY")["bucket.head"][1]


def test_lifecycle_rule_counts_where_it_covers_the_blobs(ceph, ends):
    def rule(prefix):
        return (f"<LifecycleConfiguration><Rule><ID>a</ID><Status>Enabled</Status><Filter><Prefix>{prefix}</Prefix>"
                "</Filter><AbortIncompleteMultipartUpload><DaysAfterInitiation>3</DaysAfterInitiation>"
                "</AbortIncompleteMultipartUpload></Rule></LifecycleConfiguration>").encode()

    query = [("lifecycle", "")]
    ends.callback(ceph.client.call, "DELETE", f"/{stack.BUCKET}", b"", query)
    for prefix, level in (("", "ok"), ("blobs/", "ok"), ("logs/", "warn"), ("blobs/x", "warn")):
        assert ceph.client.call("PUT", f"/{stack.BUCKET}", rule(prefix), query)[0] == 200
        lines = check(settings(ceph.url, BLOBLO_S3_KEY_TEMPLATE="blobs/{digest}"))[1]
        assert lines["bucket.lifecycle"][0] == level, (prefix, lines["bucket.lifecycle"])


def test_bucket_with_object_lock(ceph, up, chance):
    client = boto(ceph.url)
    client.create_bucket(Bucket="locked", ObjectLockEnabledForBucket=True)
    client.put_object_lock_configuration(Bucket="locked", ObjectLockConfiguration={
        "ObjectLockEnabled": "Enabled", "Rule": {"DefaultRetention": {"Mode": "GOVERNANCE", "Days": 1}}})
    site = up(BLOBLO_S3_BUCKET_NAME="locked")
    for size in (1000, 12 * MIB):
        body = chance.randbytes(size)
        digest = site.push_beside(body)
        assert site.get(digest)[::2] == (200, body)
        eventually(lambda: site.get(digest)[0] == 307)
        head = client.head_object(Bucket="locked", Key=digest)
        assert (head["ContentLength"], head["ObjectLockMode"]) == (size, "GOVERNANCE")


@pytest.mark.parametrize("works", [False, True], ids=["the registry's own host", "another host"])
def test_same_host_trap(ceph, up, works):
    """skopeo keeps Authorization on a redirect to the registry's own host, and is refused; not to another."""
    site = up(is_at_registry=not works, BLOBLO_REGISTRY_HOST="127.0.0.1")
    assert bool(site.lines("many send their Authorization along")) == (not works)
    layout = site.servers.folder / "image"
    facts = oci_image.make(layout, [4096])
    user, password = next(iter(stack.USERS.items()))
    subprocess.run(["skopeo", "--insecure-policy", "copy", "--quiet", "--preserve-digests",
                    "--dest-tls-verify=false", f"--dest-creds={user}:{password}", f"oci:{layout}:latest",
                    f"docker://{site.registry.address}/a:latest"], check=True, capture_output=True)
    for digest in facts["sizes"]:
        encoded = digest.split(":")[1]
        ceph.client.call("PUT", f"/{stack.BUCKET}/{digest}", (layout / "blobs/sha256" / encoded).read_bytes())
    pulled = subprocess.run(
        ["skopeo", "--insecure-policy", "copy", "--quiet", "--src-tls-verify=false",
         f"--src-creds={user}:{password}", f"docker://{site.url.split('//')[1]}/a:latest",
         f"dir:{site.servers.folder}/pulled"], capture_output=True, text=True)
    assert (pulled.returncode == 0) == works, pulled.stderr
    if not works:
        assert "400" in pulled.stderr
