"""`check --front` sees what a web server makes of a request, in the location of the blobs."""

import json
import pathlib
import subprocess
import tempfile

import pytest

import stack
from fakes.client import ALICE, push
from s3_servers import check, settings

pytestmark = pytest.mark.long

DIGEST = "sha256:" + "0" * 64
# As long as the tokens that STS gives, and as none should be.
TOKEN, HUGE_TOKEN = "T" * 3000, "T" * 9000


@pytest.fixture
def up(make_stack):
    def start(front, change=lambda text: text, token=None, auth="htpasswd", blob=None, more=None):
        """A stack whose shipped file of the blobs' location is changed; (exit status, report).

        `blob` is one that the registry has, `more` are further settings of the command.
        """
        owner = make_stack(f"registry,s3,{front},bloblo", "--auth", auth, start=False)
        server = owner.services[front]
        command = server.command
        file = server.folder / ("snippets/bloblo-locations.conf" if front == "nginx" else "bloblo/bloblo.conf")

        def changed():
            words = command()
            file.write_text(change(file.read_text()))
            return words

        server.command = changed
        owner.up()
        env = settings(owner.services["s3"].url, BLOBLO_UPSTREAM_URL=owner.services["registry"].url, **(more or {}))
        if token:
            env["AWS_SESSION_TOKEN"] = token
        digest = push(owner.services["registry"].url, blob, "a/b") if blob else DIGEST
        return check(env, "--front", server.url, "--blob", f"a/b@{digest}")
    return start


@pytest.mark.parametrize("front", ["nginx", "apache"])
def test_a_front_as_shipped(up, front):
    status, lines = up(front)
    for subject in ("upstream", "front", "front.authorization", "front.uri", "front.header"):
        assert lines[subject][0] == "ok", lines
    for subject in ("upstream.head", "bucket.blob", "front.blob"):
        assert lines[subject][0] == "warn", lines
    assert "front.host" not in lines
    assert status == 0


def same(text):
    return text


def small(text):
    text = stack.Nginx.replaced(text, "fastcgi_buffer_size 64k;", "fastcgi_buffer_size 4k;")
    text = stack.Nginx.replaced(text, "fastcgi_buffers 6 16k;", "fastcgi_buffers 16 4k;")
    return stack.Nginx.replaced(text, "fastcgi_busy_buffers_size 64k;", "fastcgi_busy_buffers_size 8k;")


@pytest.mark.parametrize("front,change,token,level", [
    ("nginx", small, None, "ok"),  # without a token a URL is short
    ("nginx", small, TOKEN, "FAIL"), ("nginx", same, TOKEN, "ok"),
    ("apache", same, TOKEN, "ok"), ("apache", same, HUGE_TOKEN, "FAIL")],
    ids=["nginx-small", "nginx-small-token", "nginx-token", "apache-token", "apache-huge_token"])
def test_header_buffers(up, front, change, token, level):
    status, lines = up(front, change, token)
    assert lines["front.header"][0] == level, lines["front.header"]
    assert lines["front.uri"][0] == "ok", lines
    if level == "FAIL":
        assert status == 1


def test_a_front_that_hides_and_decodes(up):
    def worse(text):
        text = stack.Nginx.replaced(text, "REQUEST_URI             $request_uri;", "REQUEST_URI $uri?probe=a:b/c;")
        return stack.Nginx.replaced(text, "fastcgi_keep_conn on;", 'fastcgi_keep_conn on; fastcgi_param HTTP_AUTHORIZATION "";')

    status, lines = up("nginx", worse)
    assert (lines["front.authorization"][0], lines["front.uri"][0]) == ("FAIL", "FAIL"), lines
    assert status == 1


def test_apache_that_keeps_authorization_to_itself(up):
    status, lines = up("apache", lambda text: stack.Nginx.replaced(text, "CGIPassAuth On", ""))
    assert (lines["front.authorization"][0], lines["front.uri"][0]) == ("FAIL", "ok"), lines
    assert status == 1


@pytest.mark.parametrize("guarded", ["v2", "both"])
def test_a_front_that_guards_all_but_blobs(up, guarded):
    guard = "deny 127.0.0.1;"

    def change(text):
        if guarded == "both":
            text = stack.Nginx.replaced(text, "fastcgi_keep_conn on;", f"fastcgi_keep_conn on; {guard}")
        return f"location = /v2/ {{ {guard} proxy_pass http://bloblo_registry; }}\n" + text

    status, lines = up("nginx", change, auth="none")
    subject, level = ("front.guard", "FAIL") if guarded == "v2" else ("front.route", "warn")
    assert lines[subject][0] == level, lines
    # This registry lets everybody read, so a blob that it denies is not there.
    assert {name for name, (found, _) in lines.items() if found == "FAIL"} - {subject} == {"upstream.proof", "sum"}, lines
    assert status == 1
    assert ("refuses" if guarded == "v2" else "guards") in lines[subject][1]


