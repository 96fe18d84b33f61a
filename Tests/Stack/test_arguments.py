"""Mistakes in arguments and in the names of settings are told by their own names."""

import pytest

from fakes.calendar import LIBRARY


@pytest.mark.parametrize("words,told", [
    (("presign", "foo"), 'got "foo"'),
    (("purge", "foo"), 'got "foo"'),
    (("check", "--blob", "x"), "--blob: want NAME@DIGEST"),
    (("check", "--front", "x"), "--front: want http://"),
    (("sweep", "--older-than", "banana"), '--older-than: want a time such as 30m, 12h or 1d, got "banana"'),
])
def test_an_argument_s_mistake_is_told_before_anything_else(alone, words, told):
    done = alone(start=False).run(*words, AWS_ACCESS_KEY_ID=None, BLOBLO_UPSTREAM_URL="x")
    assert told in done.stderr and done.returncode == 64, done


@pytest.mark.parametrize("wrong,right", [
    ("BLOBLO_S3_BUCKET", "BLOBLO_S3_BUCKET_NAME"), ("BLOBLO_BUCKET", "BLOBLO_S3_BUCKET_NAME"),
    ("BLOBLO_LISTEN", "BLOBLO_LISTEN_ADDR"), ("BLOBLO_FILL_MODE", "BLOBLO_FILL"),
    ("BLOBLO_S3_SECRET", "AWS_SECRET_ACCESS_KEY"), ("bloblo_s3_region", "BLOBLO_S3_REGION"),
    ("AWS_REGOIN", "AWS_REGION"), ("BLOBLO_PROOF_TLL", "BLOBLO_PROOF_TTL"), ("Bloblo_Delivery", "BLOBLO_DELIVERY"),
])
def test_the_right_name_is_offered_at_start_in_check_and_on_the_page(alone, wrong, right):
    bloblo = alone(**{wrong: "value"})
    words = f"{wrong}: unknown, ignored; did you mean {right}?"
    assert any(words in line["advice"] for line in bloblo.lines("did you mean"))
    assert words in bloblo.run("check").stdout
    assert words in bloblo.page()[1]


@pytest.mark.parametrize("name", ["AWS_LAMBDA_FUNCTION_NAME", "AWS_RETRY_MODE", "AWS_MAX_ATTEMPTS", "AWS_PROFILE"])
def test_what_others_read_is_nobody_s_mistake(alone, name):
    assert "did you mean" not in alone(start=False).run("check", **{name: "3"}).stdout


def test_arguments_are_read_where_a_preloaded_library_moves_the_environment(alone):
    """It served, in silence: Swift found no arguments."""
    preloaded = alone(start=False).run("presign", "foo", LD_PRELOAD=str(LIBRARY), FAKETIME="-7200")
    assert 'got "foo"' in preloaded.stderr and preloaded.returncode == 64, preloaded


@pytest.mark.parametrize("padded", ["secret\n", " secret", "secret # of the bucket"])
def test_a_secret_with_white_space_is_said_so(alone, padded):
    """S3 says SignatureDoesNotMatch, and nothing of why. A Kubernetes Secret made by `echo` has the line's end."""
    bloblo = alone(AWS_SECRET_ACCESS_KEY=padded)
    words = "AWS_SECRET_ACCESS_KEY: has white space in it"
    assert any(words in line["advice"] for line in bloblo.lines("white space"))
    assert words in bloblo.run("check").stdout
    assert words in bloblo.page()[1] and "secret" not in bloblo.page()[1]
