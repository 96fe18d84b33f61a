"""What the registry hears of a request on each of nginx's roads, and what its answer may do to nginx."""

import contextlib
import itertools
import pathlib
import re
import socket

import pytest

import stack
from fakes.client import ALICE
from fakes.waiting import eventually
from nginx_site import BLOB, CONTENT, PASS, REDIRECT, SORRY, open_registry, site

ROADS = {  # of a blob's path: what bloblo does, and the method
    "a pass": (PASS, "GET"), "a passed HEAD": (PASS, "HEAD"), "a passed DELETE": (PASS, "DELETE"),
    "bloblo fails": (SORRY, "GET"), "bloblo is down": (None, "GET"), "bloblo is down, DELETE": (None, "DELETE"),
    "PUT": (REDIRECT, "PUT"), "POST": (None, "POST"),
}
FORGED = {"X-SSO-User": "admin", "X-Real-IP": "6.6.6.6", "X-Forwarded-For": "6.6.6.6", "X-Forwarded-Proto": "gopher",
          "Host": "registry.example:8443"}

# Where a site says whom the registry shall see: (in server {}, in its own location /, in bloblo-fields.conf).
HOST = "proxy_set_header Host $http_host;"
USER = "proxy_set_header X-SSO-User $remote_user;"
WHOLE = HOST + USER + """
  proxy_set_header X-Real-IP $remote_addr; proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
  proxy_set_header X-Forwarded-Proto $scheme; proxy_set_header Connection "";"""
SITES = {
    "all in the server": (WHOLE, ""),
    "user and host in the server": (HOST + USER, ""),
    "user in the server": (USER, ""),
    "user in its location, and in bloblo-fields.conf": ("", WHOLE),
}
OLD_UPSTREAMS = """
upstream bloblo { zone bloblo 64k; server unix:SOCKET max_fails=1 fail_timeout=10s; keepalive 64; }
upstream bloblo_registry { server REGISTRY; keepalive 64; }
"""


@pytest.fixture(scope="module")
def world():
    with open_registry() as registry, site(registry) as owner:
        for name, (in_server, in_location) in SITES.items():
            locations = "include snippets/bloblo-locations.conf; include snippets/bloblo-tokens.conf;"
            if in_location:  # nginx.conf of this test has one folder of snippets for all servers
                fields = owner.snippets / "site.fields"
                fields.write_text(USER)
                text = (stack.ROOT / "nginx/bloblo-locations.conf").read_text()
                path = owner.snippets / "with-fields.conf"
                path.write_text(stack.Nginx.replaced(text, "include snippets/bloblo-fields*.conf;", f"include {fields};"))
                locations = f"include {path}; include snippets/bloblo-tokens.conf;"
            owner.add(name, f"{in_server} location / {{ proxy_pass http://bloblo_registry; {in_location} }}", locations)
        owner.add("plain", """
          location ~ ^/v2/secret/ { deny all; }
          location = /inside { internal; return 200 "the inside"; }
          location @bloblo_s3 { return 200 "the bucket"; }
          location / { proxy_pass http://bloblo_registry; }
          include snippets/bloblo-tokens.conf; include snippets/bloblo-pages.conf;""")
        owner.add("intercepts", """
          proxy_intercept_errors on;
          error_page 500 502 503 504 /50x.html;
          location / { proxy_pass http://bloblo_registry; }""")
        yield owner.start()


@pytest.fixture(autouse=True)
def fresh(world):
    world.forget()


