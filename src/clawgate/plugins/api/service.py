"""What may a service do inside the gateway, and what does the gateway do for it? Protocols and frozen values.

Part of `clawgate.plugins.api`. A service asks for things (a relay, a child program, a small request); how they are done
is the host's, which owns every socket and every process.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, Protocol, runtime_checkable

from pydantic import BaseModel, SecretStr


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceStatus:
    """How a service is, for ``status`` commands and ``/health``.

    ``state`` is one word ("listening", "starting"); ``reason`` and ``next_step`` are sentences for a person;
    ``details`` hold no secret and can be said in JSON; ``lines`` are the last lines of a log, oldest first.
    """

    state: str
    ok: bool
    reason: str = ""
    next_step: str = ""
    details: Mapping[str, object] = field(default_factory=dict)
    lines: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Unavailable:
    """Why the providers of a plugin cannot be asked now; ``retry_after`` in whole seconds."""

    reason: str
    retry_after: int = 5
    lines: tuple[str, ...] = ()


class FetchFailed(Exception):
    """No answer. ``cause`` is for programs, ``message`` for people; neither holds a secret."""

    def __init__(
        self, cause: Literal["unreachable", "timed_out", "blocked", "malformed", "bad_url"], message: str
    ) -> None:
        super().__init__(message)
        self.cause = cause
        self.message = message


@dataclass(frozen=True, slots=True, kw_only=True)
class FetchRequest:
    """One small GET through the dialer of the gateway; redirects are not followed.

    The credential goes into ``header``, after ``prefix`` and a blank if there is one ("Bearer"). ``private``: the
    address may be a loopback or private one, since the operator named it. Limits are in seconds.
    """

    url: str
    header: str = ""
    prefix: str = ""
    secret: SecretStr | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    private: bool = False
    connect_seconds: float = 5.0
    answer_seconds: float = 10.0


@dataclass(frozen=True, slots=True, kw_only=True)
class FetchResponse:
    """Status, and the first 64 kB of the body; ``milliseconds`` from the first byte sent to the end."""

    status: int
    body: bytes
    milliseconds: float = 0.0

    def json(self) -> Any:
        """The body as JSON; None where it is none."""
        try:
            return json.loads(self.body)
        except ValueError:
            return None


Fetch = Callable[[FetchRequest], Awaitable[FetchResponse]]
"""Raises `FetchFailed`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RelaySpec:
    """A local listener that passes everything below ``/v1`` on to one remote with one credential of ours.

    ``remote_url`` may end in ``/v1`` or not: ``/v1/x`` here is ``<remote_url>/v1/x`` there. The credential stands in
    ``header``, after ``prefix`` and a blank if there is one. ``local_token`` is what clients have to present; without
    it the host must be a loopback address. ``limits``: any of the time limits and sizes that the settings of ``clawgate
    bridge`` have, by their field names there (``first_byte_timeout``, ``max_body_mb``, ``ca_file``, ...).
    """

    name: str
    host: str
    port: int
    remote_url: str
    header: str
    secret: SecretStr
    prefix: str = ""
    local_token: SecretStr | None = None
    limits: Mapping[str, object] = field(default_factory=dict)


class RunningRelay(Protocol):
    """A relay that listens."""

    @property
    def host(self) -> str: ...

    @property
    def port(self) -> int:
        """The real one, where the plan said 0."""
        ...

    @property
    def requests(self) -> int:
        """How many times clients have come: connections, of which each may carry many requests."""
        ...

    async def stop(self) -> None:
        """Take no more requests, let those under way end, close. Twice is harmless."""
        ...


Health = Literal["ready", "degraded", "unhealthy", "stranger", "silent"]
"""What a probe saw: it works; it is up and its login is unknown; it is up and cannot work; something else answers on
that port; nothing answers."""


@dataclass(frozen=True, slots=True)
class ProbeResult:
    """What one probe of a child found, with a reason for people."""

    health: Health
    reason: str = ""
    version: str = ""


Probe = Callable[[], Awaitable[ProbeResult]]


@dataclass(frozen=True, slots=True, kw_only=True)
class ChildSpec:
    """A program for the host to start, watch and restart. ``argv`` never goes through a shell; times are in seconds.

    ``environment`` is all that the child gets. ``ready_timeout``: from the start until the probe has to find it ready;
    ``grace``: from SIGTERM to SIGKILL, of the whole group.
    """

    name: str
    argv: tuple[str, ...]
    environment: Mapping[str, str] = field(default_factory=dict, repr=False)
    cwd: Path | None = None
    host: str = "127.0.0.1"
    port: int
    auto_start: bool = True
    auto_restart: bool = True
    restart_delay: float = 3.0
    ready_timeout: float = 120.0
    grace: float = 5.0


class ChildHandle(Protocol):
    """A supervised program. It is the service's to start and to stop; the host stops it in any case at the end."""

    async def start(self) -> None:
        """Begin; returns at once. Whether it is ready is in `status`."""
        ...

    async def stop(self) -> None:
        """End it with all that it started; returns when it is gone."""
        ...

    async def restart(self) -> None: ...

    def status(self) -> ServiceStatus:
        """``details`` have at least pid, restarts and the seconds until the next try, where there are any."""
        ...

    def unavailable(self) -> Unavailable | None:
        """None while it can be asked."""
        ...


class ServiceContext(Protocol):
    """What the host gives a service when it starts."""

    @property
    def config(self) -> BaseModel:
        """The plugin's config, an instance of `Plugin.config`."""
        ...

    @property
    def log(self) -> logging.Logger:
        """Its lines begin with the plugin's id; secrets of the config are cut out of them."""
        ...

    @property
    def state_dir(self) -> Path:
        """The plugin's own folder, mode 0700."""
        ...

    @property
    def environment(self) -> Mapping[str, str]: ...

    @property
    def gateway_url(self) -> str:
        """Where the gateway listens, such as http://127.0.0.1:18789."""
        ...

    @property
    def instance(self) -> str:
        """Names this run of the gateway; what answers with another one is not ours."""
        ...

    async def serve_relay(self, plan: RelaySpec) -> RunningRelay:
        """Listen, in the gateway's own event loop. Raises `PluginError` where it cannot, with what to do."""
        ...

    def supervise(self, plan: ChildSpec, probe: Probe) -> ChildHandle:
        """A child that has not been started yet."""
        ...

    async def fetch(self, plan: FetchRequest) -> FetchResponse:
        """Raises `FetchFailed`."""
        ...


@runtime_checkable
class Service(Protocol):
    """Something that runs for as long as the gateway does. The constructor does nothing; ``start`` and ``stop`` do."""

    async def start(self, context: ServiceContext) -> None:
        """Within 10 s. Raise `PluginError` for what the operator has to mend."""
        ...

    async def stop(self) -> None:
        """Within 10 s; also after a start that failed half way."""
        ...

    def status(self) -> ServiceStatus:
        """At once, whatever the state; nothing is asked of anybody."""
        ...

    def unavailable(self) -> Unavailable | None:
        """While this is not None, requests for the plugin's providers get 503, and nobody is dialled. At once."""
        ...


class SetupContext(Protocol):
    """What the host gives while a provider is set up."""

    @property
    def environment(self) -> Mapping[str, str]: ...

    @property
    def config(self) -> Mapping[str, Any]:
        """The config file as it is now, with references such as ``${NAME}`` unresolved."""
        ...

    async def fetch(self, plan: FetchRequest) -> FetchResponse:
        """Raises `FetchFailed`."""
        ...
