"""Shows the models and providers that a gateway elsewhere has, for `models list --url` and `models status --url`."""

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


def status_remote(remote: Remote, as_json: bool) -> None:
    """The exit status is 1 if requests for the default model would fail there; without one, for every model."""
    with remote.connected() as gateway:
        health = gateway.request("health", {}, seconds=remote.seconds)
        found = gateway.request("models.list", {}, seconds=remote.seconds).get("models") or ()
    models = [one for one in found if isinstance(one, dict)]
    reported = health.get("providers")
    errors = reported if isinstance(reported, dict) else {}  # OpenClaw reports none
    serving = health.get("serving")
    failing = serving is not None or (bool(models) and not any(_row(one)["available"] for one in models))
    providers = [_provider(name, errors.get(name), models) for name in _names(errors, models)]
    output = {
        "gateway": remote.url,
        "basedOn": "gateway",
        "ok": not failing,
        "reason": serving.get("message") if isinstance(serving, dict) else None,
        "defaultModel": next(
            (_row(one)["key"] for one in models if "default" in (one.get("tags") or ())), None
        ),
        "aliases": {str(one["alias"]): _row(one)["key"] for one in models if one.get("alias")},
        "providers": providers,
    }
    if as_json:
        click.echo(json.dumps(output, indent=2))
    else:
        _print_status(output, providers)
    if failing:
        sys.exit(ExitCode.FAILED)


def _names(errors: dict[str, Any], models: list[dict[str, Any]]) -> list[str]:
    return list(dict.fromkeys([*errors, *(str(one.get("provider")) for one in models)]))


def _provider(name: str, error: object, models: list[dict[str, Any]]) -> dict[str, Any]:
    own = [one for one in models if one.get("provider") == name]
    is_ready = error is None and (not own or any(_row(one)["available"] for one in own))
    reason = error.get("message") if isinstance(error, dict) else None
    return {"id": name, "ready": is_ready, "whyNotReady": reason, "models": len(own)}


def _print_status(output: dict[str, Any], providers: list[dict[str, Any]]) -> None:
    aliases = ", ".join(f"{alias} -> {ref}" for alias, ref in output["aliases"].items()) or "(none)"
    rows = {"Gateway": output["gateway"], "Default": output["defaultModel"] or "(none)", "Aliases": aliases}
    for name, value in rows.items():
        click.echo(f"{name:<8}: {escape_controls(str(value))}")
    click.echo("")
    cells = [(one["id"], str(one["models"]), "ready" if one["ready"] else "not ready") for one in providers]
    print_table(("Provider", "Models", "Health"), [tuple(map(escape_controls, row)) for row in cells])
    for one in providers:
        if one["whyNotReady"]:
            click.echo(f"\n{escape_controls(one['id'])}:\n  {escape_controls(str(one['whyNotReady']))}")
    if output["reason"]:
        click.echo(f"Requests would fail: {escape_controls(str(output['reason']))}", err=True)


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
