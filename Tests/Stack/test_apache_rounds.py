"""A request that starts a second or third round in Apache (a pass, an acceleration, a fall-back after S3) is let
in each time: what refuses it then has the last word.
"""

import pytest

from apache_sites import CONTENT, DIGEST, Sites, recorder
from fakes.responder import FakeResponder, plain

TARGET = "X-Amz-Signature=ab"
ANSWERS = {
    "pass": plain("Status: 424\r\nX-Bloblo: pass\r\nContent-Length: 0"),
    "accelerate": plain(f"Status: 423\r\nX-Bloblo: accelerate\r\nX-Bloblo-Target: /v2/x/blobs/{DIGEST}?{TARGET}\r\n"
                        f"X-Bloblo-Host: s3\r\nX-Bloblo-Digest: {DIGEST}\r\nContent-Length: 0"),
}
STATUSES = (401, 403, 423, 424, 500, 502, 503, 504)
LUA = """
function refuse_{status}_again(r)
    if (r.subprocess_env["REDIRECT_STATUS"] or "") ~= "" and not r.uri:find("^/.bloblo") then return {status} end
    return apache2.DECLINED
end
function refuse_{status}_at_s3(r)
    if r.uri:find("^/.bloblo") then return {status} end
    return apache2.DECLINED
end
"""


def the_sites(folder):
    lua = folder / "rounds.lua"
    lua.write_text("require 'apache2'\n" + "".join(LUA.format(status=status) for status in STATUSES))
    yield "open", "«Include»"
    for status in STATUSES:
        for when in ("again", "at_s3"):
            yield f"{status} {when}", f"«Include»\nLuaHookAccessChecker {lua} refuse_{status}_{when} early"


@pytest.fixture(scope="module")
def registry():
    with recorder() as server:
        yield server


@pytest.fixture(scope="module")
def s3():
    with recorder() as server:
        yield server


@pytest.fixture(scope="module")
def sites(registry, s3):
    server = (f"Define BLOBLO_S3 http://127.0.0.1:{s3.server_port}\nInclude bloblo/bloblo-s3-gate.conf")
    with Sites(lambda folder: dict(the_sites(folder)), "--services", "apache", "--registry",
               f"127.0.0.1:{registry.server_port}", modules=("lua",), server=server,
               includes="Include bloblo/bloblo.conf\nInclude bloblo/bloblo-accelerate.conf") as all_sites:
        yield all_sites


@pytest.fixture(params=ANSWERS)
def road(request, sites, registry, s3):
    for server in (registry, s3):
        server.heard.clear()
        server.statuses.clear()
    responder = FakeResponder(sites.stack.socket, ANSWERS[request.param])
    sites.stack.socket.chmod(0o777)
    yield request.param
    responder.close()


def test_an_open_site_gives_the_blob_by_every_round(sites, registry, s3, road):
    for status in (200, 404, 503):
        s3.statuses["GET"] = status
        got, answer, body = sites.ask("open")
        assert (got, body) == (200, CONTENT)
        assert answer["X-Bloblo"] == ("accelerate" if (road, status) == ("accelerate", 200) else "pass")


def test_no_log_has_the_signed_url(sites, s3, road):
    """Also when S3 fails."""
    for status in (200, 404, 503, None):
        s3.statuses["GET"] = status
        assert sites.ask("open")[0] == 200
    for log in (sites.apache.log, sites.apache.access_log):
        assert TARGET not in log.read_text()


@pytest.mark.parametrize("status", STATUSES)
def test_a_refusal_of_the_second_round(sites, registry, s3, road, status):
    """That of the registry's; S3 fails before it."""
    s3.statuses["GET"] = 404
    for method in ("GET", "HEAD"):
        got, answer, body = sites.ask(f"{status} again", method)
        assert got >= 400 and CONTENT[:20] not in body
        assert_no_signed_url(answer, body)
    assert registry.heard == []


@pytest.mark.parametrize("status", STATUSES)
def test_a_refusal_at_s3(sites, registry, s3, road, status):
    if road == "pass":
        return
    for method in ("GET", "HEAD"):
        got, answer, body = sites.ask(f"{status} at_s3", method)
        assert got >= 400 and CONTENT[:20] not in body
        assert_no_signed_url(answer, body)
    assert registry.heard == s3.heard == []


def assert_no_signed_url(answer, body):
    assert TARGET not in str(answer) and TARGET.encode() not in body
