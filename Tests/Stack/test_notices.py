"""What works and wants someone to look at it: older web-server files, TCP, no bucket's name."""

import pytest

from fakes.alone import text_of
from fakes.waiting import eventually


def notices(bloblo):
    return {name.split('"')[1] for name, value in bloblo.metrics().items()
            if name.startswith("bloblo_notice{") and value == 1}


# Web-server files that are older than bloblo


@pytest.mark.parametrize("software", ["nginx/1.22.1", "Apache/2.4.66 (Debian)"])
@pytest.mark.parametrize("version", [None, "", "1", "2", "x"])
def test_older_files_are_warned_of_in_log_page_and_metric(alone, software, version):
    bloblo = alone()
    digest = bloblo.put_into_bucket(b"content")
    param = {} if version is None else {"BLOBLO_FRONT_FILES": version}
    for _ in range(3):
        assert bloblo.get(digest, SERVER_SOFTWARE=software, **({"BLOBLO_FRONT_FILES": ""} | param))[0] == 307
    [line] = bloblo.lines("the web server uses older bloblo files")
    assert line["level"] == "warning" and "CHANGELOG.md" in line["advice"] and software in line["advice"]
    assert "the web server uses older bloblo files" in text_of(bloblo.page()[1])
    assert "old-front-files" in notices(bloblo)
    assert bloblo.metrics()["bloblo_old_front_files_requests_total"] == 3


@pytest.mark.parametrize("params", [
    {"BLOBLO_FRONT_FILES": "3"}, {"BLOBLO_FRONT_FILES": "4"},
    {"BLOBLO_FRONT_FILES": "", "SERVER_SOFTWARE": "Caddy/v2.6.2"},
    {"BLOBLO_FRONT_FILES": "", "SERVER_SOFTWARE": "HAProxy"},
    {"BLOBLO_FRONT_FILES": "", "SERVER_SOFTWARE": "lighttpd/1.4.69"},
    {"BLOBLO_FRONT_FILES": "", "BLOBLO_ROLE": "authorizer"},
])
def test_newer_files_and_servers_that_have_none_are_not(alone, params):
    bloblo = alone()
    digest = bloblo.put_into_bucket(b"content")
    bloblo.get(digest, **params)
    assert not bloblo.lines("older bloblo files")
    assert "old-front-files" not in notices(bloblo)


# TCP, where every local user may set params

GUARDED = {
    "BLOBLO_UPSTREAM_URL": "http://127.0.0.1:{other}", "BLOBLO_UPSTREAM_REDIRECT": "any",
    "BLOBLO_S3_BUCKET_NAME": "another", "BLOBLO_S3_REGION": "eu-west-9",
    "BLOBLO_S3_ENDPOINT_URL": "http://127.0.0.1:{other}", "BLOBLO_S3_PUBLIC_ENDPOINT_URL": "http://evil.example",
    "BLOBLO_S3_ADDRESSING_STYLE": "path", "BLOBLO_S3_KEY_TEMPLATE": "x/{digest}",
}


@pytest.mark.parametrize("name", GUARDED)
def test_on_tcp_no_param_chooses_registry_or_bucket(alone, serve, name):
    from fakes.alone import Registry
    bloblo = alone(tcp=True)
    secret = bloblo.put_into_bucket(b"secret")
    liar = Registry(authorization=None)
    liar.add(b"secret")
    value = GUARDED[name].replace("{other}", str(serve(liar.handler()).server_port))
    status, fields, _ = bloblo.get(secret, HTTP_AUTHORIZATION="", **{name: value})
    assert (status, fields.get("Location")) == (424, None), "it passes"
    assert not liar.requests
    assert bloblo.get(secret, **{name: value})[0] == 424, "also for those who may read it"
    [line] = bloblo.lines("a location of the web server sets params that are wrong")
    assert name in line["problems"] and "BLOBLO_PARAMS" in line["problems"]
    assert bloblo.get(secret)[0] == 307
    assert bloblo.get(secret, BLOBLO_DELIVERY="pass")[0] == 424, "harmless ones may be set"
    assert bloblo.get(secret, BLOBLO_PRESERVE_HOST="true")[0] == 307


def test_on_tcp_params_may_have_the_values_that_are_named(alone):
    bloblo = alone(tcp=True, BLOBLO_PARAMS="BLOBLO_S3_BUCKET_NAME=layers, BLOBLO_S3_BUCKET_NAME=others BLOBLO_S3_REGION")
    digest = bloblo.put_into_bucket(b"content")
    bloblo.bucket.objects[f"/others/{digest}"] = b"content"
    for bucket in ("layers", "others"):
        status, fields, _ = bloblo.get(digest, BLOBLO_S3_BUCKET_NAME=bucket, BLOBLO_S3_REGION="any-1")
        assert (status, f"/{bucket}/" in fields["Location"]) == (307, True)
    assert bloblo.get(digest, BLOBLO_S3_BUCKET_NAME="evil")[0] == 424
    assert bloblo.get(digest, BLOBLO_UPSTREAM_URL="http://127.0.0.1:1")[0] == 424


