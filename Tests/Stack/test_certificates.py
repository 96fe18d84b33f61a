"""Certificates and authorities that are renewed, or wrong, behind bloblo's back."""

import shutil

import pytest

from fakes.authority import Authority
from fakes.s3 import FakeS3
from fakes.waiting import eventually
from test_presence import Pulling
from test_road import is_offloaded, warm

pytestmark = pytest.mark.long


def test_a_new_authority_is_noticed(make_stack, ends, tmp_path):
    """The file is rewritten, and both servers present certificates of the new one; nothing is started anew."""
    (tmp_path / "old").mkdir()
    (tmp_path / "new").mkdir()
    old, new = Authority(tmp_path / "old"), Authority(tmp_path / "new")
    trusted = tmp_path / "trusted.pem"
    shutil.copy(old.file, trusted)
    s3 = FakeS3(old.certificate("localhost"))
    pulling = Pulling(make_stack, ends, "nginx", s3, BLOBLO_S3_CA_FILE=str(trusted), BLOBLO_PRESENCE_TTL="0s",
                      BLOBLO_S3_PUBLIC_ENDPOINT_URL=s3.url)
    digest = warm(pulling, 1)[0]
    s3.present(new.certificate("localhost"))
    shutil.copy(new.file, trusted)
    s3.end_connections()
    eventually(lambda: is_offloaded(pulling, digest), pause=0.5, otherwise=pulling.bloblo.tail)


def test_a_certificate_that_clients_refuse_is_noticed(make_stack, ends, tmp_path):
    """bloblo's own connections are kept and stay well; clients make new ones."""
    authority = Authority(tmp_path)
    s3 = FakeS3(authority.certificate("localhost"))
    pulling = Pulling(make_stack, ends, "nginx", s3, BLOBLO_S3_CA_FILE=str(authority.file), BLOBLO_LOOK_AS_CLIENT="on")
    digests = warm(pulling)
    assert is_offloaded(pulling, digests[0])
    s3.present(authority.certificate("another.example"))
    eventually(lambda: not is_offloaded(pulling, digests[0]))
    eventually(lambda: '"dependency":"road"' in pulling.bloblo.log.read_text())
    s3.present(authority.certificate("localhost"))
    eventually(lambda: is_offloaded(pulling, digests[0]), pause=0.5)
