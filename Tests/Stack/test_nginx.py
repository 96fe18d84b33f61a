"""What the shipped nginx/ does that Apache's files do otherwise; test_shipped_fronts.py has what both do."""

import concurrent.futures
import time

import pytest

import stack
from fakes.client import ALICE
from fakes.fastcgi import STDERR
from fakes.handler import Handler
from fakes.responder import FakeResponder, cuts, plain
from fakes.waiting import eventually
from shipped import BLOB, CONTENT, DIGEST, Shipped, shared, site  # noqa: F401

READ_TIMEOUT = 1.5  # seconds, where a responder hangs
PATIENT = f"{READ_TIMEOUT * 1000:.0f}ms"


@pytest.fixture(scope="module")
def front():
    return "nginx"


def hangs(_, connection):
    time.sleep(READ_TIMEOUT * 3)
    connection.cut()


def assert_redirects_soon(site):
    """fail_timeout is a second; until then the registry answers."""
    def answer():
        status = site.get_blob()[0]
        assert status in (200, 307)
        return status == 307
    eventually(answer)


class ListeningRegistry(Handler):
    """Keeps the fields of each request."""

    def do_GET(self):
        self.server.heard.append(self.headers)
        self.answer(200)


def test_signed_urls_do_not_reach_the_logs(site):
    site.responder(site.redirects)
    site.get_blob()
    eventually(lambda: BLOB in site.front.access_log.read_text())
    assert "X-Amz" not in site.front.access_log.read_text() + site.front.log.read_text()


def test_the_responder_hears_what_it_needs_and_nothing_forged(site):
    site.assert_responder_hears("nginx/", {"X-Forwarded-For": "1.2.3.4"},
                                {"HTTP_X_FORWARDED_FOR": "1.2.3.4, 127.0.0.1"})


def test_pass_without_accel(site):
    site.assert_registry_answers_when(plain("Status: 424"))


def test_pass_with_accel_only(site):
    site.assert_registry_answers_when(plain("X-Accel-Redirect: @bloblo_registry"))


def test_hangs(site):
    # After a failure nginx leaves an entry of the group alone for a second.
    with site.waiting_for(PATIENT), concurrent.futures.ThreadPoolExecutor(20) as pool:
        site.assert_registry_answers_when(hangs)
        began = time.monotonic()
        times = list(pool.map(lambda _: (site.get_blob()[0], time.monotonic() - began), range(20)))
    assert {status for status, _ in times} == {200}
    # Both entries of the group once, and a busy machine; one after the other they would take this twice.
    assert max(seconds for _, seconds in times) < READ_TIMEOUT * 20


def test_one_failure_costs_a_second_at_most(site):
    """A responder that drops one connection, as a full backlog does, is asked again soon."""
    site.responder(cuts).close()
    site.responder(site.passes).listener.close()
    site.assert_registry_answers()
    responder = site.responder(site.redirects)
    assert_redirects_soon(site)
    assert len(responder.params) > 0


def test_a_delete_goes_to_the_responder_and_falls_back_as_a_delete(site, subtests):
    path = f"/v2/a/b/blobs/{DIGEST}"
    for answer in (None, site.passes, plain("Status: 500"), cuts):
        with subtests.test(answer=answer):
            site.forget_failures()
            responder = answer and site.responder(answer)
            assert site.get_blob("POST", f"/v2/a/b/blobs/uploads/?mount={DIGEST}&from=some/name")[0] == 201
            assert site.get_blob("DELETE", path, {})[0] == 401
            assert site.get_blob("DELETE", path)[0] == 202
            site.assert_registry_heard(f"DELETE {path} ")
            if responder:
                assert responder.params[-1]["REQUEST_METHOD"] == "DELETE"
                responder.close()
    site.forget_failures()
    site.responder(plain("Status: 202\r\nContent-Length: 0\r\nX-Bloblo: relay"))
    assert site.get_blob("DELETE", path)[1]["X-Bloblo"] == "relay"


def test_dies_before_an_answer(site):
    site.assert_registry_answers_when(cuts)


def test_an_unknown_road(site):
    site.assert_registry_answers_when(plain("Status: 200\r\nX-Accel-Redirect: @nowhere"))


def test_a_body_that_stalls_goes_on_while_the_responder_gives_a_sign(site):
    def stalls(_, connection):
        connection.out(f"Status: 200\r\nContent-Length: {len(CONTENT)}\r\n\r\n".encode() + CONTENT[:50_000])
        for _ in range(16):
            time.sleep(0.5)
            connection.send(STDERR, b"")
        connection.out(CONTENT[50_000:])
        connection.end()
    site.responder(stalls)
    # Less than the body takes, and much more than from sign to sign.
    with site.waiting_for("6s"):
        assert site.get_blob()[2] == CONTENT


def test_a_restarted_responder_is_used_again(site):
    site.responder(site.redirects).close()
    site.assert_registry_answers()
    site.responder(site.redirects)
    assert_redirects_soon(site)


def test_an_upload_streams_without_a_copy_and_without_a_limit(site):
    site.responder(site.redirects)
    kept = site.upload(64, lambda: sum(
        path.stat().st_size for path in site.front.folder.glob("*_temp/**/*") if path.is_file()))
    assert kept == 0, "nginx kept a copy on disk"


def test_paths_that_are_not_plain_reach_the_responder_as_they_were_sent(site):
    site.assert_reach_the_responder_as_they_were_sent([
        f"/v2/x/blobs/sha256%3a{'a' * 64}", f"//v2//x/blobs/sha256:{'a' * 64}", f"/v2/y/../x/blobs/sha256:{'a' * 64}"])


def test_the_responder_hears_of_a_client_what_the_registry_hears(make_stack, serve, subtests, ends):
    """The registry may decide by a client's address: bloblo, which asks it first, has to be told the same."""
    registry = serve(ListeningRegistry)
    registry.heard = []
    servers = make_stack("nginx", "--registry", f"127.0.0.1:{registry.server_port}", start=False)
    port = servers.ports.take()
    servers.options.nginx_http = f"""server {{
        listen 127.0.0.1:{port};
        include snippets/bloblo-locations.conf;
        include snippets/bloblo-tokens.conf;
    }}"""
    responder = FakeResponder(servers.socket, Shipped.passes)
    ends.callback(responder.close)
    servers.up()
    forged = {"X-Real-IP": "6.6.6.6", "X-Forwarded-For": "1.2.3.4, 5.6.7.8", "X-Forwarded-Proto": "gopher",
              "X-Forwarded-Host": "elsewhere.example", "X-Forwarded-Port": "1", "Forwarded": "for=1.2.3.4"}
    for path in (BLOB, "/v2/token"):
        for sent in ({}, forged):
            with subtests.test(path=path, sent=sent):
                status = stack.request("GET", f"http://127.0.0.1:{port}{path}", {**ALICE, **sent})[0]
                params, fields = responder.params[-1], registry.heard[-1]
                assert (status, params["REQUEST_URI"], fields["X-Real-IP"]) == (200, path, "127.0.0.1")
                for name in ("Host", *forged):
                    assert params.get("HTTP_" + name.upper().replace("-", "_")) == fields[name], name
