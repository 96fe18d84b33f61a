"""Every nginx example of README and docs is run, by an nginx, with hostile requests among its own.

Those of Caddy, HAProxy and lighttpd are run by test_other_fronts.py and test_other_fronts_guards.py, from docs too; those of
docs/registries.md by test_documented_registries.py.
"""

import re
import signal
import socket
import subprocess

import pytest

import stack
from documented import example, examples
from doors import listens
from fakes.client import ALICE, basic
from fakes.responder import plain
from fakes.waiting import PATIENCE, eventually
from nginx_site import BLOB, CONTENT, DIGEST, PASS, REDIRECT, open_registry, site

# What tells an example from the others, and the test that runs it.
RUN_BY = {
    "listen 80;": "a_site", "above the server": "two_includes",
    "auth_basic ": "a_guard", "server registry.internal:443": "https", "split_clients": "a_careful_start",
    "fastcgi_param BLOBLO_DELIVERY $bloblo_delivery;": "a_careful_start", "worker_connections": "many_connections",
    "BLOBLO_FIELD_X_SSO_USER": "a_field", "fcgiwrap": "fcgiwrap", "auth_request /_may_read": "an_authorizer",
}
OTHER = BLOB.replace("some/name", "secret/name")
HOSTILE = [
    OTHER, "/" + OTHER, OTHER.replace("/v2/", "/v2/public/../"), OTHER.replace("/v2/", "/v2/%2e%2e/v2/"), OTHER + "?ns=x",
    OTHER.replace(":", "%3a"), OTHER.replace("/blobs/", "//blobs/"), OTHER + "%0a", OTHER + "%00", OTHER.replace("/v2", "/v2/."),
    OTHER.replace("secret", "secre%74"), OTHER.replace("/v2/", "/v2/x%2f..%2f"), f"{BLOB}/../../../../secret/name/blobs/{DIGEST}",
]


def test_every_example_is_run():
    for page, text in examples("nginx"):
        if page == "docs/registries.md":  # test_documented_registries.py
            continue
        if "# the registry\n" in text:  # a site without bloblo: test_maintainer_scripts.py
            assert "bloblo" not in text
            continue
        if "bloblo-pages" in text:  # test_operating_pages.py
            continue
        found = [name for mark, name in RUN_BY.items() if mark in text]
        assert found, f"{page}: nobody runs\n{text}"
        for name in found:
            assert f"test_{name}" in globals(), name


@pytest.fixture
def world():
    with open_registry() as registry, site(registry) as owner:
        yield owner


def assert_served(owner, name="site"):
    """Each of bloblo's answers and its absence, as the documentation says."""
    for answer, status, body in ((REDIRECT, 307, b""), (PASS, 200, CONTENT), (None, 200, CONTENT)):
        owner.forget()
        with owner.responder(answer):
            assert owner.ask(name)[::2] == (status, body)
            assert owner.ask(name, path="/v2/")[0] == 200


def assert_guarded(owner, name, status=401, headers=None):
    for answer in (REDIRECT, PASS, None):
        with owner.responder(answer):
            for method in ("GET", "HEAD", "DELETE", "PUT"):
                for path in (BLOB, *HOSTILE):
                    got, fields, body = owner.ask(name, method, path, headers or {})
                    assert got in (status, 400, 404), (path, got)
                    assert fields["Location"] is None and CONTENT[:20] not in body
    assert owner.registry.heard == []


def test_a_site(world):
    text = example("nginx", "listen 80;").replace("include snippets/bloblo-upstreams.conf;", "")
    world.ports["site"] = world.stack.ports.take()
    world.http = stack.Nginx.replaced(stack.Nginx.replaced(
        text, "listen 80;", f"listen 127.0.0.1:{world.ports['site']}; location ~ ^/v2/secret/ {{ deny all; }}"),
        "127.0.0.1:5000", world.registry.address)
    world.start()
    assert_served(world)
    world.forget()
    for path in HOSTILE:  # a path that is decoded to a secret one is one
        with world.responder(REDIRECT):
            status, _, body = world.ask("site", path=path)
            assert status in (403, 400) and CONTENT[:20] not in body, path


def test_two_includes(world):
    names = []
    for page, text in examples("nginx"):
        if "above the server" in text:
            first, second = re.findall(r"^include snippets/\S+;", text, re.M)
            assert first == "include snippets/bloblo-upstreams.conf;"
            world.add(page, "location / { proxy_pass http://bloblo_registry; }", second)
            names.append(page)
    world.start()
    assert len(names) == 2
    for name in names:
        assert_served(world, name)


