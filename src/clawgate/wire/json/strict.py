"""Parses JSON of an expected shape: a wrong request is an `InvalidRequest`, a wrong response an `UpstreamMalformed`.

Strict as RFC 8259: no NaN, and in requests valid UTF-8; nesting is bounded by the decoder. Lone surrogate escapes
read as U+FFFD. The error names the field; no other error is raised. It knows no dialect: the shapes are passed in.
"""

from __future__ import annotations

import re
from typing import TypeVar

import msgspec

from clawgate.errors import InvalidRequest, UpstreamMalformed
from clawgate.wire.json.complexity import MAX_VALUES, is_too_complex
from clawgate.wire.json.surrogates import SurrogateJoiner, replace_invalid_bytes, replace_lone_surrogates

T = TypeVar("T")

RAW = "_raw"
"""The member that contains the text of arguments that are no JSON object."""

_WRONG = (msgspec.MsgspecError, RecursionError, UnicodeError)
_PLACE = re.compile(r" - at `\$\.?([^`]*)`$")
_MISSING = re.compile(r"missing required field `([^`]+)`")
_BOM = b"\xef\xbb\xbf"
_MAX_SHOWN = 120
_encoder = msgspec.json.Encoder()


def decode(body: bytes, shape: msgspec.json.Decoder[T]) -> T:
    """Return ``body`` in its shape; raises as the decoder does."""
    try:
        return shape.decode(body)
    except _WRONG:
        return shape.decode(replace_lone_surrogates(body))


def parse_request(body: bytes, shape: msgspec.json.Decoder[T], *, what: str = "the request body") -> T:
    """Return ``body`` in its shape; raises `InvalidRequest` with the field's path as ``param``."""
    try:
        return decode(body, shape)
    except _WRONG as error:
        problem, param = _problem(error)
        raise InvalidRequest(f"{what} cannot be read{_at(param)}: {problem}", param=param) from None


def _at(param: str | None) -> str:
    return f" at {param}" if param else ""


def member_names(body: bytes) -> list[str]:
    """Return the names in an object that `parse_request` has read, without those of null."""
    members = decode(body, _members)
    return [name for name, value in members.items() if bytes(value) != b"null"]


def parse_response(body: bytes, shape: msgspec.json.Decoder[T], joiner: SurrogateJoiner | None = None) -> T:
    """Return the upstream's ``body`` or event in its shape; raises `UpstreamMalformed`.

    ``joiner`` joins characters that were cut between two events of a stream. Bytes that are no UTF-8 read as U+FFFD:
    one of them is no reason to lose a response that the model has finished. A byte order mark in front is ignored, as
    RFC 8259 section 8.1 allows.
    """
    body = body.removeprefix(_BOM)
    if is_too_complex(body):
        raise UpstreamMalformed(f"the upstream's response contains over {MAX_VALUES} values")
    try:
        try:
            return shape.decode(body)
        except _WRONG:
            body = replace_invalid_bytes(body)
            return shape.decode(joiner.join(body) if joiner is not None else replace_lone_surrogates(body))
    except _WRONG as error:
        problem, param = _problem(error)
        raise UpstreamMalformed(f"the upstream's response cannot be read{_at(param)}: {problem}") from None


def parse_arguments(text: str) -> dict[str, object] | None:
    """Return a tool call's arguments as an object, ``{}`` for no text or null; None for what is no JSON object."""
    if text.strip() in ("", "null"):
        return {}
    try:
        return decode(text.encode(), _object)
    except _WRONG:
        return None


def arguments_or_raw(text: str) -> dict[str, object]:
    """Return a tool call's arguments as an object in any case: a text that is none is kept under `RAW`.

    A call that the token limit cut off, or that a small model got wrong, is part of a conversation that continues: the
    tool rejected it, and the model has to see what it wrote.
    """
    parsed = parse_arguments(text)
    return {RAW: text} if parsed is None else parsed


def encode_request(value: object) -> bytes:
    """Return ``value`` as compact JSON; raises `InvalidRequest` for what is nested too deeply to be encoded."""
    try:
        return _encoder.encode(value)
    except RecursionError:
        raise InvalidRequest("the request body is nested too deeply") from None


def encode_response(value: object) -> bytes:
    """Return ``value`` as compact JSON; raises `UpstreamMalformed` for what is nested too deeply to be encoded."""
    try:
        return _encoder.encode(value)
    except RecursionError:
        raise UpstreamMalformed("the upstream's response is nested too deeply") from None


def _problem(error: Exception) -> tuple[str, str | None]:
    """Return the decoder's complaint, and the path of the field: messages[0].content.

    A wrong value is abbreviated: it may be of any length, and logs contain it, too.
    """
    text = str(error)
    place = _PLACE.search(text)
    path = place[1] if place else ""
    text = _PLACE.sub("", text)
    if missing := _MISSING.search(text):
        path = f"{path}.{missing[1]}" if path else missing[1]
    return abbreviated(text), abbreviated(path) or None


def abbreviated(text: str) -> str:
    return text if len(text) <= _MAX_SHOWN else f"{text[:_MAX_SHOWN]}..."


_object: msgspec.json.Decoder[dict[str, object]] = msgspec.json.Decoder(dict[str, object])
_members = msgspec.json.Decoder(dict[str, msgspec.Raw])
