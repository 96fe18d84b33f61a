"""`bloblo warm`, against a registry with tokens, redirects and an index, and against docker-registry."""

import base64
import errno
import hashlib
import json
import os
import pathlib
import pty
import re
import stat
import subprocess
import time

import pytest

import oci_image
import stack
from fakes.relay import Relay, slow_down
from fakes.token_registry import INDEX, MANIFEST, TokenRegistry
from fakes.waiting import eventually
from front_site import stacks

pytestmark = pytest.mark.long

PROGRAM = os.environ["BLOBLO"]
MIB = 1 << 20


class Warm:
    """`bloblo warm`, SeaweedFS, and an image of two platforms in a registry with tokens."""

    def __init__(self, servers, registry, ends):
        self.servers, self.registry, self.ends = servers, registry, ends
        self.s3 = servers.services["s3"].client
        self.layers = {name: {"mediaType": "application/vnd.oci.image.layer.v1.tar",
                              **registry.store(registry.chance.randbytes(size))}
                       for name, size in (("shared", 9 * MIB), ("amd", MIB), ("arm", 1000))}
        foreign = {"mediaType": "application/vnd.oci.image.layer.nondistributable.v1.tar",
                   "digest": "sha256:" + "1" * 64, "size": 5, "urls": ["http://nowhere/"]}
        self.manifests = [registry.image("amd64", [self.layers["shared"], self.layers["amd"], foreign]),
                          registry.image("arm64", [self.layers["shared"], self.layers["arm"]])]
        index = json.dumps({"schemaVersion": 2, "mediaType": INDEX, "manifests": self.manifests}).encode()
        registry.manifests["v1"] = index
        self.index = registry.store(index, "manifests")
        self.image = f"{registry.host}/team/app:v1"
        self.docker = servers.folder / "docker"
        self.docker.mkdir(exist_ok=True)
        self.login({"auths": {registry.host: {"auth": base64.b64encode(b"alice:secret").decode()}}})

    def login(self, configuration):
        (self.docker / "config.json").write_text(json.dumps(configuration))

    def environment(self, **more):
        facts = self.servers.facts()
        return {"PATH": f"{self.docker}:{os.environ['PATH']}", "HOME": str(self.servers.folder),
                "DOCKER_CONFIG": str(self.docker), "BLOBLO_S3_ENDPOINT_URL": facts["s3_url"],
                "BLOBLO_S3_BUCKET_NAME": stack.BUCKET, "AWS_ACCESS_KEY_ID": stack.ACCESS_KEY,
                "AWS_SECRET_ACCESS_KEY": stack.SECRET_KEY, "AWS_REGION": stack.REGION,
                "BLOBLO_SPOOL_DIR": str(self.servers.folder), **more}

    def warm(self, *words, **environment):
        return subprocess.run([PROGRAM, "warm", *words], env=self.environment(**environment),
                              capture_output=True, text=True, timeout=120)

    def is_there(self, *names):
        return [self.s3.size(self.layers[name]["digest"]) == self.layers[name]["size"] for name in names]

    def large_layer(self, size):
        """The image is of this layer alone; and S3 is behind a relay."""
        layer = self.registry.layer(size)
        self.registry.tag("v1", [self.registry.image("amd64", [layer])])
        relay = Relay(self.servers.services["s3"].port)
        self.ends.callback(relay.close)
        return layer, relay

    def warming(self, relay, parallel):
        """`warm` at work, by parts of 5 MiB."""
        environment = self.environment(BLOBLO_S3_ENDPOINT_URL=relay.url, BLOBLO_FILL_PART_SIZE="5MiB",
                                       BLOBLO_FILL_PARALLEL_PARTS=str(parallel))
        return stack.child([PROGRAM, "warm", self.image], env=environment, text=True, stdout=subprocess.PIPE)

    def written_and_held(self, pid):
        """Bytes that a process has written, and those of its spool that ever had content; if it has a spool."""
        try:
            written = int(re.search(r"wchar: (\d+)", pathlib.Path(f"/proc/{pid}/io").read_text()).group(1))
            for each in pathlib.Path(f"/proc/{pid}/fd").iterdir():
                facts = each.stat()
                if stat.S_ISREG(facts.st_mode) and facts.st_nlink == 0 and facts.st_size > 6 * MIB:
                    return [(written, content(each))]
        except OSError:
            pass  # it has just ended
        return []


