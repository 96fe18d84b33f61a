"""Every command of README and docs, word for word, in a tree of this machine that is thrown away.

The package is installed there from .build/deb, as README says; registry, S3, nginx and Apache are real ones. A word that
stands for the reader's own is put in: `sha256:…` and `Basic …`.
"""

import contextlib
import json
import re

import pytest

import stack
from fakes.authority import Authority
from fakes.client import basic, digest_of
from fakes.waiting import eventually
from servers.registry import bcrypt
from throwaway import Tree

pytestmark = [pytest.mark.package, pytest.mark.root]

# What can't run in a tree, and why; at most 15.
NOT_RUN = {
    "make demo": "builds, and starts the servers of the tests: Tests/Stack/demo.py, which test_status_page.py runs",
    "make test": "runs this",
    "make deb": "has built the package that is installed here",
    "make bench": "measures for a quarter of an hour",
    "packaging/image registry.example.com/tools/bloblo:0.1.0": "`make image` runs it for test_image.py, with buildah",
    "packaging/image && docker load --input .build/image/bloblo.tar": "run by test_image.py, with a daemon of its own",
    "docker compose --file packaging/container/compose.yaml up": "run by test_image.py, with a daemon of its own",
    "docker compose --file packaging/container/compose.yaml exec nginx curl -s localhost/bloblo/": "run by test_image.py",
    "systemctl enable --now bloblo.socket bloblo.service": "no systemd in a tree: the unit's program is started with its "
                                                          "file; test_systemd.py runs the units",
    "editor /etc/bloblo/bloblo.env": "wants a person; the lines that README shows are written",
}
COMMAND = re.compile(r"(?:make|apt|apt-get|systemctl|curl|docker|podman|a2enmod|mkdir|cp|install|spawn-fcgi|editor|adduser|touch|rm|nginx"
                     r"|apache2ctl) |bloblo (?:check|warm|sweep|purge|offload|presign|serve|health)\b|packaging/image "
                     r"|(?:GATEWAY_INTERFACE|REQUEST_METHOD)=")
PASSWORD = stack.USERS["alice"]
CONTENT = b"a layer of debian " * 1000
DIGEST = digest_of(CONTENT)
APP_LAYER = b"an app" * 1000
APP = digest_of(APP_LAYER)


def commands():
    """(page, command) of each indented or console line, without its comment."""
    found = []
    for path in (stack.ROOT / "README.md", *sorted((stack.ROOT / "docs").glob("*.md"))):
        text = re.sub(r"\\\n +", "", path.read_text())
        shown = "\n".join(re.findall(r"^```console\n(.*?)^```", text, re.M | re.S))
        rest = re.sub(r"^```.*?^```", "", text, flags=re.M | re.S)
        for line in shown.split("\n") + re.findall(r"^    (\S.*)$", rest, re.M):
            command = re.sub(r"^[$#] ", "", re.sub(r"\s{2,}#.*$", "", line)).strip()
            if COMMAND.match(command):
                found.append((path.name, command))
    return found


def documented(mark):
    """The documented commands that have these words, each once."""
    found = list(dict.fromkeys(command for _, command in commands() if mark in command))
    assert found, f"no page has {mark}"
    return found


