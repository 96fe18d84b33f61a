"""`bloblo check --nginx`: what guards /v2/ and names users in nginx's own configuration, and does not hold for blobs."""

import os
import subprocess

import pytest

import stack
from nginx_site import open_registry, site

OWN = "location {} {{ proxy_pass http://bloblo_registry; {} }}"
# In http {}, in the server {}, in a location of it, and what is found: subject and a word.
RIGHT = {
    "nothing special": ("", "", OWN.format("/", "proxy_set_header Host $http_host;")),
    "a guard of the server": ("", "auth_basic x; auth_basic_user_file /u;", OWN.format("/v2/", "")),
    "a guard of both": ("", "deny all;", OWN.format("/v2/", "deny all;")),
    "a field of the server": ("", "proxy_set_header X-SSO-User $remote_user;", OWN.format("/", "")),
    "http and server": ("proxy_set_header X-A a;", "proxy_set_header x-a b;", OWN.format("/", "")),
    "a guard that is off": ("", "", OWN.format("/v2/", "auth_basic off;")),
    "another location's guard": ("", "", "location /admin/ { deny all; proxy_pass http://bloblo_registry; }"),
    "words in quotes and comments": ("", "# deny all; }\n", OWN.format("/v2/", 'set $x "} deny all; {"; set $y ${x}z;')),
}
WRONG = {
    "a line of http": ("proxy_set_header X-SSO-User '';", "", OWN.format("/", ""), "nginx.headers", "x-sso-user"),
    "a line of http, another of the server": ("proxy_set_header X-A a; proxy_set_header Host $host;", "proxy_set_header Host x;",
                                              OWN.format("/", ""), "nginx.headers", "x-a"),
    "auth_basic": ("", "", OWN.format("/v2/", "auth_basic x; auth_basic_user_file /u;"), "nginx.guards", "auth_basic"),
    "deny": ("", "", OWN.format("/", "deny all;"), "nginx.guards", "deny"),
    "auth_request": ("", "deny all;", OWN.format("^~ /v2/", "auth_request /x;"), "nginx.guards", "auth_request"),
    "limit_req": ("limit_req_zone $server_port zone=z:1m rate=1r/m;", "", OWN.format("~ ^/v2/", "limit_req zone=z;"),
                  "nginx.guards", "limit_req"),
    "a field": ("", "", OWN.format("/v2/", "proxy_set_header X-SSO-User $remote_user;"), "nginx.fields", "x-sso-user"),
    "^~": ("", "", OWN.format("^~ /v2/", ""), "nginx.order", "^~"),
}


def checked(text, *words):
    done = subprocess.run([os.environ["BLOBLO"], "check", "--nginx", "-", *words], input=text, capture_output=True, text=True,
                          env={"PATH": os.environ["PATH"], "BLOBLO_UPSTREAM_URL": "http://127.0.0.1:1", "AWS_REGION": "x",
                               "BLOBLO_S3_ENDPOINT_URL": "http://127.0.0.1:1", "BLOBLO_S3_BUCKET_NAME": "bucket", "BLOBLO_SPOOL_DIR": "/tmp",
                               "AWS_ACCESS_KEY_ID": "a", "AWS_SECRET_ACCESS_KEY": "b", "AWS_EC2_METADATA_DISABLED": "true"})
    lines = [line for line in done.stdout.splitlines() if " nginx" in line]
    assert lines, done
    return lines


def dump(http, server, location):
    """What nginx itself prints of such a site."""
    with open_registry() as registry, site(registry) as owner:
        owner.http = http
        owner.add("site", f"server_name site.example; {server} {location}")
        owner.stack.options.nginx_http = owner.http
        command = [str(word) for word in owner.nginx.command()]
        done = subprocess.run([*command, "-T"], capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        return done.stdout


@pytest.mark.parametrize("name", RIGHT)
def test_what_holds_is_ok(name):
    lines = [line for line in checked(dump(*RIGHT[name])) if "site.example" in line]
    assert lines and all(line.startswith("ok") for line in lines), lines


@pytest.mark.parametrize("name", WRONG)
def test_what_does_not_hold_fails(name):
    *text, subject, word = WRONG[name]
    lines = [line for line in checked(dump(*text)) if "site.example" in line]
    assert any(line.startswith(f"FAIL  {subject}:") and word in line for line in lines), lines


def test_a_text_that_is_none(tmp_path):
    for text in ("", "nginx: [emerg]", "server {"):
        assert checked(text)[0].startswith("FAIL  nginx: -: not what nginx -T prints")
    assert "no server {} includes" in checked("# configuration file /etc/nginx/nginx.conf:\nhttp { server { } }\n")[0]
    # Braces without end, files that include themselves.
    for text in ("{" * 1000, "http { server { location", "include nginx.conf;", "http { include nginx.conf; }", '"', "\\", "}}}}"):
        assert checked(f"# configuration file /n/nginx.conf:\n{text}\n")


def test_the_shipped_site_is_right():
    [line] = [line for line in checked(dump("", "", OWN.format("/", ""))) if "registry.example.com" in line]
    assert line.startswith("ok")
    assert stack.ROOT
