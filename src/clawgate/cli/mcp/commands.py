"""``clawgate mcp``: lists the MCP servers of the config, shows and accepts their tools, and tries to connect."""

from __future__ import annotations

import asyncio
import json
import sys
import time
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import click

from clawgate.agents.tools.mcp.definitions import Definition, named, passes, tool_name
from clawgate.agents.tools.mcp.logins import login_of, missing_login
from clawgate.agents.tools.mcp.pins import Pins, PinStore, pins_folder
from clawgate.cli.completers import complete_mcp_server
from clawgate.cli.context import LoadedConfig, load_config
from clawgate.cli.errors import fail
from clawgate.cli.exit_codes import ExitCode
from clawgate.cli.groups import DefaultVerbGroup
from clawgate.cli.paths import json_option, path_options
from clawgate.policy.printable import escape_controls, escape_steering
from clawgate.policy.typos import typo_of
from clawgate.settings.openclaw.mcp_oauth import McpOAuthClient
from clawgate.settings.openclaw.mcp_servers import McpServerEntry, mcp_servers

if TYPE_CHECKING:
    from clawgate.cli.mcp.browser import Browser

server_argument = click.argument("server", metavar="SERVER", shell_complete=complete_mcp_server)


@click.group(cls=DefaultVerbGroup, default="list")
def mcp() -> None:
    """MCP servers: list, show, accept, test, login, logout. Without a command: list."""


@mcp.command("list", short_help="List the MCP servers of the config.")
@json_option
@path_options
def list_servers(config: str | None, as_json: bool) -> None:
    """List the MCP servers of the config, and how many of their tools are accepted or wait. Connects to none."""
    from clawgate.cli.terminal.table import print_table

    loaded = load_config(config)
    store = _store(loaded)
    found = [(entry, store.read(entry.prefix)) for entry in _entries(loaded)]
    if as_json:
        click.echo(json.dumps({"count": len(found), "servers": [_to_json(*one) for one in found]}, indent=2))
        return
    if not found:
        click.echo("No MCP servers")
        return
    print_table(
        ("Server", "Transport", "Used", "Tools", "Waiting"),
        [
            (
                escape_controls(entry.name),
                entry.transport,
                "yes" if entry.is_used else "no",
                str(len(pins.accepted)),
                str(len(pins.waiting)),
            )
            for entry, pins in found
        ],
    )
    for entry, pins in found:
        for problem in (*_problems(entry, pins), *_missing_login(loaded, entry)):
            click.echo(problem, err=True)


@mcp.command(short_help="Show the tools of a server, and what it changed.")
@server_argument
@json_option
@path_options
def show(server: str, config: str | None, as_json: bool) -> None:
    """Show the tools of SERVER that are accepted, and those that wait, as the server described them. Connects to none.

    Invisible characters are shown as \\u200b.
    """
    loaded = load_config(config)
    entry = _entry(loaded, server)
    pins = _store(loaded).read(entry.prefix)
    tools = list(_tools(entry, pins))
    if as_json:
        click.echo(
            json.dumps({**_to_json(entry, pins), "acceptedAt": pins.accepted_at, "tools": tools}, indent=2)
        )
        return
    for tool in tools:
        _print_tool(tool)
    if not tools:
        click.echo(
            f"No tool of {escape_controls(entry.name)} is known yet. Try: clawgate mcp test {entry.name}"
        )
    for problem in _problems(entry, pins, next_verb="accept"):
        click.echo(problem, err=True)


@mcp.command(short_help="Accept the tools of a server that wait.")
@server_argument
@json_option
@path_options
def accept(server: str, config: str | None, as_json: bool) -> None:
    """Accept the new and changed tools of SERVER as they were listed last. A running gateway offers them at once.

    Read them before, with: clawgate mcp show SERVER
    """
    loaded = load_config(config)
    entry, store = _entry(loaded, server), _store(loaded)
    before = store.read(entry.prefix)
    if before.problem:
        fail(f"mcp.servers.{entry.name}: {before.problem}")
    try:
        if before.waiting:
            store.accept(entry.prefix)
    except OSError as error:
        fail(f"{store.path(entry.prefix)}: {error.strerror}; check the owner and mode of its folder")
    if as_json:
        click.echo(json.dumps({"server": entry.name, "accepted": sorted(before.waiting)}, indent=2))
    elif before.waiting:
        click.echo(
            f"Accepted of {escape_controls(entry.name)}: {', '.join(map(escape_controls, sorted(before.waiting)))}"
        )
    else:
        click.echo(f"No tool of {escape_controls(entry.name)} waits.")


