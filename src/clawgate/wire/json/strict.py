"""Is this JSON of the expected shape, and if not, which field is at fault and whose fault is it?

Strict as RFC 8259: no NaN, valid UTF-8; nesting is bounded by the decoder. Escapes of half a character read as
U+FFFD. A wrong request is a `InvalidRequest` that names the field, a wrong answer an `UpstreamMalformed`; no other
error leaves. It knows no dialect: the shapes are passed in.
"""

from __future__ import annotations

import re
from typing import TypeVar

import msgspec

from clawgate.errors import InvalidRequest, UpstreamMalformed
from clawgate.wire.json.surrogates import SurrogateJoiner, replace_lone_surrogates

T = TypeVar("T")

RAW = "_raw"
"""Holds the text of arguments that are not a JSON object."""

_WRONG = (msgspec.MsgspecError, RecursionError, UnicodeError)
_PLACE = re.compile(r" - at `\$\.?([^`]*)`$")
_MISSING = re.compile(r"missing required field `([^`]+)`")
_BOM = b"\xef\xbb\xbf"
_LONGEST_SHOWN = 120
_encoder = msgspec.json.Encoder()


def parse_request(body: bytes, shape: msgspec.json.Decoder[T]) -> T:
    """The client's ``body`` in its shape; raises `InvalidRequest` with the field's path as ``param``."""
    try:
        try:
            return shape.decode(body)
        except _WRONG:
            return shape.decode(replace_lone_surrogates(body))
    except _WRONG as error:
        what, param = _said(error)
        raise InvalidRequest(f"the request body cannot be read: {what}", param=param) from None


def parse_response(body: bytes, shape: msgspec.json.Decoder[T], halves: SurrogateJoiner | None = None) -> T:
    """The upstream's ``body`` or event in its shape; raises `UpstreamMalformed`.

    ``halves`` puts characters together again that were cut between two events of a stream. A byte order mark in front
    is passed over, as RFC 8259 section 8.1 allows.
    """
    body = body.removeprefix(_BOM)
    try:
        try:
            return shape.decode(body)
        except _WRONG:
            return shape.decode(halves.mend(body) if halves is not None else replace_lone_surrogates(body))
    except _WRONG as error:
        what, param = _said(error)
        place = f" at {param}" if param else ""
        raise UpstreamMalformed(f"the upstream's answer cannot be read{place}: {what}") from None


def parse_arguments(text: str) -> dict[str, object] | None:
    """A tool call's arguments as an object, ``{}`` for no text at all or null; None for what is not a JSON object."""
    if text.strip() in ("", "null"):
        return {}
    try:
        try:
            return _object.decode(text)
        except _WRONG:
            return _object.decode(replace_lone_surrogates(text.encode()))
    except _WRONG:
        return None


def arguments_or_raw(text: str) -> dict[str, object]:
    """A tool call's arguments as an object in any case: what is none stands whole under `RAW`.

    A call that the token limit cut off, or that a small model got wrong, is part of a conversation that goes on: the
    tool said so, and the model has to see what it had written.
    """
    found = parse_arguments(text)
    return {RAW: text} if found is None else found


def encode_request(value: object) -> bytes:
    """``value`` as compact JSON; raises `InvalidRequest` for what is nested too deeply to be written."""
    try:
        return _encoder.encode(value)
    except RecursionError:
        raise InvalidRequest("the request body is nested too deeply") from None


def encode_response(value: object) -> bytes:
    """``value`` as compact JSON; raises `UpstreamMalformed` for what is nested too deeply to be written."""
    try:
        return _encoder.encode(value)
    except RecursionError:
        raise UpstreamMalformed("the upstream's answer is nested too deeply") from None


def _said(error: Exception) -> tuple[str, str | None]:
    """What the decoder found wrong, and the path of the field: messages[0].content.

    Of a value that should be another one it shows the beginning: it may be of any length, and logs show it, too.
    """
    text = str(error)
    place = _PLACE.search(text)
    path = place[1] if place else ""
    text = _PLACE.sub("", text)
    if missing := _MISSING.search(text):
        path = f"{path}.{missing[1]}" if path else missing[1]
    return abbreviated(text), abbreviated(path) or None


def abbreviated(text: str) -> str:
    """``text`` as an error shows it."""
    return text if len(text) <= _LONGEST_SHOWN else f"{text[:_LONGEST_SHOWN]}..."


_object: msgspec.json.Decoder[dict[str, object]] = msgspec.json.Decoder(dict[str, object])
