"""What `bloblo check` says of each S3 server, compared with what was measured of it; then a private authority,
another region, encryption and tags on real servers.
"""

import subprocess
import time
import urllib.parse

import pytest

import stack
from fakes.calendar import shifted
from fakes.client import digest_of
from fakes.handler import Handler
from fakes.relay import Relay
from fakes.waiting import eventually
from front_site import Site, stacks
from s3_servers import NEXT_KEY, NEXT_SECRET, JuiceFS, JuiceFSElsewhere, LocalStack, Moto, boto, check, judge, presigned, run, settings

pytestmark = pytest.mark.long


@pytest.fixture(scope="module")
def servers():
    with stacks() as make:
        yield make("s3")


@pytest.fixture
def seaweed(servers):
    return servers.services["s3"]


@pytest.fixture
def start(servers, ends):
    """Starts an S3 server of a class of s3_servers.py until the end of the test."""
    def begin(kind):
        server = kind(servers)
        ends.callback(server.stop)
        server.start()
        return server
    return begin


def before(registry, make_stack, env):
    """bloblo with these settings behind nginx, before the fake registry."""
    return Site(make_stack("nginx,bloblo", "--registry", registry.address, env={
        **env, "BLOBLO_UPSTREAM_URL": f"http://{registry.address}"}), "nginx")


def test_seaweedfs(seaweed):
    judge(seaweed.url)


def test_juicefs(start):
    # MinIO's code of that age knows no conditions on writes.
    judge(start(JuiceFS).url, **{"bucket_condition": "warn", "same-host": "FAIL"})


def test_moto(start):
    # It checks nothing, and is found out.
    judge(start(Moto).url, presign_expiry="FAIL", presign_signature="FAIL")


def test_localstack(start, fake_registry, make_stack):
    server = start(LocalStack)
    judge(server.url, server.access_key, server.secret_key)
    env = settings(server.url, AWS_ACCESS_KEY_ID=server.access_key, AWS_SECRET_ACCESS_KEY=server.secret_key)
    site = before(fake_registry, make_stack, env)
    for size in (1000, 12_000_000):  # one PUT; parts
        digest = fake_registry.add(size)
        assert site.get(digest)[::2] == (200, fake_registry.blobs[digest])
        _, fields = site.fill(digest)
        assert stack.request("GET", fields["Location"])[::2] == (200, fake_registry.blobs[digest])


def test_true_region_is_found_out(start, fake_registry, make_stack):
    url = start(JuiceFSElsewhere).url
    lines = check(settings(url))[1]
    assert lines["bucket.region"] == ("warn", f"the bucket is in eu-west-1, but the settings say {stack.REGION}")
    for subject in ("bucket.head", "bucket.put", "presign.get", "bucket.delete"):
        assert lines[subject][0] == "ok", lines[subject]
    site = before(fake_registry, make_stack, settings(url))
    for _ in range(5):
        digest = fake_registry.add(1000)
        assert site.get(digest)[::2] == (200, fake_registry.blobs[digest])
        _, fields = site.fill(digest)
        assert stack.request("GET", fields["Location"])[::2] == (200, fake_registry.blobs[digest])
    # Not at each pull; two that find it out at once may both say so.
    assert len(site.lines("is in another region")) in (1, 2)


def test_another_credential_presigns(seaweed):
    url = seaweed.url
    digest = digest_of(b"other")
    stack.S3Client(url).call("PUT", f"/{stack.BUCKET}/{digest}", b"other")
    env = settings(url, BLOBLO_PRESIGN_ACCESS_KEY_ID=NEXT_KEY, BLOBLO_PRESIGN_SECRET_ACCESS_KEY=NEXT_SECRET)
    location = presigned(digest, env)
    assert f"X-Amz-Credential={NEXT_KEY}%2F" in location
    assert stack.request("GET", location)[::2] == (200, b"other")
    assert check(env)[1]["presign.get"][0] == "ok"


