"""A registry that takes requests and answers none must not hold up those of whom all is known."""

import http.client
import time

from fakes.client import blob_path
from fakes.relay import Relay
from front_site import Site


def test_what_is_remembered_is_decided_while_others_wait(make_stack, fake_registry, ends):
    relay = Relay(fake_registry.port)
    ends.callback(relay.close)
    site = Site(make_stack("s3,nginx,bloblo", "--registry", f"127.0.0.1:{relay.port}", env={"BLOBLO_THREADS": "4"}),
                "nginx")
    digest, known = fake_registry.add(1000), {"Authorization": "Bearer known"}
    site.fill(digest, "good", headers=known)
    relay.stalled = True
    # More than there are threads to ask with, and places to wait in.
    for number in range(40):
        other = http.client.HTTPConnection(site.url.split("/")[2])
        ends.callback(other.close)
        other.request("GET", blob_path(digest, "good"), headers={"Authorization": f"Bearer {number}"})
    # Longer than what S3 has last said is good for: it is asked meanwhile.
    end = time.monotonic() + 3
    while time.monotonic() < end:
        assert site.get(digest, "good", known)[0] == 307
        time.sleep(0.1)
