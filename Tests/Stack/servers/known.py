"""What all servers and tests know: where the project is, users, keys and the bucket."""

import base64
import pathlib

import written

ROOT = pathlib.Path(__file__).resolve().parents[3]
USERS = {"alice": "alice-password", "bob": "bob-password"}
ACCESS_KEY, SECRET_KEY, REGION = "AKIDTEST", "SECRETTEST", "us-east-1"
BUCKET = "bloblo-blobs"


def secrets():
    """What bloblo may never write: credentials that tests use, as they are and as they are sent, and what
    stands before a signature or a token."""
    basic = [base64.b64encode(f"{user}:{password}".encode()).decode() for user, password in USERS.items()]
    return [*USERS.values(), *basic, SECRET_KEY, *written.PREFIXES, "Basic ", "Bearer "]
