"""The one wait loop of the tests."""

import time


def eventually(condition, seconds=30, pause=0.05, otherwise=lambda: ""):
    """Returns the first true value of `condition`.

    Fails the test when there is none within `seconds`; `otherwise` then gives the words, say a log.
    """
    deadline = time.monotonic() + seconds
    while True:
        if value := condition():
            return value
        if time.monotonic() > deadline:
            raise AssertionError(f"still {value!r} after {seconds} s {otherwise()}".strip())
        time.sleep(pause)
