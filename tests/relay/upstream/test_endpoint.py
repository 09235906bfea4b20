"""The TLS of an endpoint verifies, by the authorities that it was given."""

from __future__ import annotations

import ssl
from pathlib import Path

import pytest

from clawgate.relay.upstream.endpoint import tls_context
from tests.e2e.certificates import Authority


def test_tls_verifies_the_server_and_its_name_by_the_authority_that_was_given(tmp_path: Path) -> None:
    authority = Authority(tmp_path, "ours").file
    for context in (tls_context(ca_file=str(authority)), tls_context(ca_text=authority.read_text())):
        assert context.verify_mode is ssl.CERT_REQUIRED and context.check_hostname
        assert context.minimum_version is ssl.TLSVersion.TLSv1_2
        assert len(context.get_ca_certs()) == 1, "an authority of the system is trusted beside the given one"


def test_a_file_that_is_no_authority_or_no_certificate_is_an_error(tmp_path: Path) -> None:
    wrong = tmp_path / "wrong.pem"
    wrong.write_text("not PEM")
    with pytest.raises(ssl.SSLError):
        tls_context(ca_file=str(wrong))
    with pytest.raises(ssl.SSLError):
        tls_context(certificate=str(wrong))
    with pytest.raises(FileNotFoundError):
        tls_context(ca_file=str(tmp_path / "absent.pem"))
