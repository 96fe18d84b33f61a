"""Every example of docs/registries.md is run, by nginx and Apache with the shipped files, before a scripted registry
that answers as that product does (fakes/redirecting.py names where that is read).
"""

import contextlib
import re

import pytest

import front_site
import stack
from fakes import redirecting
from fakes.waiting import eventually

ALICE = {"Authorization": redirecting.TOKEN}
PAGE = (stack.ROOT / "docs/registries.md").read_text()
SECTIONS = {part.partition("\n")[0]: part for part in re.split(r"^## ", PAGE, flags=re.M)[1:]}


class Section:
    """The examples of a section, or of the paragraphs of it that begin with one of these words in bold."""

    def __init__(self, name, *parts):
        pieces = re.split(r"^(?=\*\*|Both methods)", SECTIONS[name], flags=re.M)
        chosen = [piece for piece in pieces if not parts or piece.startswith(tuple(parts))]
        assert chosen
        self.blocks = re.findall(r"^```(\w+)\n(.*?)^```", "".join(chosen), re.M | re.S)
        assert self.blocks, name

    def texts(self, language, place=""):
        """Those whose first line says where they belong."""
        return [text for kind, text in self.blocks if kind == language and place in text.partition("\n")[0]]

    @property
    def settings(self):
        lines = "".join(self.texts("ini")).splitlines()
        return dict(line.split("=", 1) for line in lines if not line.startswith("#"))


class Behind:
    """A model of a registry that serves below a path, wants a Host, and says which base it was asked by."""

    def __init__(self, model, path="", host=None, base=False, secure=None):
        self.storage = redirecting.Storage(secure)
        self.model = model(self.storage)
        self.path, self.host, self.base, self.heard = path, host, base, []
        answer = self.model.answer

        def judged(request):
            self.heard.append((request.command, request.path, dict(request.headers)))
            if not request.path.startswith(self.path + "/v2/"):
                return request.answer(404)
            if self.host and request.headers["Host"] != self.host:
                return request.answer(404)
            if self.base and request.headers["X-JFrog-Override-Base-Url"] != self.base:
                return request.answer(400)
            request.path = request.path.removeprefix(self.path)
            return answer(request)

        server = self.model.server.server
        server.RequestHandlerClass.do_GET = server.RequestHandlerClass.do_HEAD = judged
        if secure:
            server.socket = secure.wrap_socket(server.socket, server_side=True)
        self.address = self.model.address

    def close(self):
        self.model.close()
        self.storage.close()


class Artifactory(redirecting.Model):
    """HEAD 200, GET 302 to its storage (cloud storage with redirects).

    Source: jfrog/artifactory-docker-examples dc-os/Docker/PRO/nginx.ftl (`rewrite ^/(v1|v2)/(.*) …api/docker/$repo/$1/$2`),
    jfrog.com/help "why does docker stop working after upgrading to artifactory 4.4.0" (the base URL's field).
    """

    head, get = 200, 302


class Nexus(redirecting.Model):
    """HEAD and GET 200.

    Source: help.sonatype.com/en/docker-repository-reverse-proxy-strategies.html (a repository's path),
    help.sonatype.com "Docker Subdomain Connector" (the Host chooses).
    """

    head, get = 200, 200


# By a name: the section and its parts, the model, and what is peculiar to it.
CASES = {
    "distribution": (("distribution",), redirecting.GitLab, {}),
    "Pulp": (("Pulp",), redirecting.Pulp, {}),
    "Harbor": (("Harbor",), redirecting.Harbor, {}),
    "Harbor, proxy project": (("Harbor",), redirecting.HarborProxy, {}),
    "GitLab": (("GitLab",), redirecting.GitLab, {}),
    "Quay": (("Quay",), redirecting.Quay, {}),
    "Nexus, port": (("Nexus", "**Port"), Nexus, {}),
    "Nexus, subdomain": (("Nexus", "**Subdomain"), Nexus, {"host": "docker.nexus.example.com"}),
    "Nexus, path": (("Nexus", "**A repository's path"), Nexus, {"path": "/repository/docker-hosted"}),
    "Artifactory, subdomain": (("Artifactory", "**Subdomain", "Both"), Artifactory, {
        "path": "/artifactory/api/docker/docker-local", "base": "http://{host}"}),
    "Artifactory, path": (("Artifactory", "**Repository path", "Both"), Artifactory, {
        "path": "/artifactory/api/docker", "base": "http://{host}"}),
    "ECR": (("ECR",), redirecting.ECR, {"host": "{upstream}", "secure": True}),
    "GHCR": (("GHCR",), redirecting.GHCR, {"host": "{upstream}", "secure": True}),
}


def test_every_example_is_run():
    run = {block for (name, *parts), _, _ in CASES.values() for block in Section(name, *parts).blocks}
    everything = re.findall(r"^```(\w+)\n(.*?)^```", PAGE, re.M | re.S)
    assert [block for block in everything if block not in run] == []
    for language, text in everything:
        assert language == "ini" or text.startswith("# "), f"says not where it belongs: {text}"


