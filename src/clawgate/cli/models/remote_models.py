"""Lists the models that a gateway elsewhere has, for `models list --url`."""

from __future__ import annotations

import json
import sys
from typing import Any

import click

from clawgate.cli.exit_codes import ExitCode
from clawgate.cli.remote import Remote
from clawgate.cli.terminal.table import print_table
from clawgate.policy.printable import escape_controls

_COLUMNS = ("Model", "Input", "Ctx", "Available", "Tags")


def list_remote(remote: Remote, provider: str | None, as_json: bool) -> None:
    """The exit status is 1 if there are models, and none of them is available."""
    found = remote.call("models.list", {}).get("models") or ()
    rows = [_row(one) for one in found if isinstance(one, dict) and provider in (None, one.get("provider"))]
    if as_json:
        output = {"gateway": remote.url, "count": len(rows), "basedOn": "gateway", "models": rows}
        click.echo(json.dumps(output, indent=2))
    elif rows:
        print_table(_COLUMNS, [tuple(map(escape_controls, _cells(row))) for row in rows])
    else:
        click.echo("No models" if provider is None else "No such models")
    if rows and not any(row["available"] for row in rows):
        sys.exit(ExitCode.FAILED)


def _row(choice: dict[str, Any]) -> dict[str, Any]:
    """Return a model with the keys of `models list --json`, as far as the protocol has them."""
    tags = [*(choice.get("tags") or ()), *([f"alias:{choice['alias']}"] if choice.get("alias") else ())]
    return {
        "key": f"{choice.get('provider')}/{choice.get('id')}",
        "name": choice.get("name"),
        "input": "+".join(map(str, choice.get("input") or ())) or None,
        "contextWindow": choice.get("contextWindow"),
        "available": choice.get("available") is not False,
        "whyNot": choice.get("unavailableReason"),
        "tags": tags,
    }


def _cells(row: dict[str, Any]) -> tuple[str, ...]:
    available = "yes" if row["available"] else f"no ({row['whyNot']})" if row["whyNot"] else "no"
    window = row["contextWindow"]
    return row["key"], row["input"] or "-", str(window or "-"), available, ",".join(map(str, row["tags"]))
