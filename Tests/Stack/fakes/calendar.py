"""A calendar of bloblo's own, by libfaketime.

The library is preloaded. The `faketime` program makes a semaphore named by its process id and gives up if a process
that was killed left one with the same name.
"""

import pathlib

LIBRARY = next(pathlib.Path("/usr/lib").rglob("libfaketimeMT.so.1"), None)


def shifted(seconds):
    """What a command begins with, so that its calendar is wrong by so much.

    The library sets a variable in the first program that it is loaded into, and Swift finds no arguments after that:
    so the first is `env`.
    """
    return "env", f"LD_PRELOAD={LIBRARY}", f"FAKETIME={seconds:+d}", "env"


class Calendar:
    """One that is set while the process runs; its steady clock is the system's, or is set with it."""

    def __init__(self, folder, sets_steady_clock=False):
        self.file, self.sets_steady_clock = folder / "faketime", sets_steady_clock
        self.set(0)

    def set(self, seconds):
        new = self.file.with_suffix(".new")
        new.write_text(f"{seconds:+d}\n")
        new.replace(self.file)

    @property
    def environment(self):
        kept = {} if self.sets_steady_clock else {"FAKETIME_DONT_FAKE_MONOTONIC": "1", "DONT_FAKE_MONOTONIC": "1"}
        return {"LD_PRELOAD": str(LIBRARY), "FAKETIME_TIMESTAMP_FILE": str(self.file), "FAKETIME_NO_CACHE": "1", **kept}
