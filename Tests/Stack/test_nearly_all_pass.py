"""Ten minutes in which nearly all blobs pass for one reason: the log, the page and the metric say so, with what to do.

bloblo's clocks, the steady one too, run as the machine's do, and are set forward by a minute at a time.
"""

import time

import pytest

from fakes.calendar import Calendar
from fakes.waiting import eventually

pytestmark = pytest.mark.long
METRIC = 'bloblo_nearly_all_pass{reason="upstream-status"}'
LINE = "nearly all blobs of a location pass"


class Minutes:
    """A bloblo and its minutes; a test asks for blobs in each."""

    def __init__(self, alone, folder):
        self.calendar, self.count, self.begun = Calendar(folder, sets_steady_clock=True), 0, time.monotonic()
        self.bloblo = alone(**self.calendar.environment, BLOBLO_LOOK_AS_CLIENT="off", BLOBLO_UPSTREAM_TIMEOUT="1m",
                            BLOBLO_S3_TIMEOUT="1m")
        self.digest = self.bloblo.put_into_bucket(b"a layer" * 1000)

    @property
    def seconds(self):
        """How long it has run at most, by its own clock."""
        return 60 * self.count + time.monotonic() - self.begun

    def rounds(self):
        """How often it has asked whether the registry is well; after that it looks at the minutes."""
        return sum(path == "/v2/" for _, path, _ in self.bloblo.registry.requests)

    def until(self, condition, flood):
        """Floods, a minute after the other, until there is what is waited for."""
        for _ in range(40):
            # What the minute before has left in doubt.
            eventually(lambda: self.bloblo.get(self.digest)[0] == 307, otherwise=self.bloblo.log.read_text)
            flood()
            before = self.rounds()
            eventually(lambda: self.rounds() > before, otherwise=self.bloblo.log.read_text)
            if found := condition():
                return found
            self.count += 1
            self.calendar.set(60 * self.count)
        raise AssertionError(self.bloblo.log.read_text()[-3000:])


@pytest.fixture
def minutes(alone, tmp_path):
    return Minutes(alone, tmp_path)


def meaning(bloblo, word):
    page = bloblo.page()[1]
    row = page[page.index(f">pass: {word}<"):]
    return row[:row.index("</tr>")]


def test_a_flood_of_401s(minutes):
    bloblo, digest = minutes.bloblo, minutes.digest
    assert bloblo.metrics()[METRIC] == 0

    def flood():
        for _ in range(20):
            assert bloblo.get(digest, HTTP_AUTHORIZATION="Basic d3Jvbmc6d3Jvbmc=")[0] == 424

    flood()
    # Long before ten minutes are over it is not called normal, where nothing is given out.
    assert "Normal." not in meaning(bloblo, "upstream-status")
    assert bloblo.lines(LINE) == []

    def is_told():
        is_told, is_logged = bloblo.metrics()[METRIC] == 1, bloblo.lines(LINE) != []
        # A whole minute at each end.
        assert minutes.seconds >= 9 * 60 or not (is_told or is_logged), "ten minutes are not over"
        return is_told

    minutes.until(is_told, flood)
    [line] = eventually(lambda: bloblo.lines(LINE))
    assert (line["level"], line["reason"], line["bucket"]) == ("info", "upstream-status", "layers")
    assert line["registry"] == bloblo.settings["BLOBLO_UPSTREAM_URL"]
    assert line["blobs"] >= 20 and line["passed"] >= 0.9 * line["blobs"]
    assert "BLOBLO_PRESERVE_HOST" in line["advice"] and "bloblo check" in line["advice"]
    page = bloblo.page()[1]
    assert "Notice: nearly all blobs pass." in page and line["registry"] in page
    assert "BLOBLO_PRESERVE_HOST" in meaning(bloblo, "upstream-status")

    def ask():
        for _ in range(400):
            assert bloblo.get(digest)[0] == 307

    minutes.until(lambda: bloblo.metrics()[METRIC] == 0, ask)
    assert "Normal." in meaning(bloblo, "upstream-status")
    assert "nearly all blobs pass" not in bloblo.page()[1] and len(bloblo.lines(LINE)) == 1


def test_a_location_whose_blobs_are_given_out_is_another(minutes):
    """Where one location of two has trouble, it alone is named."""
    bloblo, digest = minutes.bloblo, minutes.digest
    cold = bloblo.registry.add(b"cold" * 1000)

    def ask():
        for _ in range(20):
            bloblo.get(digest)
            assert bloblo.get(cold, BLOBLO_FILL="off")[0] == 424

    [line] = minutes.until(lambda: bloblo.lines(LINE), ask)
    assert line["reason"] == "cold-fill-off" and line["passed"] >= 0.9 * line["blobs"]
    assert "BLOBLO_FILL=tee" in line["advice"]