class Machine:
    """`say(mark)` runs the documented commands that have these words."""

    def __init__(self, ends):
        self.ends = ends
        self.tree = Tree(ends)
        authority = Authority(self.tree.folder)
        certificate, key = authority.certificate("registry.example.com", "ghcr.io")
        self.tree.copy(authority.file, "/usr/local/share/ca-certificates/tests.crt")
        self.tree.copy(certificate, "/etc/ssl/certs/registry.example.com.pem")
        self.tree.copy(key, "/etc/ssl/private/registry.example.com.key")
        self.tree.write("/etc/hosts", "127.0.0.1 localhost registry.example.com ghcr.io\n")
        self.tree.sh("update-ca-certificates >/dev/null 2>&1")
        self.servers()

    def servers(self):
        tree = self.tree
        tree.write("/srv/users", "".join(f"{user}:{bcrypt(password)}\n" for user, password in
                                         {**stack.USERS, "me": PASSWORD, "cleaner": PASSWORD}.items()))
        tree.write("/srv/registry.json", json.dumps({
            "version": 0.1, "log": {"level": "error"}, "http": {"addr": "127.0.0.1:5000"},
            "storage": {"filesystem": {"rootdirectory": "/srv/registry"}, "delete": {"enabled": True}},
            "auth": {"htpasswd": {"realm": "registry", "path": "/srv/users"}}}))
        tree.start(self.ends, "docker-registry", "serve", "/srv/registry.json")
        tree.write("/srv/s3.json", json.dumps({"identities": [{"name": "bloblo", "credentials": [
            {"accessKey": stack.ACCESS_KEY, "secretKey": stack.SECRET_KEY}], "actions": ["Admin", "Read", "Write", "List"]}]}))
        tree.sh("mkdir -p /srv/weed")
        tree.start(self.ends, stack.program("weed"), "server", "-ip=127.0.0.1", "-dir=/srv/weed", "-s3", "-s3.port=8333",
                   "-s3.config=/srv/s3.json", "-s3.port.iceberg=0", "-s3.port.lance=0", "-volume.max=100",
                   "-master.volumeSizeLimitMB=64", "-master.telemetry=false")
        self.python("eventually(lambda: stack.S3Client('http://127.0.0.1:8333').call('PUT', '/my-layers')[0] in (200, 409), 120)",
                    "eventually(lambda: stack.request('GET', 'http://127.0.0.1:5000/v2/')[0] == 401, 120)")
        self.push("library/debian", "latest", CONTENT)
        self.push("team/app", "1.2", APP_LAYER)
        auth = basic("me", PASSWORD)["Authorization"].removeprefix("Basic ")
        tree.write("/root/.docker/config.json", json.dumps({"auths": {
            name: {"auth": auth} for name in ("ghcr.io", "registry.example.com", "127.0.0.1:5000")}}))

    def python(self, *lines):
        """Runs lines in the tree, where the servers can be reached, with the modules of the tests."""
        script = "\n".join(("import json, hashlib, contextlib, stack", "from fakes.client import *",
                            "from fakes.waiting import eventually as wait",
                            "def eventually(true, seconds):", "    def tried():",
                            "        with contextlib.suppress(OSError): return true()", "    return wait(tried, seconds)", *lines))
        return self.tree.enter(stack.ROOT / ".build/venv/bin/python", "-c", script,
                               environment={"PYTHONPATH": str(stack.ROOT / "Tests/Stack"), "PYTHONDONTWRITEBYTECODE": "1"}).stdout

    def push(self, name, tag, layer):
        """An image of one layer for two platforms."""
        self.python(f"name, layer, url = {name!r}, {layer!r}, 'http://127.0.0.1:5000'",
                    "config = b'{}'", "for blob in (layer, config): push(url, blob, name)",
                    "def described(kind, body): return {'mediaType': kind, 'digest': digest_of(body), 'size': len(body)}",
                    "def put(target, kind, document):", "    body = json.dumps(document).encode()",
                    "    status, _, said = stack.request('PUT', f'{url}/v2/{name}/manifests/{target or digest_of(body)}', "
                    "{**ALICE, 'Content-Type': kind}, body)", "    assert status == 201, said", "    return described(kind, body)",
                    "kind = 'application/vnd.docker.distribution.manifest.v2+json'",
                    "manifest = put(None, kind, {'schemaVersion': 2, 'mediaType': kind, 'config': described("
                    "'application/vnd.docker.container.image.v1+json', config), 'layers': [described("
                    "'application/vnd.docker.image.rootfs.diff.tar.gzip', layer)]})",
                    "kind = 'application/vnd.docker.distribution.manifest.list.v2+json'",
                    f"put({tag!r}, kind, {{'schemaVersion': 2, 'mediaType': kind, 'manifests': [{{**manifest, 'platform': "
                    "{'os': 'linux', 'architecture': each}} for each in ('amd64', 'arm64')]})")

    def say(self, mark, **more):
        """What the commands write, one after the other."""
        return "".join(self.run(command, **more) for command in documented(mark))

    def run(self, command, put_in=DIGEST, typed=PASSWORD, first=""):
        text = command.replace("sha256:…", put_in).replace("Basic …", basic("me", PASSWORD)["Authorization"])
        done = self.tree.enter("sh", "-c", f"cd {stack.ROOT}; {first} {text}", check=False, input=typed + "\n", start_new_session=True)
        assert done.returncode == 0, (command, done)
        return done.stdout + done.stderr


@pytest.fixture(scope="module")
def machine():
    with contextlib.ExitStack() as ends:
        machine = Machine(ends)
        machine.say("apt install")
        lines = [line for line in re.findall(r"^    ((?:BLOBLO_|AWS_)\w+=.*)", (stack.ROOT / "README.md").read_text(), re.M)]
        assert len(lines) == 5
        settings = "\n".join(lines).replace("KEY_ID=…", f"KEY_ID={stack.ACCESS_KEY}").replace("ACCESS_KEY=…", f"ACCESS_KEY={stack.SECRET_KEY}")
        # AWS is not there.
        machine.tree.write("/etc/bloblo/bloblo.env", settings + "\nBLOBLO_S3_ENDPOINT_URL=http://127.0.0.1:8333\n", 0o640)
        machine.tree.sh("chown root:bloblo /etc/bloblo/bloblo.env")
        yield machine


