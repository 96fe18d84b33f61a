"""`bloblo check`: as whom it asks the registry, whom it trusts, what it calls a cause, and the sum at its end."""

import base64
import json
import os
import re
import subprocess

import pytest

import stack
from fakes.alone import Bucket
from fakes.handler import Handler
from fakes.relay import Relay
from fakes.token_registry import TokenRegistry
from front_site import Site
from s3_servers import Report

PASSWORD = "alice-password"


@pytest.fixture
def check(alone):
    """Runs check beside a registry and a bucket: (exit status, {subject: (level, finding, advice)})."""
    def run(*words, bloblo=None, input=None, **settings):
        done = (bloblo or alone(start=False)).run("check", "--json", *words, input=input, **settings)
        report = Report(done, lambda line: (line["level"], line["finding"], line.get("advice")))
        assert list(report)[-1] == "sum", done
        return done.returncode, report
    return run


# As whom


def login(bloblo, host, user="alice", password=PASSWORD):
    (bloblo.folder / ".docker").mkdir()
    auth = base64.b64encode(f"{user}:{password}".encode()).decode()
    (bloblo.folder / ".docker/config.json").write_text(json.dumps({"auths": {host: {"auth": auth}}}))


def host_of(bloblo):
    return bloblo.settings["BLOBLO_UPSTREAM_URL"].removeprefix("http://")


@pytest.mark.parametrize("form", ["standard input", "file", "docker's login", "docker's login of a name"])
def test_a_login_proves(alone, check, form):
    bloblo = alone(start=False)
    digest = bloblo.put_into_bucket(b"content")
    words, typed, settings = ["--user", "alice"], None, {}
    if form == "standard input":
        typed = PASSWORD + "\nsomething else\n"
    elif form == "file":
        (bloblo.folder / "password").write_text(PASSWORD + "\r\n")
        words += ["--password-file", bloblo.folder / "password"]
    elif form == "docker's login":
        words = login(bloblo, host_of(bloblo)) or []
    else:
        words, settings = login(bloblo, "registry.example.com:8443") or [], {"BLOBLO_REGISTRY_HOST": "registry.example.com:8443"}
    _, lines = check("--blob", f"a/b@{digest}", *words, bloblo=bloblo, input=typed, **settings)
    assert lines["login"][0] == "ok" and lines["upstream.proof"][0] == "ok", lines
    assert PASSWORD not in json.dumps(lines)


def test_without_any_login_the_registry_wants_one(alone, check):
    bloblo = alone(start=False)
    _, lines = check("--blob", f"a/b@{bloblo.put_into_bucket(b'content')}", bloblo=bloblo)
    assert lines["upstream.proof"][:2] == ("warn", "the registry wants a credential (401)") and "login" not in lines


@pytest.mark.parametrize("has_blob", [True, False])
def test_a_wrong_password_is_said_in_words(alone, check, has_blob):
    bloblo = alone(start=False)
    words = ["--blob", f"a/b@{bloblo.put_into_bucket(b'content')}"] if has_blob else []
    status, lines = check(*words, "--user", "alice", bloblo=bloblo, input="wrong\n")
    assert status == 1
    assert lines["upstream.proof" if has_blob else "upstream"][:2] == ("FAIL", "the registry refuses this credential (401)")


def test_a_token_is_fetched_as_clients_do(alone, check, chance):
    registry = TokenRegistry(chance)
    blob = registry.store(b"a layer")
    bloblo = alone(start=False)
    words = ("--blob", f"team/app@{blob['digest']}", "--user", "alice")
    settings = {"BLOBLO_UPSTREAM_URL": f"http://{registry.host}"}
    _, lines = check(*words, bloblo=bloblo, input="secret\n", **settings)
    assert (lines["login"][0], lines["upstream.proof"][0]) == ("ok", "ok"), lines
    status, lines = check(*words, bloblo=bloblo, input="wrong\n", **settings)
    assert status == 1 and "the registry refuses this credential (401" in lines["login"][1], lines


