"""Connects the MCP servers of the config, and follows its changes.

Law: nothing of the SDK is imported before a server is configured, and then in a thread: it takes about a second. A
server that is not changed keeps its connection.
"""

from __future__ import annotations

import asyncio
import gc
import logging
import ssl
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from clawgate.agents.tools.mcp.logins import Login, login_of
from clawgate.agents.tools.mcp.pins import PinStore, pins_folder
from clawgate.agents.tools.mcp.results import Look
from clawgate.agents.tools.mcp.server import Connector, McpServer, Session
from clawgate.plugins.api import ChildSpec, ToolFailed
from clawgate.plugins.host.tools import RegisteredTool
from clawgate.policy.egress.policy import NO_RULES, NetworkRules
from clawgate.policy.redaction import SHORTEST_SECRET, Redactor
from clawgate.processes.supervision.output_log import OutputLog
from clawgate.processes.supervision.output_tail import OutputTail
from clawgate.processes.supervision.supervisor import secrets_of
from clawgate.relay.upstream.dial import Dialer
from clawgate.relay.upstream.endpoint import UpstreamEndpoint, tls_context
from clawgate.settings.extras import install_command
from clawgate.settings.openclaw.mcp_servers import McpServerEntry
from clawgate.settings.private_folder import make_private_folder
from clawgate.wire.http.url import parse_url

logger = logging.getLogger("clawgate.mcp")

INHERITED = (
    "HOME",
    "LANG",
    "LANGUAGE",
    "LC_ALL",
    "LC_CTYPE",
    "LOGNAME",
    "PATH",
    "SHELL",
    "TMPDIR",
    "TZ",
    "USER",
)
"""What a server has of the gateway's environment, which holds the keys of providers."""
_GRACE_SECONDS = 2.0
_PROBE_SHARE = 0.25
"""Of the limit to connect, for a server that is silent on what it does not know: the older protocol comes after it."""


class SdkMissing(Exception):
    """The extra `clawgate[mcp]` is not installed. The text says how to install it."""


def load_sdk() -> None:
    """Import what sessions need. Raises `SdkMissing`.

    A garbage collection would walk all of it, 80 ms, whenever a server sends enough to begin one.
    """
    is_loaded = "mcp" in sys.modules
    try:
        import clawgate.agents.tools.mcp.http
        import clawgate.agents.tools.mcp.session
        import clawgate.agents.tools.mcp.stdio  # noqa: F401
    except ModuleNotFoundError as error:
        if (error.name or "").startswith("clawgate"):
            raise
        raise SdkMissing(
            f"MCP servers need {error.name}, which is not installed; run: {install_command('mcp')}"
        ) from error
    if not is_loaded:
        gc.freeze()


@dataclass(slots=True)
class _Running:
    server: McpServer
    task: asyncio.Task[None] | None = None


