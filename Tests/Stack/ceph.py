"""Ceph's S3 gateway (radosgw) on a cluster of one monitor and one store in memory, of Debian's packages.

It is the one server here that knows policies: what a key may do is said per action, and an object that is not
there is answered with 403 to who may not list the bucket, as AWS does.
"""

import json
import os
import subprocess
import uuid

import stack

# A key that may do what its bucket's policy says, and nothing else.
GUEST_KEY, GUEST_SECRET = "AKIDGUEST", "SECRETGUEST"


class Daemon(stack.Service):
    """One of the cluster's processes; `words` are its command line."""

    patience = 0  # what is in memory need not be saved

    def __init__(self, owner, cluster, name, *words):
        self.name = name
        super().__init__(owner)
        self.cluster, self.words = cluster, words

    def command(self):
        return stack.program(self.words[0]), *self.cluster.options, *self.words[1:], "-f"

    def answers(self):
        return True


class Ceph(stack.Service):
    name = "ceph"
    patience = 0

    def __init__(self, owner):
        super().__init__(owner)
        self.port, self.monitor_port = owner.ports.take(), owner.ports.take()
        self.url = f"http://127.0.0.1:{self.port}"
        self.client = stack.S3Client(self.url)
        self.configuration = self.folder / "ceph.conf"
        self.keyring = self.folder / "keyring"
        self.options = "-c", str(self.configuration), "-k", str(self.keyring)
        self.daemons = []

    def run(self, *words):
        done = subprocess.run([stack.program(words[0]), *map(str, words[1:])], cwd=self.folder, capture_output=True,
                              text=True, timeout=120)
        if done.returncode != 0:
            raise stack.StackError(f"{words[0]}: {done.stderr[-1000:]}")
        return done.stdout

    def configure(self):
        for name in ("mon", "osd", "run"):
            (self.folder / name).mkdir(exist_ok=True)
        fsid = uuid.uuid4()
        self.configuration.write_text(f"""\
[global]
fsid = {fsid}
mon host = [v2:127.0.0.1:{self.monitor_port}/0]
mon initial members = a
ms bind msgr1 = false
mon data = {self.folder}/mon
osd data = {self.folder}/osd
run dir = {self.folder}/run
admin socket = {self.folder}/run/$name.$pid.asok
log file = {self.folder}/$name.log
keyring = {self.keyring}
pid file =
# one store, which forgets all
osd objectstore = memstore
memstore device bytes = 2147483648
osd pool default size = 1
osd pool default min size = 1
osd pool default pg num = 4
osd pool default pgp num = 4
osd crush chooseleaf type = 0
mon allow pool size one = true
# this disk is not the cluster's
mon data avail crit = 1
mon data avail warn = 1
rgw frontends = beast endpoint=127.0.0.1:{self.port}
rgw dynamic resharding = false
[osd]
public addr = 127.0.0.1
cluster addr = 127.0.0.1
""")
        self.run("ceph-authtool", "--create-keyring", self.keyring, "--gen-key", "-n", "mon.", "--cap", "mon", "allow *")
        self.run("ceph-authtool", self.keyring, "--gen-key", "-n", "client.admin", "--cap", "mon", "allow *",
                 "--cap", "osd", "allow *", "--cap", "mgr", "allow *")
        self.run("ceph-authtool", self.keyring, "--gen-key", "-n", "osd.0", "--cap", "mon", "allow profile osd",
                 "--cap", "osd", "allow *")
        self.run("monmaptool", "--create", "--fsid", fsid, "--addv", "a", f"[v2:127.0.0.1:{self.monitor_port}]",
                 self.folder / "monmap")
        self.run("ceph-mon", *self.options, "-i", "a", "--mkfs", "--monmap", self.folder / "monmap")

    def daemon(self, *words):
        daemon = Daemon(self.stack, self, words[0], *words)
        self.daemons.append(daemon)
        daemon.start()

    def start(self, timeout=120):
        if not self.configuration.exists():
            self.configure()
            self.daemon("ceph-mon", "-i", "a")
            store = uuid.uuid4()
            self.run("ceph", *self.options, "osd", "new", store)
            self.run("ceph-osd", *self.options, "-i", "0", "--mkfs", "--osd-uuid", store)
            self.daemon("ceph-osd", "-i", "0")
            for user, key, secret in (("owner", stack.ACCESS_KEY, stack.SECRET_KEY), ("guest", GUEST_KEY, GUEST_SECRET)):
                self.run("radosgw-admin", *self.options, "user", "create", f"--uid={user}", f"--display-name={user}",
                         f"--access-key={key}", f"--secret-key={secret}")
        super().start(timeout)

    def command(self):
        return stack.program("radosgw"), *self.options, "-n", "client.admin", "-f"

    def stop(self):
        super().stop()
        for daemon in reversed(self.daemons):
            daemon.stop()

    def answers(self):
        return self.client.call("PUT", f"/{stack.BUCKET}")[0] in (200, 409)

    def let_guest(self, *actions, deny=()):
        """What the other key may do from now on, as `s3:GetObject`. What it puts is its own: it reads that,
        unless it is denied."""
        statements = [{"Effect": effect, "Principal": {"AWS": ["arn:aws:iam:::user/guest"]}, "Action": [action],
                       "Resource": [f"arn:aws:s3:::{stack.BUCKET}{'/*' if 'Object' in action else ''}"]}
                      for effect, chosen in (("Allow", actions), ("Deny", deny)) for action in chosen]
        policy = json.dumps({"Version": "2012-10-17", "Statement": statements}).encode()
        status = self.client.call("PUT", f"/{stack.BUCKET}", policy, query=[("policy", "")])[0]
        if status != 204:
            raise stack.StackError(f"the policy is answered with {status}")
