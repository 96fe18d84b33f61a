"""`bloblo sweep --gone`, on docker-registry and SeaweedFS: what the registry has no more goes, and nothing else."""

import base64
import json
import os
import subprocess

import pytest

import stack
from fakes.client import ALICE, digest_of, push
from fakes.handler import Handler

pytestmark = pytest.mark.long

MANIFEST = "application/vnd.docker.distribution.manifest.v2+json"


class Sweeping:
    def __init__(self, servers, chance, folder):
        self.servers, self.chance, self.folder = servers, chance, folder
        self.registry, self.s3 = servers.services["registry"], servers.services["s3"].client

    def push_image(self, name, tag, *layers):
        """Its layers and configuration are in the bucket too; the manifest's digest."""
        config = self.chance.randbytes(100)
        for blob in (config, *layers):
            push(self.registry.url, blob, name)
            self.put(blob)

        def described(kind, body):
            return {"mediaType": f"application/vnd.docker.{kind}", "digest": digest_of(body), "size": len(body)}

        body = json.dumps({"schemaVersion": 2, "mediaType": MANIFEST, "config": described("container.image.v1+json", config),
                           "layers": [described("image.rootfs.diff.tar.gzip", layer) for layer in layers]}).encode()
        status, _, said = stack.request("PUT", f"{self.registry.url}/v2/{name}/manifests/{tag}",
                                        {**ALICE, "Content-Type": MANIFEST}, body)
        assert status == 201, said
        return digest_of(body)

    def put(self, blob):
        assert self.s3.call("PUT", f"/{stack.BUCKET}/{digest_of(blob)}", blob)[0] == 200

    def delete_image(self, name, manifest):
        """As a registry's own cleaning does: the manifest, and then what no manifest names."""
        assert stack.request("DELETE", f"{self.registry.url}/v2/{name}/manifests/{manifest}", ALICE)[0] == 202
        self.registry.stop()
        done = subprocess.run([stack.program("docker-registry"), "garbage-collect", self.registry.folder / "config.json"],
                              capture_output=True, text=True, env=self.registry.environment())
        assert done.returncode == 0, done.stderr
        self.registry.start()

    def sweep(self, *words, typed=stack.USERS["alice"] + "\n", **environment):
        env = {"PATH": os.environ["PATH"], "HOME": str(self.folder), "AWS_ACCESS_KEY_ID": stack.ACCESS_KEY,
               "AWS_SECRET_ACCESS_KEY": stack.SECRET_KEY, "AWS_REGION": stack.REGION,
               "BLOBLO_S3_ENDPOINT_URL": self.servers.services["s3"].url, "BLOBLO_S3_BUCKET_NAME": stack.BUCKET,
               "BLOBLO_UPSTREAM_URL": self.registry.url, "BLOBLO_SWEEP_AGE": "0s", **environment}
        return subprocess.run([os.environ["BLOBLO"], "sweep", "--gone", *words], env=env, input=typed, capture_output=True,
                              text=True, timeout=120)

    def has(self, *blobs):
        return [self.s3.size(digest_of(blob)) is not None for blob in blobs]


@pytest.fixture
def sweeping(make_stack, chance, tmp_path):
    return Sweeping(make_stack("registry,s3"), chance, tmp_path)


def test_what_the_registry_has_no_more_goes(sweeping, chance):
    shared, old, new, untagged = (chance.randbytes(5000) for _ in range(4))
    manifest = sweeping.push_image("team/old", "1", shared, old)
    sweeping.push_image("team/new", "1", shared, new)
    push(sweeping.registry.url, untagged, "team/new")  # no manifest names it, but the registry has it
    sweeping.put(untagged)
    sweeping.s3.call("PUT", f"/{stack.BUCKET}/somebody/elses", b"x")
    everything = (shared, old, new, untagged)
    assert "0 gone" in sweeping.sweep("--user", "alice").stdout

    sweeping.delete_image("team/old", manifest)
    push(sweeping.registry.url, untagged, "team/new")  # the garbage collection took it
    done = sweeping.sweep("--user", "alice")
    assert done.returncode == 0, done
    assert f"gone: {digest_of(old)}" in done.stdout and "2 gone" in done.stdout, done.stdout
    assert "1 not ours" in done.stdout and "nothing is removed without --delete" in done.stdout
    assert sweeping.has(*everything) == [True] * 4, "a dry run"

    (sweeping.folder / "password").write_text(stack.USERS["alice"] + "\n")
    done = sweeping.sweep("--delete", "--user", "alice", "--password-file", str(sweeping.folder / "password"), typed="")
    assert done.returncode == 0 and "2 removed" in done.stdout, done
    assert sweeping.has(*everything) == [True, False, True, True]
    assert sweeping.s3.size("somebody/elses") == 1


