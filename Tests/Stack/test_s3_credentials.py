"""A credential that ends every few seconds, before a server that refuses it after that."""

import calendar
import http.client
import json
import os
import threading
import time
import urllib.parse

import pytest

import stack
from fakes import fastcgi
from fakes.client import blob_path, digest_of
from fakes.handler import Handler
from fakes.waiting import PATIENCE, eventually
from front_site import Site
from s3_servers import NEXT_KEY, NEXT_SECRET

pytestmark = pytest.mark.long


def signing_time(request):
    """When a request to S3 was signed, in the seconds of `time.time`."""
    query = urllib.parse.parse_qs(urllib.parse.urlsplit(request.path).query)
    date = request.headers.get("x-amz-date") or query["X-Amz-Date"][0]
    return calendar.timegm(time.strptime(date, "%Y%m%dT%H%M%SZ"))


class ShortLived(Site):
    """bloblo with credentials of a metadata service that gives two in turn, each for `life` seconds."""

    def __init__(self, make_stack, serve):
        test = self
        self.life = 12
        self.given, self.gifts = {}, 0  # access key: end; how often one was given
        self.used = []  # (method, access key) at the S3 proxy
        self.refused = []
        self.is_down = False
        self.pause = 0.8  # the registry's, after each fortieth of a blob

        class Metadata(Handler):
            def do_PUT(self):
                self.answer(503 if test.is_down else 200, b"token")

            def do_GET(self):
                if test.is_down:
                    return self.answer(503, b"")
                if self.path.endswith("/security-credentials/"):
                    return self.answer(200, b"role")
                pair = [(stack.ACCESS_KEY, stack.SECRET_KEY), (NEXT_KEY, NEXT_SECRET)][test.gifts % 2]
                end = int(time.time()) + test.life
                test.gifts += 1
                # The one before lives on.
                test.given[pair[0]] = max(end, test.given.get(pair[0], 0))
                self.answer(200, json.dumps({
                    "Code": "Success", "AccessKeyId": pair[0], "SecretAccessKey": pair[1], "Token": "",
                    "Expiration": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(end))}).encode())

        class Strict(Handler):
            def do_any(self):
                body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                key = (self.headers.get("Authorization") or self.path).split("Credential=", 1)[-1].split("/")[0]
                test.used.append((self.command, key.split("%2F")[0]))
                # By when it was signed: on a busy machine it may come late.
                if test.given.get(key.split("%2F")[0], 0) < signing_time(self):
                    test.refused.append(self.requestline.split("?")[0])
                    return self.answer(400, b"<Error><Code>ExpiredToken</Code></Error>")
                connection = http.client.HTTPConnection("127.0.0.1", test.s3.port)
                connection.putrequest(self.command, self.path, skip_host=True, skip_accept_encoding=True)
                for name, value in self.headers.items():
                    connection.putheader(name, value)
                connection.endheaders(body or None)
                response = connection.getresponse()
                self.send_response(response.status)
                data = response.read()
                for name, value in response.getheaders():
                    if name.lower() not in ("transfer-encoding", "connection", "content-length", "date", "server"):
                        self.send_header(name, value)
                length = response.getheader("Content-Length") if self.command == "HEAD" else len(data)
                self.send_header("Content-Length", str(length or 0))
                self.end_headers()
                self.wfile.write(data)
                connection.close()

            do_GET = do_PUT = do_HEAD = do_POST = do_DELETE = do_any

        self.set_body(os.urandom(30_000_000))

        class Registry(Handler):
            def do_HEAD(self):
                self.send_response(200)
                self.send_header("Content-Length", str(len(test.body)))
                self.end_headers()

            def do_GET(self):
                self.do_HEAD()
                step = len(test.body) // 40
                for i in range(0, len(test.body), step):  # with the pause 32 s, more than two lives
                    self.wfile.write(test.body[i:i + step])
                    time.sleep(test.pause)

        metadata, strict, registry = (serve(kind).server_port for kind in (Metadata, Strict, Registry))
        super().__init__(make_stack("s3,nginx,bloblo", "--registry", f"127.0.0.1:{registry}", start=False, env={
            "AWS_EC2_METADATA_SERVICE_ENDPOINT": f"http://127.0.0.1:{metadata}", "AWS_EC2_METADATA_DISABLED": "false",
            "AWS_ACCESS_KEY_ID": "", "AWS_SECRET_ACCESS_KEY": "", "BLOBLO_PRESENCE_TTL": "0s",
            "BLOBLO_S3_ENDPOINT_URL": f"http://127.0.0.1:{strict}"}), "nginx")

    def set_body(self, body):
        """The blob that the registry has."""
        self.body, self.digest = body, digest_of(body)

    def pull(self):
        return self.get(self.digest, timeout=PATIENCE)

    def wait(self, condition, seconds=PATIENCE):
        eventually(condition, seconds, otherwise=self.bloblo.tail)

    def writers(self):
        """The access keys with which S3 was written to."""
        return {key for method, key in self.used if method in ("PUT", "POST")}


