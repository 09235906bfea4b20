"""How does a role under test run? Its real parts on a real port, on one loop in a thread, beside a strict upstream."""

from __future__ import annotations

import asyncio
import concurrent.futures
import threading
from collections.abc import Awaitable, Coroutine, Iterator
from contextlib import contextmanager
from typing import Any, Literal, TypeVar

import uvloop

from clawgate.app.bridge import build_bridge
from clawgate.app.role import Role
from clawgate.app.server import build_server
from clawgate.relay.downstream.server import Server, listen
from clawgate.settings.roles.bridge import BridgeSettings
from clawgate.settings.roles.server import ServerSettings
from tests.peers import faults
from tests.peers.client import RawClient
from tests.peers.connection import Request
from tests.peers.script import ReadBody, Script, Send
from tests.peers.upstream import FakeUpstream

RoleName = Literal["bridge", "server"]
ROLES: tuple[RoleName, ...] = ("bridge", "server")

BODY_LIMIT = 131_072
CLIENT_MARK = "CLIENTSECRET"
"""Stands in everything of the client's that may never go upstream."""
UPSTREAM_MARK = "UPSTREAMSECRET"
"""Stands in the credential for the upstream, which may never come back to the client."""
CLIENT_TOKEN = f"{CLIENT_MARK}-0123456789abcdef"
UPSTREAM_TOKEN = f"{UPSTREAM_MARK}-0123456789abcdef"

_T = TypeVar("_T")


def build(role: RoleName, upstream_url: str) -> Role:
    """A role with default settings but for its body limit, a port of its own, and no lock-out in the way."""
    if role == "bridge":
        return build_bridge(
            BridgeSettings.model_validate(
                {
                    "remote_url": upstream_url,
                    "proxy_token": UPSTREAM_TOKEN,
                    "bridge_port": 0,
                    "max_body_mb": BODY_LIMIT / 2**20,
                }
            )
        )
    return build_server(
        ServerSettings.model_validate(
            {
                "base_url": f"{upstream_url}/v1",
                "openai_api_key": UPSTREAM_TOKEN,
                "proxy_token": CLIENT_TOKEN,
                "port": 0,
                "max_body_mb": BODY_LIMIT / 2**20,
                "max_auth_failures": 1_000_000,
                "access_log": False,
            }
        )
    )


def answer_of(request: Request) -> Script:
    """What the upstream says: a small JSON answer, in one chunk where the target asks for that."""
    if request.method == "HEAD":
        return (Send(faults.head(200, [("Content-Type", "application/json"), ("Content-Length", "11")])),)
    if request.target.endswith("/chunked"):
        fields = [("Content-Type", "application/json"), ("Transfer-Encoding", "chunked")]
        return ReadBody(), Send(
            faults.head(200, fields) + faults.chunk(b'{"ok":') + faults.chunk(b"true}") + faults.LAST_CHUNK
        )
    return faults.json_response({"ok": True})


class LiveRole:
    """One role that serves, and the upstream behind it. Coroutines run on their loop by `run`."""

    def __init__(self, name: RoleName) -> None:
        self.name = name
        self.upstream = FakeUpstream(answer_of)
        self.port = 0
        self.troubles: list[str] = []
        """What the loop was told of exceptions that nobody caught."""
        self._loop: asyncio.AbstractEventLoop
        self._host: Server
        self._up: concurrent.futures.Future[None] = concurrent.futures.Future()
        self._thread = threading.Thread(target=self._serve_and_tell, name=f"live {name}")

    @property
    def authority(self) -> str:
        """What a client of this role writes into Host."""
        return f"127.0.0.1:{self.port}"

    def run(self, work: Coroutine[Any, Any, _T]) -> _T:
        """Run ``work`` on the loop that serves, and wait for it; what limits it is the time of the test."""
        return asyncio.run_coroutine_threadsafe(work, self._loop).result()

    async def client(self) -> RawClient:
        """A new connection to the role."""
        return await RawClient.open(port=self.port)

    def start(self) -> None:
        """Serve; returns once connections are accepted."""
        self._thread.start()
        self._up.result(timeout=120)

    def stop(self) -> None:
        """Drain and end."""
        self._loop.call_soon_threadsafe(self._host.stop)
        self._thread.join(timeout=120)

    def _serve_and_tell(self) -> None:
        try:
            with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
                runner.run(self._serve())
        except BaseException as error:  # noqa: BLE001  # whoever waits in `start` raises it
            if not self._up.done():
                self._up.set_exception(error)
            else:
                self.troubles.append(repr(error))

    async def _serve(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._loop.set_exception_handler(lambda _, told: self.troubles.append(str(told)))
        async with self.upstream:
            role = build(self.name, self.upstream.url)
            sockets = listen(role.host, role.port)
            self.port = sockets[0].getsockname()[1]
            self._host = Server(
                role.connections, role.app, drain_seconds=0.1, on_started=lambda _: self._up.set_result(None)
            )
            await self._host.serve(sockets=sockets)


@contextmanager
def live(name: RoleName) -> Iterator[LiveRole]:
    """A role for the length of a ``with``."""
    role = LiveRole(name)
    role.start()
    try:
        yield role
    finally:
        role.stop()


async def within(work: Awaitable[_T], seconds: float = 5.0) -> _T:
    """``work``, or TimeoutError."""
    async with asyncio.timeout(seconds):
        return await work
