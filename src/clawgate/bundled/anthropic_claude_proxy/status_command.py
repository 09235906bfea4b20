"""How is the proxy, for a person or a script: does it run, can it work, would requests be answered?

Works with the gateway down, too: then the proxy itself is asked, and only it.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from clawgate.bundled.anthropic_claude_proxy.config import ID, ProxyConfig
from clawgate.bundled.anthropic_claude_proxy.fitting import PROVIDER, at, models_in, notes, why_none_come
from clawgate.bundled.anthropic_claude_proxy.health import Look, look
from clawgate.bundled.anthropic_claude_proxy.service import read_state
from clawgate.plugins.api import CommandContext

_USAGE = f"""Usage: clawgate {ID} status [--json]

Show the Claude proxy: its process, its health, its login, its last output.
The exit status is 0 only if requests would work."""
_UNUSABLE = "edit the file; clawgate config validate says where"
_HEALTH = {"ready": "healthy", "silent": "no answer", "stranger": "something else answers"}
_LOGIN = {True: "yes", False: "no", None: "not known"}


class StatusCommand:
    """``clawgate anthropic-claude-proxy status [--json]``."""

    name = ID
    help = "State of the supervised Claude proxy."

    async def run(self, context: CommandContext, arguments: Sequence[str]) -> int:
        words = list(arguments)
        if "--help" in words or "-h" in words:
            context.out(_USAGE)
            return 0
        as_json = "--json" in words
        if [word for word in words if word != "--json"] not in (["status"], []):
            context.err(_USAGE)
            return 2
        config = context.config
        if not isinstance(config, ProxyConfig):
            problems = list(context.problems) or ["the config cannot be used"]
            for problem in problems:
                context.err(problem)
            context.err(f"next step: {_UNUSABLE}")
            if as_json:
                context.out(json.dumps({"ok": False, "problems": problems, "nextStep": _UNUSABLE}, indent=2))
            return 1
        seen = await look(context.fetch, config.origin)
        noted = read_state(context.state_dir, context.instance)
        found = _report(context, config, seen, noted)
        if as_json:
            context.out(json.dumps(found, indent=2))
        else:
            for line in _lines(found):
                context.out(line)
        return 0 if found["ok"] else 1


def _report(
    context: CommandContext, config: ProxyConfig, seen: Look, noted: dict[str, Any] | None
) -> dict[str, Any]:
    """All that is known.

    ``ok``: the gateway runs, its child serves, the proxy says that it can work, and the config leads requests to it.
    """
    runs = context.gateway_url is not None
    works = seen.finding.health == "ready" and seen.logged_in is not False
    details = noted.get("details") if noted is not None else None
    details = details if isinstance(details, dict) else {}
    child = None
    if noted is not None:
        child = {
            "state": _text(noted.get("state")),
            "ok": noted.get("ok") is True,
            "reason": _text(noted.get("reason")),
            "pid": details.get("pid"),
            "restarts": details.get("restarts"),
            "holder": details.get("holder"),
            "lines": [_text(line) for line in noted.get("lines") or ()],
        }
    serves = child is not None and bool(child["ok"])
    unfit = _why_unfit(context, config)
    return {
        "ok": runs and serves and works and unfit is None,
        "gateway": {"running": runs, "url": context.gateway_url},
        "child": child,
        "proxy": {
            "url": config.origin,
            "health": seen.finding.health,
            "reason": seen.finding.reason,
            "version": seen.finding.version or None,
            "loggedIn": seen.logged_in,
        },
        "provider": {
            "configured": bool(at(context.config_file, PROVIDER)),
            "models": models_in(context.config_file),
            "problem": unfit[0] if unfit is not None else None,
        },
        "program": config.command[0] if config.auto_start else None,
        "nextStep": unfit[1]
        if unfit is not None
        else _next_step(runs=runs, child=child, noted=noted, seen=seen),
    }


def _why_unfit(context: CommandContext, config: ProxyConfig) -> tuple[str, str] | None:
    """Why the config leads no request to the proxy, and what to do; None where it does."""
    if (none := why_none_come(context.config_file)) is not None:
        return none
    note = next(iter(notes(context.config_file, config)), None)
    return (f"{note.path[-1]}: {note.message}", f"baseUrl: {note.fix}") if note is not None else None


def _next_step(*, runs: bool, child: dict[str, Any] | None, noted: dict[str, Any] | None, seen: Look) -> str:
    if seen.next_step:
        return seen.next_step
    if not runs:
        return "start the gateway: clawgate gateway run"
    if child is None:
        return f"look whether the plugin is on: clawgate plugins inspect {ID}"
    return _text(noted.get("nextStep")) if noted is not None and not child["ok"] else ""


def _lines(found: dict[str, Any]) -> list[str]:
    gateway, child, proxy = found["gateway"], found["child"], found["proxy"]
    rows = [("gateway", f"running at {gateway['url']}" if gateway["running"] else "not running")]
    if child is not None:
        pid = f", pid {child['pid']}" if child["pid"] else ""
        holder = f", served by {child['holder']}" if child["holder"] else ""
        restarts = (
            f", {child['restarts']} restart{'s' * (child['restarts'] != 1)}" if child["restarts"] else ""
        )
        why = f": {child['reason']}" if child["reason"] else ""
        rows.append(("child", f"{child['state']}{pid}{holder}{restarts}{why}"))
    elif gateway["running"]:
        rows.append(("child", "not known: this gateway says nothing about it"))
    if found["program"]:
        rows.append(("program", found["program"]))
    version = f", version {proxy['version']}" if proxy["version"] else ""
    why = f": {proxy['reason']}" if proxy["reason"] else ""
    rows += [
        ("proxy", proxy["url"]),
        ("health", f"{_HEALTH.get(proxy['health'], proxy['health'])}{version}{why}"),
        ("login", _LOGIN[proxy["loggedIn"]]),
        ("provider", _about(found["provider"])),
        ("requests", "would work" if found["ok"] else "would fail, or are not sure to work"),
    ]
    if found["nextStep"]:
        rows.append(("next step", found["nextStep"]))
    lines = [f"{name + ':':<11}{value}" for name, value in rows]
    if child is not None and child["lines"]:
        lines += ["last lines:", *(f"  {line}" for line in child["lines"])]
    return lines


def _about(provider: dict[str, Any]) -> str:
    if provider["problem"]:
        return str(provider["problem"])
    count = len(provider["models"])
    if not count:
        return f"lists no models, so clients see none: clawgate models auth edit --provider {ID}"
    return f"configured, {count} model{'s' * (count != 1)}"


def _text(value: object) -> str:
    if not isinstance(value, str):
        return ""
    return value if value.isprintable() else ascii(value)[1:-1]