@pytest.mark.parametrize("name", SITES)
@pytest.mark.parametrize("road", ROADS)
def test_what_the_site_says_reaches_the_registry_and_what_a_client_says_does_not(world, name, road):
    answer, method = ROADS[road]
    for path in (BLOB,) if method in ("HEAD", "DELETE") else (BLOB, "/v2/", "/token?a=b"):
        world.registry.heard.clear()
        mark = f"{road}, {name}, {path}"
        with world.responder(answer):
            status = world.ask(name, method, path, {**ALICE, **FORGED, "X-Mark": mark})[0]
        # Another test that asks on this port has no such mark; a request that nginx sends twice has it twice.
        ours = [each for each in world.registry.heard if each[2]["X-Mark"] == mark]
        assert [each[:2] for each in ours] == [(method, path)], (
            status, [(*each[:2], each[2].items()) for each in world.registry.heard], world.nginx.tail())
        fields = ours[0][2]
        assert fields.get_all("Host") == ["registry.example:8443"]
        assert fields.get_all("X-SSO-User") == ["alice"]
        assert set(fields.get_all("X-Real-IP")) == {"127.0.0.1"}
        assert set(fields.get_all("X-Forwarded-For")) == {"6.6.6.6, 127.0.0.1"}
        assert set(fields.get_all("X-Forwarded-Proto")) == {"http"}
        assert fields["Connection"] is None
        assert fields["Authorization"] == ALICE["Authorization"]


@pytest.mark.parametrize("name", ["all in the server", "user in its location, and in bloblo-fields.conf"])
def test_the_sites_own_locations_say_what_they_said(world, name):
    world.ask(name, "GET", "/v2/a/manifests/latest", {**ALICE, **FORGED})
    [(_, _, fields, _)] = world.registry.heard
    for field, value in (("Host", "registry.example:8443"), ("X-SSO-User", "alice"), ("X-Real-IP", "127.0.0.1"),
                         ("X-Forwarded-For", "6.6.6.6, 127.0.0.1")):
        assert fields.get_all(field) == [value], field


def test_the_registry_can_send_nginx_nowhere(world):
    for (answer, method), place in itertools.product(ROADS.values(), ("@bloblo_s3", "/inside", "@bloblo_registry", "@nowhere")):
        for path in (BLOB, "/v2/"):
            world.registry.fields = [("X-Accel-Redirect", place), ("X-Accel-Limit-Rate", "10"),
                                     ("X-Accel-Charset", "koi8-r"), ("X-Accel-Buffering", "no"), ("X-Accel-Expires", "100")]
            with world.responder(answer):
                status, headers, body = world.ask("plain", method, path)
            assert status in (200, 202, 307, 405) and b"the " not in body, (method, path, place)
            if method == "GET" and answer is not REDIRECT:
                assert body == CONTENT, (path, place)
            assert "koi8" not in str(headers)  # at the rate of ten bytes a second nothing would have come


@pytest.mark.parametrize("status", (424, 500, 503))
def test_no_upload_is_sent_twice_where_a_site_intercepts_errors(world, status):
    world.registry.refusal = status
    try:
        for method in ("PUT", "POST", "PATCH"):
            world.registry.heard.clear()
            got = world.ask("intercepts", method, body=b"x")[0]
            assert (got, len(world.registry.heard)) == (status, 1)
    finally:
        world.registry.refusal = 405


def test_a_regex_location_of_the_sites_own_holds(world):
    for answer in (PASS, REDIRECT, None):
        with world.responder(answer):
            assert world.ask("plain", path=BLOB.replace("some/name", "secret/name"))[0] == 403
            assert world.ask("plain")[0] in (200, 307)
    assert all("secret" not in path for _, path, _, _ in world.registry.heard)


def test_a_body_does_not_reach_bloblo_and_does_reach_the_registry(world):
    """A responder that did not read 2 MB counted as failed, for everybody."""
    body = b"x" * 900_000
    with world.responder(PASS) as responder:
        for method in ("GET", "HEAD", "DELETE"):
            world.registry.heard.clear()
            assert world.ask("plain", method, body=body)[0] in (200, 202)
            assert responder.params[-1]["CONTENT_LENGTH"] == ""
            assert (responder.bytes, world.registry.heard[-1][3]) == (0, body)


