"""Defines what a service of a plugin may do in the gateway, and what the gateway does for it.

Part of `clawgate.plugins.api`. Protocols and frozen values. A service requests a relay, a child program or an HTTP GET;
the host owns every socket and every process.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, Protocol, runtime_checkable

from pydantic import BaseModel, SecretStr

from clawgate.settings.roles.bridge import BridgeSettings


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceStatus:
    """The state of a service, for ``status`` commands and ``/health``.

    ``state`` is one word ("listening", "starting"); ``reason`` and ``next_step`` are sentences for people; ``details``
    must be JSON-serialisable and hold no secret; ``lines`` are the last lines of a log, oldest first.
    """

    state: str
    ok: bool
    reason: str = ""
    next_step: str = ""
    details: Mapping[str, object] = field(default_factory=dict)
    lines: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Unavailable:
    """Why requests to the plugin's providers fail now. ``retry_after`` is in whole seconds."""

    reason: str
    retry_after: int = 5
    lines: tuple[str, ...] = ()


TrustedUser = int | Literal["self", "any"]
"""Whose process may listen on a loopback port: a uid, the gateway's own user, or any user."""

FetchFailure = Literal["unreachable", "timed_out", "blocked", "untrusted", "malformed", "bad_url"]
"""blocked: the egress rules forbid the address. untrusted: another user's process listens there."""


class FetchFailed(Exception):
    """No response. ``cause`` is for programs, ``message`` for people; neither holds a secret."""

    def __init__(self, cause: FetchFailure, message: str) -> None:
        super().__init__(message)
        self.cause = cause
        self.message = message


@dataclass(frozen=True, slots=True, kw_only=True)
class FetchRequest:
    """One GET through the gateway's dialer. Redirects are not followed.

    ``secret`` is sent in ``header``, after ``prefix`` and a blank if there is one ("Bearer"). ``allow_private`` permits
    a loopback or private address, for URLs that the operator configured. With ``trusted_user`` nothing is sent to a
    loopback port on which the process of another user listens.
    """

    url: str
    header: str = ""
    prefix: str = ""
    secret: SecretStr | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    allow_private: bool = False
    trusted_user: TrustedUser = "any"
    connect_seconds: float = 5.0
    response_seconds: float = 10.0


@dataclass(frozen=True, slots=True, kw_only=True)
class FetchResponse:
    """Status and the first 64 kB of the body. ``milliseconds`` run from the first byte sent to the end."""

    status: int
    body: bytes
    milliseconds: float = 0.0

    def json(self) -> Any:
        """Return the parsed body, or None if it is not JSON."""
        try:
            return json.loads(self.body)
        except (ValueError, RecursionError):
            return None