@pytest.mark.parametrize("words,told", [
    (("--user", "a:b"), "--user: want a name without a colon"), (("--password-file", "x"), "want --user NAME too"),
    (("--ca-file", "/nowhere"), "--ca-file /nowhere: can't be read"),
])
def test_mistakes_in_its_arguments(alone, words, told):
    done = alone(start=False).run("check", *words)
    assert done.returncode == 64 and told in done.stderr, done


@pytest.mark.parametrize("words,told", [
    ((), "want the password as the first line of standard input, got nothing"),
    (("--password-file", "/nowhere"), "--password-file /nowhere: can't be read"),
])
def test_a_password_that_is_not_there(alone, words, told):
    done = alone(start=False).run("check", "--user", "alice", *words)
    assert done.returncode == 66 and told in done.stderr, done


# Whom it trusts


def test_a_front_of_a_private_authority(make_stack, authority, ends, check):
    front = make_stack("registry,nginx").services["nginx"]
    relay = Relay(front.port, authority.context("localhost"))
    ends.callback(relay.close)
    url = relay.url.replace("127.0.0.1", "localhost")
    assert check("--front", url)[1]["front"][0] == "FAIL"
    lines = check("--front", url, "--ca-file", authority.file)[1]
    # bloblo does not run, and the web server is trusted.
    assert "front" not in lines and lines["front.params"][0] == "FAIL", lines


# The cause


class Refusing(Bucket):
    """Refuses a method with S3's own document, and a HEAD without a word."""

    def __init__(self, method, status, code, message):
        super().__init__()
        self.method, self.status = method, status
        self.document = f"<Error><Code>{code}</Code><Message>{message}</Message></Error>".encode()

    def handler(self):
        bucket, kind = self, super().handler()

        class RefusingHandler(kind):
            def refuse(self):
                self.rfile.read(int(self.headers["Content-Length"] or 0))
                self.answer(bucket.status, b"" if self.command == "HEAD" else bucket.document)

        for name in bucket.method.split(","):
            setattr(RefusingHandler, f"do_{name}", RefusingHandler.refuse)
        return RefusingHandler


@pytest.mark.parametrize("method,status,code,message,subject,advice,blamed", [
    ("PUT", 400, "XAmzContentChecksumMismatch", "The value specified in the checksum header did not match", "bucket.put",
     "does a proxy in front of S3 change it", False),
    ("PUT", 400, "InvalidStorageClass", "The storage class you specified is not valid", "bucket.put", "BLOBLO_S3_STORAGE_CLASS", False),
    ("PUT", 400, "KMS.NotFoundException", "Invalid keyId", "bucket.put", "BLOBLO_S3_SSE_KMS_KEY_ID", False),
    ("PUT", 403, "QuotaExceeded", "The quota of the bucket is exceeded", "bucket.put", "", None),
    ("PUT", 403, "AccessDenied", "Access Denied", "bucket.put", "s3:PutObject", True),
    ("GET,HEAD", 403, "SignatureDoesNotMatch", "The request signature we calculated does not match", "bucket.head",
     "The secret key is not the access key's", False),
    ("GET,HEAD", 400, "AuthorizationHeaderMalformed", "the region 'us-east-2' is wrong", "bucket.head", "BLOBLO_S3_REGION", False),
    ("GET,HEAD", 404, "NoSuchBucket", "The specified bucket does not exist", "bucket.head", "Create the bucket", False),
])
def test_the_cause_is_s3s_own_sentence(alone, check, serve, method, status, code, message, subject, advice, blamed):
    server = serve(Refusing(method, status, code, message).handler())
    found, lines = check(BLOBLO_S3_ENDPOINT_URL=f"http://127.0.0.1:{server.server_port}")
    assert found == 1 and lines[subject][0] == "FAIL", lines
    assert code in lines[subject][1] and message in lines[subject][1], lines[subject]
    assert advice in lines[subject][2]
    if blamed is not None:
        assert ("s3:PutObject" in lines[subject][2]) == blamed, lines[subject]


# The sum, and the exit status


