"""What a plugin may change of a request that leaves, and what it never gets to see or to say."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clawgate.errors import InvalidRequest, ProviderUnavailable
from clawgate.plugins.api import UpstreamRequest
from clawgate.routing.plugin_hooks import SESSION_HEADER, TransformRequest, read_for_hook
from clawgate.routing.plugin_hooks import transform_request as transform_read

SAID = {
    "messages": [{"role": "user", "content": "a private word"}],
    "system": "a private rule",
    "tools": [{"name": "private_tool"}],
}


def request(**more: object) -> bytes:
    return json.dumps({"model": "m", **SAID, **more}).encode()


def transform_request(
    transform: TransformRequest, provider: str, body: bytes, *, dialect: str = ""
) -> tuple[bytes, bytes]:
    """The two steps of an attempt."""
    made = transform_read(transform, provider, read_for_hook(provider, body, dialect=dialect))
    return made.body, made.lines


def seen_in(body: bytes) -> UpstreamRequest:
    """What the plugin gets of it."""
    seen: list[UpstreamRequest] = []

    def shape(request: UpstreamRequest) -> UpstreamRequest:
        seen.append(request)
        return request

    transform_request(shape, "a", body, dialect="openai-completions")
    return seen[0]


def changed(**fields: Any) -> Callable[[UpstreamRequest], UpstreamRequest]:
    return lambda request: replace(request, **fields)


def test_a_plugin_gets_the_fields_without_the_messages() -> None:
    seen = seen_in(request(temperature=0.5, stream=True))
    assert (seen.model, dict(seen.fields)) == ("m", {"temperature": 0.5, "stream": True})
    assert "private" not in repr(seen) and seen.dialect == "openai-completions"


def test_changed_fields_are_sent_and_messages_stay_byte_for_byte() -> None:
    """Another model, a field more, one less, a head line; what was said keeps even its blanks and escapes."""
    said = b'[ {"role":"user", "content":"\\u00e9 1.50 \\ud83e\\udd9e"} ]'
    body, lines = transform_request(
        changed(model="other", fields={"thinking": {"type": "enabled"}}, headers={"X-Session": "s 1"}),
        "a",
        b'{"messages":' + said + b',"temperature":1,"model":"m"}',
    )
    assert said in body and lines == b"x-session: s 1\r\n"
    sent = json.loads(body)
    assert {name: sent[name] for name in sent if name != "messages"} == {
        "model": "other",
        "thinking": {"type": "enabled"},
    }


@given(
    st.dictionaries(
        st.text(st.characters(exclude_categories=["Cs"]), max_size=9),
        st.recursive(
            st.none()
            | st.booleans()
            | st.integers(-(2**53), 2**53)
            | st.floats(allow_nan=False, allow_infinity=False)
            | st.text(st.characters(exclude_categories=["Cs"]), max_size=9),
            lambda inner: st.lists(inner, max_size=3),
            max_leaves=5,
        ),
        max_size=5,
    )
)
def test_an_unchanged_body_is_sent_byte_for_byte(fields: dict[str, Any]) -> None:
    """Whatever the request says."""
    body = json.dumps({**fields, "model": "m", **SAID}).encode()
    again, lines = transform_request(lambda request: request, "a", body)
    assert json.loads(again) == json.loads(body) and lines == b""


def test_a_plugin_cannot_change_the_messages() -> None:
    """Neither where something was said nor with a second model."""
    body, _ = transform_request(
        changed(fields={"messages": [], "system": "x", "tools": [], "model": "stolen"}), "a", request()
    )
    assert json.loads(body) == {"model": "m", **SAID}


@pytest.mark.parametrize(
    "name",
    ["Authorization", "x-api-key", "Host", "content-length", "Transfer-Encoding", "cookie", "a b", "a:b", "é",
     "a\r\nb"],
)  # fmt: skip
def test_a_plugin_cannot_set_headers_of_the_gateway(name: str) -> None:
    """Nor anything that would be more than one head line; then nothing leaves."""
    with pytest.raises(ProviderUnavailable, match="the plugin of the provider 'a' made a request"):
        transform_request(changed(headers={name: "x"}), "a", request())


@pytest.mark.parametrize("value", ["a\r\nauthorization: mine", "a\nb", "é", "\x00"])
def test_a_value_is_one_line(value: str) -> None:
    with pytest.raises(ProviderUnavailable):
        transform_request(changed(headers={"x-session": value}), "a", request())


@pytest.mark.parametrize("value", [object(), {1, object()}, {("a", "b"): 1}])
def test_what_cannot_be_json_does_not_leave(value: object) -> None:
    with pytest.raises(ProviderUnavailable, match="cannot be sent"):
        transform_request(changed(fields={"x": value}), "a", request())


def test_conversations_have_different_session_ids() -> None:
    """The same as it goes on, another one for the next that begins with the same words."""
    first: list[dict[str, str]] = [{"role": "user", "content": "private"}]
    name = seen_in(request(messages=first)).session_id
    longer = [*first, {"role": "assistant", "content": "yes"}, {"role": "user", "content": "more"}]
    assert seen_in(request(messages=longer, temperature=1, stream=True)).session_id == name
    assert seen_in(request(messages=first)).session_id not in (name, "")


def test_a_conversation_that_the_upstream_keeps_is_one_session_of_its_caller() -> None:
    def session(conversation: object, caller: str = "me", **more: Any) -> str:
        body = json.dumps({"model": "m", "input": "hi", "conversation": conversation}).encode()
        return read_for_hook("a", body, caller=caller, **more).shown.session_id

    assert session("conv_1") == session({"id": "conv_1"}) != ""
    assert len({session("conv_1"), session("conv_1", "you"), session("conv_2"), session(None)}) == 4
    assert session("conv_1", is_turn=False) == ""


def test_fields_of_over_a_megabyte_are_rejected_and_a_conversation_is_not() -> None:
    """What a plugin is shown becomes objects, which take many times their bytes."""
    large = "x" * 1_048_576
    assert seen_in(request(messages=[{"role": "user", "content": large}])).model == "m"
    with pytest.raises(InvalidRequest, match="over 1048576 bytes"):
        seen_in(request(metadata={"x": large}))


@pytest.mark.parametrize("role", [b"\xff", b"\\ud800"])
def test_a_role_that_is_not_utf8_does_not_fail_the_gateway(role: bytes) -> None:
    body = b'{"model":"m","messages":[{"role":"%b"},{"role":"user"}]}' % role
    assert seen_in(body).session_id != ""


def test_what_a_hook_ignores_is_named_as_the_client_set_it() -> None:
    """In the client's dialect, tools included, and never what a translation added."""
    ignores = changed(ignored=("max_tokens", "stop_sequences", "tools", "seed"))
    own = read_for_hook("a", request(max_tokens=1, stop=["x"], temperature=1))
    assert transform_read(ignores, "a", own).ignored == ("tools", "max_tokens", "stop")
    translated = read_for_hook(
        "a",
        request(max_tokens=4096, stop_sequences=["x"]),
        client_body=b'{"model":"m","messages":[],"stop":"\\ud83d","seed":1}',
    )
    assert transform_read(ignores, "a", translated).ignored == ("stop", "seed")


