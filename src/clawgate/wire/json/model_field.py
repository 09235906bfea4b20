"""Finds the model that a JSON request body names, and puts another name in its place.

Every other byte stays as it came. Invariant: a body that two JSON readers could take to name different models is
rejected, never guessed at, so a decision made by one reading cannot be evaded with another. Cost: time linear in the
size of the body, and a bounded number of Python objects whatever is in it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TypeVar

import msgspec

from clawgate.errors import InvalidRequest

MAX_FIELDS = 1000
"""The most fields that a body may have at its top; OpenAI's chat completions define about 35."""
MAX_NESTED = 500_000
"""The most lists and objects in a body whose fields have to be counted: a bound of the work, not of what is sent."""
_COUNTED_BYTES = 262_144
_COUNTED_COLONS = 10_000
"""A body of more bytes and colons than this could hold so many fields that they are counted before they are read."""

_PART_BYTES = 65_536

_T = TypeVar("_T")


class _Anything(msgspec.Struct):
    """Reads as any JSON object: every field is skipped, and nothing of it is built."""


class _ModelOnly(msgspec.Struct):
    model: str | None = None


_anything = msgspec.json.Decoder(_Anything)
_model_only = msgspec.json.Decoder(_ModelOnly)
_members = msgspec.json.Decoder(dict[str, msgspec.Raw])
_name = msgspec.json.Decoder(str | None)
_key = msgspec.json.Decoder(str)
_QUOTE = ord('"')
_UNREADABLE = (msgspec.MsgspecError, RecursionError, UnicodeDecodeError)

# Possessive (`++`, `{…}+`): no position to come back to is kept, so that a long string costs no memory. Bounded: all
# threads wait for a match, so each has to take some milliseconds at most. Not where an alternative can fail behind its
# first characters: tests/test_regular_expressions.py.
_STRING = rb'"(?:[^"\\]++|\\.){0,4096}+"'
_plain_key = re.compile(rb'[ \t\r\n{,]*+("[^"\\]*+")[ \t\r\n]*+:[ \t\r\n]*+').match  # without escapes
_quote = re.compile(rb'[ \t\r\n{,]*+"').match
_string_part = re.compile(rb'(?:[^"\\]++|\\.){0,16384}+').match
_plain = re.compile(rb'[^][{}",]++').match  # a number or a word
_colon = re.compile(rb"[ \t\r\n]*+:[ \t\r\n]*+").match
_flat = re.compile(
    rb"(?:[^][{}\"]++|" + _STRING + rb"|[\[{](?:[^][{}\"]++|" + _STRING + rb"){0,64}[\]}]){0,4096}"
).match  # many values at once: short strings, numbers, and lists and objects that hold no others
_surrogate = re.compile(rb"\\u[dD][89a-fA-F][0-9a-fA-F]{2}")  # of the same length as what is put in its place
_IN_CAPITALS = frozenset(
    "".join(letter.upper() if mask >> at & 1 else letter for at, letter in enumerate("model"))
    for mask in range(1, 32)
)
"""The other spellings that a reader which ignores case takes for ``model``."""


class ModelField(msgspec.Struct, frozen=True):
    """The model that a body names, and the position of its value.

    ``name`` is None where the body names no model, or null. The value is ``body[start:end]``, quotes included; both
    are 0 where there is none.
    """

    name: str | None
    start: int = 0
    end: int = 0
    streams: bool = False
    """Whether the body requests a stream."""
    names: frozenset[str] = frozenset()
    """The fields at the body's top."""

    def replaced(self, body: bytes, name: str) -> bytes:
        """Return ``body``, the one that was searched, with ``name`` as its model."""
        start, value, end = self.splice(body, name)
        return b"%b%b%b" % (body[:start], value, body[end:])

    def splice(self, body: bytes, name: str) -> tuple[int, bytes, int]:
        """Return the same as the bytes to put in place of ``body[start:end]``, between these two positions."""
        value = msgspec.json.encode(name)
        if self.end:
            return self.start, value, self.end
        at = body.index(b"{") + 1
        comma = b"" if body[at:].lstrip().startswith(b"}") else b","
        return at, b'"model":%b%b' % (value, comma), at


def find_model(body: bytes) -> ModelField:
    """Return the model that a JSON object names at its top.

    Raises `InvalidRequest` for a body that is not a JSON object or has over `MAX_FIELDS` fields, that gives a field
    twice (RFC 8259 section 4 leaves its meaning to the reader), that writes ``model`` in capitals (some readers ignore
    case), or whose model is not a string.
    """
    readable, members = _read_members(body)
    if not _IN_CAPITALS.isdisjoint(members):
        raise InvalidRequest("'model' must be written in lower case, and once", param="model")
    # The shortest JSON with these fields: two braces, for each field two quotes and a colon, and a comma between two.
    # A body of that length has no white space at its top, no escape in a name, and no field twice.
    if len(readable) == sum(map(len, members)) + sum(map(len, members.values())) + 4 * len(members) + 1:
        found = _find_compact(body, members)
    else:
        found = _find_spaced(body, readable, members)
    streams = bytes(members.get("stream", b"")) == b"true"
    return ModelField(found.name, found.start, found.end, streams, frozenset(members))


def _find_compact(body: bytes, members: dict[str, msgspec.Raw]) -> ModelField:
    at = 1
    for name, value in members.items():
        start = at + len(name) + 3
        at = start + len(value) + 1
        if name == "model":
            return _field(body, start, at - 1)
    return ModelField(None)


