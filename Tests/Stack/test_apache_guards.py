"""Apache's own refusal is final: errors of each of its phases before the request is let in, with bloblo up,
passing and down, over an open registry.

    .build/venv/bin/python -m pytest Tests/Stack/test_apache_guards.py
"""

import base64
import subprocess

import pytest

import stack
from apache_sites import BLOB, CONTENT, DIGEST, SIGNED, Sites
from fakes.responder import FakeResponder, plain

# What a module of the site's may answer, and where: Apache's phases before the fixups.
PHASES = "AccessChecker", "CheckUserID", "AuthChecker"
STATUSES = (403, 423, 424, 429, 500, 502, 503, 504)

PASSWORDS = """
    AuthType Basic
    AuthName site
    {}
    Require valid-user"""
GUARDS = {
    "passwords": (PASSWORDS.format("AuthUserFile {users}"), 401),
    "no file of passwords": (PASSWORDS.format("AuthUserFile {users}.gone"), 500),
    "LDAP is down": (PASSWORDS.format('AuthBasicProvider ldap\n    AuthLDAPURL "ldap://127.0.0.1:{closed}/dc=x?uid"'), 500),
    "a cache before LDAP": (PASSWORDS.format(
        'AuthBasicProvider socache ldap\n    AuthnCacheProvideFor ldap\n    AuthLDAPURL "ldap://127.0.0.1:{closed}/dc=x?uid"'), 500),
    "an authorizer is down": (
        "AuthType None\nAuthnzFcgiCheckAuthnProvider gone Authoritative On RequireBasicAuth Off UserExpr x\n"
        "Require valid-user", 500),
    "addresses": ("Require ip 10.9.9.9", 403),
    "an expression": ("Require expr \"%{{HTTP:X-Key}} == 'open'\"", 403),
    "maintenance": ("RewriteEngine on\nRewriteRule .* - [R=503]", 503),
    "nobody": ("Require all denied", 403),
    **{f"AccessChecker {status}": (f"LuaHookAccessChecker {{lua}} refuse_{status} early", status) for status in STATUSES},
    **{f"CheckUserID {status}": (
        f"AuthType Own\nAuthName site\nRequire valid-user\nLuaHookCheckUserID {{lua}} refuse_{status}", status)
       for status in STATUSES},
    **{f"AuthChecker {status}": (
        PASSWORDS.format("AuthUserFile {users}") + f"\nLuaHookAuthChecker {{lua}} refuse_{status} early", status)
       for status in STATUSES},
}
PLACES = {
    "/v2/ below": '«Include»\n<Location "/v2/">\n{}\n</Location>',
    "/v2/ above": '<Location "/v2/">\n{}\n</Location>\n«Include»',
    "/ below": '«Include»\n<Location "/">\n{}\n</Location>',
    "/ above": '<Location "/">\n{}\n</Location>\n«Include»',
    "a repository": '«Include»\n<LocationMatch "^/v2/secret/">\n{}\n</LocationMatch>',
}
# Beyond any <Location>.
WHOLE_SITE = {
    **{f"site {phase} {status}": (f"LuaHook{phase} {{lua}} refuse_{status} early\n«Include»", status)
       for phase in ("TranslateName", "AccessChecker") for status in STATUSES},
    "site maintenance": ("RewriteEngine on\nRewriteRule ^/v2/ - [R=503]\n«Include»", 503),
}

ANSWERS = {
    "redirects": plain(f"Location: {SIGNED}\r\nStatus: 307\r\nContent-Length: 0\r\nX-Bloblo: redirect"),
    "passes": plain("Status: 424\r\nX-Bloblo: pass\r\nContent-Length: 0"),
    "tees": plain(f"Status: 200\r\nX-Bloblo: tee\r\nContent-Length: {len(CONTENT)}", CONTENT),
    "fails": plain("Status: 500\r\nContent-Length: 0"),
    "says nothing": plain(""),
    "is down": None,
}


