#!/usr/bin/env python3
"""A registry that takes requests and answers none must not hold up those of whom all is known.

    python3 Tests/Stack/test_bulkheads.py
"""

import http.client
import os
import time
import unittest

import faulty
import stack


class StalledRegistry(unittest.TestCase):
    def setUp(self):
        self.registry = faulty.Registry()
        self.addCleanup(self.registry.close)
        self.relay = faulty.Relay(self.registry.port)
        options = ["up", "--services", "s3,nginx,bloblo", "--registry", f"127.0.0.1:{self.relay.port}",
                   "--env", "BLOBLO_THREADS=4"]
        if program := os.environ.get("BLOBLO"):
            options += ["--bloblo", program]
        self.stack = stack.Stack(stack.options(options))
        self.addCleanup(self.stack.down)
        self.stack.up()
        self.nginx = self.stack.services["nginx"].url

    def status(self, path, who):
        return stack.request("GET", self.nginx + path, {"Authorization": who})[0]

    def test_what_is_remembered_is_decided_while_others_wait(self):
        path = f"/v2/good/blobs/{self.registry.add(1000)}"
        deadline = time.monotonic() + 30
        while self.status(path, "Bearer known") != 307:
            self.assertLess(time.monotonic(), deadline, "the blob does not come into the bucket")
            time.sleep(0.05)
        self.relay.stalled = True
        self.addCleanup(self.relay.heal)
        # More than there are threads to ask with, and places to wait in.
        others = []
        for number in range(40):
            other = http.client.HTTPConnection(self.nginx.split("/")[2])
            self.addCleanup(other.close)
            other.request("GET", path, headers={"Authorization": f"Bearer {number}"})
            others.append(other)
        # Longer than what S3 has last said is good for: it is asked meanwhile.
        end = time.monotonic() + 3
        while time.monotonic() < end:
            self.assertEqual(self.status(path, "Bearer known"), 307)
            time.sleep(0.1)


if __name__ == "__main__":
    unittest.main()
