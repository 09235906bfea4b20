"""``clawgate gateway status`` and ``health``: is it there, is it well, and where is everything?"""

from __future__ import annotations

import json
import sys
from typing import Any

import click

from clawgate import __version__
from clawgate.cli.exit_codes import ExitCode
from clawgate.cli.gateway.options import seconds_option
from clawgate.cli.paths import Paths, place_options, places, read

_PROBE_SECONDS = 3.0
_DEFAULT_PORT = 18789
_LOOPBACK = "127.0.0.1"


@click.command("status")
@place_options
@click.option("--json", "as_json", is_flag=True, help="Print JSON")
@click.option("--require-ok", is_flag=True, help="End with status 1 unless the gateway runs and is well")
def status(config: str | None, as_json: bool, require_ok: bool) -> None:
    """Say how the gateway is: service, config, process, address, log file.

    It ends with status 0 whatever it finds; scripts use --require-ok or `clawgate gateway health`.
    """
    found = gather(places(config))
    click.echo(json.dumps(found, indent=2) if as_json else "\n".join(shown(found)))
    if require_ok and not (found["probe"]["ok"] and found["runtime"]["status"] == "running"):
        sys.exit(ExitCode.FAILED)


@click.command("health")
@place_options
@click.option("--json", "as_json", is_flag=True, help="Print JSON")
@seconds_option(_PROBE_SECONDS, "How long the answer may take")
def health(config: str | None, as_json: bool, timeout: float) -> None:
    """Ask the gateway whether it is well; status 1 if it is not."""
    where = places(config)
    running = _running(where)
    file, _ = (None, []) if running else read(where)
    found = _probe(running, file, timeout)
    if as_json:
        click.echo(json.dumps(found))
    else:
        click.echo("Gateway Health")
        click.echo(f"OK ({found['durationMs']:.0f}ms)" if found["ok"] else f"Not healthy: {found['error']}")
        if not found["ok"] and running is None:
            click.echo("  next: clawgate gateway start, or clawgate gateway status")
    if not found["ok"]:
        sys.exit(ExitCode.FAILED)


def gather(where: Paths) -> dict[str, Any]:
    """Everything that `status` tells, as it stands in its JSON."""
    from clawgate.cli.gateway.service import service_state
    from clawgate.processes.port_owner import port_owner

    running = _running(where)
    file, problems = read(where)
    host, port, why_not = _configured(file)
    runtime: dict[str, Any] = {"status": "stopped"}
    if running is not None:
        runtime = {
            "status": "running" if running.url else "starting",
            "pid": running.pid,
            "since": running.since.astimezone().isoformat(timespec="seconds"),
            "instance": running.instance,
            "version": running.version,
            "here": running.is_visible,
            "flags": list(running.flags),
        }
        port = running.port or port
    return {
        "cli": {"version": __version__},
        "service": service_state(),
        "stateDir": str(where.state),
        "config": {
            "path": str(where.config),
            "exists": where.config.exists(),
            "valid": not problems,
            "problems": problems,
        },
        "gateway": {
            "bind": file.config.gateway.bind if file else None,
            "host": host,
            "port": port,
            "url": running.url if running else None,
            "portOwner": port_owner(port),
            "wouldNotStart": [] if running else why_not,
        },
        "runtime": runtime,
        "probe": _probe(running, file, _PROBE_SECONDS),
        "logFile": running.log if running else str(where.log) if where.log.exists() else None,
    }


def shown(found: dict[str, Any]) -> list[str]:
    """The same for people."""
    config, gateway, runtime, probe = (found[name] for name in ("config", "gateway", "runtime", "probe"))
    valid = "valid" if config["valid"] else f"cannot be used, {len(config['problems'])} problem(s)"
    if not config["exists"] and config["valid"]:
        valid = "there is none; defaults are used"
    lines = [
        f"Service: {found['service']['kind']} ({found['service']['state']})",
        f"State dir: {found['stateDir']}",
        f"Config: {config['path']} ({valid})",
        *(f"  - {problem}" for problem in config["problems"]),
        f"Gateway: bind={gateway['bind'] or 'unknown'} ({gateway['host']}), port={gateway['port']}",
    ]
    if gateway["url"]:
        lines.append(f"Listening: {gateway['url']}")
    elif gateway["portOwner"]:
        lines.append(f"Port {gateway['port']} is held by {gateway['portOwner']}")
    lines.append(f"CLI version: {found['cli']['version']}")
    if runtime["status"] == "stopped":
        lines.append("Runtime: stopped")
        lines += [f"  would not start: {problem}" for problem in gateway["wouldNotStart"]]
        cannot = gateway["wouldNotStart"] or not config["valid"]
        lines.append(f"  next: {'clawgate doctor' if cannot else 'clawgate gateway start'}")
    else:
        if runtime["version"]:
            lines.append(f"Gateway version: {runtime['version']}")
        elsewhere = "" if runtime["here"] else ", in another container or on another machine"
        lines.append(
            f"Runtime: {runtime['status']} (pid {runtime['pid']}, since {runtime['since']}{elsewhere})"
        )
    lines.append(
        f"Connectivity probe: ok ({probe['durationMs']:.0f} ms)"
        if probe["ok"]
        else f"Connectivity probe: failed ({probe['error']})"
    )
    log = found["logFile"] or (
        "none; it logs to its standard error" if runtime["status"] != "stopped" else "none yet"
    )
    return [*lines, f"Log file: {log}"]


def _running(where: Paths) -> Any:
    from clawgate.processes.instance.instance_lock import find_instance

    try:
        return find_instance(where.folder)
    except OSError as error:
        click.echo(f"clawgate: the state folder cannot be looked at: {error}", err=True)
        return None


def _configured(file: Any) -> tuple[str, int, list[str]]:
    """Where a gateway would listen, by config and environment, and why it would not start."""
    from clawgate.settings.openclaw.gateway import GatewayFlags, gateway_settings
    from clawgate.settings.problems import SettingsInvalid

    if file is None:
        return _LOOPBACK, _DEFAULT_PORT, []
    try:
        settings = gateway_settings(file, GatewayFlags())
    except SettingsInvalid as error:
        return _LOOPBACK, file.config.gateway.port, [str(problem) for problem in error.problems]
    return settings.host, settings.port, []


def _probe(running: Any, file: Any, seconds: float) -> dict[str, Any]:
    """Ask whoever holds the state folder; if nobody does, whoever listens on the configured port of this machine."""
    from clawgate.processes.instance.daemon import endpoint_of
    from clawgate.processes.instance.health_client import check_health

    if running is not None and running.url is None:
        return {"ok": False, "durationMs": 0, "error": "it does not serve yet"}
    host, port, tls = endpoint_of(running.url) if running else (_LOOPBACK, _configured(file)[1], False)
    found = check_health(host, port, seconds=seconds, instance=running.instance if running else None, tls=tls)
    told: dict[str, Any] = {"ok": found.ok, "durationMs": found.milliseconds, "address": f"{host}:{port}"}
    return told if found.ok else told | {"error": found.error}
