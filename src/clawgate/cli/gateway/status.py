"""``clawgate gateway status`` and ``health``: whether the gateway runs and is healthy, and where its files are."""

from __future__ import annotations

import json
import sys
from typing import Any

import click

from clawgate import __version__
from clawgate.cli.errors import print_error
from clawgate.cli.exit_codes import ExitCode
from clawgate.cli.gateway.options import timeout_option
from clawgate.cli.paths import Paths, find_paths, json_option, path_options, read_config_at
from clawgate.cli.remote import Remote, remote_options
from clawgate.processes.instance.instance_lock import find_instance
from clawgate.processes.instance.run_records import read_report

_PROBE_SECONDS = 3.0
_DEFAULT_PORT = 18789
_LOOPBACK = "127.0.0.1"


@click.command("status", short_help="Show service, config, process, address, log file.")
@path_options
@json_option
@click.option(
    "--require-ok", is_flag=True, help="Exit with status 1 unless the gateway runs, is healthy and can serve."
)
@timeout_option(_PROBE_SECONDS, "Time limit for the response.")
@remote_options
def status(
    config: str | None, as_json: bool, require_ok: bool, timeout: float, remote: Remote | None
) -> None:
    """Show the state of the gateway: service, config, process, address, log file.

    Of a gateway at --url it shows the version, and whether it responds and can serve.

    The exit status is 0 in every state; scripts use --require-ok or `clawgate gateway health`.
    """
    state = gather(find_paths(config), timeout) if remote is None else gather_remote(remote)
    lines = to_lines if remote is None else to_remote_lines
    click.echo(json.dumps(state, indent=2) if as_json else "\n".join(lines(state)))
    runs = remote is not None or state["runtime"]["status"] == "running"
    if require_ok and not (state["probe"]["ok"] and state["models"]["ok"] and runs):
        sys.exit(ExitCode.FAILED)


@click.command("health", short_help="Check that the gateway responds and can serve.")
@path_options
@json_option
@timeout_option(_PROBE_SECONDS, "Time limit for the response.")
@remote_options
def health(config: str | None, as_json: bool, timeout: float, remote: Remote | None) -> None:
    """Check that the gateway responds, and sends requests for the default model to a provider.

    Without a default model one provider has to be available. The exit status is 1 if not.
    """
    from clawgate.processes.instance.health_client import NOTHING_LISTENS

    is_stopped = False
    if remote is None:
        paths = find_paths(config)
        running = _running(paths)
        is_stopped = running is None
        file, _ = read_config_at(paths) if is_stopped else (None, [])
        probe, models = _probe(paths, running, file, timeout)
    else:
        _, probe, models = _remote_probe(remote)
    ok = probe["ok"] and models["ok"]
    if as_json:
        click.echo(json.dumps({**probe, "ok": ok, "models": models}))
    else:
        click.echo("Gateway Health")
        click.echo(
            f"OK ({probe['durationMs']:.0f}ms)"
            if ok
            else f"Not healthy ({probe.get('address', 'no address yet')}): {probe.get('error') or _reason(models)}"
        )
        for line in _failing(models):
            click.echo(line)
        if not probe["ok"] and is_stopped:
            is_free = probe["error"] == NOTHING_LISTENS
            step = "clawgate gateway start, or clawgate gateway status" if is_free else "clawgate doctor"
            click.echo(f"  next: {step}")
    if not ok:
        sys.exit(ExitCode.FAILED)


def gather_remote(remote: Remote) -> dict[str, Any]:
    version, probe, models = _remote_probe(remote)
    return {
        "cli": {"version": __version__},
        "gateway": {"url": remote.url, "version": version or None},
        "probe": probe,
        "models": models,
    }


def to_remote_lines(state: dict[str, Any]) -> list[str]:
    gateway, models = state["gateway"], state["models"]
    version = [f"Gateway version: {gateway['version']}"] if gateway["version"] else []
    lines = [
        f"Gateway: {gateway['url']}",
        f"CLI version: {__version__}",
        *version,
        _probe_line(state["probe"]),
    ]
    return [*lines, *_models_lines(models)] if state["probe"]["ok"] else lines


def _remote_probe(remote: Remote) -> tuple[str, dict[str, Any], dict[str, Any]]:
    """Return the version of a gateway elsewhere, its health, and whether it can serve."""
    from clawgate.cli.gateway.remote_status import check_remote

    found = check_remote(remote)
    probe = {"ok": not found.error, "durationMs": found.milliseconds, "address": remote.url}
    models = _models(found.body, is_known=not found.error)
    if not found.error and "serving" not in found.body:
        models["reported"] = False  # as with OpenClaw, or for a user whom a proxy names
    return found.version, probe | ({"error": found.error} if found.error else {}), models


def gather(paths: Paths, seconds: float = _PROBE_SECONDS) -> dict[str, Any]:
    from clawgate.cli.service import service_state
    from clawgate.processes.port_owner import port_owner

    running = _running(paths)
    file, problems = read_config_at(paths)
    host, port = _address(file)
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
    probe, models = _probe(paths, running, file, seconds)
    return {
        "cli": {"version": __version__},
        "service": service_state("gateway"),
        "stateDir": str(paths.state),
        "config": {
            "path": str(paths.config),
            "exists": paths.config.exists(),
            "valid": not problems,
            "problems": problems,
        },
        "gateway": {
            "bind": file.config.gateway.bind if file else None,
            "host": host,
            "port": port,
            "url": running.url if running else None,
            "portOwner": port_owner(port),
            "wouldNotStart": [] if running else _start_problems(file),
            "notes": _notes(file),
        },
        "runtime": runtime,
        "probe": probe,
        "models": models,
        "logFile": running.log if running else str(paths.log) if paths.log.exists() else None,
    }