class Place:
    def __init__(self, name, front, make, authority):
        (section, *parts), model, peculiar = CASES[name]
        self.section = Section(section, *parts)
        settings = self.section.settings
        self.upstream = re.match(r"https?://([^/:]+(?::\d+)?)", settings["BLOBLO_UPSTREAM_URL"])[1]
        is_secure = peculiar.get("secure")
        # The names of the page lead to an address here, which the certificate is for.
        self.registry = Behind(
            model, peculiar.get("path", ""), secure=authority.context("127.0.0.1") if is_secure else None)
        self.servers = make(f"s3,{front},bloblo", "--registry", self.registry.address, "--log-level", "debug", start=False)
        self.front = self.servers.services[front]
        self.host = peculiar.get("host", "{front}").format(
            upstream=self.registry.address, front=self.front.url.split("//")[1])
        if "host" in peculiar:
            self.registry.host = self.host
        if "base" in peculiar:
            self.registry.base = peculiar["base"].format(host=self.host)
        # What the client calls the front: the registry's own name only where it goes by that.
        self.client_host = self.host if not is_secure else self.front.url.split("//")[1]
        options = self.servers.options
        options.env |= {name: self.local(value) for name, value in settings.items() if name != "BLOBLO_UPSTREAM_FOLLOW"}
        if "BLOBLO_UPSTREAM_FOLLOW" in settings:
            options.env["BLOBLO_UPSTREAM_FOLLOW"] = self.registry.storage.address
        if is_secure:
            options.env["BLOBLO_UPSTREAM_CA_FILE"] = str(authority.file)
        (self.nginx if front == "nginx" else self.apache)(authority if is_secure else None)
        self.servers.up()
        self.site = front_site.Site(self.servers, front)

    def local(self, text):
        """With the addresses of this test."""
        text = text.replace(self.upstream + ":443", self.registry.address).replace(self.upstream, self.registry.address)
        return text.replace("127.0.0.1:24816", self.registry.storage.address)

    def nginx(self, authority):
        options, command = self.servers.options, self.front.command
        options.nginx_http = "\n".join(self.section.texts("nginx", "in http {}"))
        if authority:
            options.registry_ca = str(authority.file)

        def edited():
            words = command()
            snippets = self.front.folder / "snippets"
            for text in self.section.texts("nginx", "bloblo-upstreams.conf"):
                shipped = snippets / "bloblo-upstreams.conf"
                kept = shipped.read_text()
                for block in re.findall(r"^(?:upstream|map) .*?\}(?: *\})?$", self.local(text), re.M):
                    head = re.match(r"(?:upstream \w+|map \S+ \$\w+)", block)[0]
                    found = re.search(rf"^{re.escape(head)}\s*\{{.*?^\}}", kept, re.M | re.S)
                    kept = kept.replace(found[0], block) if found else kept
                    assert found, head
                # The certificate is for an address here.
                shipped.write_text(kept.replace(f"default {self.registry.address}; }}", "default 127.0.0.1; }"))
            for text in self.section.texts("nginx", "bloblo-params.conf"):
                with (snippets / "bloblo-params.conf").open("a") as file:
                    file.write(self.local(text))
            inside = "".join(map(self.local, self.section.texts("nginx", "in server {}")))
            page = self.front.folder / "example-site.conf"
            page.write_text(stack.Nginx.replaced(page.read_text(), "    # Blob downloads.", inside + "    # Blob downloads."))
            return words

        self.front.command = edited

    def apache(self, authority):
        above = "\n".join(map(self.local, self.section.texts("apache", "above the Include")))
        below = "\n".join(map(self.local, self.section.texts("apache", "below the Include")))
        more = ""
        if authority:  # which Apache's children can read
            public = self.servers.folder / "authority.pem"
            public.write_bytes(authority.file.read_bytes())
            more = f"Define BLOBLO_REGISTRY_CA {public}\n"
        self.servers.options.apache_site = f"{above}\n{more}Include bloblo/bloblo.conf\n{below}"

    def ask(self, path, **fields):
        return self.site.ask("GET", path, headers={"Host": self.client_host, **ALICE, **fields})

    def close(self):
        self.registry.close()


@pytest.fixture(params=CASES)
def place(request, front, make_stack, authority):
    with contextlib.closing(Place(request.param, front, make_stack, authority)) as place:
        yield place


def test_a_blob_is_filled_and_then_redirected(place):
    model = place.registry.model
    digest = model.add(50_000)
    blob = f"/v2/hub/name/blobs/{digest}"
    # While S3 does not say whether it has the blob, the registry answers.
    status, fields, body = eventually(lambda: (answer := place.ask(blob))[1]["X-Bloblo"] == "tee" and answer,
                                      otherwise=place.site.bloblo.tail)
    assert (status, body == model.blobs[digest]) == (200, True), (status, fields, place.site.bloblo.tail())
    eventually(lambda: place.ask(blob)[1]["X-Bloblo"] == "redirect", otherwise=place.site.bloblo.tail)
    assert place.site.s3.client.size(digest) == 50_000
    assert place.site.ask("GET", blob, headers={"Host": place.client_host})[0] == 401
    # The web server's own way is to the same registry: what is no blob's, and blobs while bloblo is down.
    assert place.ask(f"/v2/hub/name/blobs/sha256:{'0' * 64}")[0] == 404
    place.site.bloblo.stop()
    other = model.add(3000)
    status, fields, body = place.ask(f"/v2/hub/name/blobs/{other}")
    assert status in (200, 302, 307) and fields.get("X-Bloblo") in (None, "pass"), (status, body)
    assert body == model.blobs[other] or place.registry.storage.address in fields["Location"]
    place.ask("/v2/hub/name/manifests/1")
    assert ("GET", f"{place.registry.path}/v2/hub/name/manifests/1") in [each[:2] for each in place.registry.heard]