def _find_spaced(body: bytes, readable: bytes, members: dict[str, msgspec.Raw]) -> ModelField:
    found = ModelField(None)
    at = 0
    for _ in members:
        key = _key_at(readable, at)
        name, start = (_key.decode(key[0]), key[1]) if key is not None else ("", 0)
        value = members.get(name)
        # The value that was read is the last of its name: where another one is found here, the field comes twice.
        if key is None or value is None or not readable.startswith(bytes(value), start):
            raise _given_twice(name)
        at = start + len(value)
        if name == "model":
            found = _field(body, start, at)
    if readable[at:].strip(b" \t\r\n{") != b"}":
        raise _given_twice("")
    return found


def _field(body: bytes, start: int, end: int) -> ModelField:
    try:
        return ModelField(_name.decode(body[start:end]), start, end)
    except _UNREADABLE:
        raise InvalidRequest("'model' must be a string", param="model") from None


def peek_model(body: bytes) -> str | None:
    """Return the model for a log line; None where the body does not plainly name one."""
    try:
        return _decode(_model_only, body)[1].model
    except InvalidRequest:
        return None


def require_model(body: bytes) -> str:
    """Return the model for a decision; raises `InvalidRequest` unless every JSON reader would find the same one."""
    try:
        body, named = _decode(_model_only, body)
    except InvalidRequest as error:
        raise InvalidRequest(error.message, param="model") from None
    model = named.model
    # Beyond doubt at first sight: the name is there once in any case (some readers ignore it) and no ASCII letter of
    # a name can be hidden in an escape.
    if body.lower().count(b'"model"') != 1 or b"\\u00" in body:
        names = sum(key.casefold() == "model" for key in _top_level_names(body))
        if names > 1:
            raise InvalidRequest("the body gives 'model' more than once", param="model")
    if not model:
        raise InvalidRequest("the body names no 'model'", param="model")
    return model


def _read_members(body: bytes) -> tuple[bytes, dict[str, msgspec.Raw]]:
    """Return the body as it was read, of the same length, and the fields at its top."""
    if len(body) > _COUNTED_BYTES and body.count(b":") > _COUNTED_COLONS:
        readable, _ = _decode(_anything, body)
        for _name in _top_level_names(readable):  # raises for too many
            pass
    return _decode(_members, body)


def _decode(decoder: msgspec.json.Decoder[_T], body: bytes) -> tuple[bytes, _T]:
    try:
        return body, decoder.decode(body)
    except _UNREADABLE:
        # JavaScript writes half an emoji as a lone surrogate, which msgspec rejects and other readers accept.
        readable = _without_surrogates(body)
        try:
            return readable, decoder.decode(readable)
        except _UNREADABLE as error:
            raise InvalidRequest(f"the body is not a JSON object: {error}") from None


def _without_surrogates(body: bytes) -> bytes:
    """Return ``body`` with U+FFFD for each surrogate escape; a part at a time, since `re.sub` keeps every part."""
    parts, at = [], 0
    while at < len(body):
        end = at + _PART_BYTES
        cut = body.rfind(b"\\", end - 6, end)  # an escape of six bytes that the end would cut in two
        end = cut if cut > at and end < len(body) else end
        parts.append(_surrogate.sub(rb"\\ufffd", body[at:end]))
        at = end
    return b"".join(parts)


def _top_level_names(body: bytes) -> Iterator[str]:
    """Yield the names of the fields of ``body``, which must be a valid JSON object, as often as they are given.

    Raises `InvalidRequest` for over `MAX_FIELDS` fields or `MAX_NESTED` values.
    """
    at, nested, fields = 0, 0, 0
    while (key := _key_at(body, at)) is not None:
        fields += 1
        if fields > MAX_FIELDS:
            raise InvalidRequest(f"the body has over {MAX_FIELDS} fields")
        yield _key.decode(key[0])
        at, nested = _skip_value(body, key[1], nested)


def _skip_value(body: bytes, at: int, nested: int) -> tuple[int, int]:
    """Return the position behind the value at ``at``, and ``nested`` plus the lists and objects stepped into."""
    depth = 0
    while True:
        char = body[at]
        if char in b"[{":
            depth, nested, at = depth + 1, nested + 1, at + 1
            if nested > MAX_NESTED:
                raise InvalidRequest(f"the body has over {MAX_NESTED} lists and objects within each other")
        elif char in b"]}":
            depth, at = depth - 1, at + 1
        elif char == _QUOTE:
            at = _string_end(body, at + 1)
        elif depth == 0:
            at = _end_of(_plain(body, at))
        if depth == 0:
            return at, nested
        at = _end_of(_flat(body, at))


def _end_of(match: re.Match[bytes] | None) -> int:
    assert match is not None, "the body is valid JSON"
    return match.end()


def _key_at(body: bytes, at: int) -> tuple[bytes, int] | None:
    """Return the next key as it is written, and where its value starts; None where there is none."""
    plain = _plain_key(body, at)
    if plain is not None:
        return plain[1], plain.end()
    quote = _quote(body, at)
    if quote is None:
        return None
    end = _string_end(body, quote.end())
    return body[quote.end() - 1 : end], _end_of(_colon(body, end))


def _string_end(body: bytes, at: int) -> int:
    """Return the position behind a string, from one within it. ``body`` is valid JSON."""
    while body[at] != _QUOTE:
        at = _end_of(_string_part(body, at))
    return at + 1


def _given_twice(name: str) -> InvalidRequest:
    which = f"'{name[:64]}'" if name else "a field"
    return InvalidRequest(f"the body gives {which} more than once", param=name[:64] or None)
