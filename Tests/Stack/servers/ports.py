"""Ports that nobody else takes."""

import random
import socket
import weakref


class Ports:
    """Free loopback ports below the ephemeral range, where no outgoing connection takes them meanwhile.

    A port is also claimed by the name of an abstract socket, so that two stacks that start at the
    same time never choose the same one.
    """

    def __init__(self):
        self._claims = []
        # Who forgets to close them must not keep them.
        weakref.finalize(self, self._give_back, self._claims)

    def take(self, also=lambda port: ()):
        """A port that is free, as are those that `also` derives from it."""
        while True:
            port = random.randrange(20000, 32000)
            claims = [self._claim(number) for number in (port, *also(port))]
            if all(claims):
                self._claims += claims
                return port
            for claim in filter(None, claims):
                claim.close()

    def close(self):
        self._give_back(self._claims)

    @staticmethod
    def _give_back(claims):
        while claims:
            claims.pop().close()

    @staticmethod
    def _claim(port):
        claim = socket.socket(socket.AF_UNIX)
        try:
            claim.bind(f"\0bloblo-stack-{port}")
            with socket.socket() as probe:
                probe.bind(("127.0.0.1", port))
            return claim
        except OSError:
            claim.close()
            return None
