"""What the shipped apache/ does that nginx's files do otherwise; test_shipped_fronts.py has what both do."""

import http.client
import pathlib
import subprocess
import time

import pytest

import stack
from fakes.client import ALICE
from fakes.responder import NONSENSE
from shipped import BLOB, CONTENT, SIGNED, shared, site  # noqa: F401

TIMEOUT = 2  # seconds, where a responder hangs


@pytest.fixture(scope="module")
def front():
    return "apache"


def hangs(_, connection):
    time.sleep(TIMEOUT * 2)
    connection.cut()


def hangs_in_the_header(_, connection):
    connection.out(b"Status: 200 OK\r\nX-Bloblo: tee\r\n")
    hangs(_, connection)


def held(site):
    """Bytes of files, with a name or without, that Apache's processes have open."""
    held = 0
    for process in pathlib.Path("/proc").glob("[0-9]*"):
        try:
            parent = int((process / "stat").read_text().rsplit(")", 1)[1].split()[1])
            if site.front.pid not in (parent, int(process.name)):
                continue
            held += sum(path.stat().st_size for path in (process / "fd").iterdir() if path.is_file()
                        and path.resolve() not in (site.front.log, site.front.access_log))
        except (OSError, ValueError):  # a process that has ended meanwhile
            pass
    return held


def test_hangs(site):
    with site.waiting_for(str(TIMEOUT)):
        for answer in (hangs, hangs_in_the_header):
            responder = site.responder(answer)
            status, headers, body = site.get_blob(headers={**ALICE, "Range": "bytes=5-9"})
            assert (status, body, len(responder.params)) == (206, CONTENT[5:10], 1)


def test_several_requests_on_one_connection(site, ends):
    """What is held back of an answer disturbs none that follows."""
    connection = http.client.HTTPConnection("127.0.0.1", site.front.port, timeout=120)
    ends.callback(connection.close)
    for name in ("no header", "nothing at all", "a page of something else") * 2:
        site.responder(site.nonsense[name])
        connection.request("GET", BLOB, headers=ALICE)
        response = connection.getresponse()
        assert (name, response.status, response.read()) == (name, 200, CONTENT)


def test_http_2(site, subtests):
    """The same, but for malformed headers: see docs/fronts.md."""
    roads = {name: NONSENSE[name] for name in NONSENSE.keys() - {"no header", "a header without an end"}}
    for name, answer in {"pass": site.passes, "redirect": site.redirects, **roads}.items():
        site.responder(answer)
        for words, status, body in (([], 200, CONTENT), (["--range", "5-9"], 206, CONTENT[5:10]), (["--head"], 200, None)):
            with subtests.test(name, words=words):
                done = subprocess.run(
                    ["curl", "--silent", "--http2-prior-knowledge", "--user", f"alice:{stack.USERS['alice']}", *words,
                     "--write-out", "%{stderr}%{http_version} %{http_code} %{redirect_url}", site.front.url + BLOB],
                    capture_output=True, timeout=120)
                if name == "redirect":
                    assert done.stderr.decode() == f"2 307 {SIGNED}"
                    continue
                assert done.stderr.decode() == f"2 {status} "
                assert body is None or done.stdout == body


def test_the_responder_hears_what_it_needs_and_nothing_forged(site):
    site.assert_responder_hears("Apache/", {"BLOBLO_S3_BUCKET_NAME": "mine"}, {})


def test_a_restarted_responder_is_used_at_once(site):
    site.responder(site.redirects).close()
    site.assert_registry_answers()
    site.responder(site.redirects)
    assert site.get_blob()[0] == 307


def test_an_upload_streams_without_a_copy_and_without_a_limit(site, subtests):
    """In chunks, and with a Content-Length; none of it is kept by Apache, in memory or on disk."""
    for as_chunks in (True, False):
        with subtests.test(as_chunks=as_chunks):
            headers = ALICE if as_chunks else {**ALICE, "Content-Length": str(96 << 20)}
            assert site.upload(96, lambda: held(site), headers) < 16 << 20, "Apache keeps files"


def test_a_whole_url_in_the_request(site, subtests, ends):
    """Whatever its scheme's spelling: RFC 9110, 4.2.3."""
    for scheme in ("http", "HTTP", "hTTpS"):
        for end in ("", "?ns=docker.io"):
            with subtests.test(scheme=scheme, end=end):
                site.responder(site.passes)
                connection = http.client.HTTPConnection("127.0.0.1", site.front.port, timeout=120)
                ends.callback(connection.close)
                connection.request("GET", f"{scheme}://registry.example{BLOB}{end}", headers=ALICE)
                response = connection.getresponse()
                assert (response.status, response.read()) == (200, CONTENT)


def test_paths_that_are_not_plain_reach_the_responder_as_they_were_sent(site):
    site.assert_reach_the_responder_as_they_were_sent(
        [f"/v2/x/../y/blobs/sha256:{'a' * 64}", f"/v2//x/blobs/sha256:{'a' * 64}"])
