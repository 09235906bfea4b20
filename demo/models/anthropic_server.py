"""A small deterministic model behind Anthropic's Messages API, to stand where Anthropic would.

The counterpart of `openai_server`: the same request always gives the same bytes. Must not know clawgate. Responses come
from `anthropic_messages`, rejections from `anthropic_validation`; here are only the routes.

`python -m demo.models.anthropic_server --port 0` prints `listening on http://127.0.0.1:PORT` first.
"""

from __future__ import annotations

import argparse
import hashlib
import hmac
import os
from collections import deque
from collections.abc import Sequence

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route

from demo.models import anthropic_messages, stream_faults
from demo.models.anthropic_errors import MessagesError, invalid, parse, refuse_by_model_id
from demo.models.anthropic_messages import Spoken
from demo.models.anthropic_validation import check
from demo.models.openai_chat import Body
from demo.models.openai_server import RecordedRequest, compact, delay_by_model_id, serve, stream
from demo.models.stream_faults import FaultyResponse

MODELS = ("claude-demo", "claude-haiku-4-5")
"""What /v1/models lists. Any id is accepted, and those that `model` knows mean the same here."""

VERSIONS = ("2023-06-01", "2026-10-21")
"""Of the API; the later one knows no sampling fields (API reference, "Versions")."""

BODY_LIMIT = 32 * 1024 * 1024
"""Bytes; the reference's limit of a request, "Request size limits"."""

PING = b'event: ping\ndata: {"type":"ping"}\n\n'


def build_messages_model(*, api_key: str | None = None, token_delay: float = 0.0) -> Starlette:
    """Return the model as an ASGI app.

    `api_key`: other keys get 401. `token_delay`: seconds before each event of a stream.
    `app.state.seen` has the last 100 requests as `RecordedRequest`.
    """
    model = _Model(api_key, token_delay)
    app = Starlette(
        routes=[
            Route("/v1/messages", model.messages, methods=["POST"]),
            Route("/v1/messages/count_tokens", model.count_tokens, methods=["POST"]),
            Route("/v1/models", model.models),
            Route("/v1/models/{name:path}", model.one_model),
            Route("/health", _health),
        ],
        exception_handlers={MessagesError: _refused, HTTPException: _unknown_route},
    )
    app.state.seen = model.seen
    return app


class _Model:
    """The routes of the API, with the requests that they received."""

    def __init__(self, api_key: str | None, token_delay: float) -> None:
        self.seen: deque[RecordedRequest] = deque(maxlen=100)
        self._api_key = api_key
        self._token_delay = token_delay

    async def messages(self, request: Request) -> Response:
        body = await self._body(request)
        delay = delay_by_model_id(body, self._token_delay)
        return _response(body, anthropic_messages.reply_to_messages(body), delay)

    async def count_tokens(self, request: Request) -> Response:
        body = await self._body(request, counts_only=True)
        return _as_json({"input_tokens": anthropic_messages.input_tokens(body)})

    async def models(self, request: Request) -> Response:
        await self._admit(request)
        cards = [_card(name) for name in MODELS]
        return _as_json({"data": cards, "has_more": False, "first_id": MODELS[0], "last_id": MODELS[-1]})

    async def one_model(self, request: Request) -> Response:
        await self._admit(request)
        name = request.path_params["name"]
        if name not in MODELS:
            raise MessagesError(404, f"model: {name}")
        return _as_json(_card(name))

    async def _admit(self, request: Request) -> bytes:
        body = await request.body()
        headers = tuple(request.headers.items())
        self.seen.append(RecordedRequest(request.method, request.scope["path"], headers, body))
        # As the SDK sends it since 2.0.
        bearer = request.headers.get("authorization", "").removeprefix("Bearer ")
        given = request.headers.get("x-api-key", "") or bearer
        if not given:
            raise MessagesError(401, "x-api-key header is required")
        if self._api_key is not None and not hmac.compare_digest(given.encode(), self._api_key.encode()):
            raise MessagesError(401, "invalid x-api-key")
        if request.headers.get("anthropic-version") not in VERSIONS:
            raise invalid("anthropic-version: header is required, with a valid version")
        if len(body) > BODY_LIMIT:
            raise MessagesError(413, "Request exceeds the maximum allowed number of bytes.")
        return body

    async def _body(self, request: Request, *, counts_only: bool = False) -> Body:
        body = parse(await self._admit(request))
        refuse_by_model_id(body["model"])
        check(body, counts_only=counts_only, sampling=request.headers["anthropic-version"] == VERSIONS[0])
        return body


async def _health(_: Request) -> Response:
    return _as_json({"ok": True})


def _response(body: Body, spoken: Spoken, delay: float) -> Response:
    faulty = body["model"] in stream_faults.IDS
    if body.get("stream") is not True:
        whole = _as_json(anthropic_messages.message(body, spoken))
        return FaultyResponse(body["model"], whole, None, b"", PING) if faulty else whole
    headers = {"Cache-Control": "no-cache", "request-id": f"req_{spoken.key}"}
    frames = stream(anthropic_messages.events(body, spoken), delay, named=True)
    if not faulty:
        return StreamingResponse(frames, headers=headers, media_type="text/event-stream")
    empty = Response(headers=headers, media_type="text/event-stream")
    del empty.headers["content-length"]
    error = MessagesError(529, stream_faults.ERROR_MESSAGE).body(f"req_{spoken.key}")
    event = b"event: error\ndata: " + compact(error) + b"\n\n"
    return FaultyResponse(body["model"], empty, frames, event, PING)


def _card(name: str) -> dict[str, object]:
    return {"type": "model", "id": name, "display_name": name, "created_at": "2025-01-01T00:00:00Z"}


def _as_json(value: object, status: int = 200, headers: dict[str, str] | None = None) -> Response:
    data = compact(value)
    return Response(data, status, {"request-id": _request_id(data), **(headers or {})}, "application/json")


def _request_id(data: bytes) -> str:
    return f"req_{hashlib.sha256(data).hexdigest()[:24]}"


async def _refused(request: Request, error: Exception) -> Response:
    assert isinstance(error, MessagesError)
    request_id = _request_id(error.message.encode())
    return _as_json(error.body(request_id), error.status, {"request-id": request_id, **error.headers})


async def _unknown_route(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    return await _refused(
        request, MessagesError(error.status_code, f"{error.detail}", dict(error.headers or {}))
    )


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the model until SIGINT, SIGTERM or, on request, the end of stdin."""
    parser = argparse.ArgumentParser(prog="python -m demo.models.anthropic_server", description=__doc__)
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=8001, help="0: any free one")
    parser.add_argument("--api-key", default=os.environ.get("MODEL_API_KEY"), help="or MODEL_API_KEY")
    parser.add_argument("--token-delay-ms", type=float, default=0.0)
    parser.add_argument("--exit-on-stdin-eof", action="store_true")
    options = parser.parse_args(arguments)
    app = build_messages_model(api_key=options.api_key, token_delay=options.token_delay_ms / 1000)
    serve(app, options.host, options.port, exit_on_stdin_eof=options.exit_on_stdin_eof)


if __name__ == "__main__":
    main()
