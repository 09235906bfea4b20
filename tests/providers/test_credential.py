"""A credential is one head line, always, and shows itself nowhere else."""

from __future__ import annotations

import base64

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clawgate.providers.credential import (
    Basic,
    Credential,
    HeaderToken,
    NoCredential,
    basic_value,
    bearer,
)

CANARY = "canary-4711-secret"


@pytest.mark.parametrize(
    ("credential", "line"),
    [
        (bearer(CANARY), f"authorization: Bearer {CANARY}\r\n"),
        (HeaderToken("X-Proxy-Token", CANARY), f"x-proxy-token: {CANARY}\r\n"),
        (HeaderToken("x-api-key", "a b"), "x-api-key: a b\r\n"),
        (HeaderToken("Authorization", basic_value("u:p")), "authorization: Basic dTpw\r\n"),
        (bearer("x"), "authorization: Bearer x\r\n"),
        (HeaderToken("Authorization", CANARY, "Token"), f"authorization: Token {CANARY}\r\n"),
    ],
    ids=["bearer", "proxy token", "inner blank", "basic", "one character", "scheme"],
)
def test_the_line_and_the_secret_in_it(credential: Credential, line: str) -> None:
    assert credential.line() == line.encode()
    assert all(secret in credential.line() for secret in credential.secrets())
    assert len(credential.secrets()) == 1


BAD_VALUES = {
    "empty": "", "blank": " ", "blank in front": " canary", "blank behind": "canary ", "line feed": "canary\n",
    "header": "canary\r\nx: y", "carriage return": "canary\rx", "NUL": "canary\x00", "tab": "a\tcanary",
    "DEL": "canary\x7f",
    "not ASCII": "canäry-canary", "full-width": "\uff11canary", "next line": "canary\x85", "separator": "canary\u2028",
}  # fmt: skip


@pytest.mark.parametrize("value", BAD_VALUES.values(), ids=BAD_VALUES.keys())
def test_a_value_that_cannot_stand_in_a_header_is_refused_and_not_shown(value: str) -> None:
    with pytest.raises(ValueError, match="must be visible ASCII") as caught:
        bearer(value)
    assert "canary" not in str(caught.value)
    with pytest.raises(ValueError, match="must be visible ASCII") as refused:
        HeaderToken("x-a", value)
    assert "canary" not in str(refused.value)


@pytest.mark.parametrize(
    "name", ["", " ", "a b", "a:", "a\r\nb", "a\n", "ä", "a(b)", "a/b", "a,b", '"a"', "{a}", "a\x00", "a@b"]
)
def test_a_name_that_is_no_token_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match="is not a header name"):
        HeaderToken(name, CANARY)


@pytest.mark.parametrize(
    "credential",
    [bearer(CANARY), HeaderToken("x-a", CANARY), Basic(f"u:{CANARY}")],
    ids=["bearer", "header", "basic"],
)
def test_a_credential_does_not_show_itself(credential: Credential) -> None:
    """Not by repr, str, format or inside of something else."""
    for text in (
        repr(credential),
        str(credential),
        f"{credential}",
        f"{[credential]}",
        f"{ ({'a': credential}) }",
    ):
        assert "canary" not in text


@settings(max_examples=300, deadline=None)
@given(st.text(max_size=30))
def test_whatever_is_taken_is_one_line(value: str) -> None:
    """For any text: it is refused, or the line has one line break, at its end."""
    try:
        line = bearer(value).line()
    except ValueError:
        return
    assert line.count(b"\r") == line.count(b"\n") == 1 and line.endswith(b"\r\n") and line.isascii()


@pytest.mark.parametrize("userinfo", ["u:p", "u:", ":p", "u:p:q", "ü:pä"])
def test_basic_is_base64_of_utf8(userinfo: str) -> None:
    """RFC 7617; only the first colon divides, so a password may hold more."""
    scheme, _, encoded = basic_value(userinfo).partition(" ")
    assert scheme == "Basic" and base64.b64decode(encoded, validate=True).decode() == userinfo


def test_no_credential_is_no_line() -> None:
    assert NoCredential().line() == b"" and NoCredential().secrets() == ()


@pytest.mark.parametrize(
    ("credential", "line"),
    [
        (Basic("u:pass"), b"authorization: Basic dTpwYXNz\r\n"),
        (Basic("dTpwYXNz"), b"authorization: Basic dTpwYXNz\r\n"),
        (Basic("u:pass", "X-Auth"), b"x-auth: Basic dTpwYXNz\r\n"),
        (Basic("u:a\r\nb: c"), b"authorization: Basic dTphDQpiOiBj\r\n"),
    ],
    ids=["plain", "encoded already", "another header", "line breaks end up inside"],
)
def test_basic_is_encoded_once(credential: Basic, line: bytes) -> None:
    assert credential.line() == line


@pytest.mark.parametrize("value", ["u:pass", "dTpwYXNz"])
def test_basic_is_recognised_encoded_plain_and_by_its_password(value: str) -> None:
    assert set(Basic(value).secrets()) == {b"dTpwYXNz", b"u:pass", b"pass"}


def test_a_password_that_would_be_found_everywhere_is_not_looked_for() -> None:
    assert set(Basic("u:p").secrets()) == {b"dTpw", b"u:p"}


def test_what_is_no_base64_is_sent_as_it_is_and_known() -> None:
    assert Basic("not base64!").secrets() == (b"not base64!",)


@pytest.mark.parametrize(("name", "value"), [("a b", "u:p"), ("x", "a\nb"), ("x", "")])
def test_basic_refuses_what_cannot_stand_in_a_header(name: str, value: str) -> None:
    with pytest.raises(ValueError, match=r"header name|visible ASCII"):
        Basic(value, name)


@pytest.mark.parametrize("scheme", ["a\r\nb", " a", "a "])
def test_a_scheme_is_part_of_the_line(scheme: str) -> None:
    with pytest.raises(ValueError, match="visible ASCII"):
        HeaderToken("x-a", CANARY, scheme)
