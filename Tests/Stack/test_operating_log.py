"""bloblo's log: one line a request, with what it took."""

import re
import signal

import pytest

import stack
from fakes.client import ALICE
from fakes.waiting import eventually
from operating import MIB, PATIENT, operating


@pytest.fixture(scope="module")
def shared():
    with operating(log_level="debug", **PATIENT) as site:
        yield site


@pytest.fixture
def site(shared):
    shared.heal()
    return shared


def test_the_line_of_each_decision(site):
    digest = site.push(3 * MIB)
    assert 200 == site.ask(digest, "cold-1")[0]
    line = site.line("cold-1")
    assert ("debug", "decided", "tee") == (line["level"], line["message"], line["decision"])
    assert (digest, "a/b", 3 * MIB, 3 * MIB) == \
                     (line["blob.digest"], line["repository"], line["blob.size"], line["body.bytes"])
    assert ("127.0.0.1", "127.0.0.1") == (line["client.address"], line["client.forwarded-for"])
    assert ("upstream", "s3", 200) == (line["proof"], line["presence"], line["upstream.status"])
    assert line["upstream.ms"] > 0 and line["s3.ms"] > 0

    site.wait_until_filled(digest)
    assert 307 == site.ask(digest, "warm-1")[0]
    line = site.line("warm-1")
    assert ("redirect", 3 * MIB, "memory") == (line["decision"], line["body.bytes"], line["proof"])
    assert "memory" == line["presence"]

    assert 307 == site.ask(digest, "part-1", Range="bytes=10-19")[0]
    line = site.line("part-1")
    assert ("bytes=10-19", 10) == (line["range"], line["body.bytes"])

    assert 401 == site.get(digest, {"X-Request-Id": "nobody-1"})[0]
    line = site.line("nobody-1")
    assert ("passed", "pass", "upstream-status", 401) == \
                     (line["message"], line["decision"], line["reason"], line["upstream.status"])

    assert 200 == site.get(digest, {**ALICE, "X-Request-Id": "head-1"}, method="HEAD")[0]
    line = site.line("head-1")
    assert ("answer", "HEAD", 0) == (line["decision"], line["method"], line["body.bytes"])


def test_the_line_of_each_decision_has_fields_that_are_explained(site):
    digest = site.push_and_fill()
    assert 307 == site.ask(digest, "explained-1", Range="bytes=0-1")[0]
    assert 401 == site.get(digest, {"X-Request-Id": "explained-2"})[0]
    chapter = (stack.ROOT / "docs/operations.md").read_text().split("\n## Log\n")[1].split("\n#")[0]
    explained = set(re.findall(r"`([a-z.0-9-]+)`", chapter)) | {"time", "level", "message"}
    for line in site.lines('"decision":'):
        assert set(line) <= explained
        assert line["decision"] in explained


def test_an_identifier_is_made_for_who_brings_none_or_a_bad_one(site):
    digest = site.push_and_fill()
    for bad in (None, "", "a b", 'a"b', "x" * 129):
        before = len(site.lines(digest, '"decided"'))
        site.get(digest, {**ALICE, **({} if bad is None else {"X-Request-Id": bad})})
        lines = eventually(lambda: site.lines(digest, '"decided"')[before:])
        assert re.search("^[0-9a-f]{32}$", lines[-1]["request.id"])


def test_the_level_changes_while_it_runs(site):
    with site.restarted(BLOBLO_LOG_LEVEL="info"):
        digest = site.push_and_fill()

        def level(number, name):
            before = len(site.lines("log level changed"))
            site.bloblo.signal(number)
            told = eventually(lambda: site.lines("log level changed")[before:])
            assert [name] == [line["level.new"] for line in told]

        site.ask(digest, "quiet-1")
        level(signal.SIGUSR1, "debug")
        site.ask(digest, "loud-1")
        site.line("loud-1")
        assert not site.lines('"quiet-1"')
        level(signal.SIGUSR1, "trace")
        level(signal.SIGUSR1, "trace")
        level(signal.SIGUSR2, "debug")
        for name in ("info", "notice", "warning"):
            level(signal.SIGUSR2, name)
        site.ask(digest, "quiet-2")
        assert not site.lines('"quiet-2"')
        assert "the log's level is warning" in site.text()


def test_text_instead_of_json(site):
    with site.restarted(BLOBLO_LOG_FORMAT="text"):
        digest = site.push_and_fill()
        site.ask(digest, "words-1")
        log = eventually(lambda: [line for line in site.bloblo.log.read_text().splitlines()
                                  if 'request.id="words-1"' in line])
        assert re.search(r"^\S+Z debug decided .*body\.bytes=1048576 .*decision=\"redirect\"", log[0])
