"""What is not JSON of the right shape names the field at fault, and whose fault it is."""

from __future__ import annotations

import json
import re
from typing import Any

import msgspec
import pytest

from clawgate.errors import InvalidRequest, UpstreamMalformed
from clawgate.wire.json import strict


class Inner(msgspec.Struct):
    name: str


class Shape(msgspec.Struct):
    items: list[Inner]


SHAPE = msgspec.json.Decoder(Shape)

WRONG = [
    (b'{"items":[{"name":"a"},{"name":1}]}', "items[1].name"),
    (b'{"items":[{}]}', "items[0].name"),
    (b"{}", "items"),
    (b'{"items":{}}', "items"),
    (b"[]", None),
    (b"", None),
    (b'{"items":[]} x', None),
    (b'{"items":NaN}', None),
    (b'{"other":' + b"[" * 100_000, None),
]


@pytest.mark.parametrize(("body", "param"), WRONG)
def test_a_wrong_request_is_the_client_s_fault_and_names_the_field(body: bytes, param: str | None) -> None:
    with pytest.raises(InvalidRequest) as refused:
        strict.parse_request(body, SHAPE)
    assert refused.value.param == param
    assert f"cannot be read{f' at {param}' if param else ''}: " in refused.value.message


@pytest.mark.parametrize(("body", "param"), WRONG)
def test_a_wrong_response_is_the_upstreams_fault(body: bytes, param: str | None) -> None:
    with pytest.raises(UpstreamMalformed, match=re.escape(f" at {param}: ") if param else "cannot be read: "):
        strict.parse_response(body, SHAPE)


def test_bytes_that_are_no_utf_8_are_a_wrong_request_and_a_readable_response() -> None:
    """The model has finished a response; one byte of it is no reason to lose it."""
    body = b'{"items":[{"name":"a\xffb\\ud83d"}]}'
    with pytest.raises(InvalidRequest):
        strict.parse_request(body, SHAPE)
    assert strict.parse_response(body, SHAPE).items[0].name == "a\ufffdb\ufffd"


class Tagged(msgspec.Struct, tag_field="type", tag="a"):
    pass


class Other(msgspec.Struct, tag_field="type", tag="b"):
    pass


def test_an_error_shows_little_of_a_value() -> None:
    """It may be of any length, and what stands in it goes into logs."""
    body = json.dumps([{"type": "canary" + "x" * 100_000}]).encode()
    with pytest.raises(InvalidRequest) as refused:
        strict.parse_request(body, msgspec.json.Decoder(list[Tagged | Other]))
    assert "Invalid value 'canaryxxx" in refused.value.message and len(refused.value.message) < 300


def test_a_right_body_is_read() -> None:
    body = b'{"items":[{"name":"a"}],"unknown":1}'
    assert strict.parse_request(body, SHAPE) == strict.parse_response(body, SHAPE) == Shape([Inner("a")])


def test_a_response_may_begin_with_a_byte_order_mark() -> None:
    body = b'\xef\xbb\xbf{"items":[]}'
    assert strict.parse_response(body, SHAPE) == Shape([])
    with pytest.raises(InvalidRequest):
        strict.parse_request(body, SHAPE)


def test_half_a_character_is_read_as_its_replacement() -> None:
    body = b'{"items":[{"name":"a\\ud800"}]}'
    assert (
        strict.parse_request(body, SHAPE) == strict.parse_response(body, SHAPE) == Shape([Inner("a\ufffd")])
    )
    assert strict.parse_arguments('{"a":"\\ude00"}') == {"a": "\ufffd"}


def test_arguments_that_are_no_object_stand_whole_in_one() -> None:
    assert strict.arguments_or_raw('{"a":') == {"_raw": '{"a":'}
    assert strict.arguments_or_raw('{"a":1}') == {"a": 1}


@pytest.mark.parametrize(
    ("text", "read"),
    [
        ("", {}),
        (" null ", {}),
        (" \n", {}),
        ('{"a": 1e3}', {"a": 1000.0}),
        ('{"a": 123456789012345678901}', {"a": 123456789012345678901}),
        ("[]", None),
        ('{"a"', None),
        ('{"a": Infinity}', None),
        ('{"a":' + "[" * 100_000, None),
    ],
)
def test_arguments_are_an_object_or_nothing(text: str, read: dict[str, object] | None) -> None:
    assert strict.parse_arguments(text) == read


def test_what_is_nested_too_deeply_to_be_written_is_an_error_of_the_side_that_sent_it() -> None:
    deep: list[Any] = []
    for _ in range(100_000):
        deep = [deep]
    with pytest.raises(InvalidRequest):
        strict.encode_request(deep)
    with pytest.raises(UpstreamMalformed):
        strict.encode_response(deep)
    while deep:  # taken apart by hand: the interpreter would go down the same way
        deep = deep[0]
