"""Ten minutes in which nearly all blobs pass for one reason: the log, the page and the metric say so, with what to do.

bloblo's clocks run forty times as fast, the steady one too.
"""

import pytest

from fakes.calendar import LIBRARY
from fakes.waiting import eventually

pytestmark = pytest.mark.long
FAST = {"LD_PRELOAD": str(LIBRARY), "FAKETIME": "+0 x40", "BLOBLO_LOOK_AS_CLIENT": "off",
        # As bloblo counts.
        "BLOBLO_UPSTREAM_TIMEOUT": "1m", "BLOBLO_S3_TIMEOUT": "1m"}
METRIC = 'bloblo_nearly_all_pass{reason="upstream-status"}'
LINE = "nearly all blobs of a location pass"


def meaning(bloblo, word):
    page = bloblo.page()[1]
    row = page[page.index(f">pass: {word}<"):]
    return row[:row.index("</tr>")]


def test_a_flood_of_401s(alone):
    bloblo = alone(**FAST)
    digest = bloblo.put_into_bucket(b"a layer" * 1000)
    assert bloblo.metrics()[METRIC] == 0

    def flood():
        for _ in range(20):
            assert bloblo.get(digest, HTTP_AUTHORIZATION="Basic d3Jvbmc6d3Jvbmc=")[0] == 424

    flood()
    # Long before ten minutes are over it is not called normal, where nothing is given out.
    assert "Normal." not in meaning(bloblo, "upstream-status")
    assert bloblo.lines(LINE) == []

    def is_told():
        flood()
        return bloblo.metrics()[METRIC] == 1

    eventually(is_told, 120, otherwise=bloblo.log.read_text)
    [line] = bloblo.lines(LINE)
    assert (line["level"], line["reason"], line["bucket"]) == ("info", "upstream-status", "layers")
    assert line["registry"] == bloblo.settings["BLOBLO_UPSTREAM_URL"]
    assert line["blobs"] >= 20 and line["passed"] >= 0.9 * line["blobs"]
    assert "BLOBLO_PRESERVE_HOST" in line["advice"] and "bloblo check" in line["advice"]
    page = bloblo.page()[1]
    assert "Notice: nearly all blobs pass." in page and line["registry"] in page
    assert "BLOBLO_PRESERVE_HOST" in meaning(bloblo, "upstream-status")

    def is_over():
        for _ in range(400):
            bloblo.get(digest)
        return bloblo.metrics()[METRIC] == 0

    eventually(is_over, 120)
    assert "Normal." in meaning(bloblo, "upstream-status")
    assert "nearly all blobs pass" not in bloblo.page()[1] and len(bloblo.lines(LINE)) == 1


def test_a_location_whose_blobs_are_given_out_is_another(alone):
    """Where one location of two has trouble, it alone is named."""
    bloblo = alone(**FAST)
    digest = bloblo.put_into_bucket(b"a layer" * 1000)
    cold = bloblo.registry.add(b"cold" * 1000)

    def ask():
        for _ in range(20):
            bloblo.get(digest)
            assert bloblo.get(cold, BLOBLO_FILL="off")[0] == 424
        return bloblo.lines(LINE)

    [line] = eventually(ask, 120, otherwise=bloblo.log.read_text)
    assert line["reason"] == "cold-fill-off" and line["passed"] >= 0.9 * line["blobs"]
    assert "BLOBLO_FILL=tee" in line["advice"]