def test_every_location_says_its_version(world):
    with world.responder(PASS) as responder:
        for path in (BLOB, "/v2/", "/bloblo/"):
            world.ask("plain", path=path)
            assert responder.params[-1]["BLOBLO_FRONT_FILES"] == "3", path
            if path != "/bloblo/":
                assert responder.params[-1]["BLOBLO_PRESERVE_HOST"] == "true", path


def test_the_pages_are_for_this_machine(world):
    with world.responder(PASS) as responder:
        for fields in ({"X-Forwarded-For": "0"}, {"X-Forwarded-For": "10.1.2.3"}, {"Forwarded": "for=10.1.2.3"},
                       {"X-Real-IP": "0"}, {"Via": "1.1 proxy"}):
            assert world.ask("plain", path="/bloblo/", headers=fields)[0] == 403, fields
        assert responder.params == []


def test_where_tls_ends_stands_in_one_place():
    with open_registry() as registry, site(registry) as owner:
        owner.edit("bloblo-upstreams.conf", "default $scheme;", "default $http_x_forwarded_proto;")
        owner.add("site", "include snippets/bloblo-tokens.conf; location / { proxy_pass $bloblo_registry$request_uri; }")
        owner.start()
        for path in (BLOB, "/v2/", "/v2/a/manifests/latest"):
            for method in ("GET", "HEAD", "DELETE", "POST"):
                for proto in ("https", "http", None):
                    fields = {**ALICE, **({"X-Forwarded-Proto": proto} if proto else {})}
                    for _ in range(3):  # nginx does not send a POST again that a kept connection has lost
                        registry.heard.clear()
                        with owner.responder(PASS) as responder:
                            answer = owner.ask("site", method, path, fields)
                        if registry.heard or method != "POST":
                            break
                    wanted = [proto] if proto else [None] if path.endswith("latest") else ["http"]
                    assert registry.heard, (path, method, proto, answer)
                    assert [registry.heard[-1][2]["X-Forwarded-Proto"]] == wanted, (path, method)
                    assert [params["HTTP_X_FORWARDED_PROTO"] for params in responder.params] in ([], wanted), (path, method)


def test_each_road_has_nginxs_own_id(world):
    for answer, method in ROADS.values():
        for path in (BLOB, "/v2/", "/v2/a/manifests/latest"):
            world.registry.heard.clear()
            with world.responder(answer) as responder:
                world.ask("plain", method, path, {**ALICE, "X-Request-Id": "the-clients"})
            ids = [fields.get_all("X-Request-Id") for _, _, fields, _ in world.registry.heard]
            ids += [[params["HTTP_X_REQUEST_ID"]] for params in (responder.params if responder else [])]
            assert ids and len({str(each) for each in ids}) == 1 and len(ids[0][0]) == 32, (path, method, ids)


# A registry with https, and below a path

FACES = {"http, a path": (None, "/artifactory/api/docker"), "https": ("registry.internal", ""),
         "https, a path": ("registry.internal", "/artifactory"), "another's certificate": ("other.internal", "")}


@pytest.mark.parametrize("face", FACES)
def test_scheme_and_path_stand_once_beside_the_address(face):
    name, path = FACES[face]
    with open_registry(tls=name) as registry, site(registry) as owner:
        scheme = "https" if name else "http"
        owner.edit("bloblo-upstreams.conf", "default http://bloblo_registry;", f"default {scheme}://bloblo_registry{path};")
        owner.add("site", "include snippets/bloblo-tokens.conf; location / { proxy_pass $bloblo_registry$request_uri; }")
        owner.start()
        for answer, method in ROADS.values():
            for asked in (BLOB + "?ns=docker.io", "/v2/"):
                if method == "DELETE" and asked == "/v2/" or answer is REDIRECT and method == "GET":
                    continue
                registry.heard.clear()
                with owner.responder(answer):
                    status = owner.ask("site", method, asked)[0]
                if face == "another's certificate":
                    assert (status, registry.heard) == (502, []), (method, asked)
                    continue
                assert registry.heard, owner.nginx.tail()
                [(got_method, got_path, fields, _)] = registry.heard
                assert (got_method, got_path, status) == (method, path + asked, {"PUT": 405, "POST": 405, "DELETE": 202}.get(method, 200))
                assert fields["Host"] == f"127.0.0.1:{owner.ports['site']}"


