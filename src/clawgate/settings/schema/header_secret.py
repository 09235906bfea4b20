"""Declares the values of headers in OpenClaw's config file. Pure."""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator, SecretStr

from clawgate.policy.printable import is_quoted
from clawgate.settings.secrets import PLACEHOLDERS, QUOTED, login_problem


def _check_header(value: SecretStr) -> SecretStr:
    text = value.get_secret_value()
    check_is_real(text)
    login = ":" in text and login_problem(text) is None  # of Basic; whether it is, depends on other keys
    if not (login or (text.isascii() and text.isprintable())) or text != text.strip() or not text:
        raise ValueError(
            "is empty or contains a character that is not allowed in a header (line break, non-ASCII)"
        )
    return value


def check_is_real(text: str) -> None:
    """Raise ValueError for what stands for a secret, or is one in quotes."""
    if any(placeholder in text for placeholder in PLACEHOLDERS[:2]) or text in PLACEHOLDERS:
        raise ValueError("is a redaction placeholder, not a secret; enter the real value")
    if is_quoted(text.strip()):
        raise ValueError(f"{QUOTED}; remove them")


HeaderSecret = Annotated[SecretStr, AfterValidator(_check_header)]
"""The value of a header: like a secret, but it may contain blanks (``Basic dXNlcg==``)."""
