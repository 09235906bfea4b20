"""Faults of a fake model in mid-response, chosen by the model id.

The model's own module makes the response and the errors of its dialect; here the bytes are damaged while sent.
Ids: `hang` (no head), `hang-in-stream`, `error-in-stream`, `cut-in-stream` (each after a few frames of
the response), `pings` (one before each frame). Without a stream `hang-in-stream` and `cut-in-stream` stop within the
body, the others change nothing.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

from starlette.responses import Response
from starlette.types import Receive, Scope, Send

IDS = ("hang", "hang-in-stream", "error-in-stream", "cut-in-stream", "pings")
FRAMES_BEFORE = 5
"""How many frames of a stream are sent before the fault."""

ERROR_MESSAGE = "Overloaded, as the model id requests"


class FaultyResponse(Response):
    """Sends `whole` with the fault that `model` names.

    `error` is the frame of an error event, `ping` one that says nothing; both are of the model's dialect.
    """

    def __init__(
        self, model: str, whole: Response, frames: AsyncIterator[bytes] | None, error: bytes, ping: bytes
    ):
        super().__init__(status_code=whole.status_code)
        self.raw_headers = whole.raw_headers
        self._model = model
        self._body = bytes(whole.body) if frames is None else b""
        self._frames = frames
        self._error = error
        self._ping = ping

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if self._model == "hang":
            await _until_left(receive)
            return
        await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
        if self._frames is None:
            await self._body_goes_wrong(receive, send)
        else:
            await self._stream_goes_wrong(self._frames, receive, send)

    async def _body_goes_wrong(self, receive: Receive, send: Send) -> None:
        whole = self._model not in ("hang-in-stream", "cut-in-stream")
        said = self._body if whole else self._body[: len(self._body) // 2]
        await send({"type": "http.response.body", "body": said, "more_body": not whole})
        if self._model == "hang-in-stream":
            await _until_left(receive)

    async def _stream_goes_wrong(self, frames: AsyncIterator[bytes], receive: Receive, send: Send) -> None:
        async def write(frame: bytes) -> None:
            await send({"type": "http.response.body", "body": frame, "more_body": True})
            await asyncio.sleep(0)

        number = 0
        async for frame in frames:
            number += 1
            if self._model == "pings":
                await write(self._ping)
            elif number > FRAMES_BEFORE:
                break
            await write(frame)
        if self._model == "hang-in-stream":
            await _until_left(receive)
        if self._model in ("hang-in-stream", "cut-in-stream"):
            return  # the server ends the connection of a response that was not finished
        if self._model == "error-in-stream":
            await write(self._error)
        await send({"type": "http.response.body", "body": b"", "more_body": False})


async def _until_left(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