def users(folder):
    path = folder / "users"
    path.write_text("alice:{PLAIN}" + stack.USERS["alice"] + "\n")
    return path


def test_a_guard(world):
    guard = stack.Nginx.replaced(example("nginx", "auth_basic "), "/etc/nginx/registry.htpasswd", str(users(world.nginx.folder)))
    rest = "location / { proxy_pass http://bloblo_registry; }"
    world.add("access", rest, world.locations_with("access", guard))
    world.add("server", guard + rest)
    world.start()
    for name in ("access", "server"):
        world.forget()
        assert_guarded(world, name)
        assert_guarded(world, name, headers=basic("alice", "wrong"))
        with world.responder(REDIRECT):
            assert world.ask(name)[0] == 307


def test_https():
    with open_registry(tls="registry.internal") as registry, site(registry) as owner:
        text = stack.Nginx.replaced(example("nginx", "server registry.internal:443"), "registry.internal:443", registry.address)
        shipped = (stack.ROOT / "nginx/bloblo-upstreams.conf").read_text()
        bloblo = re.search(r"^upstream bloblo \{.*?^\}", shipped, re.M | re.S)[0]
        owner.edit("bloblo-upstreams.conf", None, stack.Nginx.replaced(
            bloblo, "unix:/run/bloblo/bloblo.sock", f"unix:{owner.stack.socket}") + text)
        owner.add("site", "location / { proxy_pass $bloblo_registry$request_uri; }")
        owner.start()
        with owner.responder(PASS):
            assert owner.ask("site")[::2] == (200, CONTENT)
        assert registry.heard[-1][1] == "/artifactory/api/docker/images" + BLOB
        # No path of a client's leaves the one below which the registry serves.
        for path in HOSTILE:
            with owner.responder(PASS):
                owner.ask("site", path=path)
        for _, path, _, _ in registry.heard:
            assert path.startswith("/artifactory/api/docker/images/")
            depth = 0
            for part in path.removeprefix("/artifactory/api/docker/images/").split("?")[0].split("/"):
                depth += -1 if part in ("..", "%2e%2e") else part not in (".", "")
                assert depth >= 0, path


def test_a_careful_start(world):
    params = [found.text for found in examples("nginx") if "fastcgi_param BLOBLO_DELIVERY $bloblo_delivery;" in found.text]
    (world.snippets / "bloblo-params.conf").write_text(params[0])
    world.http += example("nginx", "split_clients")
    world.add("site", "set_real_ip_from 127.0.0.1; real_ip_header X-Test; location / { proxy_pass http://bloblo_registry; }")
    world.start()

    def as_bloblo(params, connection):
        (PASS if params["BLOBLO_DELIVERY"] == "pass" else REDIRECT)(params, connection)

    with world.responder(as_bloblo):
        addresses = [f"10.0.{number // 200}.{number % 200}" for number in range(600)]
        met = {address for address in addresses if world.ask("site", headers={"X-Test": address})[0] == 307}
        assert 30 <= len(met) <= 95, len(met)
        for address in addresses[:50]:  # a client meets the same each time
            assert (world.ask("site", headers={"X-Test": address})[0] == 307) == (address in met)


def test_many_connections(world):
    """The main part of nginx.conf: Debian's 768 connections would not be enough for 1,500 clients."""
    text = example("nginx", "worker_connections")
    command = world.nginx.command

    def changed():
        words = command()
        path = world.nginx.folder / "nginx.conf"
        path.write_text(text + re.sub(r"^(worker_processes|events).*\n", "", path.read_text(), flags=re.M))
        return words

    world.nginx.command = changed
    world.add("site", "location / { proxy_pass http://bloblo_registry; }")
    world.start()
    clients = []
    try:
        for _ in range(1600):
            clients.append(socket.create_connection(("127.0.0.1", world.ports["site"]), PATIENCE))
        assert_served_once(world)
    finally:
        for client in clients:
            client.close()


def assert_served_once(world):
    with world.responder(REDIRECT):
        assert world.ask("site")[0] == 307
    assert "worker_connections are not enough" not in world.nginx.log.read_text()


