"""A small deterministic model behind OpenAI's HTTP API, to stand where OpenAI would.

It is the upstream of tests, demo and benchmarks: the same request always gives the same bytes.
Must not know clawgate. Responses come from `openai_chat`; here are only the routes and errors.

`python -m demo.models.openai_server --port 0` prints `listening on http://127.0.0.1:PORT` first.
"""

from __future__ import annotations

import argparse
import asyncio
import base64
import contextlib
import hashlib
import hmac
import json
import os
import socket
import struct
import threading
from collections import deque
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import uvicorn
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route

from demo.models import openai_chat, openai_responses, stream_faults
from demo.models.openai_chat import CREATED, Body, Reply
from demo.models.openai_errors import ModelError, parse, refuse_by_model_id
from demo.models.stream_faults import FaultyResponse

MODELS = ("clawgate-demo", "gpt-4o-mini", "text-embedding-3-small")
"""What /v1/models lists. Any id is accepted; `error-<status>` fails, `delay-<ms>` sets a stream's pace, and those of
`stream_faults` go wrong in the middle."""

EMBEDDING_SIZE = 16


@dataclass(frozen=True, slots=True)
class RecordedRequest:
    """One request as it arrived here: for tests of credentials and headers."""

    method: str
    path: str
    headers: tuple[tuple[str, str], ...]
    body: bytes


def build_model(
    *, api_key: str | None = None, token_delay: float = 0.0, eager_tools: bool = True
) -> Starlette:
    """Return the model as an ASGI app.

    `api_key`: other Bearer keys get 401. `token_delay`: seconds before each word of a stream.
    Without `eager_tools` a tool is called only where `tool_choice` or the text requests it.
    `app.state.seen` has the last 100 requests as `RecordedRequest`.
    """
    model = _Model(api_key, token_delay, eager_tools)
    app = Starlette(
        routes=[
            Route("/v1/chat/completions", model.chat, methods=["POST"]),
            Route("/v1/completions", model.completions, methods=["POST"]),
            Route("/v1/responses", model.responses, methods=["POST"]),
            Route("/v1/responses/input_tokens", model.input_tokens, methods=["POST"]),
            Route("/v1/embeddings", model.embeddings, methods=["POST"]),
            Route("/v1/models", model.models),
            Route("/v1/models/{name:path}", model.one_model),
            Route("/health", health),
        ],
        exception_handlers={ModelError: refused, HTTPException: unknown_route},
    )
    app.state.seen = model.seen
    return app