@mcp.command(short_help="Connect to a server, and list its tools.")
@server_argument
@json_option
@path_options
def test(server: str, config: str | None, as_json: bool) -> None:
    """Connect to SERVER from here, also if it is not enabled, and list its tools. A stdio server is started for that.

    The tools that it lists first are accepted. The exit status is 1 if it cannot be connected.
    """
    loaded = load_config(config)
    entry = _entry(loaded, server)
    if entry.problem is not None:
        fail(str(entry.problem))
    protocol, error, unusable = asyncio.run(_try(loaded, entry))
    pins = _store(loaded).read(entry.prefix)
    if as_json:
        result = {"ok": not error, "protocol": protocol, "error": error or None, **_to_json(entry, pins)}
        click.echo(json.dumps({**result, "tools": list(_tools(entry, pins))}, indent=2))
    elif error:
        fail(f"mcp.servers.{entry.name}: {error}")
    else:
        click.echo(f"Connected to {escape_controls(entry.name)}, protocol {protocol}.")
        tools = list(_tools(entry, pins))
        for tool in tools:
            click.echo(f"  {tool['name']} ({tool['state']})")
        if not tools:
            click.echo("It lists no tool.")
        for problem in (*_not_offered(entry, unusable), *_problems(entry, pins)):
            click.echo(problem, err=True)
    if error:
        sys.exit(ExitCode.FAILED)


@mcp.command(short_help="Log in at a server that wants OAuth.")
@server_argument
@path_options
def login(server: str, config: str | None) -> None:
    """Log in at SERVER with a browser, whose mcp.servers entry has auth: "oauth", and list its tools.

    A running gateway uses the login within a minute.
    """
    from clawgate.cli.mcp.browser import WAIT_SECONDS, Browser

    loaded = load_config(config)
    entry = _entry(loaded, server)
    client = _client(entry)
    patient = {"connection_timeout_ms": max(entry.block.connection_timeout_ms, 1000 * WAIT_SECONDS)}
    patient_entry = replace(entry, block=entry.block.model_copy(update=patient))
    before = dict(login_of(pins_folder(loaded.paths.state), entry).read())
    browser = Browser(
        client.redirect_url, lambda text: click.echo("\n".join(map(escape_controls, text.split("\n"))))
    )
    _, error, _ = asyncio.run(_try(loaded, patient_entry, browser))
    kept = login_of(pins_folder(loaded.paths.state), entry).read()
    if error:
        fail(f"mcp.servers.{entry.name}: {error}")
    if kept == before:
        click.echo(f"{escape_controls(entry.name)} is connected, and wanted no login.")
    else:
        at = kept.get("server") or client.url
        click.echo(f"Logged in to {escape_controls(entry.name)} at {escape_controls(str(at))}.")


@mcp.command(short_help="Remove the login at a server.")
@server_argument
@path_options
def logout(server: str, config: str | None) -> None:
    """Remove what is kept of the login at SERVER. The authorization server does not learn of it."""
    loaded = load_config(config)
    entry = _entry(loaded, server)
    _client(entry)
    kept = login_of(pins_folder(loaded.paths.state), entry)
    try:
        was_kept = kept.forget()
    except OSError as error:
        fail(f"{kept.path}: {error.strerror}; check the owner and mode of its folder")
    name = escape_controls(entry.name)
    click.echo(f"Removed the login at {name}." if was_kept else f"There is no login at {name}.")


def _client(entry: McpServerEntry) -> McpOAuthClient:
    name = escape_controls(entry.name)
    if entry.problem is not None:
        fail(str(entry.problem))
    if entry.oauth is None:
        fail(f'mcp.servers.{name}: it has no login; set auth to "oauth" and enter its url, or use headers')
    if entry.oauth.is_headless:
        fail(f"mcp.servers.{name}: its client logs in itself; run: clawgate mcp test {name}")
    return entry.oauth


async def _try(
    loaded: LoadedConfig, entry: McpServerEntry, browser: Browser | None = None
) -> tuple[str, str, Mapping[str, str]]:
    """Return the protocol that the server speaks, or why it cannot be connected; and `McpServers.unusable`."""
    import logging
    import random

    from clawgate.agents.tools.mcp.servers import McpServers
    from clawgate.relay.upstream.dial import Dialer
    from clawgate.settings.openclaw.own_settings import network_rules

    logging.getLogger("clawgate.mcp").setLevel(logging.CRITICAL)  # what goes wrong is the result
    host = McpServers(
        loaded.paths.state, Dialer(), wall_clock=time.time, random=random.random, browser=browser
    )
    try:
        await host.use([entry.enabled()], loaded.file.environment, network_rules(loaded.file.config))
        return *await host.result_of(entry.name), host.unusable(entry.name)
    finally:
        await host.close()


