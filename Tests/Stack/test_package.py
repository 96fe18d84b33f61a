#!/usr/bin/env python3
"""The Debian package, on this machine: installed, used behind nginx as it was installed, purged.

    test_package.py PACKAGE.deb

Needs root. Starts no service: nginx, registry and S3 are the stack's.
"""

import base64
import grp
import os
import pathlib
import pwd
import shutil
import stat
import subprocess
import sys
import tempfile
import time
import unittest

import pytest

import stack

SNIPPETS = pathlib.Path("/etc/nginx/snippets")
EXAMPLES = pathlib.Path("/usr/share/doc/bloblo/examples")
ENVIRONMENT = pathlib.Path("/etc/bloblo/bloblo.env")


def run(*words, **more):
    more = {"env": {**os.environ, "DEBIAN_FRONTEND": "noninteractive", "LC_ALL": "C.UTF-8"}, **more}
    result = subprocess.run([str(word) for word in words], capture_output=True, text=True, **more)
    if result.returncode:
        raise AssertionError(f"{words}: {result.returncode}: {result.stdout}{result.stderr}")
    return result.stdout


def is_installed():
    result = subprocess.run(["dpkg-query", "-W", "-f", "${db:Status-Status}", "bloblo"],
                            capture_output=True, text=True)
    return result.returncode == 0


pytestmark = pytest.mark.package


class PackageTests(unittest.TestCase):
    package = ""

    @classmethod
    def setUpClass(cls):
        if os.geteuid() != 0:
            raise unittest.SkipTest("needs root")
        if is_installed():
            raise unittest.SkipTest("bloblo is installed on this machine, and not ours to purge")
        cls.policy = pathlib.Path("/usr/sbin/policy-rc.d")
        cls.had_policy = cls.policy.exists()
        if not cls.had_policy:
            cls.policy.write_text("#!/bin/sh\nexit 101\n")
            cls.policy.chmod(0o755)
        try:
            run("dpkg", "--install", cls.package)
        except BaseException:
            cls.tearDownClass()
            raise
        cls.files = run("dpkg", "--listfiles", "bloblo").split("\n")

    @classmethod
    def tearDownClass(cls):
        if is_installed():
            run("dpkg", "--purge", "bloblo")
        if not cls.had_policy:
            cls.policy.unlink(missing_ok=True)

    def test_1_what_is_installed(self):
        self.assertRegex(run("/usr/bin/bloblo", "--version"), r"^\d+\.\d+\.\d+\n$")
        self.assertNotIn("libswift", run("ldd", "/usr/bin/bloblo"))
        facts = ENVIRONMENT.stat()
        self.assertEqual(stat.S_IMODE(facts.st_mode), 0o640)
        self.assertEqual((facts.st_uid, facts.st_gid), (0, grp.getgrnam("bloblo").gr_gid))
        self.assertEqual(pwd.getpwnam("bloblo").pw_shell, "/usr/sbin/nologin")
        self.assertIn(str(ENVIRONMENT), run("dpkg-query", "-W", "-f", "${Conffiles}", "bloblo"))
        for path in (stack.ROOT / "nginx").glob("bloblo-*.conf"):
            self.assertEqual((SNIPPETS / path.name).read_bytes(), path.read_bytes())
        for path in (stack.ROOT / "apache").glob("bloblo*.conf"):
            installed = pathlib.Path("/etc/apache2/conf-available") / path.name
            self.assertEqual(installed.read_bytes(), path.read_bytes())

    def test_2_every_setting_is_a_comment(self):
        lines = ENVIRONMENT.read_text().split("\n")
        self.assertFalse([line for line in lines if line and not line.startswith("#")])

    def test_3_units(self):
        service = pathlib.Path("/lib/systemd/system/bloblo.service").read_text()
        self.assertIn("\nUser=bloblo\n", service)
        self.assertIn("ExecStart=/usr/bin/bloblo\n", service)
        self.assertIn(f"EnvironmentFile={ENVIRONMENT}\n", service)
        if shutil.which("systemd-analyze"):
            run("systemd-analyze", "verify", "/lib/systemd/system/bloblo.socket",
                "/lib/systemd/system/bloblo.service")

    def test_4_completions(self):
        sourced = "source /usr/share/bash-completion/completions/bloblo && complete -p bloblo"
        self.assertIn("bloblo", run("bash", "-c", sourced))
        for shell, path in (("zsh", "/usr/share/zsh/vendor-completions/_bloblo"),
                            ("fish", "/usr/share/fish/vendor_completions.d/bloblo.fish")):
            run(shell, "-n", path)
        run("bash", "-n", "/usr/share/bash-completion/completions/bloblo")

    def test_5_use(self):
        """A blob through the installed program and the installed files of nginx: cold, then from S3."""
        with tempfile.TemporaryDirectory() as folder:
            root = pathlib.Path(folder)
            (root / ".build").symlink_to(stack.ROOT / ".build")
            (root / "nginx").mkdir()
            for path in [*SNIPPETS.glob("bloblo-*.conf"), EXAMPLES / "nginx/example-site.conf"]:
                shutil.copy(path, root / "nginx")
            before, stack.ROOT = stack.ROOT, root
            try:
                with stack.Stack(stack.options(["up", "--bloblo", "/usr/bin/bloblo"])) as servers:
                    servers.up()
                    self.pull_twice(servers)
            finally:
                stack.ROOT = before

    def pull_twice(self, servers):
        facts = servers.facts()
        user, password = next(iter(stack.USERS.items()))
        headers = {"Authorization": "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()}
        blob = os.urandom(200_000)
        digest = "sha256:" + __import__("hashlib").sha256(blob).hexdigest()
        status, answer, _ = stack.request("POST", facts["nginx_url"] + "/v2/a/b/blobs/uploads/", headers)
        self.assertEqual(status, 202)
        location = answer["Location"]
        place = location + ("&" if "?" in location else "?") + f"digest={digest}"
        status, _, _ = stack.request("PUT", place, {**headers, "Content-Type": "application/octet-stream"}, blob)
        self.assertEqual(status, 201)
        url = f"{facts['nginx_url']}/v2/a/b/blobs/{digest}"
        status, answer, body = stack.request("GET", url, headers)
        self.assertEqual((status, body), (200, blob))
        deadline = time.monotonic() + 30
        while servers.services["s3"].client.size(digest) is None and time.monotonic() < deadline:
            time.sleep(0.1)
        status, answer, _ = stack.request("GET", url, headers)
        self.assertEqual(status, 307)
        self.assertEqual(stack.request("GET", answer["Location"])[2], blob)
        self.assertEqual(stack.request("GET", url)[0], 401)

    def test_6_purge(self):
        # As after a run of the service.
        pathlib.Path("/var/cache/bloblo").mkdir(exist_ok=True)
        run("dpkg", "--purge", "bloblo")
        left = [path for path in self.files if os.path.isfile(path)]
        self.assertEqual(left, [])
        for path in ("/etc/bloblo", "/var/cache/bloblo", "/usr/share/doc/bloblo", "/run/bloblo"):
            self.assertFalse(os.path.exists(path), path)
        for names, kind in ((pwd.getpwall(), "pw_name"), (grp.getgrall(), "gr_name")):
            self.assertNotIn("bloblo", [getattr(entry, kind) for entry in names])


if __name__ == "__main__":
    PackageTests.package = sys.argv.pop(1)
    unittest.main(verbosity=2)
