"""What is no secret is not taken for one, and no reason repeats the value."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clawgate.settings.secrets import MIN_TOKEN_LENGTH, PLACEHOLDERS, secret_problem, token_problem

GOOD = "k7Q-canary_9xZ2.pw4~"

NO_SECRETS = {
    "quotes": (f'"{GOOD}"', "in quotes"),
    "single quotes": (f" '{GOOD}' ", "in quotes"),
    "empty": ("", "is empty"),
    "blanks": (" \t\n", "is empty"),
    "OpenClaw's placeholder": ("__OPENCLAW_REDACTED__", "redaction placeholder"),
    "a placeholder inside": ("sk-[REDACTED]", "redaction placeholder"),
    "stars": ("*****", "redaction placeholder"),
    "bullets": ("••••1234", "redaction placeholder"),
    "shortened": ("sk-abc...wxyz", "redaction placeholder"),
    "an ellipsis": ("sk-abc…", "redaction placeholder"),
    "angle brackets": ("<your key>", "redaction placeholder"),
    "changeme": ("changeme", "an example"),
    "in capitals": ("CHANGEME", "an example"),
    "from a README": ("your-secret-token", "an example"),
    "your-anything": ("your-openai-key-here", "an example"),
    "your_anything": ("YOUR_KEY", "an example"),
    "xxx": ("xxx", "an example"),
    "with its scheme": (f"Bearer {GOOD}", "scheme 'Bearer'"),
    "a line of .env": (f"OPENAI_API_KEY={GOOD}", "NAME=value"),
    "a line of a shell": (f"export HUT_KEY={GOOD}", "NAME=value"),
    "a blank inside": ("abc def", "character"),
    "a blank behind": ("abcdefgh ", "character"),
    "a line break behind": ("abcdefgh\n", "character"),
    "a header behind": ("abc\r\nx: y", "character"),
    "NUL": ("abc\x00def", "character"),
    "a tab": ("abc\tdef", "character"),
    "not ASCII": ("pässword9", "character"),
    "full-width": ("\uff41\uff42\uff43", "character"),
}


@pytest.mark.parametrize(("value", "says"), NO_SECRETS.values(), ids=NO_SECRETS.keys())
def test_what_cannot_be_a_secret(value: str, says: str) -> None:
    assert says in (secret_problem(value) or "")
    assert says in (token_problem(value) or "")


@pytest.mark.parametrize("value", [GOOD, "a", "0", "<a", "a>", "!\"#$%&'()+,/:;=?@[]^`{|}", "my-your-token"])
def test_what_may_be_one(value: str) -> None:
    """Keys are other people's: they may be short, and hold every visible character."""
    assert secret_problem(value) is None


@pytest.mark.parametrize("value", ["${MY_KEY}", "${1KEY}", "${}", "$OPENAI_API_KEY"])
def test_a_variable_that_was_not_filled_in_is_no_secret(value: str) -> None:
    assert secret_problem(value) is not None


def test_a_variable_with_an_odd_name_is_no_secret_either() -> None:
    assert secret_problem("${MY-KEY}") is not None


@pytest.mark.parametrize(
    ("value", "says"),
    [
        ("abcdef", "shorter than 16"), (GOOD[: MIN_TOKEN_LENGTH - 1], "shorter than 16"),
        ("a" * 40, "different characters"),
        ("abababababababababab", "different characters"), ("abcde" * 5, "different characters"), ("abcdef" * 3, None),
        (GOOD[:MIN_TOKEN_LENGTH], None),
    ],
)  # fmt: skip
def test_a_token_must_not_be_guessed(value: str, says: str | None) -> None:
    reason = token_problem(value)
    assert reason is None if says is None else says in (reason or "")


@settings(max_examples=500, deadline=None)
@given(st.text(alphabet=st.characters(codec="utf-8"), min_size=4, max_size=30))
def test_no_reason_holds_the_value(value: str) -> None:
    for reason in (secret_problem(f"q{value}q"), token_problem(f"q{value}q")):
        assert reason is None or f"q{value}q" not in reason


@settings(max_examples=500, deadline=None)
@given(st.text(max_size=20))
def test_whatever_is_taken_can_stand_in_a_header(value: str) -> None:
    if secret_problem(value) is None:
        assert value and all("!" <= char <= "~" for char in value)
        assert not any(mark in value for mark in PLACEHOLDERS)
