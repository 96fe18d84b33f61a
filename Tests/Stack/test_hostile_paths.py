"""A secret repository stays secret, whatever path a client writes: the documented authorizers, and bloblo as a CGI program,
with the real bloblo, web servers and bucket before a registry with a public repository and a secret one."""

import contextlib
import os
import posixpath
import re
import shutil
import signal
import subprocess
import urllib.parse

import pytest

import stack
from documented import apache_authorizer, example
from doors import listens
from fakes.client import ALICE, blob_path, digest_of
from fakes.handler import Handler
from fakes.waiting import eventually
from front_site import Site

PUBLIC, SECRET = b"for everybody " * 100, b"for alice only " * 200
REPOSITORIES = {"public/app": PUBLIC, "secret/app": SECRET}
READABLE, HIDDEN = digest_of(PUBLIC), digest_of(SECRET)


class Registry(Handler):
    """Reads a path as leniently as a registry may, and then decides by it."""

    def do_GET(self):
        path = posixpath.normpath(urllib.parse.unquote(urllib.parse.urlsplit(self.path).path))
        found = re.fullmatch(r"/+v2/(.+)/blobs/(.+)", path)
        if "secret" in path and self.headers["Authorization"] != ALICE["Authorization"]:
            return self.answer(401, b"{}", WWW_Authenticate='Basic realm="two"')
        if found and found[1] in REPOSITORIES and digest_of(REPOSITORIES[found[1]]) == found[2]:
            return self.answer(200, REPOSITORIES[found[1]], Docker_Content_Digest=found[2],
                               Content_Type="application/octet-stream")
        return self.answer(200 if path == "/v2" else 404, b"{}")

    do_HEAD = do_GET


def hostile(path_of):
    """Ways to write the path of what is hidden, each beside one that everybody may read or by itself."""
    open_, hidden = path_of("public/app", READABLE), path_of("secret/app", HIDDEN)
    up = "../" * open_.count("/")
    for way in (hidden, "/" + hidden, hidden + "?x", f"{hidden}?{open_}", f"{open_}?{hidden}", hidden + "%00", hidden + "%0a",
                hidden + "/", hidden + ";", f"{hidden}/../{HIDDEN}", "/x/.." + hidden, "/x/%2e%2e" + hidden, "/." + hidden):
        yield way
        yield way.replace(":", "%3a")
    for name in ("public/../secret/app", "public/app/../../secret/app", "public%2f..%2f..%2fsecret/app", "secret%2fapp",
                 "secre%74/app", "public/%2e%2e/secret/app", "./secret/app", "secret/./app", "secret//app", "Secret/app"):
        yield path_of(name, HIDDEN)
    yield path_of("public/app", HIDDEN)
    for end in ("", "%0a", "%00", "?", "%3f"):
        for encoded in (hidden, hidden.replace(":", "%3a"), hidden.replace("secret", "%73ecret")):
            yield f"{open_}{end}/{up}{encoded[1:]}"
            yield f"{open_}{end}/{up.replace('..', '%2e%2e')}{encoded[1:]}"
            yield f"{open_}{end}/{up.replace('/', '%2f')}{encoded[1:]}"


def files(folder):
    """What the authorizers guard: a file of each repository's."""
    for name, content in REPOSITORIES.items():
        place = folder / "files/mirror" / name
        place.mkdir(parents=True)
        (place / digest_of(content)).write_bytes(content)
    subprocess.run(["chmod", "-R", "a+rX", folder / "files"], check=True)
    return folder / "files"


def mirror(name, digest):
    return f"/mirror/{name}/{digest}"


def v2(name, digest):
    return blob_path(digest, name)


