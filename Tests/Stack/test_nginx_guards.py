"""The refusals of nginx's own guards are final: no byte and no URL leaves behind one, whichever guard it is, wherever
it stands, however it fails and whatever bloblo does at the time.
"""

import itertools
import socket

import pytest

from fakes.waiting import eventually
from nginx_site import BLOB, CONTENT, PASS, REDIRECT, SORRY, URL, auth_server, open_registry, site

pytestmark = pytest.mark.long

BLOBLO = {"passes": PASS, "redirects": REDIRECT, "answers 500": SORRY, "is down": None}
METHODS = ("GET", "HEAD", "DELETE", "PUT")
STATUSES = (503, 500, 502, 504, 424, 429, 403)

# Guards that refuse everybody: (what the site writes, the status that the client must get).
REFUSING = {
    "auth_request, the auth server is down": ("auth_request /_nobody;", 500),
    "auth_request, the auth server answers 400": ("auth_request /_400;", 500),
    "auth_request, the auth server answers 302": ("auth_request /_302;", 500),
    "auth_request, the auth server answers 503": ("auth_request /_503;", 500),
    "auth_request, 401": ("auth_request /_401;", 401),
    "auth_request, 403": ("auth_request /_403;", 403),
    "auth_basic, the file can't be read": ("auth_basic x; auth_basic_user_file FOLDER;", 500),
    "auth_basic, the file is missing": ("auth_basic x; auth_basic_user_file FOLDER/nothing;", 403),
    "deny": ("deny all;", 403),
    "satisfy any, the auth server is down": ("satisfy any; deny all; auth_request /_nobody;", 500),
    "satisfy all, the auth server is down": ("satisfy all; allow all; auth_request /_nobody;", 500),
    "return 503": ("if ($request_uri ~ .) { return 503; }", 503),
    "return 500": ("if ($request_uri ~ .) { return 500; }", 500),
    "a variable, then deny": ('if ($request_uri ~ .) { set $x 1; } deny all;', 403),
    "a variable, then no auth server": ('if ($request_uri ~ .) { set $x 1; } auth_request /_nobody;', 500),
}

AUTH = """
  location = /_nobody { internal; proxy_pass http://127.0.0.1:1; }
  location = /_400 { internal; return 400; }
  location = /_302 { internal; return 302 /login; }
  location = /_503 { internal; return 503; }
  location = /_401 { internal; return 401; }
  location = /_403 { internal; return 403; }
  location = /_ask { internal; proxy_pass http://AUTH; proxy_pass_request_body off; proxy_set_header Content-Length ""; }
  location / { proxy_pass http://bloblo_registry; }
"""


def slug(name):
    return "".join(letter if letter.isalnum() else "-" for letter in name)


@pytest.fixture(scope="module")
def world():
    """One nginx with a server {} for each guard and each place where it can stand."""
    with open_registry() as registry, auth_server() as auth, site(registry) as owner:
        owner.auth = auth
        rest = AUTH.replace("AUTH", auth.address)
        for name, (guard, _) in REFUSING.items():
            guard = guard.replace("FOLDER", str(owner.nginx.folder))
            owner.add(f"{name} | server", guard + rest)
            owner.add(f"{name} | access", rest, owner.locations_with(slug(name), guard))
        for place in ("server", "access"):
            def add(name, guard, more=rest, place=place):
                if place == "server":
                    owner.add(f"{name} | server", guard + more)
                else:
                    owner.add(f"{name} | access", more, owner.locations_with(slug(name), guard))
            add("auth", "auth_request /_ask;")
            for status in STATUSES:
                zone = f"{place}_{status}"
                owner.http += f"limit_req_zone $server_port zone=req_{zone}:1m rate=1r/m;"
                owner.http += f"limit_conn_zone $server_port zone=conn_{zone}:1m;"
                add(f"limit_req {status}", f"limit_req zone=req_{zone}; limit_req_status {status};")
                add(f"limit_conn {status}", f"limit_conn conn_{zone} 1; limit_conn_status {status};")
        tokens = "include snippets/bloblo-tokens.conf;"
        owner.add("tokens", "auth_request /_ask;" + tokens + rest)
        owner.add("tokens, limited", f"limit_req zone=req_server_503; {tokens} {rest}")
        yield owner.start()


@pytest.fixture(autouse=True)
def fresh(world):
    world.forget()
    world.auth.said.clear()
    world.auth.script = lambda _: 204


