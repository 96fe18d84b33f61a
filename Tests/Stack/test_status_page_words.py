"""What the status page says while something is wrong, and of what is normal."""

import html
import re
import time

import stack
from fakes.alone import Registry, text_of
from fakes.handler import Handler
from fakes.waiting import eventually

MOMENT = r"\d\d:\d\d:\d\d UTC, (now|\d+ (second|minute|hour|day)s? ago)"


def part(page, identifier):
    """What a person reads in the page's element of this id, up to the next one of the page's parts."""
    [found] = re.findall(rf'(?s)<(?:div|li|ul)[^>]*id="{identifier}".*?(?=<(?:section|li|div) [^>]*id=|<section|</main>)', page)
    return html.unescape(text_of(found))


def test_since_when_something_is_not_well(alone):
    bloblo = alone(BLOBLO_S3_ENDPOINT_URL="http://127.0.0.1:1")
    eventually(lambda: "Failing: S3 bucket" in text_of(bloblo.page()[1]))
    page = bloblo.page()[1]
    assert re.search(rf"Since {MOMENT}\.", part(page, "need-bucket"))
    assert re.search(rf"Since {MOMENT}\.", part(page, "state"))
    assert "Since" not in part(page, "need-upstream")
    first = re.search(r'id="need-bucket".*?datetime="([^"]+)"', page, re.S)[1]
    eventually(lambda: re.search(r"\d seconds ago", part(bloblo.page()[1], "need-bucket")))
    assert first in bloblo.page()[1], "it is the time of the change"


def test_latencies_of_registry_and_s3(alone):
    bloblo = alone(BLOBLO_PRESENCE_LOOKS="0")  # one answer is one
    assert "Not asked in the last hour" in part(bloblo.page()[1], "latency-registry")
    digest = bloblo.put_into_bucket(b"content")
    assert bloblo.get(digest)[0] == 307
    page = eventually(lambda: "p50" in part(bloblo.page()[1], "latency-s3") and bloblo.page()[1])
    for name in ("registry", "s3"):
        assert re.search(r"p50 [\d.]+ m?s, p95 [\d.]+ m?s of 1 answer, last 15 minutes", part(page, f"latency-{name}"))
        assert re.search(rf'<svg class="low"[^>]*aria-labelledby="latency-{name}-title".*?<rect ', page, re.S)


def test_a_clock_that_is_off_is_not_well(alone, serve):
    class Late(Handler):
        def date_time_string(self, timestamp=None):
            return super().date_time_string(time.time() + 600)

        def do_GET(self):
            self.answer(404 if self.path.count("/") > 1 else 200)

        do_HEAD = do_GET

    right = alone()
    eventually(lambda: "It agrees with S3's." in part(right.page()[1], "clock"))
    bloblo = alone(BLOBLO_S3_ENDPOINT_URL=f"http://127.0.0.1:{serve(Late).server_port}")
    said = eventually(lambda: "Clock: wrong" in part(bloblo.page()[1], "clock") and part(bloblo.page()[1], "clock"))
    assert re.search(r"It is (59\d|60\d) s behind S3's\. bloblo corrects its signatures by that\. Run chrony", said), said


def test_failed_fills_stand_in_red_with_their_cause(alone):
    bloblo = alone()
    eventually(lambda: "All is well" in bloblo.page()[1])

    def refuse(handler):
        handler.rfile.read(int(handler.headers["Content-Length"]))
        handler.answer(403, b"<Error><Code>AccessDenied</Code><Message>No writes for you</Message></Error>")

    bloblo.bucket_server.RequestHandlerClass.do_PUT = refuse
    digest = bloblo.registry.add(b"content" * 1000)
    assert bloblo.get(digest)[0] == 200
    page = eventually(lambda: "Failed last" in bloblo.page()[1] and bloblo.page()[1])
    said = part(page, "fills")
    assert re.search(rf"failed: 1 s3.*Failed last.*{MOMENT} s3: .*AccessDenied: No writes for you", said), said
    assert '<b class="bad">failed: 1 s3</b>' in page and 'class="bad">s3: ' in page