def content(path):
    """Bytes of a file that are no hole; room that was only reserved is one."""
    with open(path, "rb") as file:
        end, total = 0, 0
        while True:
            try:
                begin = os.lseek(file.fileno(), end, os.SEEK_DATA)
            except OSError as error:
                if error.errno == errno.ENXIO:
                    return total
                raise
            end = os.lseek(file.fileno(), begin, os.SEEK_HOLE)
            total += end - begin


@pytest.fixture(scope="module")
def servers():
    with stacks() as make:
        yield make("registry,s3")


@pytest.fixture
def site(servers, chance, ends):
    registry = TokenRegistry(chance)
    ends.callback(registry.close)
    return Warm(servers, registry, ends)


def test_an_index_with_tokens(site):
    ended = site.warm(site.image)
    assert ended.returncode == 0, ended
    assert "5 filled (10.0 MiB), 0 present, 1 skipped, 0 failed" in ended.stdout
    assert f"filled {site.layers['shared']['digest']} 9.0 MiB" in ended.stdout
    assert site.is_there("shared", "amd", "arm") == [True] * 3
    again = site.warm(site.image)
    assert again.returncode == 0
    assert "0 filled (0 B), 5 present, 1 skipped, 0 failed" in again.stdout


def test_one_platform(site):
    ended = site.warm("--platform", "linux/arm64", site.image)
    assert (ended.returncode, site.is_there("shared", "amd", "arm")) == (0, [True, False, True]), ended


def test_a_digest_and_a_registry_by_option(site):
    ended = site.warm("--registry", f"http://{site.registry.host}", f"team/app@{site.index['digest']}")
    assert (ended.returncode, site.is_there("shared")) == (0, [True]), ended


def named_storage(site):
    """The setting by which redirects to the registry's storage are followed."""
    return {"BLOBLO_UPSTREAM_FOLLOW": f"localhost:{site.registry.host.rpartition(':')[2]}"}


def test_a_pull_through_whose_blobs_come_in_chunks(site):
    site.registry.chunked = True
    result = site.warm(site.image)
    assert result.returncode == 0, result.stdout
    assert site.is_there("shared", "amd", "arm") == [True] * 3


def test_redirects_to_hosts_that_nobody_named_are_not_followed(site):
    site.registry.redirects = True
    ended = site.warm(site.image)
    assert (ended.returncode, site.is_there("shared", "amd", "arm")) == (1, [False] * 3), ended
    assert "BLOBLO_UPSTREAM_FOLLOW" in ended.stdout
    assert not [path for _, path, _ in site.registry.seen if path.startswith("/storage")]


def test_redirects_carry_no_credential_to_another_host(site):
    site.registry.redirects = True
    ended = site.warm(site.image, **named_storage(site))
    assert (ended.returncode, site.is_there("shared", "amd", "arm")) == (0, [True] * 3), ended


def test_a_storage_that_fails_behind_a_redirect(site):
    site.registry.redirects = True
    site.registry.lost.add(site.layers["shared"]["digest"])
    ended = site.warm(site.image, **named_storage(site))
    assert (ended.returncode, site.is_there("shared", "amd", "arm")) == (1, [False, True, True]), ended
    assert f"failed {site.layers['shared']['digest']} 9.0 MiB: the registry answers 500" in ended.stdout
    assert "4 filled" in ended.stdout


