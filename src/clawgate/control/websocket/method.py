"""Describes a method of the protocol: its name, the right that it needs, its params, and what it does.

A method is declared once, in `methods.table`: dispatch, `hello-ok` and the documentation read it from there. What it
needs of the gateway is in `Gateway`; what runs an agent is there only while agents are on.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from clawgate.control.api import ModelSource
from clawgate.control.websocket.clients import Client, Clients
from clawgate.control.websocket.frames import ErrorShape
from clawgate.control.websocket.params import ParamsReader
from clawgate.errors import InvalidRequest
from clawgate.policy.path_routing import AGENTS_SWITCH
from clawgate.policy.proxy_identity import ADMIN, is_user
from clawgate.routing.gateway_router import GatewayRouter
from clawgate.settings.openclaw.config_file import ConfigFile

if TYPE_CHECKING:
    from clawgate.control.websocket.agent_runs import AgentRuns
    from clawgate.state.store import Store


@dataclass(slots=True, kw_only=True)
class Gateway:
    """The gateway as its methods see it. ``now_ms`` returns milliseconds of UNIX time.

    ``find_agents`` returns None while they are off; ``find_runs`` what has the runs that are under way even then, and
    ``count_runs`` how many these are. ``log_file`` is None where the log goes to a terminal, ``restart`` where this
    process cannot restart itself.
    """

    router: GatewayRouter
    models: ModelSource
    file: Callable[[], ConfigFile]
    clients: Clients
    instance: str
    now_ms: Callable[[], int]
    started_ms: int
    auth_mode: Callable[[], str]
    plugins: Callable[[], list[str]]
    state: Path
    log_file: Path | None = None
    restart: Callable[[], None] | None = None
    is_restarting: Callable[[], bool] = lambda: False
    find_agents: Callable[[], AgentRuns | None] = lambda: None
    find_runs: Callable[[], AgentRuns | None] = lambda: None
    count_runs: Callable[[], int] = lambda: 0

    @property
    def agents(self) -> AgentRuns | None:
        return self.find_agents()

    def runs_for(self, method: Method) -> AgentRuns | None:
        """Return what a method of agents works with, None where it is not there now."""
        return self.find_runs() if method.ends_runs else self.agents

    @property
    def uptime_ms(self) -> int:
        return max(self.now_ms() - self.started_ms, 0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """One request that may be served. ``respond`` sends a response before the one that the handler returns.

    ``runs`` are those of its beginning, so that it can end when agents were switched off meanwhile.
    """

    client: Client
    gateway: Gateway
    respond: Callable[[object], None]
    runs: AgentRuns | None = None
    traceparent: str = ""

    @property
    def agents(self) -> AgentRuns:
        if self.runs is None:
            raise agents_off()
        return self.runs

    def path_of(self, store: Store) -> str:
        """Return where the database is, for an administrator alone: others get nothing."""
        return store.name if self.client.may(ADMIN) else ""


class CallFailed(Exception):
    """What a call began has failed: its response has a payload beside the error."""

    def __init__(self, error: ErrorShape, payload: object) -> None:
        super().__init__(error.message)
        self.error = error
        self.payload = payload


def agents_off(where: str = "") -> InvalidRequest:
    return InvalidRequest(f"{where}agents are off; set {AGENTS_SWITCH} to true")


Handler = Callable[[Call, Any], Awaitable[object]]
"""Returns the payload of the response. Raises `GatewayError`, `CallFailed`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Method:
    """``of_agents``: it is there only while agents are on; where it ``ends_runs``, also while runs are left of then.
    ``has_effect``: it is done to its end without its client, and refused while the gateway stops, unless it
    ``ends_runs``.

    ``of_owner``: it shows or does what concerns every caller, so that a user whom a proxy names has it not.
    """

    name: str
    scope: str
    reader: ParamsReader[Any]
    handler: Handler = field(repr=False)
    about: str
    of_agents: bool = False
    has_effect: bool = False
    ends_runs: bool = False
    of_owner: bool = False

    def is_for(self, caller: str) -> bool:
        return not (self.of_owner and is_user(caller))
