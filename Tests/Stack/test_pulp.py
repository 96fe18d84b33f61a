"""A real Pulp behind the shipped files of nginx and Apache: bearer tokens from `/token/`, redirects to its content app
or to S3, a repository `v2/app`, and a pull-through cache.
"""

import base64
import contextlib
import gzip
import json
import re
import subprocess
import urllib.parse

import pytest

import stack
from documented import example
from fakes.client import blob_path, digest_of, push
from fakes.waiting import PATIENCE, eventually
from front_site import Site, stacks
from pulp import ADMIN, PASSWORD, USER, Pulp
from s3_servers import Report

pytestmark = [pytest.mark.world, pytest.mark.long]
FRONTS = "nginx", "apache"
MIB = 1 << 20


class Place:
    """Pulp behind nginx and Apache, with its files in a folder or in S3."""

    def __init__(self, make, ends, storage):
        self.storage, self.has_cache = storage, False
        self.servers = make("registry,s3,nginx,apache,bloblo", "--auth", "none", "--log-level", "debug", start=False)
        services = self.servers.services
        bucket = None
        if storage == "s3":
            services["s3"].start()
            assert services["s3"].client.call("PUT", "/pulp")[0] == 200
            bucket = services["s3"].client, "pulp"
        url = services["nginx"].url
        self.pulp = Pulp(self.servers, f"{url}/token/", content_origin=url, bucket=bucket)
        ends.callback(self.pulp.stop)
        self.pulp.start()
        options = self.servers.options
        options.registry = self.pulp.address
        # As docs/registries.md says.
        content = "127.0.0.1:24816"
        options.apache_site = "Include bloblo/bloblo.conf\nInclude bloblo/bloblo-tokens.conf\n" + stack.Nginx.replaced(
            example("apache", "/extensions/v2/"), content, self.pulp.content_address)
        self.add_to_nginx(stack.Nginx.replaced(
            example("nginx", "location /pulp/container/"), content, self.pulp.content_address))
        storages = {urllib.parse.urlsplit(url).netloc}
        if bucket:
            storages.add(urllib.parse.urlsplit(bucket[0].url).netloc)
        options.env |= {"BLOBLO_UPSTREAM_FOLLOW": ",".join(storages), "BLOBLO_PRESENCE_TTL": "1s",
                        "BLOBLO_CACHE_EXPIRATION_MINUTES": "10"}
        self.servers.up()
        self.sites = {name: Site(self.servers, name) for name in FRONTS}

    def add_to_nginx(self, text):
        nginx = self.servers.services["nginx"]
        command = nginx.command

        def edited():
            words, page = command(), nginx.folder / "example-site.conf"
            page.write_text(stack.Nginx.replaced(page.read_text(), "    # Blob downloads.", text + "    # Blob downloads."))
            return words

        nginx.command = edited

    def token(self, front, scope, credential=ADMIN):
        """What a client has after the challenge that this front hands on: its Authorization."""
        site = self.sites[front]
        status, fields, _ = site.ask("GET", "/v2/", headers={})
        assert status == 401
        found = dict(re.findall(r'(\w+)="([^"]*)"', fields["WWW-Authenticate"]))
        assert found["realm"] == f"{self.sites['nginx'].url}/token/"
        assert found["service"] == site.url.split("//")[1]
        query = urllib.parse.urlencode({"service": found["service"], "scope": scope})
        # This front's own way to the endpoint.
        status, fields, body = site.ask("GET", f"/token/?{query}", headers=credential)
        assert status == 200, body
        return {"Authorization": "Bearer " + json.loads(body)["token"]}, fields

    def own_token(self, scope):
        """The same, for who asks Pulp by its own address."""
        query = urllib.parse.urlencode({"service": self.pulp.address, "scope": scope})
        return "Bearer " + json.loads(stack.request("GET", f"{self.pulp.url}/token/?{query}", ADMIN)[2])["token"]

    def push(self, front, repository, content):
        token, _ = self.token(front, f"repository:{repository}:pull,push")
        return push(self.sites[front].url, content, repository, token)

    def cached(self, folder, chance, name):
        """An image in docker-registry, which Pulp has not pulled yet: its layer's digest and size."""
        upstream = self.servers.services["registry"]
        digest, size = image(folder, chance, 5 * MIB)
        skopeo("--dest-tls-verify=false", f"oci:{folder}", f"docker://{upstream.address}/{name}:1")
        if not self.has_cache:
            self.pulp.pull_through("cache", upstream.url)
            self.has_cache = True
        return digest, size

    def is_filled(self, digest):
        return self.sites["nginx"].s3.client.size(digest)

    def log(self):
        return self.sites["nginx"].bloblo.tail()

    def forget(self, digest):
        """The blob is cold again, for a bloblo that knows nothing."""
        self.servers.services["s3"].client.call("DELETE", f"/{stack.BUCKET}/{digest}")
        self.servers.services["bloblo"].stop()
        self.servers.services["bloblo"].start()