def test_attestations(site):
    # As BuildKit makes them: a manifest of platform unknown/unknown, whose layer is a statement.
    kind = "application/vnd.in-toto+json"
    layer, statement = site.registry.layer(5000), site.registry.layer(300, kind)
    image = site.registry.image("amd64", [layer])
    attestation = site.registry.image("unknown", [statement], os="unknown")
    attestation["annotations"] = {"vnd.docker.reference.type": "attestation-manifest",
                                  "vnd.docker.reference.digest": image["digest"]}
    site.registry.tag("attested", [image, attestation])
    name = f"{site.registry.host}/team/app:attested"
    ended = site.warm("--platform", "linux/amd64", name)
    assert (ended.returncode, "2 filled" in ended.stdout) == (0, True), ended
    assert site.s3.size(statement["digest"]) is None
    ended = site.warm(name)
    assert (ended.returncode, "2 filled" in ended.stdout, "2 present" in ended.stdout) == (0, True, True), ended
    assert site.s3.size(statement["digest"]) == 300


def test_dockers_own_types(site):
    docker = "application/vnd.docker.distribution.manifest"
    rootfs = "application/vnd.docker.image.rootfs"
    layer = site.registry.layer(7000, f"{rootfs}.diff.tar.gzip")
    # Windows' base layer: no registry has to have it, and this one has not.
    foreign = {"mediaType": f"{rootfs}.foreign.diff.tar.gzip", "digest": "sha256:" + "2" * 64, "size": 5}
    site.registry.tag("docker", [
        site.registry.image("amd64", [layer, foreign], kind=f"{docker}.v2+json"),
        site.registry.image("arm", [site.registry.layer(10)], kind=f"{docker}.v2+json", variant="v6"),
        site.registry.image("arm", [site.registry.layer(20)], kind=f"{docker}.v2+json", variant="v7"),
    ], f"{docker}.list.v2+json")
    name = f"{site.registry.host}/team/app:docker"
    ended = site.warm("--platform", "linux/arm/v7", "--platform", "linux/amd64", name)
    assert ended.returncode == 0, ended
    assert "4 filled" in ended.stdout
    assert "1 skipped, 0 failed" in ended.stdout
    assert site.s3.size(layer["digest"]) == 7000
    none = site.warm("--platform", "windows/amd64", name)
    assert (none.returncode, "none of the image's platforms is wanted" in none.stdout) == (1, True), none


def test_an_index_of_which_a_part_is_missing(site):
    # As copies of one platform leave it.
    missing = site.manifests[1]["digest"]
    del site.registry.manifests[missing]
    ended = site.warm(site.image)
    assert (ended.returncode, site.is_there("shared", "amd", "arm")) == (1, [True, True, False]), ended
    assert f"failed {site.image} {missing}: manifest {missing}: the registry answers 404" in ended.stdout
    assert "3 filled" in ended.stdout
    assert "1 failed" in ended.stdout


def test_dockers_first_schema(site):
    site.registry.manifests["old"] = json.dumps({"schemaVersion": 1, "name": "a", "fsLayers": [{"blobSum": "x"}]}).encode()
    ended = site.warm(f"{site.registry.host}/team/app:old", site.image)
    assert (ended.returncode, site.is_there("amd")) == (1, [True]), ended
    assert "Docker's first schema is not read" in ended.stdout


def test_a_store_that_refuses(site):
    ended = site.warm(site.image, AWS_SECRET_ACCESS_KEY="wrong")
    assert (ended.returncode, "0 filled" in ended.stdout) == (1, True), ended


