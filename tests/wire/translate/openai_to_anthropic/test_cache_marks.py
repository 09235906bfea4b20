"""A client that names a cache gets one at Anthropic: the end of what it sends again is marked, and no more."""

from __future__ import annotations

import json
from typing import Any

import pytest

from clawgate.wire.dialect import Dialect
from clawgate.wire.translate.compat import NO_COMPAT, Compat
from clawgate.wire.translate.exchange import Translation
from clawgate.wire.translate.translator import translation

MARK = {"type": "ephemeral"}
HOUR = MARK | {"ttl": "1h"}
CHAT: dict[str, Any] = {
    "messages": [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": "1"},
        {"role": "assistant", "content": "2"},
        {"role": "user", "content": [{"type": "text", "text": "3"}, {"type": "text", "text": "4"}]},
        {"role": "assistant", "tool_calls": [
            {"id": "a", "type": "function", "function": {"name": "f", "arguments": "{}"}},
            {"id": "b", "type": "function", "function": {"name": "f", "arguments": "{}"}}]},
        {"role": "tool", "tool_call_id": "a", "content": "5"},
        {"role": "tool", "tool_call_id": "b", "content": "6"},
    ],
    "tools": [{"type": "function", "function": {"name": name}} for name in "ef"],
}  # fmt: skip
RESPONSES: dict[str, Any] = {
    "instructions": "Be brief.",
    "input": [
        {"role": "user", "content": "1"},
        {"role": "assistant", "content": "2"},
        {
            "role": "user",
            "content": [{"type": "input_text", "text": "3"}, {"type": "input_text", "text": "4"}],
        },
        {"type": "function_call", "call_id": "a", "name": "f", "arguments": "{}"},
        {"type": "function_call", "call_id": "b", "name": "f", "arguments": "{}"},
        {"type": "function_call_output", "call_id": "a", "output": "5"},
        {"type": "function_call_output", "call_id": "b", "output": "6"},
    ],
    "tools": [{"type": "function", "name": name, "parameters": {"type": "object"}} for name in "ef"],
}
BOTH = pytest.mark.parametrize(
    ("client", "body"), [(Dialect.CHAT, CHAT), (Dialect.RESPONSES, RESPONSES)], ids=["chat", "responses"]
)


def sent(client: Dialect, body: dict[str, Any], compat: Compat = NO_COMPAT) -> tuple[Translation, Any]:
    made = translation(
        client,
        Dialect.MESSAGES,
        requested_model="p/m",
        upstream_model="m",
        created=1,
        unique_id="u",
        compat=compat,
    )
    return made, json.loads(made.translate_request(json.dumps({"model": "p/m", **body}).encode()))


def marks(value: Any, place: str = "") -> dict[str, Any]:
    """Each mark by its place."""
    if isinstance(value, list):
        return {
            key: mark
            for number, one in enumerate(value)
            for key, mark in marks(one, f"{place}.{number}").items()
        }
    if not isinstance(value, dict):
        return {}
    own = {place: value["cache_control"]} if "cache_control" in value else {}
    return own | {
        key: mark for name, one in value.items() for key, mark in marks(one, f"{place}.{name}").items()
    }


@BOTH
@pytest.mark.parametrize(
    ("more", "mark"),
    [
        ({"prompt_cache_key": "k"}, MARK),
        ({"prompt_cache_retention": "in_memory"}, MARK),
        ({"prompt_cache_retention": "24h"}, HOUR),
        ({"prompt_cache_options": {"mode": "implicit", "ttl": "30m"}}, HOUR),
        ({"prompt_cache_options": {"ttl": ["odd"]}}, MARK),
    ],
)
def test_the_end_of_each_part_that_is_sent_again_is_marked(
    client: Dialect, body: dict[str, Any], more: dict[str, Any], mark: dict[str, Any]
) -> None:
    """Four at most, which is what Anthropic accepts: the tools, the system prompt, the last two turns of the user."""
    made, fields = sent(client, body | more)
    places = [".tools.1", ".system.0", ".messages.2.content.1", ".messages.4.content.1"]
    assert marks(fields) == dict.fromkeys(places, mark) and made.ignored == ()


@BOTH
def test_marks_change_nothing_else(client: Dialect, body: dict[str, Any]) -> None:
    def without(value: Any) -> Any:
        if isinstance(value, list):
            return [without(one) for one in value]
        if isinstance(value, dict):
            return {name: without(one) for name, one in value.items() if name != "cache_control"}
        return value

    marked = without(sent(client, body | {"prompt_cache_key": "k"})[1])
    plain = sent(client, body)[1]
    assert not marks(plain)
    assert marked == plain | {"system": [{"type": "text", "text": plain["system"]}]}


@BOTH
@pytest.mark.parametrize(
    ("more", "compat", "ignored"),
    [
        ({}, NO_COMPAT, ()),
        ({"prompt_cache_key": ""}, NO_COMPAT, ("prompt_cache_key",)),
        ({"prompt_cache_key": "k", "prompt_cache_options": {"mode": "explicit"}}, NO_COMPAT,
         ("prompt_cache_key", "prompt_cache_options")),
        ({"prompt_cache_key": "k"}, Compat(supports_prompt_cache_key=False), ("prompt_cache_key",)),
    ],
)  # fmt: skip
def test_who_names_no_cache_or_wants_none_pays_for_none(
    client: Dialect, body: dict[str, Any], more: dict[str, Any], compat: Compat, ignored: tuple[str, ...]
) -> None:
    made, fields = sent(client, body | more, compat)
    assert marks(fields) == {} and made.ignored == ignored


@pytest.mark.parametrize(
    ("own", "place"),
    [
        ({"cache_control": MARK}, ""),
        ({"tools": [CHAT["tools"][0] | {"cache_control": MARK}]}, ".tools.0"),
        ({"messages": [{"role": "user", "content": [{"type": "text", "text": "1", "cache_control": MARK}]}]},
         ".messages.0.content.0"),
    ],
)  # fmt: skip
def test_the_clients_own_marks_are_all(own: dict[str, Any], place: str) -> None:
    made, fields = sent(Dialect.CHAT, CHAT | own | {"prompt_cache_key": "k"})
    assert marks(fields) == {place: MARK} and made.ignored == ("prompt_cache_key",)


@BOTH
def test_a_server_without_long_lifetimes_gets_plain_marks(client: Dialect, body: dict[str, Any]) -> None:
    fields = sent(
        client, body | {"prompt_cache_retention": "24h"}, Compat(supports_long_cache_retention=False)
    )[1]
    assert set(map(str, marks(fields).values())) == {str(MARK)} and len(marks(fields)) == 4


@BOTH
def test_a_short_request_is_marked_where_it_ends(client: Dialect, body: dict[str, Any]) -> None:
    turns = body.get("messages", body.get("input"))
    assert turns is not None
    name = "messages" if client is Dialect.CHAT else "input"
    fields = sent(client, {name: [{"role": "user", "content": "hi"}], "prompt_cache_key": "k"})[1]
    assert marks(fields) == {".messages.0.content.0": MARK}