@pytest.fixture
def users():
    """A file of passwords, which Apache can read."""
    with tempfile.NamedTemporaryFile(prefix="users-") as file:
        file.write(subprocess.run([stack.program("htpasswd"), "-bnm", "alice", stack.USERS["alice"]], check=True,
                                  capture_output=True).stdout)
        file.flush()
        pathlib.Path(file.name).chmod(0o644)
        yield file.name


def guard_of(front, users, path="/v2/"):
    """Lines of a site that let in alice only; for Apache below a path, which may be a pattern."""
    if front == "nginx":
        return f"auth_basic registry; auth_basic_user_file {users};"
    section = "LocationMatch" if path.startswith("^") else "Location"
    return (f'<{section} "{path}">\nAuthType Basic\nAuthName registry\nAuthUserFile "{users}"\nRequire valid-user\n'
            f"</{section}>\n")


@pytest.mark.parametrize("who", ["alice", "nobody"])
@pytest.mark.parametrize("front", ["nginx", "apache"])
def test_a_site_that_guards_all_of_an_open_registry_is_right(up, users, front, who):
    """No false alarm, though nobody gets what the registry itself would give."""
    more = {"BLOBLO_CHECK_AUTHORIZATION": ALICE["Authorization"]} if who == "alice" else {}
    _, lines = up(front, lambda text: guard_of(front, users) + "\n" + text, auth="none", blob=b"a layer" * 1000, more=more)
    assert {name: line for name, line in lines.items() if name.startswith("front") and line[0] == "FAIL"} == {}
    assert lines["front.guard"][0] == "ok", lines
    levels = {name: lines[name][0] for name in ("front.pass", "front.header", "front.authorization") if name in lines}
    if who == "alice":
        assert levels == {"front.pass": "ok", "front.header": "ok", "front.authorization": "ok"}, lines
    else:
        assert levels == {"front.pass": "warn"} and lines["front.route"][0] == "warn", lines


HOLES = {
    # /v2/ alone is guarded.
    "nginx-all": lambda users: f"location = /v2/ {{ {guard_of('nginx', users)} proxy_pass http://bloblo_registry; }}\n",
    "apache-all": lambda users: guard_of("apache", users, "^/v2/$"),
    # The guard refuses, and where it fails itself, the site hands on, as bloblo's files once did.
    "nginx-malformed": lambda _: """auth_request /_ask;
        location = /_ask { internal; if ($http_authorization = "Basic %%%") { return 400; } return 401; }
        location ~ ^/v2/.+/blobs/ { error_page 500 = @open; proxy_pass http://bloblo_registry; }
        location @open { auth_request off; proxy_pass http://bloblo_registry; }
        """,
}


@pytest.mark.parametrize("hole", HOLES)
def test_bytes_that_come_past_a_guard_fail(up, users, hole):
    front, _, which = hole.partition("-")
    status, lines = up(front, lambda text: HOLES[hole](users) + text, auth="none", blob=b"a layer" * 1000)
    words = {"all": "gives out a blob without a credential", "malformed": "gives out a blob with a credential that cannot be read"}[which]
    level, finding = lines["front.guard"]
    assert (status, level) == (1, "FAIL") and words in finding, lines


def test_another_location_takes_the_blobs(up):
    hidden = "location ^~ /v2/ { proxy_pass http://bloblo_registry; }\n"
    status, lines = up("nginx", lambda text: hidden + text)
    # The pages are not routed in this site, or they are: told either way.
    assert "front.route" in lines or "front.params" in lines, lines
    assert "front.header" not in lines


def test_the_page(make_stack):
    url = make_stack("registry,s3,nginx,bloblo").services["nginx"].url
    for path in ("/bloblo/check", "/v2/bloblo/blobs/check:params"):
        status, headers, body = stack.request("GET", url + path, {"Authorization": "Basic c2VjcmV0"})
        assert (status, headers["X-Bloblo"]) == (200, "check")
        assert json.loads(body)["authorization"] == True
        assert b"c2VjcmV0" not in body
        # A proxy before the web server, and a client beyond it: not of this machine.
        status, headers, _ = stack.request("GET", url + path, {"X-Forwarded-For": "192.0.2.1"})
        assert (status, headers.get("X-Bloblo")) != (200, "check")
    status, headers, _ = stack.request("GET", url + "/v2/bloblo/blobs/check:500")
    assert (status, len(headers["Location"])) == (307, 500)
    for path in ("/v2/bloblo/blobs/check:1", "/v2/bloblo/blobs/check:99999", "/v2/bloblo/blobs/check:x"):
        assert stack.request("GET", url + path)[1].get("X-Bloblo") != "check"