def test_a_field(world):
    (world.snippets / "bloblo-params.conf").write_text(example("nginx", "BLOBLO_FIELD_X_SSO_USER"))
    guard = f"auth_basic x; auth_basic_user_file {users(world.nginx.folder)};"
    world.add("site", guard + "location / { proxy_pass http://bloblo_registry; }")
    world.start()
    with world.responder(REDIRECT) as responder:
        for forged in ({}, {"X-SSO-User": "admin", "Bloblo-Field-X-SSO-User": "admin"}):
            world.ask("site", headers={**ALICE, **forged})
            assert responder.params[-1]["BLOBLO_FIELD_X_SSO_USER"] == "alice"


def authorizer(params, connection):
    """As bloblo: reads a plain path only, and lets everybody read what is public."""
    path = re.fullmatch(r"/v2/(public/[a-z/]+)/blobs/sha256:[0-9a-f]{64}", params["REQUEST_URI"])
    plain("Status: 200" if path else "Status: 403")(params, connection)


def test_an_authorizer(world):
    files = world.nginx.folder / "files"
    for name, content in (("public/app", b"public"), ("secret/app", b"the secret")):
        (files / "mirror" / name).mkdir(parents=True)
        (files / "mirror" / name / DIGEST).write_bytes(content)
    served = stack.Nginx.replaced(example("nginx", "auth_request /_may_read"), "# what it serves: root, proxy_pass, …", f"root {files};")
    world.add("site", served, "")
    world.start()
    encoded = DIGEST.replace(":", "%3a")
    hostile = [f"/mirror/secret/app/{DIGEST}", f"/mirror/public/app/{DIGEST}/../../../secret/app/{encoded}",
               f"/mirror/public/app/{DIGEST}/../../../secret/app/{DIGEST}", f"/mirror/public/../secret/app/{DIGEST}",
               f"/mirror/public/app/../../secret/app/{encoded}?x=/mirror/public/app/{DIGEST}", f"//mirror//secret/app/{DIGEST}",
               f"/mirror/secret/app/{DIGEST}?/mirror/public/app/{DIGEST}", f"/mirror/secret%2fapp/{DIGEST}",
               f"/mirror/public%2f..%2f..%2fsecret/app/{DIGEST}", f"/mirror/public/app/{DIGEST}%0a/../../secret/app/{DIGEST}",
               f"/mirror/secret/app/{DIGEST}%00", f"/x/../mirror/secret/app/{DIGEST}", f"/mirror/%2e%2e/mirror/secret/app/{encoded}",
               "/_may_read", f"/_may_read?/v2/public/app/blobs/{DIGEST}"]
    with world.responder(authorizer) as responder:
        assert world.ask("site", path=f"/mirror/public/app/{DIGEST}")[::2] == (200, b"public")
        for path in hostile:
            status, _, body = world.ask("site", path=path)
            assert status >= 400 and b"secret" not in body, path
        assert all(params["BLOBLO_ROLE"] == "authorizer" for params in responder.params)
    assert world.ask("site", path=f"/mirror/public/app/{DIGEST}")[0] == 500  # bloblo is down


def test_fcgiwrap(world):
    wrap, script = world.nginx.folder / "wrap.sock", world.nginx.folder / "program"
    script.write_text('#!/bin/sh\nprintf "Status: 200\\r\\n\\r\\n"\nenv | sort\n')
    script.chmod(0o755)
    text = stack.Nginx.replaced(example("nginx", "fcgiwrap"), "unix:/run/fcgiwrap.socket", f"unix:{wrap}")
    text = stack.Nginx.replaced(text, "/usr/local/bin/bloblo", str(script))
    world.add("site", text, "")
    world.start()
    process = stack.child([stack.program("fcgiwrap"), "-s", f"unix:{wrap}"], signal.SIGTERM, stdout=subprocess.DEVNULL,
                          stderr=subprocess.DEVNULL)
    try:
        eventually(lambda: listens(wrap), otherwise=process.poll)
        wrap.chmod(0o777)
        _, _, body = world.ask("site", headers={**ALICE, "Proxy": "http://attacker", "X-Forwarded-For": "10.0.0.5", "X-Real-IP": "1.2.3.4"})
        said = dict(line.split("=", 1) for line in body.decode().splitlines() if "=" in line)
        assert said["REQUEST_URI"] == BLOB and said["HTTP_AUTHORIZATION"] == ALICE["Authorization"]
        assert said.get("HTTP_PROXY", "") == "" and said["HTTP_X_REAL_IP"] == "127.0.0.1"
        assert said["HTTP_X_FORWARDED_FOR"] == "10.0.0.5, 127.0.0.1"
    finally:
        process.terminate()
        process.wait()
