"""Maps how a response of the Responses API ended, its usage and its errors to those of a chat completion."""

from __future__ import annotations

from clawgate.wire.json import lenient, strict
from clawgate.wire.translate.errors import UNSPECIFIED, UpstreamError, error_in_json

FINISHED = ("completed", "incomplete")
"""The states of a response that is finished; any other one is a failure, or no end."""
FAILED = ("failed", "cancelled")

_REASONS = {"content_filter": "content_filter", "steered": "stop"}
"""Why a response is incomplete, as a finish reason; any other reason is a limit ("max_output_tokens")."""


def finish_reason(status: object, details: object, *, called: bool) -> str:
    """Return why the model stopped. What it did counts for more than the server's word for it."""
    if status == "incomplete":
        return _REASONS.get(lenient.as_text(lenient.as_member(details, "reason")), "length")
    return "tool_calls" if called else "stop"


def usage(counts: object) -> dict[str, object]:
    """Return the counts as the usage object of a chat completion; zeros for what makes no sense."""

    def of(name: str, within: object = counts) -> int | None:
        return lenient.as_int(lenient.as_member(within, name))

    prompt, completion = of("input_tokens") or 0, of("output_tokens") or 0
    read = lenient.as_member(counts, "input_tokens_details")
    prompt_details = {"cached_tokens": of("cached_tokens", read) or 0}
    if (written := of("cache_write_tokens", read)) is not None:
        prompt_details["cache_write_tokens"] = written
    reasoned = of("reasoning_tokens", lenient.as_member(counts, "output_tokens_details"))
    return {
        "prompt_tokens": prompt,
        "completion_tokens": completion,
        "total_tokens": of("total_tokens") or prompt + completion,
        "prompt_tokens_details": prompt_details,
        "completion_tokens_details": {"reasoning_tokens": reasoned or 0},
    }


def failure(response: object) -> UpstreamError:
    """Return the error of a response that failed or was cancelled."""
    error = error_in_json({"error": lenient.as_member(response, "error")})
    if error is None and lenient.as_member(response, "status") == "cancelled":
        return UpstreamError("the upstream cancelled the response", code="cancelled")
    return error or UNSPECIFIED


def url_citation(annotation: object, shift: int) -> dict[str, object] | None:
    """Return a citation of a page as chat completions have it, ``shift`` characters further on; None for another."""
    if lenient.as_member(annotation, "type") != "url_citation":
        return None
    cited: dict[str, object] = {
        name: (lenient.as_int(lenient.as_member(annotation, name)) or 0) + shift
        for name in ("start_index", "end_index")
    }
    cited |= {name: lenient.as_text(lenient.as_member(annotation, name)) for name in ("title", "url")}
    return {"type": "url_citation", "url_citation": cited}


def logprobs(entries: object) -> list[dict[str, object]]:
    """Return the probabilities of tokens as chat completions have them; events of a stream leave out the bytes."""
    return [
        {**_logprob(entry), "top_logprobs": [_logprob(top) for top in _objects(entry.get("top_logprobs"))]}
        for entry in _objects(entries)
    ]


def _logprob(entry: dict[str, object]) -> dict[str, object]:
    return {name: entry.get(name) for name in ("token", "logprob", "bytes")}


def _objects(value: object) -> list[dict[str, object]]:
    return [one for one in value if isinstance(one, dict)] if isinstance(value, list) else []


def text_of(value: object) -> str:
    """Return text; arguments that some servers send as an object in JSON."""
    if isinstance(value, dict):
        return strict.encode_response(value).decode()
    return lenient.as_text(value)
