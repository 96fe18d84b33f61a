"""Bearer tokens whose end can't be read, or is out of all bounds: the registry judges them, and bloblo goes on."""

import base64

import pytest

import stack
from fakes.waiting import eventually

CLAIMS = ["hello", "", "{", '{"exp":"1700000000"}', '{"exp":true}', '{"exp":1e999}', '{"exp":-1e300}', '{"exp":9223372036854775807}',
          '{"exp":-9223372036854775808}', '{"exp":[' + "[" * 2000, '{"exp":null}', '{"exp":1}']
HEADS = ['{"alg":"none"}', '{ "alg":"none"}', '{\n"alg":"none"}', '{\t"alg":"none"}']


def jwt(head, claims):
    def part(text):
        return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")

    return f"Bearer {part(head)}.{part(claims)}.c2ln"


@pytest.fixture(scope="module")
def site(both_fronts):
    eventually(lambda: stack.request("GET", both_fronts.services["nginx"].url + both_fronts.path)[0] == 307)
    return both_fronts


@pytest.mark.parametrize("front", ["nginx", "apache"])
@pytest.mark.parametrize("head", HEADS)
@pytest.mark.parametrize("claims", CLAIMS)
def test_a_token_that_says_nothing_of_its_end(site, front, head, claims):
    pid = site.services["bloblo"].pid
    for method in ("HEAD", "GET", "GET"):
        status = stack.request(method, site.services[front].url + site.path, {"Authorization": jwt(head, claims)})[0]
        assert status in (200, 307)
    assert site.services["bloblo"].pid == pid


@pytest.mark.parametrize("head", HEADS)
def test_a_token_that_has_ended_proves_once(site, head):
    """The registry's yes is not remembered beyond the token's end."""
    token = {"Authorization": jwt(head, '{"exp":1}')}
    before = site.registry.heads
    for _ in range(3):
        assert stack.request("GET", site.services["nginx"].url + site.path, token)[0] == 307
    assert site.registry.heads == before + 3
