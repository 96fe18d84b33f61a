"""Out of descriptors, a request passes at once: the web server is let go, and asks the registry."""

import contextlib
import os
import resource
import socket

from fakes.waiting import eventually


def test_who_comes_without_a_descriptor_left_is_let_go_at_once(alone):
    bloblo = alone()
    digest = bloblo.put_into_bucket(b"content")
    assert bloblo.get(digest)[0] == 307
    used = len(os.listdir(f"/proc/{bloblo.process.pid}/fd"))
    limit = used + 4
    resource.prlimit(bloblo.process.pid, resource.RLIMIT_NOFILE, (limit, limit))
    held = []
    try:
        def is_let_go():
            # A connection of bloblo's own to the registry or to S3 may have ended meanwhile: then there is room for one more.
            connection = socket.socket(socket.AF_UNIX)
            connection.connect(str(bloblo.socket))
            held.append(connection)
            try:
                bloblo.get(digest)
            except OSError as error:
                assert not isinstance(error, TimeoutError)
                return True
            return False
        eventually(is_let_go)
        assert len(held) < 100
    finally:
        for connection in held:
            connection.close()

    def is_well():
        with contextlib.suppress(OSError):  # it has not seen yet that the others have gone
            return bloblo.get(digest)[0] == 307
    eventually(is_well)