# Files that a site copied earlier

OLD_PARAMS = """
fastcgi_param BLOBLO_DELIVERY pass;
fastcgi_param BLOBLO_PRESERVE_HOST false;
if ($http_x_old = "yes") { set $x_old 1; }
"""
OLD_ACCESS = "auth_basic registry; auth_basic_user_file USERS; allow 127.0.0.1; deny all;"


def test_older_copies_beside_these_files():
    with open_registry() as registry, site(registry) as owner:
        users = owner.nginx.folder / "users"
        users.write_text("alice:{PLAIN}" + stack.USERS["alice"] + "\n")
        owner.edit("bloblo-upstreams.conf", None, OLD_UPSTREAMS.replace("SOCKET", str(owner.stack.socket)).replace(
            "REGISTRY", registry.address))
        (owner.snippets / "bloblo-params.conf").write_text(OLD_PARAMS)
        (owner.snippets / "bloblo-params-access.conf").write_text(OLD_ACCESS.replace("USERS", str(users)))
        owner.add("site", "location / { proxy_pass http://bloblo_registry; proxy_set_header Host $http_host; }")
        owner.start()
        for fields in (ALICE, {**ALICE, "X-Old": "yes"}):
            for answer, method in ROADS.values():
                with owner.responder(answer) as responder:
                    registry.heard.clear()
                    wanted = {"DELETE": 202, "PUT": 405, "POST": 405}.get(method, 200)
                    assert owner.ask("site", method, headers=fields)[0] == wanted, (method, fields)
                    assert len(registry.heard) == 1 and registry.heard[0][2].get_all("Host") == [f"127.0.0.1:{owner.ports['site']}"]
                    if responder and method in ("GET", "HEAD", "DELETE"):
                        params = responder.params[-1]
                        assert (params["BLOBLO_DELIVERY"], params["BLOBLO_PRESERVE_HOST"]) == ("pass", "false")
                    assert owner.ask("site", method, headers={})[0] == 401, method
                    assert len(registry.heard) == 1


def resident(pids):
    """KiB of memory of processes that is theirs alone."""
    text = "".join(pathlib.Path(f"/proc/{pid}/smaps_rollup").read_text() for pid in pids)
    return sum(int(kib) for kib in re.findall(r"^Private_\w+:\s+(\d+) kB", text, re.M))


def test_a_slow_reader_costs_less_than_200_kib(world):
    """5,000 readers of cold blobs: nginx has less than 1 GiB."""
    readers, body = 200, b"x" * 3_000_000

    def tee(_, connection):
        connection.out(f"Status: 200\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body)
        connection.end()

    children = pathlib.Path(f"/proc/{world.nginx.pid}/task/{world.nginx.pid}/children")
    with world.responder(tee) as responder, contextlib.ExitStack() as ends:
        before = resident(children.read_text().split())
        for number in range(readers):
            client = ends.enter_context(socket.socket())
            client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            client.connect(("127.0.0.1", world.ports["plain"]))
            client.sendall(f"GET {BLOB} HTTP/1.1\r\nHost: a\r\n\r\n".encode())
            eventually(lambda number=number: len(responder.params) > number, pause=0.002)
        sizes = []

        def is_full():
            sizes.append(resident(children.read_text().split()))
            return sizes[-1] - before > 30 * readers and sizes[-20:] == [sizes[-1]] * 20

        eventually(is_full, otherwise=lambda: [size - before for size in sizes[-20:]])
        cost = (sizes[-1] - before) / readers
        assert cost < 200, cost