def test_what_check_says_of_registries(seaweed, serve):
    digest = "sha256:" + "1" * 64

    class SomeRegistry(Handler):
        def do_GET(self):
            ping = self.path == "/v2/"
            status, fields = {
                "redirects": (200, {}) if ping else (307, {"Location": f"http://blobs.example.com/{'1' * 64}?sp=r&sig=1"}),
                "refuses": (401, {"WWW_Authenticate": 'Basic realm="x"'}),
                "is a page": (200, {"Content_Type": "text/html"}),
                "moved": (301, {"Location": "https://registry.example.com/v2/"}),
                "is in trouble": (500, {}),
                "has it": (200, {}),
            }[kind]
            self.answer(status, b"12345", **fields)

        do_HEAD = do_GET

    server = serve(SomeRegistry)
    env = settings(seaweed.url, BLOBLO_UPSTREAM_URL=f"http://127.0.0.1:{server.server_port}")
    for kind, expected in [
            ("has it", {"upstream": "ok", "upstream.head": "ok", "upstream.proof": "ok", "bucket.blob": "warn"}),
            ("redirects", {"upstream": "ok", "upstream.redirect": "ok", "upstream.proof": "ok"}),
            ("refuses", {"upstream": "ok", "upstream.head": "warn", "upstream.proof": "warn"}),
            ("is a page", {"upstream": "FAIL"}), ("moved", {"upstream": "FAIL"}), ("is in trouble", {"upstream": "FAIL"})]:
        lines = check(env, "--blob", f"a/b@{digest}")[1]
        assert {subject: lines[subject][0] for subject in expected} == expected, (kind, lines)


def test_lifecycle_rule_is_found(start):
    url = start(Moto).url
    rule = (b"<LifecycleConfiguration><Rule><ID>a</ID><Status>Enabled</Status><Filter><Prefix></Prefix></Filter>"
            b"<AbortIncompleteMultipartUpload><DaysAfterInitiation>3</DaysAfterInitiation>"
            b"</AbortIncompleteMultipartUpload></Rule></LifecycleConfiguration>")
    assert stack.S3Client(url).call("PUT", f"/{stack.BUCKET}", rule, query=[("lifecycle", "")])[0] == 200
    assert check(settings(url))[1]["bucket.lifecycle"] == ("ok", "incomplete uploads are aborted after 3 d")


def test_encryption_class_tags_reach_the_object(start, fake_registry, make_stack):
    url = start(Moto).url
    env = settings(url, BLOBLO_S3_SSE="aws:kms", BLOBLO_S3_SSE_KMS_KEY_ID="k",
                   BLOBLO_S3_SSE_BUCKET_KEY="true", BLOBLO_S3_STORAGE_CLASS="STANDARD_IA",
                   BLOBLO_S3_TAGS="cost=registry,repository={repository}", BLOBLO_S3_REQUESTER_PAYS="true")
    levels = check(env)[1]
    assert levels["bucket.put"][0] == "ok", levels["bucket.put"]
    assert levels["presign.get"][0] == "ok", levels["presign.get"]
    site = before(fake_registry, make_stack, env)
    client = boto(url)
    for size in (1000, 12_000_000):  # one PUT; parts
        digest = fake_registry.add(size)
        asked = {"Bucket": stack.BUCKET, "Key": digest}
        assert site.get(digest, "team/app")[::2] == (200, fake_registry.blobs[digest])
        eventually(lambda: site.lines('"filled"', digest), otherwise=site.bloblo.tail)
        head = client.head_object(**asked)
        assert {name: head.get(name) for name in (
            "ContentLength", "ContentType", "ServerSideEncryption", "SSEKMSKeyId", "StorageClass")} == {
                "ContentLength": size, "ContentType": "application/octet-stream", "ServerSideEncryption": "aws:kms",
                "SSEKMSKeyId": "k", "StorageClass": "STANDARD_IA"}
        # Of uploads in parts moto forgets the bucket key.
        assert head.get("BucketKeyEnabled") == (True if size == 1000 else None)
        tags = {tag["Key"]: tag["Value"] for tag in client.get_object_tagging(**asked)["TagSet"]}
        assert tags == {"cost": "registry", "repository": "team/app"}


