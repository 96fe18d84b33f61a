"""All that is wrong is told at once, and the status is 78."""

import re

import pytest

from s3_servers import run

WRONG = {"BLOBLO_THREADS": "many", "BLOBLO_LISTEN_GROUP": "no-such-group", "BLOBLO_REGISTRY_HOST": "a b",
         "BLOBLO_S3_SSE": "rot13", "BLOBLO_PRESIGN_EXPIRES": "8d", "BLOBLO_UPSTREAM_URL": "registry",
         "BLOBLO_S3_REGION": "no region"}


def test_every_wrong_setting_and_the_credential_in_one_round():
    for arguments in ((), ("serve",), ("check",), ("presign", "sha256:" + "0" * 64), ("sweep",), ("warm", "a")):
        env = dict(WRONG)
        if arguments and arguments[0] in ("presign", "sweep", "warm"):
            del env["BLOBLO_THREADS"], env["BLOBLO_LISTEN_GROUP"]  # they are serve's
        done = run(*arguments, env=env)
        assert done.returncode == 78, done
        text = done.stdout + done.stderr
        for name in set(env) - {"BLOBLO_S3_REGION"}:
            assert re.search(rf"{name}: want .*, got", text), (arguments, name)
        assert 'region "no region"' in text
        assert "AWS credentials: none found" in text
        assert "web identity: AWS_WEB_IDENTITY_TOKEN_FILE is not set" in text


def test_a_wrong_credential_beside_a_wrong_setting():
    for env, words in [
            ({"AWS_ACCESS_KEY_ID": "A"}, "AWS_SECRET_ACCESS_KEY: want the secret of AWS_ACCESS_KEY_ID"),
            ({"AWS_PROFILE": "none"}, 'AWS_PROFILE: no profile "none"'),
            ({"AWS_CONTAINER_CREDENTIALS_FULL_URI": "http://192.0.2.1/"}, "want https, a loopback address"),
            ({"AWS_ACCESS_KEY_ID": "A", "AWS_SECRET_ACCESS_KEY": "B"}, None)]:
        done = run(env={"BLOBLO_THREADS": "many", "AWS_REGION": "r", **env})
        assert done.returncode == 78
        assert "BLOBLO_THREADS: want a number" in done.stderr
        if words:
            assert done.stderr.count(words) == 1, done.stderr
        else:
            assert len(done.stderr.splitlines()) == 2, done.stderr
        assert "none found" not in done.stderr


def test_a_missing_credential_alone():
    done = run(env={"AWS_REGION": "r"})
    assert done.returncode == 78
    assert "AWS credentials: none found" in done.stderr


@pytest.mark.parametrize("host,public,is_warned", [
    ("registry.example.com", "http://registry.example.com:9000", True),
    ("hub.example.org, registry.example.com", "http://s3.registry.example.com", True),
    ("registry.example.com", "http://s3.example.com", False)])
def test_serve_warns_of_the_same_host(make_stack, host, public, is_warned):
    servers = make_stack("bloblo", "--registry", "127.0.0.1:1", env={
        "BLOBLO_REGISTRY_HOST": host, "BLOBLO_S3_PUBLIC_ENDPOINT_URL": public,
        "BLOBLO_S3_ENDPOINT_URL": "http://127.0.0.1:1"})
    log = servers.services["bloblo"].log.read_text()
    assert ("many send their Authorization along" in log) == is_warned, log