def _entries(loaded: LoadedConfig) -> tuple[McpServerEntry, ...]:
    return mcp_servers(loaded.file.config, loaded.file.unset)


def _entry(loaded: LoadedConfig, server: str) -> McpServerEntry:
    entries = {entry.name: entry for entry in _entries(loaded)}
    if server not in entries:
        near = typo_of(server, entries)
        meant = f"did you mean '{escape_controls(near)}'? " if near else ""
        names = ", ".join(map(escape_controls, entries)) or "none; add one to mcp.servers"
        fail(f"unknown MCP server '{escape_controls(server)}'; {meant}the servers are: {names}")
    return entries[server]


def _store(loaded: LoadedConfig) -> PinStore:
    return PinStore(pins_folder(loaded.paths.state), time.time)


def _problems(entry: McpServerEntry, pins: Pins, *, next_verb: str = "show") -> Iterator[str]:
    if entry.problem is not None and entry.block.enabled:
        yield escape_controls(str(entry.problem))
    if pins.problem:
        yield escape_controls(f"mcp.servers.{entry.name}: none of its tools is offered: {pins.problem}")
    offered = [tool for tool in pins.accepted.values() if passes(entry.block.tool_filter, tool.name)]
    yield from _not_offered(entry, named(entry.prefix, offered)[1])
    if pins.waiting:
        name = escape_controls(entry.name)
        waiting = f"{len(pins.waiting)} tools wait and are not offered"
        yield f"mcp.servers.{name}: {waiting}; run: clawgate mcp {next_verb} {name}"


def _not_offered(entry: McpServerEntry, reasons: Mapping[str, str]) -> Iterator[str]:
    for tool, reason in reasons.items():
        yield escape_controls(f"mcp.servers.{entry.name}: its tool '{tool[:80]}' is not offered: {reason}")


def _missing_login(loaded: LoadedConfig, entry: McpServerEntry) -> Iterator[str]:
    if missing := missing_login(pins_folder(loaded.paths.state), entry):
        yield escape_controls(f"mcp.servers.{entry.name}: {'; '.join(missing)}")


def _to_json(entry: McpServerEntry, pins: Pins) -> dict[str, Any]:
    return {
        "server": entry.name,
        "transport": entry.transport,
        "enabled": entry.block.enabled,
        "used": entry.is_used,
        "problem": str(entry.problem) if entry.problem is not None else pins.problem or None,
        "accepted": len(pins.accepted),
        "waiting": len(pins.waiting),
    }


def _tools(entry: McpServerEntry, pins: Pins) -> Iterator[dict[str, Any]]:
    """Yield each tool, by its name towards models; one that was changed with both forms."""
    for name in sorted({*pins.accepted, *pins.waiting}):
        accepted, waiting = pins.accepted.get(name), pins.waiting.get(name)
        state = "accepted" if waiting is None else "new" if accepted is None else "changed"
        tool: dict[str, Any] = {"name": tool_name(entry.prefix, name), "tool": name, "state": state}
        if accepted is not None:
            tool["accepted"] = _described(accepted)
        if waiting is not None:
            tool["waiting"] = _described(waiting)
        yield tool


def _described(tool: Definition) -> Mapping[str, Any]:
    return {"digest": tool.digest, **tool.document}


def _print_tool(tool: Mapping[str, Any]) -> None:
    click.echo(f"{tool['name']} ({tool['state']})")
    for key in ("accepted", "waiting"):
        if key not in tool:
            continue
        label = "" if tool["state"] == "accepted" else f"{key}: "
        description = _escaped(str(tool[key].get("description", "")))
        click.echo(f"  {label}{description}".rstrip())
        if tool["state"] != "accepted":
            rest = {name: part for name, part in tool[key].items() if name not in ("description", "name")}
            click.echo(f"  {json.dumps(rest)}")


def _escaped(text: str) -> str:
    """Return ``text`` for a terminal, with its lines, and with what is invisible as ``\\u200b``."""
    return "\n    ".join(escape_controls(line) for line in escape_steering(text).splitlines())