class Doors(Site):
    """`urls` by the kind of door: each of the documented ones, of the real program."""

    def __init__(self, servers, ends):
        super().__init__(servers, "nginx")
        self.urls, replaced = {}, stack.Nginx.replaced
        root, wrap = files(servers.folder), servers.folder / "wrap.sock"
        nginx, apache = servers.services["nginx"], servers.services["apache"]
        options = servers.options
        settings = {name: value for name, value in self.bloblo.environment().items() if name.startswith(("BLOBLO_", "AWS_"))
                    and name not in ("BLOBLO_LISTEN_ADDR", "BLOBLO_LISTEN_GROUP")} | {"BLOBLO_SPOOL_DIR": "/var/tmp"}
        program = servers.folder / "program"
        shutil.copy(options.bloblo, program)
        params = "".join(f'fastcgi_param {name} "{value}";\n' for name, value in settings.items())

        authorizer = replaced(example("nginx", "auth_request /_may_read"), "# what it serves: root, proxy_pass, …", f"root {root};")
        by_cgi = replaced(authorizer, "fastcgi_pass bloblo;", f"fastcgi_pass unix:{wrap}; fastcgi_param SCRIPT_FILENAME {program};"
                          f"fastcgi_param GATEWAY_INTERFACE CGI/1.1; {params}")
        blobs = replaced(replaced(example("nginx", "fcgiwrap"), "/usr/local/bin/bloblo", str(program)),
                         "unix:/run/fcgiwrap.socket", f"unix:{wrap}").replace("fastcgi_param BLOBLO_UPSTREAM_URL http://127.0.0.1:5000;", params)
        for door, text in (("authorizer", authorizer), ("authorizer, fcgiwrap", by_cgi), ("blobs, fcgiwrap", blobs)):
            options.nginx_http += self.server(f"nginx: {door}", text)

        provider, location = apache_authorizer(servers.responder_address)
        options.apache_site = (f'Include bloblo/bloblo.conf\n{location}\nAlias "/mirror/" "{root}/mirror/"\n'
                               f'<Directory "{root}">\nRequire all denied\n</Directory>')
        self.urls["apache: authorizer"] = apache.url
        port = servers.ports.take()
        self.urls["apache: blobs, CGI"] = f"http://127.0.0.1:{port}"
        environment = "\n".join(f'SetEnv {name} "{value}"' for name, value in settings.items())
        options.apache_server = f"""
{provider}
Listen 127.0.0.1:{port}
<VirtualHost 127.0.0.1:{port}>
    Define BLOBLO_PROGRAM {program}
    Define BLOBLO_REGISTRY http://{options.registry}
    <Directory "{servers.folder}">
        Require all granted
    </Directory>
    Include bloblo/bloblo-cgi.conf
    {environment}
</VirtualHost>"""
        servers.up()
        process = stack.child(["fcgiwrap", "-c", "4", "-s", f"unix:{wrap}"], signal.SIGTERM, stdout=subprocess.DEVNULL,
                              stderr=subprocess.DEVNULL)
        ends.callback(process.wait)
        ends.callback(os.killpg, process.pid, signal.SIGTERM)  # its own end may leave its children behind
        eventually(lambda: listens(wrap))
        wrap.chmod(0o777)
        for name, content in REPOSITORIES.items():
            self.fill(digest_of(content), name)

    def server(self, door, text):
        port = self.servers.ports.take()
        self.urls[door] = f"http://127.0.0.1:{port}"
        return f"server {{ listen 127.0.0.1:{port}; {text} }}\n"


@pytest.fixture(scope="module")
def doors(make_shared_stack):
    with contextlib.ExitStack() as ends:
        registry = stack.serve_http(Registry, ends.callback)
        servers = make_shared_stack("s3,nginx,apache,bloblo", "--tcp", "--registry", f"127.0.0.1:{registry.server_port}", start=False)
        yield Doors(servers, ends)


DOORS = {"nginx: authorizer": mirror, "nginx: authorizer, fcgiwrap": mirror, "nginx: blobs, fcgiwrap": v2,
         "apache: authorizer": mirror, "apache: blobs, CGI": v2}


@pytest.mark.parametrize("door", DOORS)
def test_what_may_be_read_is_given_by_this_door(doors, door):
    """Else the next test would say nothing."""
    url, path_of = doors.urls[door], DOORS[door]
    for name, content, headers in (("public/app", PUBLIC, {}), ("public/app", PUBLIC, ALICE), ("secret/app", SECRET, ALICE)):
        status, fields, body = stack.request("GET", url + path_of(name, digest_of(content)), headers)
        if path_of is v2:
            assert (status, fields["X-Bloblo"]) == (307, "redirect")
            body = stack.request("GET", fields["Location"])[2]
        assert body == content


@pytest.mark.parametrize("door", DOORS)
def test_what_is_hidden_is_given_to_nobody_by_any_path(doors, door):
    url, path_of = doors.urls[door], DOORS[door]
    for path in hostile(path_of):
        status, fields, body = stack.request("GET", url + path)
        assert SECRET[:14] not in body, (path, status)
        assert HIDDEN[7:] not in (fields["Location"] or ""), (path, status)
