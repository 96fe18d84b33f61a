"""Presigns with botocore, AWS's own: JSON cases on stdin, JSON URLs on stdout, in their order."""

import datetime
import json
import sys

import botocore.auth
import botocore.awsrequest
import botocore.config
import botocore.credentials
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
    names = ("region", "endpoint", "style", "accessKeyID", "secretAccessKey", "sessionToken", "isFIPS", "isDualStack",
             "isAccelerated")
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
                use_fips_endpoint=case["isFIPS"],
                use_dualstack_endpoint=case["isDualStack"],
                s3={
                    "addressing_style": case["style"],
                    "us_east_1_regional_endpoint": "regional",
                    "use_accelerate_endpoint": case["isAccelerated"],
                    "use_arn_region": True,
                },
            ),
        )
    return clients[key]


OPERATIONS = {
    "GET": "get_object",
    "HEAD": "head_object",
    "PUT": "put_object",
    "DELETE": "delete_object",
}

def presign(case):
    global NOW
    NOW = case["now"]
    url = client(case).generate_presigned_url(
        OPERATIONS[case["method"]],
        Params={"Bucket": case["bucket"], "Key": case["key"]},
        ExpiresIn=case["lifetimeSeconds"],
    )
    if not case["isRequesterPaying"]:
        return url
    # Of RequestPayer botocore makes a header that the client must send, and one that is redirected can't:
    # S3 takes the parameter too, and botocore's signer signs it.
    request = botocore.awsrequest.AWSRequest(
        case["method"], f"{url.split('?')[0]}?x-amz-request-payer=requester")
    credentials = botocore.credentials.Credentials(
        case["accessKeyID"], case["secretAccessKey"], case.get("sessionToken"))
    botocore.auth.S3SigV4QueryAuth(credentials, "s3", case["region"], case["lifetimeSeconds"]).add_auth(request)
    return request.url


def url_or_refusal(case):
    try:
        return presign(case)
    except Exception as error:
        return f"refused: {type(error).__name__}: {error}"


json.dump([url_or_refusal(case) for case in json.load(sys.stdin)], sys.stdout)