def assert_refused(answer, status, label):
    got, headers, body = answer
    assert (got, headers["Location"], CONTENT[:20] in body) == (status, None, False), label
    assert URL not in str(headers) and headers["Docker-Content-Digest"] is None, label


@pytest.mark.parametrize("place", ["server", "access"])
@pytest.mark.parametrize("guard", REFUSING)
def test_a_guard_that_refuses_everybody(world, guard, place):
    for state, answer in BLOBLO.items():
        with world.responder(answer) as responder:
            for method in METHODS:
                label = (guard, place, state, method)
                assert_refused(world.ask(f"{guard} | {place}", method), REFUSING[guard][1], label)
            assert world.registry.heard == [], (guard, place, state)
            assert not responder or responder.params == [], (guard, place, state)


@pytest.mark.parametrize("place", ["server", "access"])
@pytest.mark.parametrize("status", STATUSES)
def test_what_is_over_limit_req(world, status, place):
    for state, answer in BLOBLO.items():
        world.forget()
        with world.responder(answer):
            first = world.ask(f"limit_req {status} | {place}")
            assert first[0] in (200, 307), (state, first)
            heard = len(world.registry.heard)
            for method in METHODS:
                assert_refused(world.ask(f"limit_req {status} | {place}", method), status, (state, method))
            assert len(world.registry.heard) == heard, state


@pytest.mark.parametrize("place", ["server", "access"])
@pytest.mark.parametrize("status", STATUSES)
def test_what_is_over_limit_conn(world, status, place):
    name = f"limit_conn {status} | {place}"

    def hangs(_, connection):
        connection.raw.recv(1)

    with world.responder(hangs) as responder, socket.create_connection(("127.0.0.1", world.ports[name])) as first:
        first.sendall(f"GET {BLOB} HTTP/1.1\r\nHost: a\r\n\r\n".encode())
        eventually(lambda: responder.params)  # it is counted now
        heard = len(world.registry.heard)
        for method in METHODS:
            assert_refused(world.ask(name, method), status, method)
        assert len(world.registry.heard) == heard


# The auth server's answers, one for each time that nginx asks for one request of a client, or for many.
SCRIPTS = {
    "fails at the first": lambda n: 500 if n == 0 else 204,
    "fails at the second": lambda n: 500 if n == 1 else 204,
    "fails at the third": lambda n: 500 if n == 2 else 204,
    "fails at every second": lambda n: 500 if n % 2 else 204,
    "fails at every third": lambda n: 500 if n % 3 == 2 else 204,
    "hangs up at the second": lambda n: None if n == 1 else 204,
    "hangs up from the second on": lambda n: 204 if n == 0 else None,
    "503 at every second": lambda n: 503 if n % 2 else 204,
    "403 at the second": lambda n: 403 if n == 1 else 204,
    "401 at the third": lambda n: 401 if n == 2 else 204,
    "424 at the second": lambda n: 424 if n == 1 else 204,
    "never fails": lambda n: 204,
}


@pytest.mark.parametrize("server", ["auth | server", "auth | access", "tokens"])
@pytest.mark.parametrize("script", SCRIPTS)
def test_an_auth_server_that_fails_now_and_then(world, script, server):
    """One refusal among the answers to the questions for a request, and the request is refused."""
    paths = ("/v2/", "/token?scope=x") if server == "tokens" else (BLOB,)
    for (state, answer), method, path in itertools.product(BLOBLO.items(), METHODS, paths):
        world.auth.said.clear()
        world.auth.script = SCRIPTS[script]
        with world.responder(answer):
            for _ in range(3):  # the script goes on from one request to the next
                before = len(world.auth.said)
                status, headers, body = world.ask(server, method, path)
                said = world.auth.said[before:]
                label = (script, server, state, method, path, said, status)
                if any(answer != 204 for answer in said):
                    assert status >= 400, label
                    assert headers["Location"] is None and CONTENT[:20] not in body, label
                    assert headers["Docker-Content-Digest"] is None, label
                else:
                    assert said and status in (200, 202, 307, 405), label


def test_tokens_over_a_limit(world):
    with world.responder(None):
        assert world.ask("tokens, limited", path="/v2/")[0] == 200
        for path in ("/v2/", "/v2/token", "/token", "/service/token?a=b"):
            assert_refused(world.ask("tokens, limited", path=path), 503, path)