def test_wrong_secret_bucket_and_address_are_told(seaweed):
    url = seaweed.url
    for env, subject in [
            (settings(url, AWS_SECRET_ACCESS_KEY="wrong"), "bucket.head"),
            (settings("http://127.0.0.1:1"), "bucket.head"),
            (settings(url, BLOBLO_S3_PUBLIC_ENDPOINT_URL="http://127.0.0.1:1"), "presign.get")]:
        status, lines = check(env)
        assert (status, lines[subject][0]) == (1, "FAIL"), lines
    for subject in ("bucket.head", "bucket.put"):
        assert "SignatureDoesNotMatch" in check(settings(url, AWS_SECRET_ACCESS_KEY="wrong"))[1][subject][1]
    done = run("check", "--json", env={"BLOBLO_S3_REGION": "a b", "BLOBLO_THREADS": "many"})
    assert done.returncode == 78
    assert len(done.stdout.splitlines()) >= 2


def test_private_authority(seaweed, authority, ends):
    relay = Relay(seaweed.port, authority.context("localhost"))
    ends.callback(relay.close)
    assert check(settings(relay.url))[1]["bucket.head"][0] == "FAIL"
    for name in ("BLOBLO_S3_CA_FILE", "AWS_CA_BUNDLE"):
        lines = check(settings(relay.url, **{name: str(authority.file)}))[1]
        for subject in ("bucket.head", "bucket.put", "presign.get"):
            assert lines[subject][0] == "ok", lines[subject]


def test_ipv6(seaweed, ends):
    relay = Relay(seaweed.port, host="::1")
    ends.callback(relay.close)
    lines = check(settings(relay.url))[1]
    for subject in ("bucket.head", "bucket.put", "presign.get", "bucket.delete"):
        assert lines[subject][0] == "ok", lines[subject]


def test_clock_is_corrected(seaweed):
    url = seaweed.url
    for hours in (-2, 2):
        status, lines = check(settings(url), prefix=shifted(hours * 3600))
        assert lines["clock"][0] == "warn", lines
        for subject in ("bucket.head", "bucket.put", "presign.get", "presign.expiry", "bucket.delete"):
            assert lines[subject][0] == "ok", lines[subject]


def test_cloudfront_url_is_presigned(seaweed, chance, tmp_path):
    url = seaweed.url
    body = chance.randbytes(10)
    digest = digest_of(body)
    stack.S3Client(url).call("PUT", f"/{stack.BUCKET}/{digest}", body)
    key = tmp_path / "cloudfront.pem"
    subprocess.run(["openssl", "genrsa", "-out", key, "2048"], check=True, capture_output=True)
    env = settings(url, BLOBLO_CLOUDFRONT_URL="https://cdn.example.com/blobs", BLOBLO_CLOUDFRONT_KEY_PAIR_ID="K1",
                   BLOBLO_CLOUDFRONT_PRIVATE_KEY_FILE=str(key))
    location = presigned(digest, env)
    assert location.startswith(f"https://cdn.example.com/blobs/{urllib.parse.quote(digest, safe='')}?Expires="), location
    assert location.endswith("&Key-Pair-Id=K1")
    # By S3's time, not by this machine's.
    location = presigned(digest, env, prefix=shifted(-2 * 3600))
    expires = int(urllib.parse.parse_qs(urllib.parse.urlsplit(location).query)["Expires"][0])
    assert abs(expires - time.time() - 300) < 120
    key.write_text("nothing")
    assert run("presign", digest, env=env).returncode == 78


def test_same_host_is_explained(seaweed):
    url = seaweed.url
    for host, public, level in [
            ("registry.example.com", "http://registry.example.com:9000", "warn"),
            ("registry.example.com", "http://s3.registry.example.com", "warn"),
            ("registry.example.com", "http://s3.example.com", "ok"),
            ("registry.example.com,example.com", "http://s3.example.com", "warn"),
            ("127.0.0.1:5000", "http://localhost:1", "ok")]:
        lines = check(settings(url, BLOBLO_REGISTRY_HOST=host, BLOBLO_S3_PUBLIC_ENDPOINT_URL=public))[1]
        assert lines["same-host"][0] == level, (host, public)