def test_a_session_of_the_clients_own_belongs_to_its_caller() -> None:
    """It is the same for each of its requests, and never another caller's, whatever that calls it."""

    def session(caller: str, own: str, provider: str = "a") -> str:
        read = read_for_hook(provider, request(), caller=caller, headers={SESSION_HEADER: own})
        return read.shown.session_id

    assert session("me", "x") == session("me", "x") != ""
    assert len({session("me", "x"), session("you", "x"), session("me", "y"), session("me", "x", "b")}) == 4
    assert "x" * 40 not in session("me", "x" * 40)


@pytest.mark.parametrize("own", ["x" * 201, "a\x7fb", "ü"])
def test_a_session_that_cannot_be_repeated_is_refused(own: str) -> None:
    with pytest.raises(InvalidRequest, match="x-claude-session-id"):
        read_for_hook("a", request(), headers={SESSION_HEADER: own})


def test_the_client_gets_the_name_of_its_session_where_the_upstream_was_sent_one() -> None:
    def with_session(request: UpstreamRequest) -> UpstreamRequest:
        return replace(request, headers={"x-opencode-session": request.session_id})

    own = read_for_hook("a", request(), headers={SESSION_HEADER: "mine"})
    made = transform_read(with_session, "a", own)
    assert made.response_lines == b"x-claude-session-id: mine\r\n"
    assert b"mine" not in made.lines and own.shown.session_id.encode() in made.lines
    other = read_for_hook("a", request())
    made = transform_read(with_session, "a", other)
    assert other.shown.session_id.encode() in made.response_lines
    assert transform_read(changed(), "a", own).response_lines == b""


def test_a_count_of_tokens_takes_no_session_from_its_conversation() -> None:
    """A client that counts before each turn goes on in the session that it had."""
    turns = [
        {"role": "user", "content": "hi"},
        {"role": "assistant", "content": "yo"},
        {"role": "user", "content": "?"},
    ]
    first = read_for_hook("counted", request(messages=turns[:1])).shown.session_id
    assert read_for_hook("counted", request(messages=turns), is_turn=False).shown.session_id == ""
    assert read_for_hook("counted", request(messages=turns)).shown.session_id == first != ""