class McpServers:
    """The servers of one gateway. ``state`` is OpenClaw's state folder; ``wall_clock`` is in seconds since 1970."""

    def __init__(
        self,
        state: Path,
        dialer: Dialer,
        *,
        wall_clock: Callable[[], float],
        random: Callable[[], float],
        load: Callable[[], None] = load_sdk,
        browser: Callable[[str], Awaitable[Mapping[str, str]]] | None = None,
        look: Look | None = None,
    ) -> None:
        self._state = state
        self.pins = PinStore(pins_folder(state), wall_clock)
        self._folders = pins_folder(state) / "folders"
        self._dialer = dialer
        self._random = random
        self._load = load
        self._browser = browser
        self._look = look
        self._is_loaded = False
        self._running: dict[str, _Running] = {}
        self._made_with: tuple[Mapping[str, str], NetworkRules] = ({}, NO_RULES)

    async def use(
        self,
        entries: Iterable[McpServerEntry],
        environment: Mapping[str, str],
        network: NetworkRules = NO_RULES,
    ) -> None:
        """Keep a connection to these servers from now on, and to no other.

        ``environment`` is the gateway's, of which servers get what is in `INHERITED`.
        """
        wanted = {one.name: one for one in entries if one.is_used}
        made_with = {name: environment[name] for name in INHERITED if name in environment}, network
        leaving = [
            name
            for name, one in self._running.items()
            if wanted.get(name) != one.server.entry or made_with != self._made_with
        ]
        await self._stop([self._running.pop(name) for name in leaving])
        self._made_with = made_with
        for name, entry in wanted.items():
            if name not in self._running:  # its accepted tools are offered from here on
                self._running[name] = _Running(self.server(entry))
        if wanted and not self._is_loaded:
            await self._load_sdk()
        if self._is_loaded:
            for name, one in self._running.items():
                if one.task is None:
                    one.task = asyncio.get_running_loop().create_task(
                        one.server.run(), name=f"mcp server {name}"
                    )

    async def _load_sdk(self) -> None:
        try:
            await asyncio.to_thread(self._load)
        except SdkMissing as error:
            logger.error("mcp.servers: %s", error)  # noqa: TRY400  # for the operator to fix
            for one in self._running.values():
                one.server.give_up(str(error))
        else:
            self._is_loaded = True

    async def close(self) -> None:
        """End every connection, and every child; return when they are gone."""
        running, self._running = self._running, {}
        await self._stop(running.values())

    async def _stop(self, running: Iterable[_Running]) -> None:
        tasks = [one.task for one in running if one.task is not None]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def result_of(self, name: str) -> tuple[str, str]:
        """Return the protocol that a server speaks, or why it cannot be connected, once that is known."""
        server = self._running[name].server
        try:
            return (await server.current_session()).protocol, ""
        except ToolFailed:
            return "", server.reason or server.no_list()

    def unusable(self, name: str) -> Mapping[str, str]:
        """Return what a server listed last that is no tool, and accepted ones that it lists no more: the reasons."""
        server = self._running[name].server
        if server.listed is None:
            return {}
        accepted = self.pins.read(server.entry.prefix).accepted
        gone = dict.fromkeys(accepted.keys() - server.listed.tools.keys(), "the server lists it no more")
        return gone | dict(server.listed.reasons)

    def tools(self) -> list[RegisteredTool]:
        """Return the tools that models may be offered now."""
        return [tool for one in self._running.values() for tool in one.server.tools()]

    def server(self, entry: McpServerEntry) -> McpServer:
        """Return a server that is not connected yet."""
        headers = [value.get_secret_value() for value in entry.block.headers.values()]
        secrets = [*headers, *(value.rpartition(" ")[2] for value in headers)]  # also without "Bearer"
        spec = self._child(entry) if entry.transport == "stdio" else None
        if spec is not None:
            secrets += secrets_of(spec)
        client = entry.oauth
        if client is not None and client.client_secret is not None:
            secrets.append(client.client_secret.get_secret_value())
        redactor = _redactor(secrets)
        login = login_of(pins_folder(self._state), entry)
        make = self._stdio(spec, redactor) if spec is not None else self._http(entry, login)
        return McpServer(
            entry,
            _connector(make, entry),
            self.pins,
            clock=asyncio.get_running_loop().time,
            random=self._random,
            clean=lambda text: _redactor(login.secrets()).redact_known(redactor.redact_known(text)),
            log=logger,
            look=self._look,
        )

    def _child(self, entry: McpServerEntry) -> ChildSpec:
        block = entry.block
        folder = block.cwd or block.working_directory
        return ChildSpec(
            name=f"mcp {entry.name}",
            argv=(str(block.command), *block.args),
            environment={**self._made_with[0], **block.env},
            cwd=Path(folder).expanduser() if folder else self._folders / entry.prefix,
            grace=_GRACE_SECONDS,
        )

    def _stdio(self, spec: ChildSpec, redactor: Redactor) -> Callable[[], Awaitable[Any]]:
        log = OutputLog(spec.name, logger, asyncio.get_running_loop().time)

        async def make() -> Any:
            from clawgate.agents.tools.mcp.stdio import StdioTransport

            if (
                spec.cwd is not None and spec.cwd.parent == self._folders
            ):  # never the gateway's working directory
                make_private_folder(spec.cwd)
            return StdioTransport(spec, OutputTail(redactor.redact, on_line=log))

        return make

    def _http(self, entry: McpServerEntry, login: Login) -> Callable[[], Awaitable[Any]]:
        block, client = entry.block, entry.oauth
        url = str(block.url)
        headers = {
            name: value.get_secret_value()
            for name, value in block.headers.items()
            if client is None or name.lower() != "authorization"  # as in OpenClaw
        }
        origin, _ = parse_url(url.partition("?")[0])
        policy = entry.egress_policy(self._made_with[1])

        async def make() -> Any:
            from clawgate.agents.tools.mcp.http import HttpTransport
            from clawgate.agents.tools.mcp.oauth import Access

            access = None
            if client is not None:
                access = Access(
                    client=client, login=login, dialer=self._dialer, policy=policy, browser=self._browser
                )
            tls = await asyncio.to_thread(_tls, entry) if origin.scheme == "https" else None
            return HttpTransport(
                self._dialer,
                UpstreamEndpoint(origin=origin, policy=policy, tls=tls),
                url,
                headers,
                access=access,
                call_seconds=block.request_timeout_ms / 1000,
                is_sse=entry.transport == "sse",
            )

        return make


def _redactor(secrets: Iterable[str]) -> Redactor:
    return Redactor(secret for secret in secrets if len(secret) >= SHORTEST_SECRET)


def _connector(make: Callable[[], Awaitable[Any]], entry: McpServerEntry) -> Connector:
    last: list[Any] = []  # the transport of the last session, which knows why that ended

    @asynccontextmanager
    async def opened() -> AsyncIterator[Session]:
        from clawgate.agents.tools.mcp.session import open_session

        seconds = entry.block.request_timeout_ms / 1000
        probe_seconds = entry.block.connection_timeout_ms / 1000 * _PROBE_SHARE
        for is_old in (False, True):
            last[:] = [await make()]
            is_open = False
            try:
                async with open_session(last[0], seconds, probe_seconds, is_old=is_old) as session:
                    is_open = True
                    yield session
                    return
            except Exception:  # a program may end where it first receives another message than `initialize`
                if is_open or is_old or entry.transport != "stdio" or not last[0].lost.is_set():
                    raise

    def why_lost(error: BaseException | None) -> str:
        reason = str(last[0].reason) if last else ""
        if error is None:
            return reason or "the connection ended"
        from clawgate.agents.tools.mcp.session import why_lost

        text = why_lost(error)
        return text if not reason or reason in text else f"{reason} ({text})"

    open_it: Callable[[], AbstractAsyncContextManager[Session]] = opened
    return Connector(open=open_it, why_lost=why_lost)


def _tls(entry: McpServerEntry) -> ssl.SSLContext:
    """Raises ConnectionError."""
    block = entry.block
    try:
        context = tls_context(certificate=block.client_cert, key=block.client_key)
    except (OSError, ssl.SSLError) as error:
        raise ConnectionError(f"its clientCert and clientKey cannot be used: {error}") from error
    if not block.ssl_verify:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context