def basic(user, password):
    return {"Authorization": "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()}


ALICE, MALLORY = basic("alice", stack.USERS["alice"]), basic("mallory", "wrong")


def the_sites(folder, closed):
    """(name, text, status of the refusal)"""
    users, lua = folder / "users", folder / "refuse.lua"
    users.write_text(subprocess.run([stack.program("htpasswd"), "-bnm", "alice", stack.USERS["alice"]],
                                    check=True, capture_output=True, text=True).stdout)
    lua.write_text("\n".join(f"function refuse_{status}(r) return {status} end" for status in STATUSES))
    facts = {"users": users, "lua": lua, "closed": closed}
    for guard, (text, status) in GUARDS.items():
        for place, around in PLACES.items():
            if " " in guard and guard.split()[0] in PHASES and place != "/v2/ below":
                continue
            yield f"{guard}, {place}", around.format(text.format(**facts)), status
    for name, (text, status) in WHOLE_SITE.items():
        yield name, text.format(**facts), status


@pytest.fixture(scope="module")
def guarded():
    refusals, texts, ports = {}, {}, stack.Ports()
    ldap, authorizer = ports.take(), ports.take()  # nobody listens there

    def sites(folder):
        for name, text, status in the_sites(folder, ldap):
            refusals[name], texts[name] = status, text
        return texts

    server = ('AuthnzFcgiDefineProvider authn gone "fcgi://127.0.0.1:%d/"\n'
              "AuthnCacheEnable\nAuthnCacheSOCache shmcb" % authorizer)
    with Sites(sites, "--services", "registry,apache", "--auth", "none",
               modules=("lua", "ldap", "authnz_ldap", "authn_socache"), server=server,
               includes="Include bloblo/bloblo.conf\nInclude bloblo/bloblo-tokens.conf") as all_sites:
        all_sites.refusals, all_sites.texts = refusals, texts
        all_sites.push(all_sites.stack.services["registry"].url)
        yield all_sites
    ports.close()


@pytest.fixture(params=ANSWERS)
def responder(request, guarded):
    answer = ANSWERS[request.param]
    if answer is None:
        yield None
        return
    responder = FakeResponder(guarded.stack.socket, answer)
    guarded.stack.socket.chmod(0o777)
    yield responder
    responder.close()


def test_a_refusal_is_the_clients_answer(guarded, responder):
    wrong = []
    for site, status in guarded.refusals.items():
        people = {"nobody": {}, "mallory": MALLORY, **({"alice": ALICE} if site.startswith(PHASES) else {})}
        asked = [("GET", BLOB), ("HEAD", BLOB), ("DELETE", BLOB)]
        if "repository" not in site:
            asked += [("GET", "/v2/"), ("GET", "/v2/token")]
        for method, path in asked:
            for who, headers in people.items():
                # A wrong password, or none, may be refused before what fails is asked.
                wanted = {status, 401} if who != "alice" and "AuthType Basic" in guarded.texts[site] and (
                    who == "nobody" or site.startswith("Auth")) else {status}
                got, answer, body = guarded.ask(site, method, path + "?refused", headers)
                if status in (423, 424):  # which are bloblo's words, and nobody else's
                    wanted |= {403, 404}
                if got not in wanted or answer["Location"] or CONTENT[:20] in body or body == b"{}":
                    wrong.append((site, method, path[:12], who, got, answer["Location"], len(body)))
    assert not wrong, "\n".join(map(str, wrong))
    assert "?refused" not in guarded.stack.services["registry"].access_log.read_text()
    if responder:
        assert responder.params == []


def test_who_is_let_in_gets_blobs(guarded, responder):
    for place in PLACES:
        for method in ("GET", "HEAD"):
            got, answer, body = guarded.ask(f"passwords, {place}", method, BLOB, ALICE)
            if answer["Location"]:
                assert (got, answer["Location"]) == (307, SIGNED)
            else:
                assert (got, body) == (200, CONTENT if method == "GET" else b""), place
                assert answer["X-Bloblo"] in ("pass", "tee")
    if responder:
        assert len(responder.params) == 2 * len(PLACES)


SPELLINGS = [
    "/.bloblo/pass", "/.bloblo/pass?x=1", "//.bloblo/pass", "/%2ebloblo/pass", "/.bloblo%2fpass", "/x/../.bloblo/pass",
    "/.bloblo/./pass", "/.bloblo//pass", "/.bloblo", "/.bloblo/", "/.bloblo/s3/", f"/.bloblo/s3/{DIGEST}",
    "/./.bloblo/s3/x", "/%2e%62loblo/s3/x", "/v2/../.bloblo/pass", "/.bloblo/s3/../pass"]


@pytest.mark.parametrize("path", SPELLINGS)
@pytest.mark.parametrize("method", ("GET", "HEAD", "POST", "DELETE"))
def test_inner_paths_do_not_exist(guarded, method, path):
    fields = {**ALICE, "REDIRECT_STATUS": "423", "Redirect-Status": "424", "bloblo-let-in": "1", "bloblo-asked": "1"}
    for site in ("passwords, /v2/ below", "passwords, / below"):
        got, answer, body = guarded.ask(site, method, path, fields)
        assert (got, answer["Location"]) == (404, None)
        assert CONTENT[:20] not in body