@pytest.fixture(scope="module", params=["folder", "s3"], ids=["@folder", "@s3"])
def place(request):
    with stacks() as make, contextlib.ExitStack() as ends:
        yield Place(make, ends, request.param)


@pytest.fixture(params=FRONTS)
def front(request):
    return request.param


def image(folder, chance, size):
    """An OCI layout of one layer, whose digest and size are given back."""
    layer, blobs = gzip.compress(chance.randbytes(size), 0), folder / "blobs/sha256"
    blobs.mkdir(parents=True)

    def put(content, media_type):
        digest = digest_of(content)
        (blobs / digest.split(":")[1]).write_bytes(content)
        return {"mediaType": media_type, "digest": digest, "size": len(content)}

    first = put(layer, "application/vnd.oci.image.layer.v1.tar+gzip")
    config = put(json.dumps({"architecture": "amd64", "os": "linux", "config": {}, "rootfs": {
        "type": "layers", "diff_ids": [first["digest"]]}}).encode(), "application/vnd.oci.image.config.v1+json")
    manifest = put(json.dumps({
        "schemaVersion": 2, "mediaType": "application/vnd.oci.image.manifest.v1+json", "config": config,
        "layers": [first]}).encode(), "application/vnd.oci.image.manifest.v1+json")
    (folder / "oci-layout").write_text('{"imageLayoutVersion": "1.0.0"}')
    (folder / "index.json").write_text(json.dumps({"schemaVersion": 2, "manifests": [manifest]}))
    return first["digest"], first["size"]


