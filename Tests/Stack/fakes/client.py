"""A registry client's requests: credentials, paths, the one push."""

import base64
import hashlib
import urllib.parse

import stack


def basic(user, password=None):
    """The Authorization of a user of the stack's registry, or with a password of the test's own."""
    password = stack.USERS[user] if password is None else password
    return {"Authorization": "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()}


ALICE = basic("alice")


def digest_of(content, algorithm="sha256"):
    return f"{algorithm}:{hashlib.new(algorithm, content).hexdigest()}"


def blob_path(digest, repository="some/name"):
    return f"/v2/{repository}/blobs/{digest}"


def push(url, content, repository="some/name", headers=ALICE, algorithm="sha256"):
    """Pushes a blob to `url` as clients do (POST, PATCH, PUT), with checks of each answer; its digest.

    Source: <https://github.com/opencontainers/distribution-spec/blob/v1.1.0/spec.md#pushing-blobs>
    """
    digest = digest_of(content, algorithm)
    status, fields, body = stack.request("POST", f"{url}/v2/{repository}/blobs/uploads/", headers)
    assert status == 202, (status, body)
    location = urllib.parse.urljoin(url, fields["Location"])
    assert location.startswith(url), f"the upload leaves the server that was asked: {location}"
    status, fields, body = stack.request("PATCH", location, headers, content)
    assert status == 202, (status, body)
    location = urllib.parse.urljoin(url, fields["Location"])
    joint = "&" if "?" in location else "?"
    status, _, body = stack.request("PUT", f"{location}{joint}digest={digest}", headers)
    assert status == 201, (status, body)
    return digest
