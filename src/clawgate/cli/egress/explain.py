"""``clawgate egress explain``: shows what the egress policy decides of a URL, by which rule. Must not dial anything."""

from __future__ import annotations

import asyncio
import json
import sys
from pathlib import Path
from typing import Any

import click

from clawgate.app.egress_policies import explain_url, unknown_requester
from clawgate.cli.context import LoadedConfig, load_config
from clawgate.cli.egress.source import ask, serving
from clawgate.cli.errors import fail
from clawgate.cli.exit_codes import ExitCode
from clawgate.cli.paths import json_option, path_options
from clawgate.plugins.host.discovery import find_plugins
from clawgate.policy.printable import escape_controls
from clawgate.relay.upstream.dial import system_resolver
from clawgate.wire.http.url import parse_fetch_url

_VERDICTS = {
    "allowed": "allowed",
    "refused": "refused",
    "reported": 'let through and reported (network.mode is "report")',
    "undecided": "allowed if each of its addresses is",
}


@click.command(short_help="Show what the policy decides of a URL, and why.")
@click.argument("url")
@click.option("--provider", metavar="ID", help="For a request to this provider.")
@click.option("--tool", metavar="NAME", help="For a fetch of this tool.")
@click.option("--plugin", metavar="ID", help="For a fetch of this plugin.")
@click.option("--requester", metavar="NAME", help="For another one, as the list shows it: mcp:NAME.")
@click.option(
    "--resolve", is_flag=True, help="Resolve the name, and decide about its addresses: this needs DNS."
)
@json_option
@path_options
def explain(
    url: str,
    config: str | None,
    provider: str | None,
    tool: str | None,
    plugin: str | None,
    requester: str | None,
    resolve: bool,
    as_json: bool,
) -> None:
    """Show what the egress policy decides of URL: its host, each of its addresses, the rules, and what to set.

    Without a requester it is the provider that has this address, else the tool web_fetch. Nothing is dialed. The exit
    status is 1 if a request would be refused.
    """
    given = [
        text
        for text in (
            provider and f"provider:{provider}",
            tool and f"tool:{tool}",
            plugin and f"plugin:{plugin}",
            requester,
        )
        if text is not None
    ]
    if len(given) > 1:
        raise click.UsageError("--provider, --tool, --plugin, --requester: give one of them")
    found = _found(load_config(config), url, given[0] if given else "", resolve)
    if as_json:
        click.echo(json.dumps(found, indent=2))
    else:
        _print(found)
    sys.exit(ExitCode.FAILED if found["verdict"] == "refused" else ExitCode.OK)


def _found(loaded: LoadedConfig, url: str, requester: str, resolve: bool) -> dict[str, Any]:
    """Return the explanation of the gateway that runs with this config, else that of the config alone."""
    kind, _, name = requester.partition(":")
    try:
        if kind == "plugin" and name not in (known := [one.id for one in find_plugins(loaded.paths.state)]):
            raise unknown_requester(kind, name, known)
        origin, _ = parse_fetch_url(url)
        running = serving(loaded)
        if running is None or Path(running.config or "").resolve() != loaded.path.resolve():
            resolver = system_resolver if resolve else None
            found = explain_url(url, requester, loaded.catalog, loaded.file, resolver)
            return asyncio.run(found).to_json() | {"basedOn": "the config alone"}
    except ValueError as error:
        fail(escape_controls(f"{url}: {error}"))
    params = {"url": str(origin), "requester": requester} | ({"resolve": "1"} if resolve else {})
    return ask(running, "/egress/explain", params) | {"basedOn": f"the running gateway (pid {running.pid})"}


def _print(found: dict[str, Any]) -> None:
    host = found["host"]
    lines = [
        ("URL", found["url"]),
        ("Requester", found["requester"]),
        *([("Proxy", found["proxy"])] if found["proxy"] else []),
        ("Host", f"{host['kind']}: {host['rule']}"),
        *(("Address", f"{one['address']}: {one['kind']}: {one['rule']}") for one in found["addresses"] or ()),
        *([("Resolving", f"failed: {found['resolving']}")] if found["resolving"] else []),
        ("Verdict", _VERDICTS[found["verdict"]]),
    ]
    for name, text in lines:
        click.echo(f"{name:<9} : {escape_controls(str(text))}")
    click.echo(f"Based on {found['basedOn']}.")
    if found["message"] is not None:
        click.echo(f"A request would fail: {escape_controls(found['message'])}", err=True)
    elif found["verdict"] == "undecided" and found["addresses"] is None and not found["resolving"]:
        click.echo("To decide about its addresses, by DNS: --resolve", err=True)
