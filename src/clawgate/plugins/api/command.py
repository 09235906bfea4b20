"""Defines the commands that a plugin adds to ``clawgate``, and implements the usual one, ``status``.

Part of `clawgate.plugins.api`. A command runs in a process of its own, whether or not a gateway is running.
"""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Generic, Protocol, TypeVar, runtime_checkable

from pydantic import BaseModel

from clawgate.plugins.api.service import HostContext, ServiceStatus


class CommandContext(HostContext, Protocol):
    """What the host passes to a command."""

    @property
    def config(self) -> BaseModel | None:
        """The plugin's config, an instance of `Plugin.config_class`; None if it is invalid (see `problems`)."""

    @property
    def problems(self) -> Sequence[str]:
        """Each problem of the config, as text for people."""

    @property
    def config_file(self) -> Mapping[str, Any]:
        """The whole config file as it is now, with references such as ``${NAME}`` unresolved."""

    @property
    def state_dir(self) -> Path:
        """The plugin's own folder, mode 0700."""

    @property
    def gateway_url(self) -> str | None:
        """The URL of this user's gateway; None if none is running."""

    @property
    def instance(self) -> str | None:
        """The id of the running gateway instance; None if none is running."""

    @property
    def out(self) -> Callable[[str], None]:
        """Writes one line of output."""

    @property
    def err(self) -> Callable[[str], None]:
        """Writes one line to standard error."""

    @property
    def services(self) -> Sequence[ServiceStatus]:
        """The last status of each of the plugin's services in the running gateway; empty if none is running."""

    @property
    def request_error(self) -> str | None:
        """Why requests to the plugin's providers would fail, as the gateway decides it; None if they would be sent."""

    async def restart_services(self) -> bool:
        """Make the running gateway restart the plugin's services; return whether it did, within a minute.

        It lets the requests to the plugin's providers end first, for 30 s. Raises OSError.
        """


@runtime_checkable
class CommandPlugin(Protocol):
    """``clawgate <name> ...``. The names of clawgate's own commands are rejected."""

    @property
    def name(self) -> str: ...

    @property
    def help(self) -> str:
        """One line."""

    def run(self, context: CommandContext, arguments: Sequence[str]) -> int | Awaitable[int]:
        """Return the exit status, 0 for success. ``arguments`` are all words after the name, options included."""


ConfigT = TypeVar("ConfigT", bound=BaseModel)


@dataclass(frozen=True, slots=True, kw_only=True)
class StatusReport:
    """What a status command shows.

    ``ok``: whether requests to the plugin's providers would be served. ``details`` go into the JSON document, ``rows``
    and ``lines`` into the text. None of them may hold a secret.
    """

    ok: bool
    details: Mapping[str, object]
    rows: Sequence[tuple[str, str]]
    next_step: str = ""
    lines: Sequence[str] = field(default=())


@dataclass(frozen=True, slots=True, kw_only=True)
class StatusCommand(Generic[ConfigT]):
    """``clawgate <name> status [--json]``: a `CommandPlugin` that prints a report. It exits with 0 only if that is ok.

    ``restart`` restarts the plugin's services in the running gateway, ``logs`` prints the lines of their statuses.
    ``usage`` describes the report in one or more lines. ``invalid_config_step`` is what to do about an invalid config.
    """

    name: str
    help: str
    usage: str
    config_class: type[ConfigT]
    report: Callable[[CommandContext, ConfigT], Awaitable[StatusReport]]
    invalid_config_step: str

    async def run(self, context: CommandContext, arguments: Sequence[str]) -> int:
        usage = (
            f"Usage: clawgate {self.name} status|restart|logs [--json]\n\n{self.usage}\n\n"
            "restart: restart it alone in the running gateway, after its running requests.\n"
            "logs: print the last lines that it wrote; older ones are in: clawgate logs"
        )
        words = list(arguments)
        if "--help" in words or "-h" in words:
            context.out(usage)
            return 0
        as_json = "--json" in words
        verbs = [word for word in words if word != "--json"] or ["status"]
        if verbs == ["logs"]:
            return _print_lines(context, as_json=as_json)
        if verbs not in (["status"], ["restart"]):
            if as_json:
                unknown = f"there is no '{' '.join(verbs)}'; use status, restart or logs"
                context.out(json.dumps({"ok": False, "error": unknown}))
            context.err(usage)
            return 2
        if not isinstance(context.config, self.config_class):
            return self._print_problems(context, as_json=as_json)
        if verbs == ["restart"]:
            return await self._restart(context, as_json=as_json)
        report = await self.report(context, context.config)
        error = context.request_error
        report = replace(report, ok=report.ok and error is None)
        if as_json:
            document = {"ok": report.ok, **report.details, "nextStep": report.next_step}
            document |= {"requestError": error} if error is not None else {}
            context.out(json.dumps(document, indent=2))
        else:
            for line in _text(report, error):
                context.out(line)
        return 0 if report.ok else 1

    async def _restart(self, context: CommandContext, *, as_json: bool) -> int:
        problem = ""
        if context.gateway_url is None:
            problem = "no gateway is running; start it: clawgate gateway run"
        elif not context.services:
            problem = f"the gateway runs no service of it; see: clawgate {self.name} status"
        elif adopted := next((one for one in context.services if one.state == "adopted"), None):
            holder = adopted.details.get("holder") or "another program"
            problem = f"the gateway uses {holder}, which it did not start; restart that yourself"
        elif not await context.restart_services():
            problem = "the gateway did not restart it within a minute; see: clawgate logs"
        if as_json:
            context.out(json.dumps({"ok": not problem, "problem": problem or None}, indent=2))
        elif problem:
            context.err(f"{self.name}: {problem}")
        else:
            context.out(f"Restarted. See: clawgate {self.name} status")
        return 1 if problem else 0

    def _print_problems(self, context: CommandContext, *, as_json: bool) -> int:
        problems = list(context.problems) or ["the config is invalid"]
        if as_json:
            document = {"ok": False, "problems": problems, "nextStep": self.invalid_config_step}
            context.out(json.dumps(document, indent=2))
        for problem in problems:
            context.err(problem)
        context.err(f"next step: {self.invalid_config_step}")
        return 1


def _print_lines(context: CommandContext, *, as_json: bool) -> int:
    lines = [line for one in context.services for line in one.lines]
    if as_json:
        context.out(json.dumps({"lines": lines}, indent=2))
    for line in () if as_json else lines:
        context.out(line)
    if not lines:
        running = "it wrote nothing yet" if context.gateway_url is not None else "no gateway is running"
        context.err(f"there are no lines: {running}; older ones are in: clawgate logs")
    return 0 if lines else 1


def _text(report: StatusReport, error: str | None) -> list[str]:
    requests = (
        "would succeed" if report.ok else f"would fail: {error}" if error else "would fail, or may fail"
    )
    rows = [*report.rows, ("requests", requests)]
    if report.next_step:
        rows.append(("next step", report.next_step))
    width = max(len(name) for name, _ in rows) + 2
    return [*(f"{name + ':':<{width}}{value}" for name, value in rows), *report.lines]
