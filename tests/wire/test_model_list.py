"""The list of a server is read as both vendors write it; what could not be requested is left out."""

from __future__ import annotations

import json

import pytest

from clawgate.wire.model_list import MAX_MODELS, model_ids

OPENAI = {"object": "list", "data": [{"id": "gpt-x", "object": "model", "created": 1, "owned_by": "openai"}]}
ANTHROPIC = {
    "data": [{"type": "model", "id": "claude-x", "display_name": "Claude X", "created_at": "2026-01-01T00:00:00Z"}],
    "has_more": False, "first_id": "claude-x", "last_id": "claude-x",
}  # fmt: skip


@pytest.mark.parametrize(("document", "ids"), [(OPENAI, ["gpt-x"]), (ANTHROPIC, ["claude-x"])])
def test_the_lists_of_both_vendors_are_read(document: object, ids: list[str]) -> None:
    assert model_ids(json.dumps(document).encode()) == ids


@pytest.mark.parametrize(
    ("entries", "ids"),
    [
        ([{"id": "b"}, {"id": "a"}, {"id": "b"}], ["b", "a"]),
        ([{"id": "org/m:free"}, {"id": "models/g"}, {"id": "ä"}], ["org/m:free", "models/g", "ä"]),
        ([{"id": "c,d"}], ["c,d"]),
        ([{"id": 7}, "x", None, {}, {"id": None}, {"id": ""}], []),
        ([{"id": " a"}, {"id": "a "}, {"id": "a\nb"}, {"id": "\x1b[31m"}, {"id": "x" * 201}], []),
        ([], []),
    ],
)  # fmt: skip
def test_only_ids_that_can_be_requested_are_taken(entries: list[object], ids: list[str]) -> None:
    assert model_ids(json.dumps({"data": entries}).encode()) == ids


def test_a_list_is_bounded() -> None:
    entries = [{"id": str(number)} for number in range(MAX_MODELS + 1)]
    assert len(model_ids(json.dumps({"data": entries}).encode()) or ()) == MAX_MODELS


@pytest.mark.parametrize(
    "body", [b"", b"<html>", b"[]", b"7", b'{"models":[]}', b'{"data":{}}', b'{"data":null}', b'{"a":' + b"[" * 200_000]
)  # fmt: skip
def test_another_body_is_no_list(body: bytes) -> None:
    assert model_ids(body) is None


def test_an_object_that_does_not_end_is_an_error() -> None:
    with pytest.raises(ValueError, match="Unterminated string"):
        model_ids(b'{"data":[{"id":"a"},{"id":"cut')
