"""Parses and encodes the frames of OpenClaw's gateway protocol: requests, responses and events.

Pure. Law: what is sent back for a request has its id, whatever else is wrong with it. Shapes: the definitions
RequestFrame, ResponseFrame, EventFrame and ErrorShape of `@openclaw/gateway-protocol` (`protocol.schema.json`).
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

import msgspec

from clawgate.control.websocket.params import NonEmpty, problem_of
from clawgate.wire.json.complexity import MAX_VALUES, is_too_complex
from clawgate.wire.json.strict import decode

UNKNOWN_ID = "invalid"
"""The id of the response to a frame that has none that can be read (recorded)."""
_MAX_TRACEPARENT = 128
_NO_PARAMS = msgspec.Raw(b"{}")


class Request(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """``params`` is JSON that is not read yet. ``expectedProfileId`` came after the contract of 2026.9.1."""

    type: Literal["req"]
    id: NonEmpty
    method: NonEmpty
    params: msgspec.Raw = _NO_PARAMS
    traceparent: Annotated[str, msgspec.Meta(max_length=_MAX_TRACEPARENT)] = ""
    expectedProfileId: str = ""  # noqa: N815  # the member's name


class ErrorShape(msgspec.Struct, frozen=True, omit_defaults=True, rename="camel"):
    """An error as clients read it: they branch on ``code`` and on ``code`` in ``details``."""

    code: str
    message: str
    details: dict[str, Any] | None = None
    retryable: bool | None = None
    retry_after_ms: int | None = None


class BadFrame(Exception):
    """No request can be read. ``id`` is the frame's, or `UNKNOWN_ID`."""

    def __init__(self, id: str, problem: str) -> None:  # noqa: A002  # the member's name
        super().__init__(problem)
        self.id = id
        self.problem = problem


_request = msgspec.json.Decoder(Request)
_members = msgspec.json.Decoder(dict[str, msgspec.Raw])
_scalar = msgspec.json.Decoder(str | int)
_encode = msgspec.json.Encoder().encode


def parse_request(text: str) -> Request:
    """Raises `BadFrame`."""
    body = text.encode("utf-8", "replace")
    if is_too_complex(body):
        raise BadFrame(UNKNOWN_ID, f"it contains over {MAX_VALUES} values")
    try:
        request = decode(body, _request)
    except (msgspec.MsgspecError, RecursionError) as error:
        raise BadFrame(_id_of(body), problem_of(error)) from None
    if bytes(request.params) == b"null":
        return msgspec.structs.replace(request, params=_NO_PARAMS)
    return request


def _id_of(body: bytes) -> str:
    try:
        found = decode(bytes(decode(body, _members)["id"]), _scalar)
    except (msgspec.MsgspecError, RecursionError, KeyError):
        return UNKNOWN_ID
    return str(found) or UNKNOWN_ID


def encode_response(id: str, payload: object) -> bytes:  # noqa: A002
    return _encode({"type": "res", "id": id, "ok": True, "payload": payload})


def encode_error(id: str, error: ErrorShape, payload: object = None) -> bytes:  # noqa: A002
    """``payload`` is that of a run which began and failed."""
    frame = {"type": "res", "id": id, "ok": False, "error": error}
    return _encode(frame if payload is None else {**frame, "payload": payload})


def encode_event(event: str, payload: object, seq: int | None = None) -> bytes:
    """``seq`` counts the events of one connection; None before it is authenticated."""
    frame = {"type": "event", "event": event, "payload": payload}
    return _encode(frame if seq is None else {**frame, "seq": seq})
