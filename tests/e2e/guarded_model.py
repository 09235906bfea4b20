"""The demo's model behind a guard as nginx has it: one header with one value, otherwise a web page with 401."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from demo.models import openai_server as model
from demo.models.openai_server import build_model

PAGE = (
    b"<html>\r\n<head><title>401 Authorization Required</title></head>\r\n<body>nginx</body>\r\n</html>\r\n"
)


class Guarded:
    """``header`` None: no credential may come. ``seen`` are the values of every header that looks like one."""

    def __init__(self, app: ASGIApp, header: tuple[str, str] | None, challenge: str, lists: str) -> None:
        self._app = app
        self._header = header
        self._challenge = challenge
        self._lists = lists
        self.seen: list[list[tuple[str, str]]] = []

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        names = {"authorization", "x-api-key", "x-owl-key", "proxy-authorization", "cookie", "x-proxy-token"}
        found = [
            (name.decode(), value.decode("latin-1"))
            for name, value in scope["headers"]
            if name.decode() in names
        ]
        self.seen.append(found)
        if found == ([] if self._header is None else [self._header]):
            await (self._list if self._lists and scope["path"] == "/v1/models" else self._app)(
                scope, receive, send
            )
            return
        headers = [(b"content-type", b"text/html"), (b"content-length", str(len(PAGE)).encode())]
        if self._challenge:
            headers.append((b"www-authenticate", self._challenge.encode()))
        await send({"type": "http.response.start", "status": 401, "headers": headers})
        await send({"type": "http.response.body", "body": PAGE})

    async def _list(self, scope: Scope, receive: Receive, send: Send) -> None:
        await JSONResponse({"object": "list", "data": [{"id": self._lists}]})(scope, receive, send)


@contextlib.contextmanager
def guarded_model(
    header: tuple[str, str] | None, challenge: str = "", *, lists: str = ""
) -> Iterator[tuple[str, Guarded]]:
    """Yield the address of the model and its guard. ``lists`` is the only model of its list, the demo's if empty."""
    guard = Guarded(build_model(api_key=None), header, challenge, lists)
    with model.running(guard) as url:  # type: ignore[arg-type]  # any ASGI app
        yield url, guard