def test_a_slow_store_holds_the_reading_back(site):
    """The room of a part that is up serves the next one, and upstream is never read far ahead of the upload."""
    size = 48 * MIB
    layer, relay = site.large_layer(size)
    # A part that breaks off goes up again, from what is still in the spool.
    relay.rate, relay.reset_at = 32 * MIB, MIB
    lead = 2 * 2 * 5 * MIB
    with site.warming(relay, parallel=2) as warm:
        seen = []
        while warm.poll() is None:
            seen += [(time.monotonic(), *each) for each in site.written_and_held(warm.pid)]
            time.sleep(0.02)
        output = warm.stdout.read()
    assert warm.returncode == 0, output
    assert relay.reset_at is None
    stored = site.s3.call("GET", f"/{stack.BUCKET}/{layer['digest']}")[2]
    assert f"sha256:{hashlib.sha256(stored).hexdigest()}" == layer["digest"]
    assert seen, output
    assert max(held for _, _, held in seen) > 0
    # After two seconds without a part in the bucket the reading waits no longer: until that happens on a busy machine.
    since, most = seen[0][:2]
    for now, written, held in seen:
        if now - since > 1.8:
            break
        assert held < lead + 5 * MIB + MIB  # the last part is not yet whole
        if written > most:
            since, most = now, written


def test_a_store_that_stalls_holds_no_reading_back(site):
    """A registry's front would take us for dead."""
    size = 40 * MIB
    _, relay = site.large_layer(size)
    with site.warming(relay, parallel=1) as warm:
        # A part is up by then.
        eventually(lambda: any(written > 11 * MIB for written, _ in site.written_and_held(warm.pid)))
        relay.stalled = True
        eventually(lambda: any(written >= size for written, _ in site.written_and_held(warm.pid)))
        assert warm.poll() is None
        relay.heal()
        output = warm.stdout.read()
    assert warm.returncode == 0, output


def test_a_store_that_is_away_for_a_moment(site, ends):
    relay = Relay(site.servers.services["s3"].port)
    ends.callback(relay.close)
    relay.refuse, relay.times = slow_down(), 2
    ended = site.warm(site.image, BLOBLO_S3_ENDPOINT_URL=relay.url)
    assert (ended.returncode, relay.times) == (0, 0), ended


def test_blobs_wait_for_room(site):
    layers = [site.registry.layer(4 * MIB) for _ in range(6)]
    site.registry.tag("v1", [site.registry.image("amd64", layers)])
    ended = site.warm(site.image, BLOBLO_SPOOL_MAX_BYTES="6MiB")
    assert ended.returncode == 0, ended
    site.registry.tag("v1", [site.registry.image("amd64", [site.registry.layer(6 * MIB + 1)])])
    ended = site.warm(site.image, BLOBLO_SPOOL_MAX_BYTES="6MiB")
    assert ended.returncode == 1, ended
    assert "no room" in ended.stdout


def test_an_identity_token(site):
    site.login({"auths": {site.registry.host: {"identitytoken": "refresh"}}})
    assert site.warm(site.image).returncode == 0


def test_a_credential_helper(site):
    helper = site.docker / "docker-credential-test"
    helper.write_text('#!/bin/sh\nread server\n[ "$1" = get ] && printf \'{"ServerURL":"%s","Username":"alice",'
                      '"Secret":"secret"}\' "$server"\n')
    helper.chmod(0o755)
    for login in ({"credHelpers": {site.registry.host: "test"}}, {"credsStore": "test"}):
        site.login(login)
        assert site.warm(site.image).returncode == 0


def test_failures_are_told_and_the_rest_is_filled(site):
    del site.registry.blobs[site.layers["amd"]["digest"]]
    site.registry.blobs[site.layers["arm"]["digest"]] = b"x" * 1000
    ended = site.warm(site.image, f"{site.registry.host}/team/app:none")
    assert (ended.returncode, site.is_there("shared", "amd", "arm")) == (1, [True, False, False]), ended
    assert "3 filled" in ended.stdout
    assert "3 failed" in ended.stdout
    assert "digest mismatch" in ended.stdout
    assert "secret" not in ended.stdout + ended.stderr


def test_no_credential(site):
    site.login({})
    ended = site.warm(site.image)
    assert ended.returncode == 1
    assert "token server: status 401" in ended.stdout


def test_a_manifest_that_is_another(site):
    site.registry.manifests[site.manifests[0]["digest"]] = site.registry.manifests["v1"]
    ended = site.warm(site.image)
    assert ended.returncode == 1
    assert "a manifest that is not" in ended.stdout


