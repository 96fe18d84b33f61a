"""What the shipped nginx/ and apache/ do with each answer of a responder, with nonsense, and with none."""

import http.client
import time

import pytest

from fakes.responder import plain
from shipped import BLOB, CONTENT, DIGEST, SIGNED, shared, site  # noqa: F401


def test_pass(site):
    site.assert_registry_answers_when(site.passes)


def test_down(site):
    site.assert_registry_answers()


def test_refused(site):
    site.responder(site.passes).listener.close()
    site.assert_registry_answers()


def test_server_errors(site, subtests):
    for status in (500, 502, 503, 504):
        with subtests.test(status=status):
            site.forget_failures()
            site.assert_registry_answers_when(plain(f"Status: {status}\r\nRetry-After: 5", b"sorry"))


def test_nonsense(site, subtests):
    for name, answer in site.nonsense.items():
        with subtests.test(name):
            site.forget_failures()
            site.assert_registry_answers_when(answer)


def test_a_redirect_reaches_the_client_byte_for_byte(site):
    site.responder(site.redirects)
    for method in ("GET", "HEAD"):
        status, headers, body = site.get_blob(method)
        assert (status, headers["Location"], body) == (307, SIGNED, b"")
        assert headers["Docker-Content-Digest"] == DIGEST


def test_a_long_signed_url_fits(site):
    url = SIGNED + "&X-Amz-Security-Token=" + "a" * site.token_bytes
    site.responder(plain(site.marked(f"Location: {url}\r\nStatus: 307\r\nContent-Length: 0", "redirect")))
    assert site.get_blob()[1]["Location"] == url


def test_a_body_of_the_responder_reaches_the_client(site, chance):
    body = chance.randbytes(10_000_000)
    site.responder(plain(f"{site.marked('Status: 200', 'tee')}\r\nContent-Length: {len(body)}", body))
    _, headers, got = site.get_blob()
    assert headers["Content-Length"] == str(len(body))
    assert got == body  # assertEqual takes minutes to show how two differ


def test_a_body_that_is_cut_is_seen_to_be_cut(site, subtests):
    def dies(head):
        def answer(_, connection):
            connection.out(head.encode() + b"\r\n\r\n" + CONTENT[:50_000])
            time.sleep(0.2)
            connection.cut()
        return answer
    tee = site.marked("Status: 200", "tee")
    for head in (tee, f"{tee}\r\nContent-Length: {len(CONTENT)}"):
        with subtests.test(head=head):
            site.forget_failures()
            site.responder(dies(head))
            with pytest.raises((http.client.IncompleteRead, ConnectionError)):
                site.get_blob()


def test_what_is_no_download_never_reaches_the_responder(site):
    responder = site.responder(site.redirects)
    assert site.get_blob(path="/v2/")[0] == 200
    assert site.get_blob(path="/v2/_catalog")[0] == 200
    assert site.get_blob(path="/v2/some/name/tags/list")[0] == 404
    assert site.get_blob(path=f"/v2/some/name/manifests/sha256:{'a' * 64}")[0] == 404
    assert site.get_blob("POST", "/v2/some/name/blobs/uploads/")[0] == 202
    assert site.get_blob("POST", f"/v2/a/b/blobs/uploads/?mount={DIGEST}&from=some/name")[0] == 201
    assert site.get_blob("POST", BLOB)[0] == 405
    assert responder.params == []

