"""The one wait loop of the tests."""

import time


# How long a test waits for what must come, in seconds. Only a test that fails waits so long: the slowest machine gets
# there.
PATIENCE = 120


def eventually(condition, seconds=PATIENCE, pause=0.05, otherwise=lambda: ""):
    """Returns the first true value of `condition`.

    Fails the test when there is none within `seconds`; `otherwise` then gives the words, say a log. CI often keeps
    only the beginning of a failure's first line, so the words become one line, the newest first.
    """
    deadline = time.monotonic() + seconds
    while True:
        if value := condition():
            return value
        if time.monotonic() > deadline:
            words = " < ".join(reversed(otherwise().splitlines()))
            raise AssertionError(f"still {value!r} after {seconds} s {words}".strip())
        time.sleep(pause)
