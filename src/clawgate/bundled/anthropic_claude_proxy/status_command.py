"""Defines ``clawgate anthropic-claude-proxy status``: the state of the proxy's process, its health and its login.

Works without a running gateway, too: then only the proxy itself is checked.
"""

from __future__ import annotations

from typing import Any

from clawgate.bundled.anthropic_claude_proxy.config import ID, ProxyConfig
from clawgate.bundled.anthropic_claude_proxy.config_check import (
    PROVIDER,
    diagnostics,
    models_in,
    unreachable_reason,
)
from clawgate.bundled.anthropic_claude_proxy.health import ProxyHealth, check_health
from clawgate.bundled.anthropic_claude_proxy.quota import fetch_quota
from clawgate.bundled.anthropic_claude_proxy.service import trusted_user
from clawgate.plugins import api

_HEALTH = {"ready": "healthy", "silent": "no response", "stranger": "another program responds"}
_LOGIN = {True: "yes", False: "no", None: "not known"}


def status_command() -> api.StatusCommand[ProxyConfig]:
    return api.StatusCommand(
        name=ID,
        help="Show the state of the Claude proxy.",
        usage=(
            "Show the state of the Claude proxy: its process, its health, its login, and\n"
            "the last lines that it wrote.\n"
            "The exit status is 0 only if requests would succeed."
        ),
        config_class=ProxyConfig,
        report=report,
        invalid_config_step="edit the file; clawgate config validate shows where",
    )


async def report(context: api.CommandContext, config: ProxyConfig) -> api.StatusReport:
    """Requests succeed if the gateway runs, its child serves, the proxy is ready, and the config leads to it."""
    try:
        health = await check_health(context.fetch, config.origin, trusted_user(config))
    except api.PluginError as error:
        health = ProxyHealth(api.ProbeResult("stranger", error.message, next_step=error.next_step))
    quota = await fetch_quota(context.fetch, config, context.environment) if health.result.version else []
    is_running = context.gateway_url is not None
    service = next(iter(context.services), None)
    works = health.result.health == "ready" and health.logged_in is not False
    problem = _config_problem(context, config)
    ok = is_running and service is not None and service.ok and works and problem is None
    models = models_in(context.config_file, config)
    next_step = problem[1] if problem is not None else _next_step(service, health, is_running=is_running)
    return api.StatusReport(
        ok=ok,
        details={
            "gateway": {"running": is_running, "url": context.gateway_url},
            "child": _child_details(service),
            "proxy": {
                "url": config.origin,
                "health": health.result.health,
                "reason": health.result.reason,
                "version": health.result.version or None,
                "loggedIn": health.logged_in,
                "mode": health.mode or None,
                "quota": {one.window: one.used for one in quota},
            },
            "provider": {
                "configured": bool(api.object_at(context.config_file, PROVIDER)),
                "models": models,
                "problem": problem[0] if problem is not None else None,
            },
            "program": config.command[0] if config.auto_start else None,
        },
        rows=[
            ("gateway", f"running at {context.gateway_url}" if is_running else "not running"),
            *_child_row(service, is_running=is_running),
            *([("program", config.command[0])] if config.auto_start else []),
            ("proxy", config.origin),
            ("health", _health_text(health)),
            ("login", _LOGIN[health.logged_in]),
            *([("quota", ", ".join(map(str, quota)))] if quota else []),
            ("provider", problem[0] if problem is not None else _models_text(models)),
        ],
        next_step=next_step,
        lines=_last_lines(service),
    )


def _config_problem(context: api.CommandContext, config: ProxyConfig) -> tuple[str, str] | None:
    """Return why the config leads no request to the proxy and what to do; None if it does."""
    if (reason := unreachable_reason(context.config_file)) is not None:
        return reason
    found = next(iter(diagnostics(context.config_file, config)), None)
    return (f"{found.path[-1]}: {found.message}", f"baseUrl: {found.fix}") if found is not None else None


def _next_step(service: api.ServiceStatus | None, health: ProxyHealth, *, is_running: bool) -> str:
    if health.result.next_step:
        return health.result.next_step
    if not is_running:
        return "start the gateway: clawgate gateway run"
    if service is None:
        return f"check that the plugin is enabled: clawgate plugins inspect {ID}"
    return service.next_step if not service.ok else ""


def _child_details(service: api.ServiceStatus | None) -> dict[str, Any] | None:
    if service is None:
        return None
    return {
        "state": service.state,
        "ok": service.ok,
        "reason": service.reason,
        "pid": service.details.get("pid"),
        "restarts": service.details.get("restarts"),
        "holder": service.details.get("holder"),
        "lines": list(service.lines),
    }


def _child_row(service: api.ServiceStatus | None, *, is_running: bool) -> list[tuple[str, str]]:
    if service is None:
        return [("child", "not known: this gateway reports no status of it")] if is_running else []
    pid, owner, restarts = (service.details.get(name) for name in ("pid", "holder", "restarts"))
    parts = [service.state]
    if pid:
        parts.append(f"pid {pid}")
    if owner:
        parts.append(f"served by {owner}")
    if restarts:
        parts.append(f"{restarts} restart{'s' * (restarts != 1)}")
    reason = f": {service.reason}" if service.reason else ""
    return [("child", ", ".join(parts) + reason)]


def _health_text(health: ProxyHealth) -> str:
    result = health.result
    version = f", version {result.version}" if result.version else ""
    reason = f": {result.reason}" if result.reason else ""
    return f"{_HEALTH.get(result.health, result.health)}{version}{reason}"


def _models_text(models: list[str]) -> str:
    if not models:
        return f"lists no models, so clients see none: clawgate models auth edit --provider {ID}"
    return f"configured, {len(models)} model{'s' * (len(models) != 1)}"


def _last_lines(service: api.ServiceStatus | None) -> list[str]:
    if service is None or not service.lines:
        return []
    return ["last lines:", *(f"  {line}" for line in service.lines)]