@pytest.fixture(scope="module")
def served(machine):
    """bloblo runs as the documented spawn-fcgi line starts it, and nginx serves the documented site with TLS."""
    tree = machine.tree
    tree.sh("cp /usr/bin/bloblo /usr/local/bin/bloblo")
    kept = tree.sh("cat /etc/bloblo/bloblo.env").stdout
    machine.say("adduser")
    machine.say("install -D -m 640")
    tree.write("/etc/bloblo/bloblo.env", kept, 0o640)
    machine.say("install -d /run/bloblo")
    [command] = documented("spawn-fcgi")
    tree.start(machine.ends, "sh", "-c", f"exec {command}")
    eventually(lambda: tree.sh("test -S /run/bloblo/bloblo.sock", check=False).returncode == 0)
    tree.sh("rm -rf /etc/nginx/sites-enabled/* /etc/nginx/conf.d/*")
    site = (stack.ROOT / "nginx/example-site.conf").read_text()
    for line in ("listen 443 ssl http2;", "ssl_certificate     /etc", "ssl_certificate_key /etc"):
        site = stack.Nginx.replaced(site, f"#{line}", line)
    tree.write("/etc/nginx/conf.d/registry.conf", site.replace("server_name registry.example.com;", "server_name registry.example.com ghcr.io;"))
    tree.start(machine.ends, "nginx", "-g", "daemon off;")
    eventually(lambda: tree.sh("curl -s https://registry.example.com/v2/", check=False).returncode == 0)
    return machine


def test_readme_then_did_it_work(served):
    """A layer: refused without a credential, cold, then redirected; and `bloblo check` says that all is well."""
    assert "401" in served.say("curl -I")
    served.say("curl -i -u me")
    served.python("eventually(lambda: stack.request('GET', 'http://127.0.0.1/v2/library/debian/blobs/%s', "
                  "basic('me', %r))[0] == 307, 120)" % (DIGEST, PASSWORD))
    said = served.say("curl -i -u me")
    assert " 307" in said and "X-Bloblo: redirect" in said.replace("x-bloblo", "X-Bloblo")
    for command in documented("bloblo check"):
        said = served.run(command)
        assert re.search(r"sum: \d+ ok, \d+ warn, 0 FAIL", said), said
        assert "FAIL " not in said
        # Without --user it is docker's login.
        assert ("login: as me" if "--user" in command else "login: by docker's login at registry.example.com") in said


def test_a_user_who_may_not_read_the_settings_is_told_so(served):
    done = served.tree.enter("setpriv", "--reuid=nobody", "--regid=nogroup", "--clear-groups", "bloblo", "check", check=False)
    assert done.returncode == 78
    assert "/etc/bloblo/bloblo.env is not read: Permission denied; run this as root" in done.stderr


def test_the_switch(served):
    words = documented("bloblo offload")
    assert len(words) == 3
    said = [served.run(command) for command in words]
    assert "off" in said[0] and "on" in said[1] and said[1] == said[2], said


def test_warm_and_sweep(served):
    assert "failed" not in served.say("bloblo warm ghcr.io/team/app:1.2 --platform").replace("0 failed", "")
    served.say("bloblo warm team/app:1.2")
    served.tree.write("/etc/bloblo/cleaner", PASSWORD + "\n", 0o600)
    for command in documented("bloblo sweep"):
        said = served.run(command)
        assert ("0 gone" in said and "0 not ours" in said) if "--gone" in command else "0 aborted" in said, (command, said)


def test_purge(served):
    served.say("bloblo warm team/app:1.2")
    assert "is deleted" in served.say("bloblo purge", put_in=APP)


def test_a_cgi_process_and_cgi_fcgi(served):
    # A CGI program has the web server's variables, and reads no file.
    said = served.say("GATEWAY_INTERFACE=", first="set -a; . /etc/bloblo/bloblo.env;")
    assert re.search(r"Status: \d{3}", said), said
    said = served.say("cgi-fcgi -bind", put_in=DIGEST)
    assert re.search(r"Status: \d{3}", said), said


def test_apache(machine):
    tree = machine.tree
    machine.say("a2enmod")
    machine.say("mkdir /etc/apache2/bloblo")
    tree.sh("rm -rf /etc/apache2/sites-enabled/* && mkdir -p /run/apache2")
    tree.write("/etc/apache2/ports.conf", "Listen 8080\n")
    tree.write("/etc/apache2/sites-enabled/registry.conf", (stack.ROOT / "apache/example-site.conf").read_text().replace("*:80", "*:8080"))
    tree.sh("apache2ctl -t")


def test_systemd_units_are_where_they_belong(machine):
    kept = machine.tree.sh("cat /etc/bloblo/bloblo.env").stdout
    machine.say("cp packaging/systemd")
    machine.say("install -D -m 600")
    assert machine.tree.path("/etc/systemd/system/bloblo.socket").exists()
    assert "600 root" in machine.tree.sh("stat -c '%a %U' /etc/bloblo/bloblo.env").stdout
    machine.tree.write("/etc/bloblo/bloblo.env", kept, 0o640)
    machine.tree.sh("chown root:bloblo /etc/bloblo/bloblo.env")


def test_every_command_is_run_or_says_why_not():
    assert len(NOT_RUN) <= 15
    tests = (stack.ROOT / "Tests/Stack/test_documented_commands.py").read_text()
    marks = re.findall(r'(?:say|documented)\("([^"]+)"', tests)
    for page, command in commands():
        assert command in NOT_RUN or any(mark in command for mark in marks), f"{page}: nobody runs {command}"
    for command in NOT_RUN:
        assert command in [said for _, said in commands()], f"no page has {command} any more"
