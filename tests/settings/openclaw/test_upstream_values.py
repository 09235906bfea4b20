"""What OpenClaw's own schema says of numbers and booleans holds for this program, too: none passes as text."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from pydantic import ValidationError

from clawgate.settings.key_path import KeyPath
from clawgate.settings.openclaw.key_catalog import known_key
from clawgate.settings.openclaw.upstream_values import Table, table, wrong_values
from clawgate.settings.schema.openclaw import OpenClawConfig

Allowed = list[dict[str, Any]]


def leaves(part: Table, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Allowed]]:
    for key, inner in part.items():
        if key == "=":
            yield path, inner
        else:
            yield from leaves(inner, (*path, key))


LEAVES = list(leaves(table()))
PLAIN = [(path, allowed[0]) for path, allowed in LEAVES if len(allowed) == 1]
NUMBERS = [(path, one) for path, one in PLAIN if one.get("is") in ("number", "integer")]


def document(path: tuple[str, ...], value: object) -> tuple[Any, KeyPath]:
    """A document with ``value`` at a path of the table, and that path in it."""
    own: list[str | int] = []
    for key in reversed(path):
        value = [value] if key == "[]" else {"x" if key == "*" else key: value}
        own.insert(0, 0 if key == "[]" else "x" if key == "*" else key)
    return value, tuple(own)


def found(path: tuple[str, ...], value: object) -> list[str]:
    whole, own = document(path, value)
    wrong = list(wrong_values(whole))
    assert all(one.path == own for one in wrong)
    return [one.message for one in wrong]


def test_the_table_is_of_the_sections_that_the_file_has() -> None:
    assert len(LEAVES) > 600 and len(NUMBERS) > 200
    assert {"gateway", "models", "agents", "plugins", "tools", "session", "logging"} <= table().keys()


@pytest.mark.parametrize(
    ("path", "value", "says"),
    [
        ("gateway/port", "23121", "must be a whole number at least 1 and at most 65535, not text"),
        ("gateway/port", 0, "must be a whole number at least 1 and at most 65535"),
        ("gateway/port", 65_536, "at most 65535"),
        ("gateway/port", 1.5, "a whole number"),
        ("gateway/port", True, "a whole number"),
        ("gateway/port", None, "a whole number"),
        ("gateway/port", [], "a whole number"),
        ("gateway/controlUi/enabled", "true", "must be true or false, not text"),
        ("gateway/controlUi/enabled", 1, "must be true or false"),
        ("gateway/auth/rateLimit/windowMs", "60000", "must be a number, not text"),
        ("models/providers/*/timeoutSeconds", 0, "over 0"),
        ("models/providers/*/models/[]/cost/input", "0.5", "must be a number, not text"),
        ("plugins/entries/*/hooks/timeoutMs", 600_001, "at most 600000"),
        ("env/shellEnv/timeoutMs", "5", "not text"),
        ("agents/defaults/maxConcurrent", "5", "not text"),
    ],
)
def test_what_openclaw_rejects(path: str, value: object, says: str) -> None:
    (message,) = found(tuple(path.split("/")), value)
    assert says in message


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("gateway/port", 1), ("gateway/port", 65_535), ("gateway/port", 18_789.0),
        ("gateway/auth/rateLimit/maxAttempts", -2.5), ("gateway/controlUi/enabled", False),
        ("models/providers/*/models/[]/compat/openRouterRouting/max_price/prompt", "0.5"),
        ("models/providers/*/models/[]/compat/openRouterRouting/preferred_max_latency", {"p50": 1}),
        ("gateway/auth/token", 5), ("nothing/known", "5"), ("gateway/=", "5"),
    ],
)  # fmt: skip
def test_values_that_openclaw_accepts_pass(path: str, value: object) -> None:
    assert found(tuple(path.split("/")), value) == []


def test_no_number_and_no_boolean_may_be_text() -> None:
    for path, allowed in PLAIN:
        if "one of" not in allowed:
            assert found(path, "5") and found(path, "true"), path


def test_every_bound_counts_and_is_itself_as_it_says() -> None:
    for path, allowed in NUMBERS:
        for key, step in (("min", -1), ("max", 1), ("above", 0), ("below", 0)):
            if key in allowed:
                assert found(path, allowed[key] + step), (path, key)
        for key, step in (("min", 0), ("max", 0), ("above", 1), ("below", -1)):
            if key in allowed:
                assert not found(path, allowed[key] + step), (path, key)


def test_no_message_shows_the_value() -> None:
    for path, _ in LEAVES:
        assert "canary" not in json.dumps(found(path, "canary"))


def test_no_such_number_or_boolean_that_clawgate_reads_may_be_text() -> None:
    """The file is refused as a whole, as OpenClaw does it."""
    read = [
        path
        for path, allowed in PLAIN
        if "one of" not in allowed and known_key(document(path, 1)[1]) is not None
    ]
    assert ("gateway", "port") in read and len(read) > 8
    for path in read:
        for text in ("5", "true"):
            whole, own = document(path, text)
            with pytest.raises(ValidationError) as caught:
                OpenClawConfig.model_validate(whole, by_alias=True, by_name=False)
            assert own in [error["loc"] for error in caught.value.errors()], path