def to_lines(state: dict[str, Any]) -> list[str]:
    config, gateway, runtime, probe = (state[name] for name in ("config", "gateway", "runtime", "probe"))
    valid = "valid" if config["valid"] else f"invalid, {len(config['problems'])} problem(s)"
    if not config["exists"] and config["valid"]:
        valid = "does not exist; using defaults"
    lines = [
        f"Service: {state['service']['kind']} ({state['service']['state']})",
        f"State dir: {state['stateDir']}",
        f"Config: {config['path']} ({valid})",
        *(f"  - {problem}" for problem in config["problems"]),
        f"Gateway: bind={gateway['bind'] or 'unknown'} ({gateway['host']}), port={gateway['port']}",
    ]
    lines += [f"  note: {note}" for note in gateway["notes"]]
    if gateway["url"]:
        lines.append(f"Listening: {gateway['url']}")
    elif gateway["portOwner"]:
        lines.append(f"Port {gateway['port']} is in use by {gateway['portOwner']}")
    lines.append(f"CLI version: {state['cli']['version']}")
    lines += _runtime_lines(state)
    lines.append(_probe_line(probe))
    if runtime["status"] == "running":
        lines += _models_lines(state["models"])
    log = state["logFile"] or (
        "none; it logs to its standard error" if runtime["status"] != "stopped" else "none yet"
    )
    return [*lines, f"Log file: {log}"]


def _probe_line(probe: dict[str, Any]) -> str:
    if probe["ok"]:
        return f"Connectivity probe: ok ({probe['durationMs']:.0f} ms)"
    return f"Connectivity probe: failed ({probe['error']})"


def _models_lines(models: dict[str, Any]) -> list[str]:
    first = "Models: ok" if models["ok"] else f"Models: requests would fail with {_reason(models)}"
    if models.get("reported") is False:
        first = "Models: not reported"
    return [first, *_failing(models)]


def _runtime_lines(state: dict[str, Any]) -> list[str]:
    config, gateway, runtime = (state[name] for name in ("config", "gateway", "runtime"))
    if runtime["status"] == "stopped":
        unable = gateway["wouldNotStart"] or gateway["portOwner"] or not config["valid"]
        return [
            "Runtime: stopped",
            *(f"  would not start: {problem}" for problem in gateway["wouldNotStart"]),
            f"  next: {'clawgate doctor' if unable else 'clawgate gateway start'}",
        ]
    lines = [f"Gateway version: {runtime['version']}"] if runtime["version"] else []
    elsewhere = "" if runtime["here"] else ", in another container or on another machine"
    process = f"pid {runtime['pid']}, since {runtime['since']}{elsewhere}"
    return [*lines, f"Runtime: {runtime['status']} ({process})"]


def _running(paths: Paths) -> Any:
    try:
        return find_instance(paths.folder)
    except OSError as error:
        print_error(f"the state folder cannot be read: {error}")
        return None


def _address(file: Any) -> tuple[str, int]:
    from clawgate.settings.openclaw.gateway import GatewayFlags, listens_at

    return (_LOOPBACK, _DEFAULT_PORT) if file is None else listens_at(file, GatewayFlags())


def _start_problems(file: Any) -> list[str]:
    from clawgate.app.gateway_token import start_problems
    from clawgate.settings.openclaw.gateway import GatewayFlags

    return [] if file is None else [str(problem) for problem in start_problems(file, GatewayFlags())]


def _notes(file: Any) -> list[str]:
    from clawgate.settings.openclaw.gateway import report_notes

    return [] if file is None else [str(note) for note in report_notes(file)]


def _admission_problem(paths: Paths, running: Any) -> str:
    """Return why the running gateway admits no caller, as it reported itself; empty if it admits some."""
    report = read_report(paths.folder, running.instance) if running is not None else None
    if report is None or report.admits_callers:
        return ""
    return f"it admits no caller until its config is corrected: {'; '.join(report.problems)}"


def _probe(paths: Paths, running: Any, file: Any, seconds: float) -> tuple[dict[str, Any], dict[str, Any]]:
    """Probe the gateway that holds the state folder; return its health, and whether it can serve.

    If none is running, no response on the configured port is healthy: the program that listens there is another one.
    """
    from clawgate.processes.instance.availability import check_instance
    from clawgate.processes.instance.daemon import endpoint_of
    from clawgate.processes.instance.health_client import check_health

    host, port = _LOOPBACK, 0
    if running is None:
        port = _address(file)[1]
        found = check_health(host, port, seconds=seconds)
    else:
        found = check_instance(running, seconds)
        host, port, _ = endpoint_of(running.url or "")
    error = found.error or _admission_problem(paths, running)
    if running is None and found.body is not None:
        error = "the gateway of this state folder is not running; another clawgate responded"
    probe: dict[str, Any] = {"ok": not error, "durationMs": found.milliseconds}
    probe |= {"address": f"{host}:{port}"} if port else {}
    return probe | {"error": error} if error else probe, _models(found.body or {}, is_known=not error)


def _models(body: dict[str, Any], *, is_known: bool) -> dict[str, Any]:
    """Return what the gateway reports of its models."""
    error, failing = body.get("serving"), body.get("failing")
    return {
        "ok": is_known and error is None,
        "error": error,
        "failing": {name: body["providers"][name] for name in failing} if isinstance(failing, list) else {},
    }


def _reason(models: dict[str, Any]) -> str:
    error = models["error"] or {}
    return f"status {error.get('status')} ({error.get('code')}): {error.get('message')}"


def _failing(models: dict[str, Any]) -> list[str]:
    """Return a line for each provider that requests are not sent to, but for what was printed before."""
    printed = (models["error"] or {}).get("message")
    return [f"  - {one['message']}" for one in models["failing"].values() if one["message"] != printed]