def skopeo(*words):
    done = subprocess.run(["skopeo", "--insecure-policy", "copy", *map(str, words)], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr


def pulled(folder, digest):
    return digest_of((folder / digest.split(":")[1]).read_bytes())


@pytest.mark.parametrize("repository", ["team/app", "v2/app"])
def test_push_cold_pull_fill_and_warm_pull(place, front, repository, tmp_path, chance):
    name = f"{repository}-{front}"
    digest, size = image(tmp_path / "image", chance, 12 * MIB)
    site = place.sites[front]
    host, credentials = site.url.split("//")[1], f"{USER}:{PASSWORD}"
    skopeo("--dest-tls-verify=false", "--dest-creds", credentials, f"oci:{tmp_path}/image", f"docker://{host}/{name}:1")
    assert place.is_filled(digest) is None
    for number, word in ((1, "cold"), (2, "warm")):
        skopeo("--src-tls-verify=false", "--src-creds", credentials, f"docker://{host}/{name}:1", f"dir:{tmp_path}/{word}")
        assert pulled(tmp_path / word, digest) == digest
        if number == 1:
            eventually(lambda: place.is_filled(digest) == size, otherwise=place.log)
            token, _ = place.token(front, f"repository:{name}:pull")
            status, fields = site.fill(digest, name, headers=token)
            assert status == 307 and f"/{stack.BUCKET}/" in fields["Location"]
    lines = [line for line in site.lines('"decided"', digest) if line["repository"] == name]
    assert lines[-1]["decision"] == "redirect", lines


def test_a_cold_blob_is_read_once(place, front, chance):
    content = chance.randbytes(3 * MIB)
    name = f"team/once-{front}"
    digest = place.push(front, name, content)
    token, _ = place.token(front, f"repository:{name}:pull")
    site = place.sites[front]
    status, fields, body = site.get(digest, name, headers=token)
    assert (status, fields["X-Bloblo"], body == content) == (200, "tee", True), place.log()
    eventually(lambda: place.is_filled(digest) == len(content), otherwise=place.log)
    assert site.get(digest, name, headers=token)[0] == 307


def test_a_token_is_for_the_host_that_it_was_asked_by(place, front, chance):
    """Its `aud` is the Host. bloblo asks by the client's, and gives nothing to who has another's."""
    name = f"team/aud-{front}"
    content = chance.randbytes(5000)
    digest = place.push(front, name, content)
    right, _ = place.token(front, f"repository:{name}:pull")
    site = place.sites[front]
    site.fill(digest, name, headers=right)
    other = next(each for each in FRONTS if each != front)
    wrong, _ = place.token(other, f"repository:{name}:pull")
    for headers in ({}, wrong, {"Authorization": "Bearer x.y.z"}, ADMIN):
        status, fields, body = site.get(digest, name, headers=headers)
        assert status in (401, 403) and content[:20] not in body and fields["Location"] is None, (status, headers)
        assert "WWW-Authenticate" in fields or status == 403


def test_a_scope_for_another_repository_is_no_proof(place, front, chance):
    content = chance.randbytes(5000)
    digest = place.push(front, f"team/one-{front}", content)
    token, _ = place.token(front, f"repository:team/one-{front}:pull")
    place.sites[front].fill(digest, f"team/one-{front}", headers=token)
    place.push(front, f"team/two-{front}", b"something else")
    other, _ = place.token(front, f"repository:team/two-{front}:pull")
    assert place.sites[front].get(digest, f"team/one-{front}", headers=other)[0] in (401, 403)
    assert place.sites[front].get(digest, f"team/two-{front}", headers=other)[0] == 404


def test_no_field_of_a_client_and_no_signature_in_the_log(place):
    text = place.servers.services["bloblo"].log.read_text()
    assert "validate_token" not in text and "X-Amz-Signature" not in text and "Bearer" not in text


def test_the_shipped_tokens_file_of_apache_remembers_tokens(place):
    scope = "repository:team/remembered:pull"
    words = [place.token("apache", scope)[1].get("X-Bloblo") for _ in range(3)]
    assert words[1:] == ["remember", "remember"], words


def test_a_pull_through_cache(place, front, tmp_path, chance):
    if place.storage == "s3":
        pytest.skip("the same code of Pulp's")
    digest, size = place.cached(tmp_path / "image", chance, f"some/{front}")
    host, credentials = place.sites[front].url.split("//")[1], f"{USER}:{PASSWORD}"
    for word in ("cold", "warm"):
        skopeo("--src-tls-verify=false", "--src-creds", credentials, f"docker://{host}/cache/some/{front}:1",
               f"dir:{tmp_path}/{word}")
        assert pulled(tmp_path / word, digest) == digest
        # While its task makes the repository of a manifest that it has just fetched, Pulp answers 404 for the blobs.
        token, _ = place.token(front, f"repository:cache/some/{front}:pull")
        place.sites[front].fill(digest, f"cache/some/{front}", headers=token)
        assert place.is_filled(digest) == size


def test_warm_of_a_pull_through_cache(place, tmp_path, chance):
    """Its first answer to a GET of each blob states no length."""
    if place.storage == "s3":
        pytest.skip("the same code of Pulp's")
    digest, size = place.cached(tmp_path / "image", chance, "some/warm")
    secret = base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()
    (tmp_path / "config.json").write_text(json.dumps({"auths": {place.pulp.address: {"auth": secret}}}))
    bloblo = place.servers.services["bloblo"]
    said = []

    def is_warm():
        done = subprocess.run([*bloblo.command(), "warm", f"{place.pulp.address}/cache/some/warm:1"], capture_output=True,
                              text=True, env={**bloblo.environment(), "DOCKER_CONFIG": str(tmp_path)}, timeout=PATIENCE)
        said.append(done.stdout + done.stderr)
        return done.returncode == 0

    # While its task makes the repository of a manifest that it has just fetched, Pulp answers 404 for the blobs.
    eventually(is_warm, pause=1, otherwise=lambda: said)
    assert place.is_filled(digest) == size


def test_the_content_app_is_reached_by_either_front(place, front, chance):
    content = chance.randbytes(5000)
    name = f"team/content-{front}"
    digest = place.push(front, name, content)
    status, fields, _ = stack.request("GET", place.pulp.url + blob_path(digest, name), {"Authorization": place.own_token(
        f"repository:{name}:pull")})
    assert status == 302
    if place.storage == "folder":
        target = urllib.parse.urlsplit(fields["Location"])
        assert place.sites[front].ask("GET", f"{target.path}?{target.query}", headers={})[::2] == (200, content)


def test_check_names_the_host_to_follow(place, chance):
    content = chance.randbytes(5000)
    digest = place.push("nginx", "team/checked", content)
    bloblo = place.servers.services["bloblo"]
    environment = {**bloblo.environment(), "BLOBLO_UPSTREAM_FOLLOW": ""}
    place.servers.services["s3"].client.call("DELETE", f"/{stack.BUCKET}/{digest}")

    def check(**more):
        done = subprocess.run([*bloblo.command(), "check", "--json", "--blob", f"team/checked@{digest}"],
                              env={**environment, **more}, capture_output=True, text=True, timeout=PATIENCE)
        return Report(done, dict)

    # Pulp's tokens are for the Host that they were asked by, and check asks by the registry's own.
    token = place.own_token("repository:team/checked:pull")
    found = check(BLOBLO_CHECK_AUTHORIZATION=token)
    advice = re.fullmatch(r"set (BLOBLO_UPSTREAM_FOLLOW)=(\S+)", found["upstream.follow"]["advice"])
    assert "a GET does not fill it" in found["bucket.blob"]["finding"], found["bucket.blob"]
    found = check(BLOBLO_CHECK_AUTHORIZATION=token, **{advice[1]: advice[2]})
    assert found["upstream.follow"]["level"] == "ok", found
