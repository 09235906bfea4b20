"""Lists and shows the sessions that a gateway elsewhere has of the caller, for `--url`."""

from __future__ import annotations

import json
from typing import Any

import click

from clawgate.cli.errors import fail
from clawgate.cli.moments import iso, local
from clawgate.cli.remote import Remote
from clawgate.cli.sessions.transcript import lines_of
from clawgate.cli.terminal.table import print_table
from clawgate.policy.printable import escape_controls
from clawgate.state.records import StoredTurn

_COLUMNS = ("Session", "Agent", "Model", "Status", "Last used")
_LAST = 200
"""Turns that are shown where no number is given; the protocol allows 1000."""
_ROLES = {"toolResult": "tool"}


def list_remote(remote: Remote, agent: str | None, limit: int, as_json: bool) -> None:
    params = {"limit": limit} | ({"agentId": agent} if agent else {})
    found = remote.call("sessions.list", params)
    rows = [row for row in found.get("sessions") or () if isinstance(row, dict)]
    is_cut = found.get("hasMore") is True
    if as_json:
        shown = [_row_json(row) for row in rows]
        output = {"gateway": remote.url, "count": len(shown), "isCut": is_cut, "sessions": shown}
        click.echo(json.dumps(output, indent=2))
        return
    if rows:
        print_table(_COLUMNS, [tuple(map(escape_controls, _cells(row))) for row in rows])
    else:
        click.echo("No such sessions" if agent else "No sessions yet")
    click.echo(f"Of this caller, at {remote.url}.", err=True)
    if is_cut:
        click.echo(f"These are the last {limit}; for more: --limit", err=True)


def show_remote(remote: Remote, key: str, limit: int | None, as_json: bool) -> None:
    found = remote.call("chat.history", {"sessionKey": key, "limit": min(limit or _LAST, 1000)})
    messages = [one for one in found.get("messages") or () if isinstance(one, dict)]
    name = str(found.get("sessionKey") or key)
    if not messages:
        fail(
            f"no session '{escape_controls(name)}' of this caller at {remote.url}; see: clawgate sessions list"
        )
    if as_json:
        output = {
            "gateway": remote.url,
            "key": name,
            "messages": messages,
            "isCut": found.get("hasMore") is True,
        }
        click.echo(json.dumps(output, indent=2))
        return
    click.echo(f"Session : {escape_controls(name)}")
    click.echo(f"Gateway : {remote.url}")
    for message in messages:
        click.echo("")
        for line in lines_of(_turn(message), local):
            click.echo(line)
    if found.get("hasMore") is True:
        click.echo("\nThere are earlier turns; for more: --limit", err=True)


def _model(row: dict[str, Any]) -> str | None:
    parts = [str(row[name]) for name in ("modelProvider", "model") if row.get(name)]
    return "/".join(parts) or None


def _seconds(value: object) -> float | None:
    return value / 1000 if isinstance(value, int | float) else None


def _cells(row: dict[str, Any]) -> tuple[str, ...]:
    used = _seconds(row.get("updatedAt"))
    return (
        str(row.get("key")),
        str(row.get("agentId") or "-"),
        _model(row) or "-",
        str(row.get("status") or "-"),
        "-" if used is None else local(used),
    )


def _row_json(row: dict[str, Any]) -> dict[str, object]:
    """Return a row with the keys of `sessions list --json`, as far as the protocol has them."""
    created, used = (_seconds(row.get(name)) for name in ("createdAt", "updatedAt"))
    return {
        "key": row.get("key"),
        "agent": row.get("agentId"),
        "model": _model(row),
        "createdAt": None if created is None else iso(created),
        "updatedAt": None if used is None else iso(used),
    }


def _turn(message: dict[str, Any]) -> StoredTurn:
    """Return a message of the protocol as a turn of the database, in which tool calls are beside the content."""
    content = message.get("content")
    blocks = [one for one in content if isinstance(one, dict)] if isinstance(content, list) else []
    calls = [
        {
            "id": one.get("id"),
            "function": {"name": one.get("name"), "arguments": json.dumps(one.get("arguments"))},
        }
        for one in blocks
        if one.get("type") == "toolCall"
    ]
    role = str(message.get("role", "?"))
    turn = {
        "role": _ROLES.get(role, role),
        "content": content
        if isinstance(content, str)
        else [one for one in blocks if one.get("type") != "toolCall"],
        "tool_calls": calls,
        "tool_call_id": message.get("toolCallId"),
    }
    return StoredTurn(
        seq=0,
        message=turn,
        status="interrupted" if message.get("stopReason") == "aborted" else "complete",
        run="",
        created_at=_seconds(message.get("timestamp")) or 0.0,
    )