def test_on_tcp_no_param_says_who_the_user_is(alone):
    bloblo = alone(tcp=True)
    digest = bloblo.put_into_bucket(b"content")
    assert bloblo.get(digest)[0] == 307

    def asked():
        """Not bloblo's own question whether the registry is well."""
        return sum(digest in path for _, path, _ in bloblo.registry.requests)

    before = asked()
    status, fields, _ = bloblo.get(digest, BLOBLO_FIELD_X_SSO_USER="alice", HTTP_AUTHORIZATION="")
    assert (status, fields.get("Location")) == (424, None)
    assert asked() == before
    [line] = bloblo.lines("a location of the web server sets params that are wrong")
    assert "BLOBLO_FIELD_X_SSO_USER" in line["problems"] and "BLOBLO_PARAMS" in line["problems"]
    assert bloblo.get(digest, BLOBLO_FIELD_X_FORWARDED_HOST="here.example")[0] == 307, "as HTTP_X_FORWARDED_HOST"
    assert bloblo.get(digest, BLOBLO_FIELD_X_SSO_USER="alice", BLOBLO_ROLE="authorizer")[0] != 200


@pytest.mark.parametrize("named,allowed", [("BLOBLO_FIELD_X_SSO_USER", True), ("BLOBLO_FIELD_X_SSO_USER=alice", True),
                                           ("BLOBLO_FIELD_X_SSO_USER=bob", False), ("BLOBLO_S3_REGION", False)])
@pytest.mark.parametrize("tcp", [True, False])
def test_a_field_of_the_site_may_be_named(alone, named, allowed, tcp):
    bloblo = alone(tcp=tcp, BLOBLO_PARAMS=named)
    digest = bloblo.put_into_bucket(b"content")
    assert (bloblo.get(digest, BLOBLO_FIELD_X_SSO_USER="alice")[0] == 307) == allowed


def test_a_relay_on_tcp_hands_no_claimed_user_on(alone):
    bloblo = alone(tcp=True, BLOBLO_FRONT_SERVER="none")
    digest = bloblo.put_into_bucket(b"content")
    for method in ("GET", "HEAD", "DELETE"):
        bloblo.get(digest, REQUEST_METHOD=method, BLOBLO_FIELD_X_SSO_USER="alice", HTTP_X_SSO_USER="alice")
    assert bloblo.registry.requests
    assert all("x-sso-user" not in str(each).lower() for each in bloblo.registry.requests)


def test_on_a_unix_socket_all_may_be_set_unless_some_are_named(alone):
    bloblo = alone()
    digest = bloblo.put_into_bucket(b"content")
    bloblo.bucket.objects[f"/others/{digest}"] = b"content"
    assert "/others/" in bloblo.get(digest, BLOBLO_S3_BUCKET_NAME="others")[1]["Location"]
    named = alone(BLOBLO_PARAMS="BLOBLO_S3_REGION")
    digest = named.put_into_bucket(b"content")
    assert named.get(digest, BLOBLO_S3_BUCKET_NAME="layers")[0] == 424


def test_params_that_are_none_are_refused_at_the_start(alone):
    bloblo = alone(start=False)
    done = bloblo.run(BLOBLO_PARAMS="BLOBLO_LOG_LEVEL")
    assert done.returncode == 78 and "BLOBLO_PARAMS: want" in done.stderr


def test_tcp_and_a_missing_bucket_name_are_warned_of_at_the_start(alone):
    bloblo = alone(tcp=True, BLOBLO_S3_BUCKET_NAME=None)
    assert {"tcp-listener", "sample-bucket"} <= notices(bloblo)
    assert [line["level"] for line in bloblo.lines("bloblo listens on TCP")] == ["warning"]
    [line] = bloblo.lines("no bucket is named")
    assert "sample-bucket" in line["advice"] and "BLOBLO_S3_BUCKET_NAME" in line["advice"]
    text = text_of(bloblo.page()[1])
    assert "bloblo listens on TCP" in text and "no bucket is named" in text
    checked = bloblo.run("check", "--json").stdout
    assert '"subject":"bucket.name"' in checked and '"subject":"listen"' in checked


def test_nothing_is_noticed_where_all_is_as_it_should_be(alone):
    bloblo = alone()
    bloblo.get(bloblo.put_into_bucket(b"content"))
    eventually(lambda: "All is well" in bloblo.page()[1])
    assert notices(bloblo) == set()
    assert "Notice" not in text_of(bloblo.page()[1])