Fetch = Callable[[FetchRequest], Awaitable[FetchResponse]]
"""Raises `FetchFailed`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RelaySpec:
    """A local listener that forwards everything below ``/v1`` to one remote with one credential.

    ``settings`` are those of ``clawgate bridge run``: ``/v1/x`` at ``host`` and ``bridge_port`` is
    ``<remote_url>/v1/x``, with ``proxy_token`` in ``header``, after ``prefix`` and a blank if there is one. Clients
    must present ``bridge_token``; without it the host must be a loopback address.
    """

    name: str
    settings: BridgeSettings
    header: str = "X-Proxy-Token"
    prefix: str = ""


class RunningRelay(Protocol):
    """A relay that is listening."""

    @property
    def host(self) -> str: ...

    @property
    def port(self) -> int:
        """The port it listens on, also if the settings have 0."""

    @property
    def connections(self) -> int:
        """The number of accepted connections; each may carry many requests."""

    async def stop(self) -> None:
        """Accept no more requests, drain, close. Idempotent."""


Health = Literal["ready", "degraded", "unhealthy", "stranger", "silent"]
"""The result of a probe: it works; it is up and its login is unknown; it is up and cannot work; a different program
responds on that port; no response."""


@dataclass(frozen=True, slots=True)
class ProbeResult:
    """The result of one probe of a child: a reason for people, and what they can do about it."""

    health: Health
    reason: str = ""
    version: str = ""
    next_step: str = ""


Probe = Callable[[], Awaitable[ProbeResult]]


@dataclass(frozen=True, slots=True, kw_only=True)
class ChildSpec:
    """A program that the host starts, probes and restarts. ``argv`` never goes through a shell; times are in seconds.

    ``environment`` is the whole environment of the child. ``cwd`` None: a private folder of its own below the plugin's
    folder, mode 0700; never the gateway's working directory. ``port`` 0: it listens on none. ``ready_timeout`` runs
    from the start to the first successful probe; ``grace`` from SIGTERM to SIGKILL of the whole process group.
    ``secrets`` are redacted in its output, in addition to those of its environment. A program that already listens on
    the port is adopted only if it runs as ``trusted_user``, and no other may respond in the child's place.
    """

    name: str
    argv: tuple[str, ...]
    environment: Mapping[str, str] = field(default_factory=dict, repr=False)
    cwd: Path | None = None
    host: str = "127.0.0.1"
    port: int = 0
    auto_start: bool = True
    auto_restart: bool = True
    restart_delay: float = 3.0
    ready_timeout: float = 120.0
    grace: float = 5.0
    secrets: tuple[str, ...] = field(default=(), repr=False)
    trusted_user: TrustedUser = "self"


class ChildHandle(Protocol):
    """A supervised program. The service starts and stops it; the host stops it at shutdown in any case."""

    async def start(self) -> None:
        """Begin and return at once. `status` shows when it is ready."""

    async def stop(self) -> None:
        """End it with all its descendants; return when they are gone."""

    async def restart(self) -> None: ...

    def reconfigure(self, spec: ChildSpec) -> bool:
        """Use ``spec`` without a new process; ``cwd`` None: the present folder.

        Return False, and change nothing, if it differs in more than how the program is watched and restarted.
        """

    def status(self) -> ServiceStatus:
        """``details`` hold at least pid, restarts and the seconds until the next try, where they apply."""

    def unavailable(self) -> Unavailable | None:
        """Return why it cannot serve requests, or None if it can."""


class HostContext(Protocol):
    """What every part of a plugin gets from the host."""

    @property
    def environment(self) -> Mapping[str, str]: ...

    async def fetch(self, request: FetchRequest) -> FetchResponse:
        """Send one GET. Raises `FetchFailed`."""


class ServiceContext(HostContext, Protocol):
    """What the host passes to a service when it starts."""

    @property
    def config(self) -> BaseModel:
        """The plugin's config, an instance of `Plugin.config_class`."""

    @property
    def log(self) -> logging.Logger:
        """A logger whose lines begin with the plugin's id. Secrets of the config are redacted."""

    @property
    def state_dir(self) -> Path:
        """The plugin's own folder, mode 0700."""

    @property
    def gateway_url(self) -> str:
        """The URL of the gateway, such as http://127.0.0.1:18789."""

    @property
    def instance(self) -> str:
        """The id of this run of the gateway. A response with another id comes from another process."""

    async def serve_relay(self, spec: RelaySpec) -> RunningRelay:
        """Listen, in the gateway's event loop. Raises `PluginError` if that fails."""

    def supervise(self, spec: ChildSpec, probe: Probe) -> ChildHandle:
        """Return a child that has not been started yet."""


@runtime_checkable
class Service(Protocol):
    """A task that runs as long as the gateway does. The constructor must do nothing; ``start`` and ``stop`` do."""

    async def start(self, context: ServiceContext) -> None:
        """Start within 10 s. Raise `PluginError` for what the operator has to fix."""

    async def stop(self) -> None:
        """Stop within 10 s, also after a partial start."""

    def status(self) -> ServiceStatus:
        """Return at once, in any state. Must not do I/O."""

    def unavailable(self) -> Unavailable | None:
        """Return at once. While this is not None, requests to the plugin's providers get 503 and nothing is dialled."""


@runtime_checkable
class Reconfigurable(Protocol):
    """Optional hook of a service that can use some changes of its config while it runs."""

    def reconfigure(self, config: BaseModel) -> bool:
        """Return whether ``config`` is in use now; False restarts the service. Must not do I/O."""


class SetupContext(HostContext, Protocol):
    """What the host passes to a provider during setup."""

    @property
    def config(self) -> Mapping[str, Any]:
        """The config file as it is now, with references such as ``${NAME}`` unresolved."""