def test_the_last_line_has_the_sum(alone):
    bloblo = alone(start=False)
    text = bloblo.run("check", BLOBLO_DELIVERY="pass").stdout.rstrip().splitlines()
    found = re.fullmatch(r"FAIL  sum: (\d+) ok, (\d+) warn, (\d+) FAIL: (.+)", text[-1])
    assert found, text[-1]
    for level, count in zip(("ok ", "warn ", "FAIL "), found.groups()):
        assert int(count) == sum(line.startswith(level) for line in text[:-1])
    assert "delivery" in found[4].split(", ")
    done = bloblo.run("check", BLOBLO_THREADS="many")
    assert done.returncode == 78 and "1 FAIL: settings" in done.stdout.splitlines()[-1]


@pytest.mark.parametrize("settings,subject", [
    ({"BLOBLO_DELIVERY": "pass"}, "delivery"), ({"BLOBLO_UPSTREAM_URL": "http://127.0.0.1:1"}, "upstream"),
    ({"BLOBLO_S3_ENDPOINT_URL": "http://127.0.0.1:1"}, "bucket.head"),
    ({"BLOBLO_S3_PUBLIC_ENDPOINT_URL": "http://127.0.0.1:1"}, "presign.get"),
])
def test_it_fails_when_pulls_would_or_nothing_would_be_offloaded(check, settings, subject):
    status, lines = check(**settings)
    assert (status, lines[subject][0]) == (1, "FAIL"), lines
    assert subject in lines["sum"][1]


def test_it_fails_when_offloading_is_switched_off(alone, check):
    bloblo = alone(start=False)
    (bloblo.folder / "pass").touch()
    status, lines = check(bloblo=bloblo)
    assert status == 1 and "bloblo offload on" in lines["delivery"][2]


@pytest.mark.parametrize("kind", ["redirect elsewhere", "page", "other digest"])
def test_a_registry_of_which_no_answer_proves(check, serve, kind):
    class Odd(Handler):
        def do_GET(self):
            if self.path == "/v2/":
                return self.answer(200, b"{}", Docker_Distribution_Api_Version="registry/2.0")
            if kind == "redirect elsewhere":
                return self.answer(307, Location="https://login.example.com/")
            fields = {"Content_Type": "text/html"} if kind == "page" else {"Docker_Content_Digest": "sha256:" + "2" * 64}
            return self.answer(200, b"12345", **fields)

        do_HEAD = do_GET

    server = serve(Odd)
    status, lines = check("--blob", "a/b@sha256:" + "1" * 64, BLOBLO_UPSTREAM_URL=f"http://127.0.0.1:{server.server_port}")
    assert status == 1 and lines["upstream.proof"][0] == "FAIL" and "nothing is offloaded" in lines["upstream.proof"][1], lines


def test_a_key_that_may_not_write_is_no_failure_without_fills(check, serve):
    server = serve(Refusing("PUT", 403, "AccessDenied", "Access Denied").handler())
    for fill, level in (("tee", "FAIL"), ("off", "warn")):
        lines = check(BLOBLO_S3_ENDPOINT_URL=f"http://127.0.0.1:{server.server_port}", BLOBLO_FILL=fill)[1]
        assert lines["bucket.put"][0] == level, lines


def test_a_front_that_does_not_redirect_what_could_be(make_stack):
    """The bucket has the blob and the client may read it; the web server asks nobody."""
    owner = make_stack("registry,s3,nginx,bloblo")
    bloblo, nginx = owner.services["bloblo"], owner.services["nginx"]
    site = Site(owner, "nginx")
    digest = site.push(b"a layer")
    site.fill(digest)
    words = ("check", "--json", "--front", nginx.url, "--blob", f"some/name@{digest}", "--user", "alice")

    def run():
        done = subprocess.run([os.environ["BLOBLO"], *words], env=bloblo.environment(), capture_output=True, text=True,
                              input=stack.USERS["alice"] + "\n")
        return done.returncode, Report(done, lambda line: line["level"])

    status, lines = run()
    assert (status, lines["front.blob"]) == (0, "ok"), lines
    bloblo.stop()
    status, lines = run()
    assert (status, lines["front.blob"]) == (1, "FAIL"), lines


def test_the_clock_beside_s3s(check):
    assert check()[1]["clock"][:2] == ("ok", "this machine's clock agrees with S3's")