def test_why_not_all_was_offloaded(alone):
    """One bar by reason; what nobody could offload is no part of it."""
    bloblo = alone(BLOBLO_FILL="off")
    assert "No request that could be offloaded has come yet." in part(bloblo.page()[1], "offload")
    warm, cold = bloblo.put_into_bucket(b"warm"), bloblo.registry.add(b"cold")
    for _ in range(3):
        assert bloblo.get(warm)[0] == 307
    assert bloblo.get(cold)[0] == 424
    for _ in range(5):
        assert bloblo.get(warm, HTTP_AUTHORIZATION="")[0] == 424
    said = part(bloblo.page()[1], "offload").replace("\u202f", " ")
    assert re.search(r"75 % offloaded 3: .*25 % pass: cold-fill-off 1: Not in the bucket, and BLOBLO_FILL=off\.", said), said
    assert "5 more could not be offloaded: refused" in said and "upstream-status" not in said
    assert len(re.findall(r'<svg class="bar".*?</svg>', bloblo.page()[1], re.S)) == 1


def test_normal_passes_are_folded(alone):
    bloblo = alone(BLOBLO_FILL="off")
    digest = bloblo.registry.add(b"cold")
    bloblo.get(digest, HTTP_AUTHORIZATION="")
    bloblo.get(digest)
    page = bloblo.page()[1]
    for name in ("passes", "decisions"):
        assert "cold-fill-off" in part(page, name) and "upstream-status" not in part(page, name)
        assert "upstream-status" in part(page, f"{name}-normal")
        assert re.search(rf'<details><summary>Normal passes[^<]*</summary>\s*<div id="{name}-normal"', page)
    assert re.search(MOMENT, part(page, "passes"))


def test_what_was_set_comes_first_then_defaults_with_their_values(alone):
    bloblo = alone(BLOBLO_PROOF_TTL="7s")
    page = bloblo.page()[1]
    set_, defaults = part(page, "settings-set"), part(page, "settings-default")
    assert page.index('id="settings-set"') < page.index('id="settings-default"')
    assert "BLOBLO_PROOF_TTL 7s" in set_ and "BLOBLO_S3_BUCKET_NAME layers" in set_
    assert "BLOBLO_PRESENCE_TTL 5m" in defaults and "BLOBLO_PROOF_TTL" not in defaults
    assert "BLOBLO_S3_REGION " + stack.REGION in set_ + defaults


def test_an_open_registry_is_a_notice(alone):
    bloblo = alone(registry=Registry(None))
    eventually(lambda: "notice-open-registry" in bloblo.page()[1])
    assert "the registry lets everybody read" in part(bloblo.page()[1], "notice-open-registry")


def test_clients_road_to_s3(alone):
    bloblo = alone(BLOBLO_S3_PUBLIC_ENDPOINT_URL="http://127.0.0.1:1", BLOBLO_LOOK_AS_CLIENT="on")
    digest = bloblo.put_into_bucket(b"content")
    eventually(lambda: bloblo.get(digest)[0] and "failing" in part(bloblo.page()[1], "need-road"))
    assert "Clients can't read from http://127.0.0.1:1" in part(bloblo.page()[1], "need-road")


def test_what_nobody_looks_at_is_not_said_to_be_well(alone):
    """The page said "Clients' road to S3: well" of a road that nobody had looked at; it is ready all the same."""
    bloblo = alone(BLOBLO_LOOK_AS_CLIENT="off", BLOBLO_FILL="off")
    eventually(lambda: "All is well" in bloblo.page()[1])
    assert "Clients' road to S3: not checked" in part(bloblo.page()[1], "need-road")
    assert "Spool folder: not checked" in part(bloblo.page()[1], "need-spool")


def test_passes_of_unknown_size_are_said_to_be_missing(alone):
    """Their bytes are in no share."""
    bloblo = alone(BLOBLO_DELIVERY="pass")
    assert "Not counted" not in part(bloblo.page()[1], "offload")
    assert bloblo.get(bloblo.registry.add(b"content"))[0] == 424
    assert "Not counted: 1 passed blobs whose size bloblo does not know" in part(bloblo.page()[1], "offload")
