"""Presigns with botocore, AWS's own: JSON cases on stdin, JSON URLs on stdout, in their order."""

import datetime
import json
import sys

import botocore.auth
import botocore.config
import botocore.session

NOW = None


def current_datetime(remove_tzinfo=True):
    moment = datetime.datetime.fromtimestamp(NOW, tz=datetime.timezone.utc)
    return moment.replace(tzinfo=None) if remove_tzinfo else moment


class FrozenDatetime(datetime.datetime):
    """For the botocore before 1.40, which asks the class."""

    @classmethod
    def utcnow(cls):
        return current_datetime()


if hasattr(botocore.auth, "get_current_datetime"):
    botocore.auth.get_current_datetime = current_datetime
else:
    botocore.auth.datetime.datetime = FrozenDatetime

session = botocore.session.Session()
clients = {}


def client(case):
    names = ("region", "endpoint", "style", "accessKeyID", "secretAccessKey", "sessionToken")
    key = tuple(case.get(name) for name in names)
    if key not in clients:
        clients[key] = session.create_client(
            "s3",
            region_name=case["region"],
            endpoint_url=case.get("endpoint"),
            aws_access_key_id=case["accessKeyID"],
            aws_secret_access_key=case["secretAccessKey"],
            aws_session_token=case.get("sessionToken"),
            config=botocore.config.Config(
                signature_version="s3v4",
                request_checksum_calculation="when_required",
                s3={"addressing_style": case["style"], "us_east_1_regional_endpoint": "regional"},
            ),
        )
    return clients[key]


OPERATIONS = {
    "GET": "get_object",
    "HEAD": "head_object",
    "PUT": "put_object",
    "DELETE": "delete_object",
}

urls = []
for case in json.load(sys.stdin):
    NOW = case["now"]
    urls.append(
        client(case).generate_presigned_url(
            OPERATIONS[case["method"]],
            Params={"Bucket": case["bucket"], "Key": case["key"]},
            ExpiresIn=case["lifetimeSeconds"],
        )
    )
json.dump(urls, sys.stdout)
