"""How is the bridge, for a person or a script: does the gateway's own one listen, does its remote take the token?

Works with the gateway down, too: then it says so, and asks the remote all the same.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from clawgate.bundled.proxy_bridge import local, remote
from clawgate.bundled.proxy_bridge.config import ID, BridgeConfig, origin
from clawgate.bundled.proxy_bridge.fitting import PROVIDER, notes
from clawgate.bundled.proxy_bridge.remote import part
from clawgate.bundled.proxy_bridge.service import read_note
from clawgate.plugins.api import CommandContext

_USAGE = f"""Usage: clawgate {ID} status [--json]

Show whether the gateway's bridge listens, and whether the remote responds and
accepts the token. The exit status is 0 only if both are true."""
_UNUSABLE = (
    f"clawgate models auth login --provider {ID}; "
    "a variable that the file refers to has to be set here, too, or in .env of the state folder"
)
_MOST_SHOWN = 12
_TOKEN = {True: "accepted", False: "refused", None: "not known"}


class StatusCommand:
    """``clawgate proxy-bridge status [--json]``."""

    name = ID
    help = "State of the local bridge and its remote."

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
        if not isinstance(config, BridgeConfig):
            problems = list(context.problems) or ["the config cannot be used"]
            if as_json:
                context.out(json.dumps({"ok": False, "problems": problems, "nextStep": _UNUSABLE}, indent=2))
            for problem in problems:
                context.err(problem)
            context.err(f"next step: {_UNUSABLE}")
            return 1
        found = await report(context, config)
        if as_json:
            context.out(json.dumps(found, indent=2))
        else:
            for line in _lines(found):
                context.out(line)
        return 0 if found["ok"] else 1


async def report(context: CommandContext, config: BridgeConfig) -> dict[str, Any]:
    """All that is known, without secrets."""
    runs = context.gateway_url is not None
    note = read_note(context.state_dir, context.instance) or {}
    noted_port = note.get("port") if isinstance(note.get("port"), int) else None
    port = config.bridge_port or noted_port
    where = origin(config.host, port) if port else None
    if where is None:
        here = local.Local(
            who="nobody", reason="it takes any free port (bridgePort 0), and no gateway says which"
        )
    else:
        here = await local.look(context.fetch, where)
    same = here.instance == context.instance if here.instance else noted_port == port
    ours = runs and here.who == "bridge" and same
    if where is not None and config.goes_its_own_way:
        there = await _asked_by_bridge(context, config, where, ours=ours)
    else:
        there = await remote.look(context.fetch, config.remote_url, config.proxy_token)
    unfit = next(iter(notes(context.config_file, config)), None)
    return {
        "ok": ours and there.ok and unfit is None,
        "gateway": {"running": runs, "url": context.gateway_url},
        "bridge": {
            "url": f"{where}/v1" if where else None,
            "listening": here.who == "bridge",
            "ours": ours,
            "instance": here.instance,
            "version": here.version or None,
            "reason": _why_not(here, note, runs=runs, ours=ours),
        },
        "remote": {
            "url": config.remote_url,
            "state": there.state,
            "reachable": there.answers,
            "authorized": there.authorized,
            "latencyMs": there.milliseconds,
            "models": list(there.models),
            "message": there.message,
        },
        "provider": {
            "configured": bool(part(context.config_file, *PROVIDER)),
            "baseUrl": _text(part(context.config_file, *PROVIDER).get("baseUrl")),
            "problem": f"{unfit.path[-1]}: {unfit.message}" if unfit is not None else None,
        },
        "nextStep": _next_step(here, there, note, runs=runs, ours=ours)
        or (f"{unfit.path[-1]}: {unfit.fix}" if unfit is not None else ""),
    }


async def _asked_by_bridge(
    context: CommandContext, config: BridgeConfig, where: str, *, ours: bool
) -> remote.Remote:
    """Its token of the bridge is shown to nobody but the gateway's own bridge."""
    if ours:
        return await remote.look_through(context.fetch, where, config.bridge_token)
    message = "not asked: its own authorities, certificate or proxy are known to the gateway's bridge alone"
    return remote.Remote(state="unknown", message=message)


def _why_not(here: local.Local, note: dict[str, Any], *, runs: bool, ours: bool) -> str:
    if ours:
        return ""
    said = note.get("reason")
    if isinstance(said, str) and said:
        return said
    if here.who != "bridge":
        return here.reason
    if not runs:
        return "the gateway is not running; this bridge is of another process, such as 'clawgate bridge run'"
    return "this bridge is of another process, and the gateway's own does not listen"


def _next_step(
    here: local.Local, there: remote.Remote, note: dict[str, Any], *, runs: bool, ours: bool
) -> str:
    if not runs:
        return "start the gateway: clawgate gateway run"
    if ours:
        return there.next_step
    said = note.get("next_step")
    if isinstance(said, str) and said:
        return said
    if note.get("reason"):
        return f'mend that in plugins.entries."{ID}".config; clawgate config validate, clawgate logs'
    if here.who == "nobody":
        return f"look whether the plugin is on: clawgate plugins inspect {ID}; and at clawgate logs"
    return "end what holds the port, or set another bridgePort"


def _about(provider: dict[str, Any]) -> str:
    if not provider["configured"]:
        return f"none in the config, so the gateway has no models of it: clawgate models auth login --provider {ID}"
    return provider["problem"] or f"its baseUrl is the bridge's ({provider['baseUrl'] or 'not set'})"


def _text(value: object) -> str | None:
    return value if isinstance(value, str) and value.isprintable() else None


def _lines(found: dict[str, Any]) -> list[str]:
    gateway, bridge, there = found["gateway"], found["bridge"], found["remote"]
    version = f", version {bridge['version']}" if bridge["version"] else ""
    if bridge["ours"]:
        state = f"listening, the gateway's own{version}"
    else:
        state = f"{'not ours' if bridge['listening'] else 'not listening'}{version}: {bridge['reason']}"
    answers = {True: "yes", False: "no", None: "not known"}[there["reachable"]]
    took = f", {there['latencyMs']:.0f} ms" if there["latencyMs"] is not None else ""
    why = f": {there['message']}" if there["state"] != "reachable" else ""
    rows = [
        ("gateway", f"running at {gateway['url']}" if gateway["running"] else "not running"),
        ("bridge", f"{bridge['url'] or 'any free port'}, {state}"),
        ("remote", there["url"]),
        ("reachable", f"{answers}{took}{why}"),
        ("token", _TOKEN[there["authorized"]]),
    ]
    rows.append(("provider", _about(found["provider"])))
    if models := there["models"]:
        more = ", ..." if len(models) > _MOST_SHOWN else ""
        rows.append(("models", f"{len(models)}: {', '.join(models[:_MOST_SHOWN])}{more}"))
    rows.append(("requests", "would work" if found["ok"] else "would fail, or are not sure to work"))
    if found["nextStep"]:
        rows.append(("next step", found["nextStep"]))
    return [f"{name + ':':<11}{value}" for name, value in rows]
