"""Which model does a request body name? Reads that one field without building the rest.

A gate that decides by one reading of a body must not be walked around with a body that the upstream reads
differently: a body in which the field could be read in more than one way is refused, not guessed at.
"""

from __future__ import annotations

import json

import msgspec

from clawgate.errors import InvalidRequest


class _ModelOnly(msgspec.Struct):
    model: str | None = None


_decoder = msgspec.json.Decoder(_ModelOnly)


def peek_model(body: bytes) -> str | None:
    """The model for a log line: None where the body does not plainly say."""
    try:
        return _decoder.decode(body).model
    except (msgspec.MsgspecError, RecursionError, UnicodeDecodeError):
        return None


def require_model(body: bytes) -> str:
    """The model for a decision; raises `InvalidRequest` unless every JSON reader would find the same one."""
    try:
        model = _decoder.decode(body).model
    except (msgspec.MsgspecError, RecursionError, UnicodeDecodeError) as error:
        raise InvalidRequest(
            f"the body is not a JSON object with a 'model': {error}", param="model"
        ) from None
    # Beyond doubt at first sight: the name stands there once in any case (some readers fold it) and no ASCII
    # letter of a name can be hidden in an escape.
    if body.lower().count(b'"model"') != 1 or b"\\u00" in body:
        _refuse_duplicates(body)
    if not model:
        raise InvalidRequest("the body names no 'model'", param="model")
    return model


def _refuse_duplicates(body: bytes) -> None:
    """Refuse a top-level ``model`` that is given twice: RFC 8259 section 4 leaves its meaning to the reader."""
    counts: list[
        int
    ] = []  # one for each object; innermost objects come first, so the last one is the body's own

    def count(pairs: list[tuple[str, object]]) -> None:
        counts.append(sum(1 for key, _ in pairs if key.casefold() == "model"))

    try:
        json.loads(body, object_pairs_hook=count)
    except (ValueError, RecursionError) as error:
        raise InvalidRequest(f"the body is not JSON that can be read in only one way: {error}") from None
    if counts[-1] > 1:
        raise InvalidRequest("the body gives 'model' more than once", param="model")
