"""Until the last suite asks fakes/ itself."""

from fakes.fastcgi import BEGIN_REQUEST, END_REQUEST, PARAMS, STDERR, STDIN, STDOUT, Connection  # noqa: F401
from fakes.responder import NONSENSE, FakeResponder, cuts, plain, raw  # noqa: F401
