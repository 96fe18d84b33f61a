"""Twenty nodes fetch one cold blob at the same time as containerd does with parallel fetch: `bytes=0-` first, then
`bytes=N-` for each chunk, a few at a time, and the client leaves when it has its chunk.
"""

import concurrent.futures
import contextlib
import http.client

import pytest

import front_site
from fakes.resuming import ResumingRegistry
from fakes.waiting import eventually
from filling import MIB, path

pytestmark = pytest.mark.long
# A range that bloblo's reading does not reach within 2 s passes: it stands a little ahead only, on a slow machine too.
NODES, AT_A_TIME, CHUNK = 20, 3, 4 * MIB


@pytest.fixture
def site(make_stack, front):
    with contextlib.closing(ResumingRegistry()) as registry:
        site = front_site.Site(make_stack(f"s3,{front},bloblo", "--registry", registry.address), front)
        site.registry = registry
        yield site


def read(url, headers, first, count, content):
    """Asks, follows one redirect, reads `count` bytes and leaves; (status, X-Bloblo)."""
    host, _, target = url.split("//")[1].partition("/")
    with contextlib.closing(http.client.HTTPConnection(host, timeout=120)) as connection:
        connection.request("GET", "/" + target, headers=headers)
        answer = connection.getresponse()
        if answer.status == 307:
            answer.read()
            return read(answer.headers["Location"], headers, first, count, content)[0], "redirect"
        assert answer.headers["Content-Range"] == f"bytes {first}-{len(content) - 1}/{len(content)}"
        buffer, done = bytearray(MIB), 0
        while done < count:
            got = answer.readinto(memoryview(buffer)[:min(MIB, count - done)])
            assert got and buffer[:got] == content[first + done:first + done + got]
            done += got
        return answer.status, answer.headers["X-Bloblo"]


def test_the_registry_gives_a_cold_blob_little_more_than_once(site):
    size = 256 * MIB
    digest = site.registry.add(size)
    content = memoryview(site.registry.blobs[digest])
    url = site.url + path(digest)

    def chunk(first):
        return read(url, {"Range": f"bytes={first}-"}, first, min(CHUNK, size - first), content)

    def node(_):
        found = [chunk(0)]
        with concurrent.futures.ThreadPoolExecutor(AT_A_TIME) as chunks:
            return found + list(chunks.map(chunk, range(CHUNK, size, CHUNK)))

    with concurrent.futures.ThreadPoolExecutor(NODES) as nodes:
        answers = [answer for answers in nodes.map(node, range(NODES)) for answer in answers]
    assert {status for status, _ in answers} == {206} and len(answers) == NODES * size // CHUNK
    sent = site.registry.sent[digest]
    print(f"{site.name}: {sent / size:.2f} of the blob from the registry, "
          f"{site.registry.gets[digest]} reads, {sum(word == 'redirect' for _, word in answers)} redirects")
    assert sent <= 2 * size
    eventually(lambda: site.s3.client.size(digest) == size, otherwise=site.bloblo.tail)
    site.fill(digest, "test/good", headers={})
    before = site.registry.sent[digest]
    assert set(node(0)) == {(206, "redirect")}
    assert site.registry.sent[digest] == before
