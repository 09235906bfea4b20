"""``clawgate agents``: lists the agents of the config, and whether requests to them would work. Sends nothing."""

from __future__ import annotations

import json
import sys

import click

from clawgate.cli.completers import complete_agent
from clawgate.cli.context import LoadedConfig, load_config
from clawgate.cli.errors import fail
from clawgate.cli.exit_codes import ExitCode
from clawgate.cli.groups import DefaultVerbGroup
from clawgate.cli.outcome import failure_text
from clawgate.cli.paths import json_option, path_options
from clawgate.errors import GatewayError
from clawgate.policy.path_routing import AGENTS_SWITCH, RESPONSES_PATH
from clawgate.policy.printable import escape_controls
from clawgate.policy.typos import typo_of

_TURN_ON = f"To turn agents on: clawgate config set {AGENTS_SWITCH} true"


@click.group(cls=DefaultVerbGroup, default="list")
def agents() -> None:
    """Agents: list, show. Without a command: list."""


@agents.command("list", short_help="List the agents of the config.")
@json_option
@path_options
def list_agents(config: str | None, as_json: bool) -> None:
    """List the agents of the config with their models. Without any there is one, main."""
    from clawgate.cli.agents.listing import agent_rows
    from clawgate.cli.terminal.table import print_table

    loaded = load_config(config)
    rows = agent_rows(loaded)
    if as_json:
        output = {
            "count": len(rows),
            "enabled": _is_on(loaded),
            "basedOn": loaded.known.based_on,
            "agents": [row.to_json() for row in rows],
        }
        click.echo(json.dumps(output, indent=2))
        return
    cells = [
        (
            row.spec.id,
            "yes" if row.is_default else "no",
            str(row.spec.chain[0]) if row.spec.chain else "-",
            ", ".join(map(str, row.spec.chain[1:])) or "-",
            "no" if row.error else "yes",
        )
        for row in rows
    ]
    print_table(("Agent", "Default", "Model", "Fallbacks", "Ready"), cells)
    _print_failures(loaded, [row.error for row in rows])


@agents.command(short_help="Show an agent, and whether requests to it work.")
@click.argument("agent", metavar="ID", shell_complete=complete_agent)
@json_option
@path_options
def show(agent: str, config: str | None, as_json: bool) -> None:
    """Show the agent ID: its model, fallbacks, tools, workspace, and whether requests to it would work.

    Each tool that it could have is listed, with what turns it on where it is off. The exit status is 1 if requests
    would fail.
    """
    from clawgate.cli.agents.listing import agent_rows, agent_tools, tool_cells, tool_json
    from clawgate.cli.terminal.table import print_table

    loaded = load_config(config)
    rows = {row.spec.id: row for row in agent_rows(loaded)}
    row = rows.get(agent.strip().lower())
    if row is None:
        near = typo_of(agent, rows)
        meant = f"; did you mean '{near}'?" if near else ";"
        known = f"the agents are: {', '.join(rows)}"
        fail(f"unknown agent '{escape_controls(agent)}'{meant} {known}")
    tools = agent_tools(loaded, row.spec)
    if as_json:
        output = {"enabled": _is_on(loaded), "basedOn": loaded.known.based_on, **row.to_json()}
        output["toolList"] = [tool_json(tool, row) for tool in tools]
        click.echo(json.dumps(output, indent=2))
    else:
        for name, value in row.facts():
            click.echo(f"{name:<9}: {escape_controls(value)}")
        click.echo(f"{'Endpoint':<9}: {_endpoint(loaded)}")
        print_table(("Tool", "State", "Note"), [tool_cells(tool, row) for tool in tools])
        _print_failures(loaded, [row.error])
    if row.error is not None:
        sys.exit(ExitCode.FAILED)


def _endpoint(loaded: LoadedConfig) -> str:
    from clawgate.settings.openclaw.gateway import agent_paths_of

    paths = agent_paths_of(loaded.file)
    if paths and all(path.startswith(RESPONSES_PATH) for path in paths):
        return f"on, at {RESPONSES_PATH.decode('ascii')} alone"
    return "on" if _is_on(loaded) else "off"


def _is_on(loaded: LoadedConfig) -> bool:
    from clawgate.settings.openclaw.gateway import agent_paths_of

    return bool(agent_paths_of(loaded.file))


def _print_failures(loaded: LoadedConfig, errors: list[GatewayError | None]) -> None:
    click.echo(f"Based on {loaded.known.source}.")
    if not _is_on(loaded):
        click.echo(f"Agents are off, so requests to them fail. {_TURN_ON}", err=True)
        return
    for text in dict.fromkeys(failure_text(error) for error in errors if error is not None):
        click.echo(f"Requests would fail with {text}", err=True)
