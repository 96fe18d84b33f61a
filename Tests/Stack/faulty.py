"""Until the last suite asks fakes/ itself."""

from fakes.registry import Registry  # noqa: F401
from fakes.relay import Relay, reset, serve_each, slow_down  # noqa: F401
