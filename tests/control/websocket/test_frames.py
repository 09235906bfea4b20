"""A frame is read or refused with its own id, whatever else is wrong with it."""

from __future__ import annotations

import json

import msgspec
import pytest

from clawgate.control.websocket.frames import (
    BadFrame,
    ErrorShape,
    encode_error,
    encode_event,
    encode_response,
    parse_request,
)


def test_a_request_is_read_and_its_params_are_left_unread() -> None:
    found = parse_request('{"type":"req","id":"a","method":"health","params":{"x":[1]},"traceparent":"00-a"}')
    assert (found.id, found.method, bytes(found.params)) == ("a", "health", b'{"x":[1]}')


@pytest.mark.parametrize("params", ["", ',"params":null'])
def test_params_that_are_not_there_are_none(params: str) -> None:
    found = parse_request(f'{{"type":"req","id":"a","method":"health"{params}}}')
    assert bytes(found.params) == b"{}"


@pytest.mark.parametrize(
    ("text", "id", "problem"),
    [
        ("hello", "invalid", "JSON is malformed: invalid character (byte 0)"),
        ("[]", "invalid", "must be object"),
        ('{"type":"req","method":"health"}', "invalid", "must have required property 'id'"),
        ('{"type":"req","id":"a1"}', "a1", "must have required property 'method'"),
        ('{"type":"req","id":7,"method":"h"}', "7", "at /id: must be string"),
        ('{"type":"req","id":"","method":"h"}', "invalid", "at /id: must not have fewer than 1 characters"),
        ('{"type":"res","id":"a6","method":"h"}', "a6", "at /type: must be equal to one of the allowed values"),
        ('{"type":"req","id":"a","method":"h","zz":1}', "a", "at root: unexpected property 'zz'"),
        ('{"type":"req","id":"a","method":"h","traceparent":"' + "x" * 129 + '"}', "a",
         "at /traceparent: must not have more than 128 characters"),
        ('{"type":"req","id":{"b":1},"method":"h"}', "invalid", "at /id: must be string"),
        ('{"type":"req","id":"a","method":"h","params":' + "[" * 100_000 + "]" * 100_000 + "}", "invalid",
         "nested too deeply"),
    ],
    ids=lambda value: value[:40],
)  # fmt: skip
def test_a_frame_that_is_no_request_is_refused_with_its_id(text: str, id: str, problem: str) -> None:  # noqa: A002
    with pytest.raises(BadFrame) as refused:
        parse_request(text)
    assert (refused.value.id, refused.value.problem) == (id, problem)


def test_a_long_frame_of_many_values_is_not_read() -> None:
    with pytest.raises(BadFrame, match="over 250000 values"):
        parse_request('{"type":"req","id":"a","method":"h","params":[' + "0," * 300_000 + "0]}")


def test_a_lone_half_of_a_character_reads_as_its_replacement() -> None:
    assert parse_request(r'{"type":"req","id":"\ud83d","method":"h"}').id == "\ufffd"


def test_frames_that_are_sent_have_the_members_of_the_contract() -> None:
    error = ErrorShape("UNAVAILABLE", "later", retryable=True, retry_after_ms=1000)
    shape = {"code": "UNAVAILABLE", "message": "later", "retryable": True, "retryAfterMs": 1000}
    assert msgspec.to_builtins(error) == shape
    assert json.loads(encode_response("1", None)) == {"type": "res", "id": "1", "ok": True, "payload": None}
    assert json.loads(encode_error("1", error)) == {"type": "res", "id": "1", "ok": False, "error": shape}
    assert json.loads(encode_error("1", error, {"a": 1}))["payload"] == {"a": 1}
    assert json.loads(encode_event("tick", {"ts": 1})) == {
        "type": "event",
        "event": "tick",
        "payload": {"ts": 1},
    }
    assert json.loads(encode_event("tick", {"ts": 1}, 3))["seq"] == 3
