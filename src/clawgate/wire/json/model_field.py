"""Where in a request body does the model's name stand, and what is the body with another one there?

Every other byte stays as it came. A body that different readers could take to mean different things at its top is
refused: routing by one reading must not be walked around with another.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

import msgspec

from clawgate.errors import InvalidRequest

_members = msgspec.json.Decoder(dict[str, msgspec.Raw])
_name = msgspec.json.Decoder(str | None)
_next_key = re.compile(rb'[ \t\r\n{,]*("(?:[^"\\]|\\.)*")[ \t\r\n]*:[ \t\r\n]*').match
_surrogate = re.compile(rb"\\u[dD][89a-fA-F][0-9a-fA-F]{2}")  # of the same length as what is put in its place
_UNREADABLE = (msgspec.MsgspecError, RecursionError, UnicodeDecodeError)


@dataclass(frozen=True, slots=True)
class ModelField:
    """``name`` is None where the body names no model, or null. Its value is ``start`` to ``end``, both 0 for none."""

    name: str | None
    start: int = 0
    end: int = 0

    def replaced(self, body: bytes, name: str) -> bytes:
        """``body``, the same that was looked into, with ``name`` as its model."""
        value = msgspec.json.encode(name)
        if self.end:
            return b"%b%b%b" % (body[: self.start], value, body[self.end :])
        at = body.index(b"{") + 1
        comma = b"" if body[at:].lstrip().startswith(b"}") else b","
        return b'%b"model":%b%b%b' % (body[:at], value, comma, body[at:])


def find_model(body: bytes) -> ModelField:
    """The model that a JSON object names at its top.

    Raises `InvalidRequest` for what is no JSON object, gives a field twice (RFC 8259 section 4 leaves its meaning to
    the reader), writes ``model`` in capitals (some readers fold them), or names a model that is no text.
    """
    readable = body
    try:
        members = _members.decode(body)
    except _UNREADABLE:
        # Half an emoji is written as a lone surrogate by JavaScript; this reader stumbles over it, others do not.
        readable = _surrogate.sub(rb"\\u0020", body)
        try:
            members = _members.decode(readable)
        except _UNREADABLE as error:
            raise InvalidRequest(f"the body is not a JSON object: {error}") from None
    if any(key != "model" and key.lower() == "model" for key in members):
        raise InvalidRequest("'model' is to be written in small letters, and once", param="model")
    found = ModelField(None)
    at = 0
    for _ in members:
        key = _next_key(readable, at)
        name = msgspec.json.decode(key[1], type=str) if key is not None else ""
        value = members.get(name)
        # The value that was read is the last of its name: where another one stands here, the field comes twice.
        if key is None or value is None or not readable.startswith(bytes(value), key.end()):
            raise _given_twice(name)
        at = key.end() + len(bytes(value))
        if name == "model":
            try:
                found = ModelField(_name.decode(body[key.end() : at]), key.end(), at)
            except _UNREADABLE:
                raise InvalidRequest("'model' must be text", param="model") from None
    if body[at:].strip(b" \t\r\n{") != b"}":
        raise _given_twice("")
    return found


def _given_twice(name: str) -> InvalidRequest:
    which = f"'{name[:64]}'" if name else "a field"
    return InvalidRequest(f"the body gives {which} more than once", param=name[:64] or None)