def test_a_bar_on_a_terminal(site):
    ours, theirs = pty.openpty()
    ended = subprocess.run([PROGRAM, "warm", site.image], env=site.environment(),
                           stdout=subprocess.PIPE, stderr=theirs, timeout=120)
    os.close(theirs)
    drawn = os.read(ours, 65536).decode()
    os.close(ours)
    assert "[##############################]" in drawn
    assert len(ended.stdout.splitlines()) == 1


def test_names_by_which_clients_know_the_registry(site):
    names = {"BLOBLO_UPSTREAM_URL": f"http://{site.registry.host}",
             "BLOBLO_REGISTRY_HOST": "registry.example.com, hub.example.org:5000"}
    auth = {"auth": base64.b64encode(b"alice:secret").decode()}
    for login, image, status in [
            ("registry.example.com", "registry.example.com/team/app:v1", 0),
            ("hub.example.org:5000", "hub.example.org:5000/team/app:v1", 0),
            ("registry.example.com", "team/app:v1", 0),  # the first name's login
            ("hub.example.org:5000", "team/app:v1", 1),
            (site.registry.host, "team/app:v1", 0),  # the address itself
            ("registry.example.com", "localhost:1/team/app:v1", 1)]:  # another registry
        site.login({"auths": {login: auth}})
        ended = site.warm(image, **names)
        assert ended.returncode == status, (login, image, ended)
    site.login({"auths": {"registry.example.com": auth}})
    ended = site.warm("--registry", f"http://{site.registry.host}", "team/app:v1", **names)
    assert ended.returncode == 1, "the login of a name went to another address"


def test_wrong_words(site):
    for words in (["UPPER/case"], ["a:b:c/d"], ["--platform", "linux", "a/b"], []):
        assert site.warm(*words).returncode == 64, words


def test_docker_registry_with_a_password(site, chance):
    folder = site.servers.folder / f"image-{chance.randrange(1 << 30)}"
    image = oci_image.make(folder, [MIB, 10 * MIB])
    registry = site.servers.services["registry"].address
    subprocess.run(["skopeo", "--insecure-policy", "copy", "--quiet", "--preserve-digests",
                    "--dest-tls-verify=false", "--dest-creds=alice:alice-password", f"oci:{folder}:latest",
                    f"docker://{registry}/app:latest"], check=True, env={**os.environ, "HOME": str(folder)})
    site.login({"auths": {registry: {"auth": base64.b64encode(b"alice:alice-password").decode()}}})
    ended = site.warm("app", BLOBLO_UPSTREAM_URL=f"http://{registry}")
    assert ended.returncode == 0, ended
    for digest in image["layers"] + [image["config"]]:
        assert site.s3.size(digest) == image["sizes"][digest]




def test_indices_that_name_one_another_cost_no_more_than_their_manifests(site):
    layer = site.registry.layer(5000)
    inner = [site.registry.image("amd64", [layer])]
    for _ in range(2):
        index = {"schemaVersion": 2, "mediaType": INDEX, "manifests": inner * 100}
        inner = [{"mediaType": INDEX, **site.registry.store(json.dumps(index).encode(), "manifests")}]
    site.registry.tag("bomb", inner)
    site.registry.seen.clear()
    ended = site.warm(f"{site.registry.host}/team/app:bomb")
    assert "2 filled" in ended.stdout, ended
    asked = [path for _, path, _ in site.registry.seen if "/manifests/" in path]
    assert len(asked) <= 10, len(asked)


def test_an_index_of_very_many_manifests_is_cut_short(site):
    absent = [{"mediaType": MANIFEST, "digest": f"sha256:{number:064x}", "size": 1} for number in range(3000)]
    site.registry.tag("wide", absent)
    site.registry.seen.clear()
    ended = site.warm(f"{site.registry.host}/team/app:wide")
    assert ended.returncode == 1 and "more than 1000 manifests" in ended.stdout
    assert sum("/manifests/" in path for _, path, _ in site.registry.seen) < 1100
