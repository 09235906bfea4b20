"""No credential goes back to a client, however the body is cut, and the length stays what it was."""

from __future__ import annotations

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clawgate.errors import UpstreamFailed
from clawgate.relay.response.redact import (
    BodyMask,
    masked,
    masked_error,
    masked_fully,
    secrets_in_content,
)

SECRET = b"sk-canary-0123456789"
OTHER = b"sk-sk-other"


@given(
    st.lists(st.sampled_from([SECRET, OTHER, b"s", b"sk-", SECRET[:-1], b"x", b"sk-sk-", b"\n"]), max_size=8),
    st.integers(1, 30),
)
def test_body_mask_hides_what_masked_hides_however_the_body_is_cut(pieces: list[bytes], size: int) -> None:
    body = b"".join(pieces)
    mask = BodyMask((SECRET, OTHER))
    sent = b"".join(mask.feed(body[at : at + size]) for at in range(0, len(body), size)) + mask.flush()
    assert SECRET not in sent and OTHER not in sent and len(sent) == len(body)
    assert BodyMask((SECRET,)).feed(body + b"\n") == masked(body + b"\n", (SECRET,))


def test_body_mask_holds_back_no_more_than_the_beginning_of_a_secret() -> None:
    mask = BodyMask((SECRET,))
    states = [(mask.feed(piece), mask.holds_back) for piece in (b"key: sk-c", b"at")]
    assert states == [(b"key: ", True), (b"sk-cat", False)]
    assert mask.flush() == b""


def test_body_mask_without_secrets_changes_nothing() -> None:
    assert BodyMask(()).feed(SECRET) == SECRET


@pytest.mark.parametrize("secret", [SECRET, "geheimnis-für-alle".encode()])
def test_a_message_is_masked_and_the_error_stays_what_it_is(secret: bytes) -> None:
    error = UpstreamFailed(f"no {secret.decode()}", retry_after=7, status=429)
    found = masked_error(error, (secret,))
    assert isinstance(found, UpstreamFailed) and found.message.startswith("no ***")
    assert (found.retry_after, found.status) == (7, 429) and secret.decode() not in found.message
    assert masked_error(found, (secret,)) is found


def test_a_credential_that_could_be_a_word_is_not_looked_for_in_content() -> None:
    assert secrets_in_content((SECRET, b"local-key")) == (SECRET,)


@pytest.mark.parametrize("before", [b"", b"Bearer ", b"x", b"xy", b"Authorization: Bearer "])
@pytest.mark.parametrize("behind", [b"", b"\n", b"and more"])
def test_an_error_does_not_show_a_secret_in_base64(before: bytes, behind: bytes) -> None:
    """Wherever it begins in what was encoded, at most the characters at its ends stay."""
    encoded = base64.b64encode(before + SECRET + behind)
    for found in (masked_fully(encoded, (SECRET,)), BodyMask((SECRET,), fully=True).feed(encoded + b"\n")):
        assert found.count(b"*") >= (len(SECRET) - 4) // 3 * 4
    assert "*" * 20 in masked_error(UpstreamFailed(encoded.decode()), (SECRET,)).message


def test_a_header_whose_name_is_the_secret_is_masked() -> None:
    head = b"x-ratelimit-" + SECRET.lower() + b": 1\r\n"
    assert (
        masked_fully(head, (SECRET.replace(b"canary", b"Canary"),))
        == b"x-ratelimit-" + b"*" * len(SECRET) + b": 1\r\n"
    )
