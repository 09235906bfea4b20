"""No line holds a secret, in any of its spellings, and everything else stays."""

from __future__ import annotations

import base64
import json
from functools import partial
from urllib.parse import quote

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clawgate.policy.redaction import REDACTED, Redactor
from tests.cpu_time import grows_by_at_most

SECRET = 'sk-canary/+= 9f"\\&é'
SPELLINGS = {
    "raw": SECRET,
    "json": json.dumps(SECRET)[1:-1],
    "json-unicode": json.dumps(SECRET, ensure_ascii=False)[1:-1],
    "percent": quote(SECRET, safe=""),
    "base64": base64.b64encode(SECRET.encode()).decode(),
}


@pytest.mark.parametrize("spelling", SPELLINGS)
@pytest.mark.parametrize("form", ["{}", "a {} b", "{}{}", "key={}&x=1", "\n{}\n", "Bearer {}", '"{}"'])
def test_every_spelling_is_redacted_wherever_it_is(spelling: str, form: str) -> None:
    text = form.replace("{}", SPELLINGS[spelling])
    assert Redactor([SECRET]).redact(text) == form.replace("{}", REDACTED)


def test_a_secret_within_another_leaves_nothing_of_either() -> None:
    clean = Redactor(["token-123", "token-123-long", "x-token-123"]).redact
    assert clean("token-123-long x-token-123 token-123") == f"{REDACTED} {REDACTED} {REDACTED}"


def test_text_without_secrets_stays() -> None:
    text = "GET /v1/models 200, nothing here"
    assert Redactor([SECRET]).redact(text) == text
    assert Redactor([]).redact(text) == text


@pytest.mark.parametrize(
    ("text", "clean"),
    [
        ("key sk-ant-api03-aB3_x-Yz0123456789 refused", "key *** refused"),
        ("CLAUDE_CODE_OAUTH_TOKEN=sk-ant-oat01-abcdefghijkl", "CLAUDE_CODE_OAUTH_TOKEN=***"),
        ('{"apiKey":"sk-proj-abcdefghijklmnop"}', '{"apiKey":"***"}'),
        ("Authorization: Bearer abc.DEF-123/456+7==", "Authorization: Bearer ***"),
        ("authorization: 'bearer ab12cd34ef'", "authorization: 'bearer ***'"),
        ("{'x-api-key': 'k1-0123456789'}", "{'x-api-key': '***'}"),
        ("got Bearer 0123456789abcdef.", "got Bearer ***"),
        ('"refreshToken":"r0123456789","expires":1', '"refreshToken":"***","expires":1'),
        ("eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2lnbmF0dXJl", "***"),
        ("OPENAI_API_KEY=own-key-12345678 PATH=/bin", "OPENAI_API_KEY=*** PATH=/bin"),
        ("DB_PASSWORD: hunter2hunter2", "DB_PASSWORD: ***"),
    ],
)
def test_an_unknown_credential_is_redacted_by_its_shape(text: str, clean: str) -> None:
    assert Redactor().redact(text) == clean


@pytest.mark.parametrize(
    "text",
    [
        "the risk-assessment-of-2026 and a task-list-number-123456 are done, said sk-learn",
        "Bearer authentication is needed; a bearer token was not found",
        "run 'claude login', or set CLAUDE_CODE_OAUTH_TOKEN in its environment",
        "authorization: required, x-api-key: missing, access token: expired",
        "OPENAI_API_KEY=${OPENAI_API_KEY} TOKEN=placeholder KEY: value",
        "model claude-opus-4-6-20260101 at http://127.0.0.1:3456/v1/messages?beta=true took 1234567 tokens",
        "session ce8e587f-45dc-49ca-bd47-0bd31c2c8fab, request req_011CSHoEeqs5C35K2UUqR7Fy",
        "max_tokens: 1234567890, tokens=1234567890, keys: 12345678",
    ],
)
def test_ordinary_words_stay(text: str) -> None:
    assert Redactor().redact(text) == text


def test_an_empty_secret_redacts_nothing() -> None:
    assert Redactor([""]).redact("text") == "text"


def test_a_short_secret_is_redacted() -> None:
    assert "hunt2" not in Redactor(["hunt2"]).redact("the token is hunt2")


def test_a_secret_that_is_added_later_is_redacted() -> None:
    """As the tokens of a file that has changed; what was known before stays known."""
    redactor = Redactor(["first-secret"])
    redactor.add(["second-secret", ""])
    assert redactor.redact("first-secret second-secret third") == f"{REDACTED} {REDACTED} third"


@settings(max_examples=300, deadline=None)
@given(
    st.text(min_size=6, max_size=40), st.text(max_size=20), st.text(max_size=20), st.sampled_from(range(3))
)
def test_no_text_shows_a_secret(secret: str, before: str, after: str, which: int) -> None:
    """Any text, in any spelling, between any others."""
    if REDACTED in secret or secret in REDACTED * 3:
        return
    spelling = (secret, quote(secret, safe=""), base64.b64encode(secret.encode()).decode())[which]
    assert spelling not in Redactor([secret]).redact(before + spelling + after)


ATTACKS = [
    "-eyJ", "eyJ", "-eyJaaaaaaaa", "-eyJ.", "eyJaaaaaaaa.", "-sk-", "-sk-ant-", "-sk-abcdefghijk ", "id_token=",
    "idtoken:", "id_token ", "authorization", "authorization: ", "authorization:bearer ", "x-api-key='", "bearer ",
    "bearer\t", "A_KEY=", "AKEYTOKENSECRET", "KEY ", "A-", "A.KEY:", "A" , " ", "=", ":", '"', "\t\n", "a.", "-", "é",
    "Aa_", "1", "eyJ1", "idtoken=\"", "PASSWORD\"", "sk", "canar",
]  # fmt: skip
"""Repeated, each is the worst case of some part of the patterns."""


@pytest.mark.parametrize("head", ["", "authorization: ", "A_KEY=", "eyJaaaaaaaa"])
@pytest.mark.parametrize("attack", ATTACKS)
def test_redaction_takes_linear_time(attack: str, head: str) -> None:
    """Eight times the text may not take more than sixteen times as long; quadratic would be 64. In CPU time."""
    small = head + attack * (8_000 // len(attack))
    large = head + attack * (64_000 // len(attack))
    redact = Redactor(["canary-secret"]).redact
    assert grows_by_at_most(16, partial(redact, small), partial(redact, large))


def test_content_keeps_what_only_looks_like_a_credential() -> None:
    text = "curl -H 'Authorization: Bearer abcdef0123456789' # canary-key-1"
    expected = "curl -H 'Authorization: Bearer abcdef0123456789' # ***"
    assert Redactor(["canary-key-1"]).redact_known(text) == expected