class _Model:
    """The routes of the API, with the requests that they received."""

    def __init__(self, api_key: str | None, token_delay: float, eager_tools: bool) -> None:
        self.seen: deque[RecordedRequest] = deque(maxlen=100)
        self._api_key = api_key
        self._token_delay = token_delay
        self._eager_tools = eager_tools

    async def chat(self, request: Request) -> Response:
        body = await self._body(request, "messages")
        if not isinstance(body["messages"], list):
            raise ModelError(400, "Invalid type for 'messages': expected an array.", param="messages")
        reply = openai_chat.reply_to_chat(body, eager=self._eager_tools)
        return self._response(body, reply, openai_chat.completion, openai_chat.chunks)

    async def completions(self, request: Request) -> Response:
        body = await self._body(request, "prompt")
        reply = openai_chat.reply_to_prompt(body)
        return self._response(body, reply, openai_chat.old_completion, openai_chat.old_chunks)

    async def responses(self, request: Request) -> Response:
        body = await self._body(request, "input")
        reply = openai_responses.reply_to_input(body)
        return self._response(body, reply, openai_responses.response, openai_responses.events, named=True)

    async def input_tokens(self, request: Request) -> Response:
        body = await self._body(request, "input")
        counted = openai_responses.reply_to_input(body).prompt_tokens
        return as_json({"object": "response.input_tokens", "input_tokens": counted})

    async def embeddings(self, request: Request) -> Response:
        return as_json(embed(await self._body(request, "input")))

    async def models(self, request: Request) -> Response:
        await self._admit(request)
        return as_json({"object": "list", "data": [model_card(name) for name in MODELS]})

    async def one_model(self, request: Request) -> Response:
        await self._admit(request)
        name = request.path_params["name"]
        if name not in MODELS:
            raise ModelError(404, f"The model '{name}' does not exist", param="model", code="model_not_found")
        return as_json(model_card(name))

    async def _admit(self, request: Request) -> bytes:
        body = await request.body()
        headers = tuple(request.headers.items())
        self.seen.append(RecordedRequest(request.method, request.scope["path"], headers, body))
        given = request.headers.get("authorization", "").encode()
        if self._api_key is not None and not hmac.compare_digest(given, f"Bearer {self._api_key}".encode()):
            raise ModelError(401, "Incorrect API key provided.", code="invalid_api_key")
        return body

    async def _body(self, request: Request, needed: str) -> Body:
        body = parse(await self._admit(request))
        refuse_by_model_id(body)
        if body.get(needed) in (None, "", []):
            message = f"Missing required parameter: '{needed}'."
            raise ModelError(400, message, param=needed, code="missing_required_parameter")
        return body

    def _response(
        self,
        body: Body,
        reply: Reply,
        whole: Callable[[Body, Reply], dict[str, Any]],
        parts: Callable[[Body, Reply], Iterator[dict[str, Any]]],
        *,
        named: bool = False,
    ) -> Response:
        faulty = body["model"] in stream_faults.IDS
        if body.get("stream") is not True:
            complete = as_json(whole(body, reply))
            return FaultyResponse(body["model"], complete, None, ERROR_FRAME, PING) if faulty else complete
        headers = {"Cache-Control": "no-cache", "x-request-id": f"req_{reply.key}"}
        frames = stream(parts(body, reply), delay_by_model_id(body, self._token_delay), named=named)
        if faulty:
            empty = Response(headers=headers, media_type="text/event-stream")
            del empty.headers["content-length"]
            return FaultyResponse(body["model"], empty, frames, ERROR_FRAME, PING)
        return StreamingResponse(frames, headers=headers, media_type="text/event-stream")


async def health(_: Request) -> Response:
    return as_json({"ok": True})


def delay_by_model_id(body: Body, default: float) -> float:
    """The seconds before each word that a model id `delay-<milliseconds>` requests, at most a minute."""
    prefix, _, digits = body["model"].partition("-")
    return min(int(digits) / 1000, 60.0) if prefix == "delay" and digits.isdecimal() else default


def embed(body: Body) -> dict[str, Any]:
    """One vector of EMBEDDING_SIZE floats in [-1, 1] an input, from a hash of it; in base64 on request."""
    given = body["input"]
    inputs = given if isinstance(given, list) and not isinstance(given[0], int) else [given]
    data = []
    for index, item in enumerate(inputs):
        digest = hashlib.sha256(json.dumps(item).encode()).digest()
        vector = [byte / 127.5 - 1 for byte in digest[:EMBEDDING_SIZE]]
        packed = base64.b64encode(struct.pack(f"<{EMBEDDING_SIZE}f", *vector)).decode()
        value = packed if body.get("encoding_format") == "base64" else vector
        data.append({"object": "embedding", "index": index, "embedding": value})
    tokens = sum(len(openai_chat.split(str(item))) for item in inputs)
    usage = {"prompt_tokens": tokens, "total_tokens": tokens}
    return {"object": "list", "data": data, "model": body["model"], "usage": usage}


def model_card(name: str) -> dict[str, Any]:
    """One entry of /v1/models."""
    return {"id": name, "object": "model", "created": CREATED, "owned_by": "clawgate-testing"}


