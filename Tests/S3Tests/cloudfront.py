"""CloudFront's signed URLs by botocore and cryptography: JSON cases on stdin, JSON verdicts on stdout.

For RSA, where a signature has one form only, the verdict is botocore's own URL. For ECDSA, where it has
many, it is the URL that was given, or why its signature is wrong.
"""

import base64
import datetime
import json
import sys
import urllib.parse

from botocore.signers import CloudFrontSigner
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, padding


def verdict(case):
    key = serialization.load_pem_private_key(case["pem"].encode(), None)
    moment = datetime.datetime.fromtimestamp(case["expires"], tz=datetime.timezone.utc)
    resource = case["given"].split("?")[0]
    if case["kind"] == "rsa":
        signer = CloudFrontSigner(case["id"], lambda message: key.sign(message, padding.PKCS1v15(), hashes.SHA1()))
        return signer.generate_presigned_url(resource, date_less_than=moment)
    policy = CloudFrontSigner(case["id"], None).build_policy(resource, moment)
    query = dict(urllib.parse.parse_qsl(urllib.parse.urlsplit(case["given"]).query))
    if query["Expires"] != str(case["expires"]) or query["Key-Pair-Id"] != case["id"]:
        return f"query {query}"
    signature = base64.b64decode(query["Signature"].replace("-", "+").replace("_", "=").replace("~", "/"))
    try:
        key.public_key().verify(signature, policy.encode(), ec.ECDSA(hashes.SHA1()))
        return case["given"]
    except Exception as error:
        return f"{type(error).__name__}: {policy}"


json.dump([verdict(case) for case in json.load(sys.stdin)], sys.stdout)