def test_by_dockers_login_and_by_names(sweeping, chance):
    layer, gone = chance.randbytes(1000), chance.randbytes(1000)
    sweeping.push_image("team/app", "1", layer)
    sweeping.put(gone)
    (sweeping.folder / ".docker").mkdir()
    auth = base64.b64encode(f"alice:{stack.USERS['alice']}".encode()).decode()
    (sweeping.folder / ".docker/config.json").write_text(json.dumps({"auths": {sweeping.registry.address: {"auth": auth}}}))
    done = sweeping.sweep("--repository", "team/app", "--repository", "team/none", "--delete", typed="")
    assert done.returncode == 0, done
    assert sweeping.has(layer, gone) == [True, False]


def test_what_is_young_stays(sweeping, chance):
    sweeping.push_image("team/app", "1", b"a layer")
    gone = chance.randbytes(1000)
    sweeping.put(gone)
    done = sweeping.sweep("--delete", "--user", "alice", "--older-than", "1h")
    assert done.returncode == 0 and "0 gone" in done.stdout and "younger than 1h" in done.stdout, done
    assert sweeping.has(gone) == [True]


@pytest.mark.parametrize("words,typed,said", [
    (("--user", "alice"), "wrong\n", "refuses this credential (401)"), ((), "", "docker login"),
    (("--user", "alice"), "", "want the password as the first line of standard input"),
])
def test_a_wrong_credential_removes_nothing(sweeping, chance, words, typed, said):
    sweeping.push_image("team/app", "1", b"a layer")
    gone = chance.randbytes(1000)
    sweeping.put(gone)
    done = sweeping.sweep("--delete", *words, typed=typed)
    assert done.returncode != 0 and said in done.stdout + done.stderr, done
    assert sweeping.has(gone) == [True]


def test_an_empty_registry_removes_nothing(sweeping, chance):
    gone = chance.randbytes(1000)
    sweeping.put(gone)
    done = sweeping.sweep("--delete", "--user", "alice")
    assert done.returncode == 1 and "lists no repository" in done.stderr, done
    assert sweeping.has(gone) == [True]


def test_a_registry_that_fails_meanwhile_removes_nothing(sweeping, chance, serve):
    """Catalogue and tags are there, and each HEAD of a blob fails: nobody knows what is gone."""
    gone = chance.randbytes(1000)
    sweeping.put(gone)
    answers = {"/v2/_catalog": {"repositories": ["a/b"]}, "/v2/a/b/tags/list": {"tags": []}}

    class Failing(Handler):
        def do_GET(self):
            found = answers.get(self.path.partition("?")[0])
            self.answer(200, json.dumps(found).encode()) if found else self.answer(500, b"{}")

        do_HEAD = do_GET

    server = serve(Failing)
    done = sweeping.sweep("--delete", BLOBLO_UPSTREAM_URL=f"http://127.0.0.1:{server.server_port}", typed="")
    assert done.returncode == 1 and "1 of which the registry did not say" in done.stdout, done
    assert sweeping.has(gone) == [True]
    # It shows a tag, and denies the blobs of its image: this credential may not pull.
    answers["/v2/a/b/tags/list"] = {"tags": ["1"]}
    layer = {"mediaType": "application/vnd.docker.image.rootfs.diff.tar.gzip", "digest": digest_of(b"x"), "size": 1}
    answers["/v2/a/b/manifests/1"] = {"schemaVersion": 2, "mediaType": MANIFEST, "config": layer, "layers": [layer]}
    done = sweeping.sweep("--delete", BLOBLO_UPSTREAM_URL=f"http://127.0.0.1:{server.server_port}", typed="")
    assert done.returncode == 1 and "may this credential pull?" in done.stderr, done
    assert sweeping.has(gone) == [True]