def compact(value: object) -> bytes:
    """The value as JSON without spaces, not escaped to ASCII."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode(errors="replace")


def as_json(value: object, status: int = 200, headers: dict[str, str] | None = None) -> Response:
    """Return a JSON response with an `x-request-id` that is a hash of it."""
    data = compact(value)
    request_id = {"x-request-id": f"req_{hashlib.sha256(data).hexdigest()[:24]}"}
    return Response(data, status, {**request_id, **(headers or {})}, "application/json")


PING = b": ping\n\n"
ERROR_FRAME = (
    b"data: "
    + compact(ModelError(503, stream_faults.ERROR_MESSAGE, "server_error", code="overloaded").body)
    + b"\n\n"
)


async def stream(parts: Iterator[dict[str, Any]], delay: float, *, named: bool) -> AsyncIterator[bytes]:
    """SSE frames: with a `[DONE]`, or, when `named`, with `event:` and without it (Responses API)."""
    for part in parts:
        event = f"event: {part['type']}\n".encode() if named else b""
        yield event + b"data: " + compact(part) + b"\n\n"
        # Also at 0: every word is its own write, so that a stream has somewhere to be cut.
        await asyncio.sleep(delay)
    if not named:
        yield b"data: [DONE]\n\n"


async def refused(_: Request, error: Exception) -> Response:
    """Render a ModelError."""
    assert isinstance(error, ModelError)
    return as_json(error.body, error.status, error.headers)


async def unknown_route(request: Request, error: Exception) -> Response:
    """Render what the router refuses (404, 405) in OpenAI's shape."""
    assert isinstance(error, HTTPException)
    message = f"Unknown request URL: {request.method} {request.url.path}."
    body = ModelError(error.status_code, message, code="unknown_url").body
    return as_json(body, error.status_code, dict(error.headers or {}))


def server_for(app: Starlette) -> uvicorn.Server:
    """A quiet server for the app, to be run on a socket of the caller's."""
    config = uvicorn.Config(app, log_level="warning", access_log=False, timeout_graceful_shutdown=1)
    return uvicorn.Server(config)


def listen(host: str = "127.0.0.1", port: int = 0) -> socket.socket:
    """A listening socket, so that the port is known, and connects succeed, before the server runs."""
    return socket.create_server((host, port), backlog=1024)


@contextlib.contextmanager
def running(app: Starlette) -> Iterator[str]:
    """Serve the app from a thread while the context lasts; gives `http://127.0.0.1:PORT` (without `/v1`)."""
    server = server_for(app)
    with listen() as sock:
        thread = threading.Thread(target=server.run, kwargs={"sockets": [sock]}, name="model")
        thread.start()
        try:
            yield f"http://127.0.0.1:{sock.getsockname()[1]}"
        finally:
            server.should_exit = True
            thread.join()


def _stop_at_eof(server: uvicorn.Server) -> None:
    # os.read and not sys.stdin: a daemon thread inside a buffered reader makes the interpreter abort at exit.
    while os.read(0, 4096):
        pass
    server.should_exit = True


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the model until SIGINT, SIGTERM or, on request, the end of stdin."""
    parser = argparse.ArgumentParser(prog="python -m demo.models.openai_server", description=__doc__)
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=8000, help="0: any free one")
    parser.add_argument("--api-key", default=os.environ.get("MODEL_API_KEY"), help="or MODEL_API_KEY")
    parser.add_argument("--token-delay-ms", type=float, default=0.0)
    parser.add_argument("--tools-when-asked", action="store_true", help="call no tool just for being offered")
    parser.add_argument("--exit-on-stdin-eof", action="store_true")
    options = parser.parse_args(arguments)
    app = build_model(
        api_key=options.api_key,
        token_delay=options.token_delay_ms / 1000,
        eager_tools=not options.tools_when_asked,
    )
    serve(app, options.host, options.port, exit_on_stdin_eof=options.exit_on_stdin_eof)


def serve(app: Starlette, host: str, port: int, *, exit_on_stdin_eof: bool) -> None:
    """Say where the app listens, and serve it until a signal or, on request, the end of stdin."""
    try:
        sock = listen(host, port)
    except OSError as error:
        reason = os.strerror(error.errno) if error.errno else str(error)
        raise SystemExit(f"cannot listen on {host}:{port}: {reason}") from None
    server = server_for(app)
    if exit_on_stdin_eof:
        threading.Thread(target=_stop_at_eof, args=(server,), daemon=True).start()
    print(f"listening on http://{host}:{sock.getsockname()[1]}", flush=True)
    with contextlib.suppress(KeyboardInterrupt):
        server.run(sockets=[sock])


if __name__ == "__main__":
    main()
