"""Encodes an error for a client of the OpenAI dialect. Knows no status codes.

Shape: the error object of the OpenAI API reference, ``{"error": {"message", "type", "code", "param"}}``; the same
object as one ``data:`` event is what the official SDKs raise as an ``APIError`` in the middle of a stream.
"""

from __future__ import annotations

import msgspec


def error_body(*, message: str, kind: str, code: str, param: str | None = None) -> bytes:
    """Return the JSON body of an error; ``kind`` becomes the object's ``type``."""
    return msgspec.json.encode(
        {"error": {"message": message, "type": kind, "code": code, "param": param}},
    )


def error_event(*, message: str, kind: str, code: str, param: str | None = None) -> bytes:
    """Return the same object as a server-sent event, with its closing blank line."""
    return b"data: " + error_body(message=message, kind=kind, code=code, param=param) + b"\n\n"
