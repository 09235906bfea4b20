"""A WebSocket without a wire, a gateway of which only what a test needs is there, and the first request of a client."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

from clawgate.control.websocket.clients import Clients
from clawgate.control.websocket.method import Gateway
from clawgate.errors import InvalidToken, MissingToken
from clawgate.relay.interfaces import RequestHead
from clawgate.settings.schema.openclaw import OpenClawConfig

TOKEN = "ws-TOKENSECRET-5Jk8wQz2"
NOW_MS = 1_700_000_000_000


@dataclass
class FakeSocket:
    """Keeps what was sent. ``fields`` are headers of the upgrade."""

    fields: list[tuple[bytes, bytes]] = field(default_factory=list)
    sent: list[dict[str, Any]] = field(default_factory=list)
    end: tuple[int, str] | None = None
    caller: str | None = None
    refusals: int = 0
    peer: str = "127.0.0.1"
    remote: str = "127.0.0.1"
    origin: str | None = None

    def __post_init__(self) -> None:
        self.head = RequestHead(b"GET", b"/", "1.1", self.fields, wants_socket=True)

    def send(self, text: bytes) -> None:
        if self.end is None:
            self.sent.append(json.loads(text))

    def close(self, code: int, reason: str) -> None:
        self.end = self.end or (code, reason)

    def authenticated(self, caller: str) -> None:
        self.caller = caller

    def refused(self) -> int:
        self.refusals += 1
        return self.refusals

    @property
    def last(self) -> dict[str, Any]:
        return self.sent[-1]


def identify(head: RequestHead, remote: str, secret: bytes | None) -> str:
    """The identity of a gateway with one token."""
    if secret is None:
        raise MissingToken("no token")
    if secret != TOKEN.encode():
        raise InvalidToken("wrong token")
    return "token"


def gateway(config: dict[str, Any] | None = None, **parts: Any) -> Gateway:
    file = SimpleNamespace(
        path=Path("/state/openclaw.json"),
        config=OpenClawConfig.model_validate(config or {}),
        raw=config or {},
        digest="d",
        secrets=lambda: (TOKEN,),
    )
    made: dict[str, Any] = {
        "router": cast(Any, None),
        "models": cast(Any, None),
        "file": lambda: file,
        "clients": Clients(lambda: NOW_MS),
        "instance": "test-instance",
        "now_ms": lambda: NOW_MS,
        "started_ms": NOW_MS - 5000,
        "auth_mode": lambda: "token",
        "plugins": lambda: ["calendar"],
        "state": Path("/state"),
    }
    return Gateway(**{**made, **parts})


def connect(id: str = "1", **over: Any) -> str:  # noqa: A002
    """The frame of a first request; None leaves a param out."""
    params = {
        "minProtocol": 4,
        "maxProtocol": 4,
        "client": {"id": "gateway-client", "version": "1.0.0", "platform": "linux", "mode": "backend"},
        "role": "operator",
        "scopes": ["operator.read", "operator.write", "operator.admin"],
        "auth": {"token": TOKEN},
        **over,
    }
    left = {name: value for name, value in params.items() if value is not None}
    return json.dumps({"type": "req", "id": id, "method": "connect", "params": left})


def request(method: str, params: object = None, id: str = "2") -> str:  # noqa: A002
    frame = {"type": "req", "id": id, "method": method}
    return json.dumps(frame if params is None else {**frame, "params": params})