@pytest.fixture
def site(make_stack, serve):
    return ShortLived(make_stack, serve)


def test_fill_outlives_its_credential(site):
    site.servers.up()
    status, _, body = site.pull()
    assert (status, body) == (200, site.body)
    site.wait(lambda: site.lines('"filled"'))
    assert site.s3.client.size(site.digest) == len(site.body)
    assert site.writers() == {stack.ACCESS_KEY, NEXT_KEY}
    assert site.refused == []


@pytest.mark.long
def test_source_that_is_down_is_waited_for_then_passed_then_used_again(site):
    site.set_body(site.body[:1000])
    site.pause = 0
    site.is_down = True
    site.life = 16
    site.servers.up()  # it starts all the same
    status, headers, body = site.pull()
    assert (status, body, headers.get("X-Bloblo")) == (200, site.body, None)
    assert "no credential" in site.bloblo.log.read_text()
    site.is_down = False
    site.wait(lambda: site.lines("credential obtained"))
    site.pull()

    def redirected():
        status, fields, _ = site.pull()
        return status == 307 and fields["Location"]

    location = eventually(redirected, otherwise=site.bloblo.tail)
    life = int(urllib.parse.parse_qs(urllib.parse.urlsplit(location).query)["X-Amz-Expires"][0])
    assert life < 300  # cut: the credential has but some seconds
    site.is_down = True
    site.wait(lambda: site.lines("the credential has ended"))
    assert site.pull()[0] == 200  # the registry's own
    assert site.lines("the old one serves as long as it lives")


def test_sweep_waits_for_the_credential(site):
    """What a killed instance left is aborted though no credential was there at the start."""
    site.is_down = True
    site.life = 600
    site.servers.options.env["BLOBLO_SWEEP_AGE"] = "0s"
    other = "other-blobs"
    site.s3.start()
    client = site.s3.client
    assert client.call("PUT", f"/{other}")[0] in (200, 409)

    def left(bucket):
        return client.call("GET", f"/{bucket}", query=[("uploads", "")])[2].count(b"<UploadId>")

    for bucket in (stack.BUCKET, other):
        assert client.call("POST", f"/{bucket}/sha256:{'1' * 64}", query=[("uploads", "")])[0] == 200
        assert left(bucket) == 1
    site.servers.up()
    site.wait(lambda: site.lines("listing multipart uploads failed"))
    assert left(stack.BUCKET) == 1
    site.is_down = False
    site.wait(lambda: left(stack.BUCKET) == 0)
    assert len(site.lines("listing multipart uploads failed")) == 1
    site.wait(lambda: site.lines("multipart uploads swept"))
    # Another location's bucket is swept once a request has come from there.
    assert left(other) == 1
    assert fastcgi.ask(site.servers.socket, blob_path(site.digest, "a"), "HEAD", SERVER_SOFTWARE="nginx",
                       BLOBLO_S3_BUCKET_NAME=other).status == 200
    site.wait(lambda: left(other) == 0)


def test_fill_goes_on_when_s3_ends_a_session_early(site):
    """S3 refuses in the middle of a fill what by its own word would live on; another credential is fetched."""
    site.life = 600
    site.servers.up()
    reader = threading.Thread(target=site.pull)
    reader.start()
    site.wait(lambda: any(method == "PUT" for method, _ in site.used))
    revoked = next(iter(site.given))
    site.given[revoked] = 0  # S3 knows it no more
    reader.join()
    site.wait(lambda: site.lines('"filled"'))
    assert site.s3.client.size(site.digest) == len(site.body)
    assert site.refused
    assert site.writers() == {stack.ACCESS_KEY, NEXT_KEY}
