"""What bloblo remembers from one request to the next is for the same asker, and of the same location."""


def heads(bloblo, digest):
    return sum(method == "HEAD" and digest in path for method, path, _ in bloblo.registry.requests)


def test_long_credentials_that_differ_at_their_ends_are_two_askers(alone):
    bloblo = alone()
    digest = bloblo.put_into_bucket(b"content")

    def ask(end):
        before = heads(bloblo, digest)
        # More than bloblo's buffer has at its beginning, and then again as little.
        assert bloblo.get(digest, HTTP_COOKIE="x" * 20_000 + end)[0] == 307
        return heads(bloblo, digest) - before

    assert [ask("a"), ask("a"), ask("b"), ask("b"), ask("a")] == [1, 0, 1, 0, 0]
    for _ in range(2):
        assert bloblo.get(digest)[0] == 307
    assert ask("b") == 0


def test_each_request_has_the_location_of_its_own_params(alone):
    bloblo = alone()
    digest = bloblo.put_into_bucket(b"content")
    for _ in range(3):
        assert bloblo.get(digest)[0] == 307
        assert bloblo.get(digest, BLOBLO_DELIVERY="pass")[0] == 424
        assert bloblo.get(digest, BLOBLO_REDIRECT_STATUS="302")[0] == 302
        # Params of the request's own change nothing of that.
        assert bloblo.get(digest, BLOBLO_FIELD_X_USER="a", BLOBLO_REDIRECT_STATUS="302")[0] == 302
        # What is wrong passes, and what comes behind it does not.
        assert bloblo.get(digest, BLOBLO_REDIRECT_STATUS="999")[0] == 424


def test_a_bad_password_is_tried_as_often_in_ten_locations_as_in_one(alone):
    """Registries lock accounts: a HEAD, and a GET for those that answer no HEAD, are asked once for all of them."""
    bloblo = alone()
    digest = bloblo.put_into_bucket(b"content")
    bad = {"HTTP_AUTHORIZATION": "Basic YWxpY2U6d3Jvbmc="}

    def gets():
        return [path for method, path, _ in bloblo.registry.requests if method == "GET" and digest in path]

    for number in range(10):
        assert bloblo.get(digest, **bad, BLOBLO_MIN_BLOB_SIZE=str(number))[0] == 424
    assert len(gets()) == 1
    # And not at all where the registry has answered a HEAD, in whichever location.
    assert bloblo.get(digest)[0] == 307
    other = {"HTTP_AUTHORIZATION": "Basic YWxpY2U6b3RoZXI="}
    assert bloblo.get(digest, **other, BLOBLO_MIN_BLOB_SIZE="77")[0] == 424
    assert len(gets()) == 1
