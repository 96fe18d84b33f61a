#!/usr/bin/env python3
"""bloblo before Ceph, whose gateway knows policies and is as strict as AWS.

    python3 Tests/Stack/test_ceph.py [TestCeph.test_…]
"""

import base64
import hashlib
import os
import subprocess
import unittest

import ceph
import oci_image
import stack
import test_s3

MIB = 1 << 20


class TestCeph(test_s3.Judge, test_s3.Watcher, unittest.TestCase):
    """One gateway for all; a registry, nginx and bloblo for each that needs them."""

    @classmethod
    def setUpClass(cls):
        cls.ground = test_s3.make_stack()
        cls.addClassCleanup(cls.ground.down)
        cls.ceph = ceph.Ceph(cls.ground)
        cls.addClassCleanup(cls.ceph.stop)
        cls.ceph.start()

    def up(self, *arguments, key=stack.ACCESS_KEY, secret=stack.SECRET_KEY, is_at_registry=False, **env):
        env = {"BLOBLO_S3_ENDPOINT_URL": self.ceph.url, "AWS_ACCESS_KEY_ID": key, "AWS_SECRET_ACCESS_KEY": secret,
               "BLOBLO_S3_PUBLIC_ENDPOINT_URL": f"http://localhost:{self.ceph.port}", **env}
        words = [word for pair in env.items() for word in ("--env", "=".join(pair))]
        self.stack = test_s3.make_stack(*arguments, *words, services="registry,nginx,bloblo")
        self.addCleanup(self.stack.down)
        nginx = self.stack.services["nginx"]
        self.url = nginx.url
        if is_at_registry:
            self.put_bucket_at_the_registry(nginx)
        self.stack.up()

    def put_bucket_at_the_registry(self, nginx):
        """The trap: clients reach the bucket at the registry's own address, by another path."""
        self.stack.options.env["BLOBLO_S3_PUBLIC_ENDPOINT_URL"] = nginx.url
        command = nginx.command

        def with_bucket():
            words = command()
            site = nginx.folder / "example-site.conf"
            bucket = (f"location /{stack.BUCKET}/ {{ proxy_pass {self.ceph.url}; proxy_set_header Host $http_host; }}")
            site.write_text(site.read_text().replace("server {", "server {\n" + bucket, 1))
            return words

        nginx.command = with_bucket

    def push(self, body):
        """Into the registry, beside the web server: (path, digest)."""
        digest = "sha256:" + hashlib.sha256(body).hexdigest()
        registry = self.stack.services["registry"].url
        user, password = next(iter(stack.USERS.items()))
        self.authorization = "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()
        fields = {"Authorization": self.authorization}
        status, headers, _ = stack.request("POST", f"{registry}/v2/a/blobs/uploads/", fields)
        self.assertEqual(status, 202)
        status, _, _ = stack.request("PUT", f"{headers['Location']}&digest={digest}", fields, body)
        self.assertEqual(status, 201)
        return digest

    def get(self, digest):
        return stack.request("GET", f"{self.url}/v2/a/blobs/{digest}", {"Authorization": self.authorization}, timeout=60)

    # What the server does

    def test_check_and_presign(self):
        self.judge(self.ceph.url, presign_authorization="ok")
        _, lines = test_s3.check(test_s3.settings(self.ceph.url))
        self.assertIn("refused with 400", lines["presign.authorization"][1])

    def test_cold_then_warm(self):
        self.up()
        for size in (1000, 20 * MIB):  # one PUT; parts
            body = os.urandom(size)
            digest = self.push(body)
            self.assertEqual(self.get(digest)[::2], (200, body))
            self.wait(lambda: self.ceph.client.size(digest) == size)
            self.wait(lambda: self.get(digest)[0] == 307)
            self.assertEqual(stack.request("GET", self.get(digest)[1]["Location"])[::2], (200, body))

    # What a key may not do

    def test_without_list_absent_blobs_pass_and_the_others_are_redirected(self):
        self.ceph.let_guest("s3:GetObject", "s3:PutObject", "s3:AbortMultipartUpload")
        self.up(key=ceph.GUEST_KEY, secret=ceph.GUEST_SECRET)
        warm = os.urandom(1000)
        warm_digest = self.push(warm)
        self.ceph.client.call("PUT", f"/{stack.BUCKET}/{warm_digest}", warm)
        for _ in range(12):  # more than open a breaker
            body = os.urandom(100)
            status, headers, got = self.get(self.push(body))
            self.assertEqual((status, got, headers.get("X-Bloblo")), (200, body, None))
            status, headers, _ = self.get(warm_digest)
            self.assertEqual(status, 307)
        self.assertEqual(stack.request("GET", headers["Location"])[::2], (200, warm))
        told = [line for line in self.log().splitlines() if "S3 does not say whether it has the blob" in line]
        self.assertIn(len(told), (1, 2), told)  # once in ten seconds
        self.assertIn("403 AccessDenied", told[0])
        self.assertIn("s3:ListBucket", told[0])
        # Mended, and nobody need be told.
        self.ceph.let_guest("s3:GetObject", "s3:PutObject", "s3:AbortMultipartUpload", "s3:ListBucket")
        digest = self.push(os.urandom(100))
        self.get(digest)
        guest = stack.S3Client(self.ceph.url, ceph.GUEST_KEY, ceph.GUEST_SECRET)
        self.wait(lambda: guest.size(digest) == 100)

    def test_a_key_that_is_no_more_ends_redirects(self):
        self.ceph.let_guest("s3:GetObject", "s3:PutObject", "s3:ListBucket")
        key, secret = "AKIDSHORT", "SECRETSHORT"
        self.ceph.run("radosgw-admin", *self.ceph.options, "key", "create", "--uid=guest", "--key-type=s3",
                      f"--access-key={key}", f"--secret-key={secret}")
        self.up(key=key, secret=secret)
        body = os.urandom(1000)
        digest = self.push(body)
        self.ceph.client.call("PUT", f"/{stack.BUCKET}/{digest}", body)
        self.assertEqual(self.get(digest)[0], 307)
        self.ceph.run("radosgw-admin", *self.ceph.options, "key", "rm", "--uid=guest", "--key-type=s3",
                      f"--access-key={key}")
        # Though the object is remembered to be there.
        self.wait(lambda: self.get(digest)[::2] == (200, body))
        self.wait(lambda: "InvalidAccessKeyId" in self.log())

    def test_a_denied_object_is_not_redirected_to_any_more(self):
        self.ceph.let_guest("s3:GetObject", "s3:PutObject", "s3:ListBucket")
        self.up(key=ceph.GUEST_KEY, secret=ceph.GUEST_SECRET)
        body = os.urandom(1000)
        digest = self.push(body)
        self.ceph.client.call("PUT", f"/{stack.BUCKET}/{digest}", body)
        self.assertEqual(self.get(digest)[0], 307)
        self.ceph.let_guest("s3:PutObject")
        self.wait(lambda: self.get(digest)[::2] == (200, body))

    def test_check_tells_key_secret_and_policy_apart(self):
        def lines(key=ceph.GUEST_KEY, secret=ceph.GUEST_SECRET):
            env = test_s3.settings(self.ceph.url, AWS_ACCESS_KEY_ID=key, AWS_SECRET_ACCESS_KEY=secret)
            return test_s3.check(env)[1]

        self.ceph.let_guest("s3:GetObject", "s3:PutObject")
        found = lines()
        self.assertEqual([found[subject][0] for subject in ("bucket.head", "bucket.put", "bucket.list", "presign.get",
                                                            "bucket.delete", "bucket.lifecycle")],
                         ["FAIL", "ok", "warn", "ok", "warn", "warn"], found)
        self.ceph.let_guest("s3:PutObject", "s3:DeleteObject", deny=["s3:GetObject"])
        found = lines()
        self.assertEqual([found[subject][0] for subject in ("bucket.head", "bucket.put", "bucket.read", "presign.get",
                                                            "bucket.delete")],
                         ["FAIL", "ok", "FAIL", "FAIL", "ok"], found)
        self.ceph.let_guest("s3:GetObject", "s3:ListBucket")
        found = lines()
        self.assertEqual((found["bucket.head"][0], found["bucket.put"][0]), ("ok", "FAIL"), found)
        self.assertIn("SignatureDoesNotMatch", lines(secret="WRONG")["bucket.head"][1])
        self.assertIn("InvalidAccessKeyId", lines(key="AKIDNOBODY")["bucket.head"][1])

    def test_lifecycle_rule_counts_where_it_covers_the_blobs(self):
        def rule(prefix):
            return (f"<LifecycleConfiguration><Rule><ID>a</ID><Status>Enabled</Status><Filter><Prefix>{prefix}</Prefix>"
                    "</Filter><AbortIncompleteMultipartUpload><DaysAfterInitiation>3</DaysAfterInitiation>"
                    "</AbortIncompleteMultipartUpload></Rule></LifecycleConfiguration>").encode()

        query = [("lifecycle", "")]
        self.addCleanup(self.ceph.client.call, "DELETE", f"/{stack.BUCKET}", b"", query)
        for prefix, level in (("", "ok"), ("blobs/", "ok"), ("logs/", "warn"), ("blobs/x", "warn")):
            body = rule(prefix)
            status = self.put_with_md5(body)
            self.assertEqual(status, 200)
            lines = test_s3.check(test_s3.settings(self.ceph.url, BLOBLO_S3_KEY_TEMPLATE="blobs/{digest}"))[1]
            self.assertEqual(lines["bucket.lifecycle"][0], level, (prefix, lines["bucket.lifecycle"]))

    def put_with_md5(self, body):
        return self.ceph.client.call("PUT", f"/{stack.BUCKET}", body, query=[("lifecycle", "")])[0]

    # Object lock

    def test_bucket_with_object_lock(self):
        client = test_s3.boto(self.ceph.url)
        client.create_bucket(Bucket="locked", ObjectLockEnabledForBucket=True)
        client.put_object_lock_configuration(Bucket="locked", ObjectLockConfiguration={
            "ObjectLockEnabled": "Enabled", "Rule": {"DefaultRetention": {"Mode": "GOVERNANCE", "Days": 1}}})
        self.up(BLOBLO_S3_BUCKET_NAME="locked")
        for size in (1000, 12 * MIB):
            body = os.urandom(size)
            digest = self.push(body)
            self.assertEqual(self.get(digest)[::2], (200, body))
            self.wait(lambda: self.get(digest)[0] == 307)
            head = client.head_object(Bucket="locked", Key=digest)
            self.assertEqual((head["ContentLength"], head["ObjectLockMode"]), (size, "GOVERNANCE"))

    # The same-host trap, with a real client

    def test_same_host_trap(self):
        """skopeo keeps Authorization on a redirect to the registry's own host, and is refused; not to another."""
        for works in (False, True):
            self.up(is_at_registry=not works, BLOBLO_REGISTRY_HOST="127.0.0.1")
            self.assertEqual("many send their Authorization along" in self.log(), not works)
            layout = self.stack.folder / "image"
            facts = oci_image.make(layout, [4096])
            user, password = next(iter(stack.USERS.items()))
            registry = self.stack.services["registry"].address
            subprocess.run(["skopeo", "--insecure-policy", "copy", "--quiet", "--preserve-digests",
                            "--dest-tls-verify=false", f"--dest-creds={user}:{password}", f"oci:{layout}:latest",
                            f"docker://{registry}/a:latest"], check=True, capture_output=True)
            for digest in facts["sizes"]:
                encoded = digest.split(":")[1]
                self.ceph.client.call("PUT", f"/{stack.BUCKET}/{digest}", (layout / "blobs/sha256" / encoded).read_bytes())
            pulled = subprocess.run(
                ["skopeo", "--insecure-policy", "copy", "--quiet", "--src-tls-verify=false",
                 f"--src-creds={user}:{password}", f"docker://{self.url.split('//')[1]}/a:latest",
                 f"dir:{self.stack.folder}/pulled"], capture_output=True, text=True)
            self.assertEqual(pulled.returncode == 0, works, pulled.stderr)
            if not works:
                self.assertIn("400", pulled.stderr)


if __name__ == "__main__":
    unittest.main(verbosity=2)
