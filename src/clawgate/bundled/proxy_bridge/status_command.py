"""Defines ``clawgate proxy-bridge status``: whether the gateway's bridge listens, and its remote accepts the token.

Works without a running gateway, too: then only the remote is checked.
"""

from __future__ import annotations

from typing import Any

from clawgate.bundled.proxy_bridge.config import ID, has_own_route, origin
from clawgate.bundled.proxy_bridge.config_check import PROVIDER, diagnostics
from clawgate.bundled.proxy_bridge.listener_check import Listener, check_listener
from clawgate.bundled.proxy_bridge.remote_check import RemoteStatus, check_remote, check_through_bridge
from clawgate.plugins import api

_NOT_CONFIGURED = (
    f"not configured, so the gateway has no models of it: clawgate models auth login --provider {ID}"
)
_FIX = f'fix that in plugins.entries."{ID}".config'
_MAX_SHOWN_MODELS = 12
_TOKEN = {True: "accepted", False: "rejected", None: "not known"}
_REACHABLE = {True: "yes", False: "no", None: "not known"}


def status_command() -> api.StatusCommand[api.BridgeSettings]:
    return api.StatusCommand(
        name=ID,
        help="Show the state of the bridge and its remote.",
        usage=(
            "Show whether the gateway's bridge listens, and whether its remote responds\n"
            "and accepts the token.\n"
            "The exit status is 0 only if both are true."
        ),
        config_class=api.BridgeSettings,
        report=report,
        invalid_config_step=(
            f"clawgate models auth login --provider {ID}; "
            "set the variables that the file refers to here, too, or in .env of the state folder (mode 0600)"
        ),
    )


async def report(context: api.CommandContext, settings: api.BridgeSettings) -> api.StatusReport:
    is_running = context.gateway_url is not None
    service = next(iter(context.services), None)
    noted_port = service.details.get("port") if service is not None else None
    port = settings.bridge_port or (noted_port if isinstance(noted_port, int) else None)
    url = origin(settings.host, port) if port else None
    listener = await _listener(context, url)
    is_same = listener.instance == context.instance if listener.instance else noted_port == port
    is_ours = is_running and listener.kind == "bridge" and is_same
    remote = await _remote(context, settings, url, may_use_it=is_ours and not listener.reason)
    problem = next(iter(diagnostics(context.config_file, settings)), None)
    reason = _reason(listener, service, is_running=is_running, is_ours=is_ours)
    next_step = _next_step(listener, remote, service, is_running=is_running, is_ours=is_ours)
    if not next_step and problem is not None:
        next_step = f"{problem.path[-1]}: {problem.fix}"
    return api.StatusReport(
        ok=is_ours and not listener.reason and remote.ok and problem is None,
        details={
            "gateway": {"running": is_running, "url": context.gateway_url},
            "bridge": {
                "url": f"{url}/v1" if url else None,
                "listening": listener.kind == "bridge",
                "ours": is_ours,
                "instance": listener.instance,
                "version": listener.version or None,
                "reason": reason,
            },
            "remote": _remote_details(settings.remote_url, remote),
            "provider": _provider_details(context, problem),
        },
        rows=[
            ("gateway", f"running at {context.gateway_url}" if is_running else "not running"),
            (
                "bridge",
                f"{f'{url}/v1' if url else 'any free port'}, {_state(listener, reason, is_ours=is_ours)}",
            ),
            ("remote", settings.remote_url),
            *_remote_rows(remote),
            ("provider", _provider_text(context, problem)),
            *_model_rows(remote.models),
        ],
        next_step=next_step,
    )


async def _listener(context: api.CommandContext, url: str | None) -> Listener:
    if url is None:
        return Listener(
            kind="none", reason="it takes any free port (bridgePort 0), and no gateway reports which"
        )
    return await check_listener(context.fetch, url)


async def _remote(
    context: api.CommandContext, settings: api.BridgeSettings, url: str | None, *, may_use_it: bool
) -> RemoteStatus:
    """The bridge's token is sent to the gateway's own bridge only."""
    if url is None or not has_own_route(settings):
        return await check_remote(context.fetch, settings.remote_url, settings.proxy_token)
    if may_use_it:
        return await check_through_bridge(context.fetch, url, settings.bridge_token)
    message = "not checked: only the gateway's bridge uses its certificates or its upstreamProxy"
    return RemoteStatus(state="unknown", message=message)


def _reason(listener: Listener, service: api.ServiceStatus | None, *, is_running: bool, is_ours: bool) -> str:
    if is_ours:
        return listener.reason
    if service is not None and service.reason:
        return service.reason
    if listener.kind != "bridge":
        return listener.reason
    if not is_running:
        return "the gateway is not running; this bridge is of another process, such as 'clawgate bridge run'"
    return "this bridge is of another process, and the gateway's own does not listen"


def _next_step(
    listener: Listener,
    remote: RemoteStatus,
    service: api.ServiceStatus | None,
    *,
    is_running: bool,
    is_ours: bool,
) -> str:
    if not is_running:
        return "start the gateway: clawgate gateway run"
    if is_ours:
        return _FIX if listener.reason else remote.next_step
    if service is not None and service.next_step:
        return service.next_step
    if service is not None and service.reason:
        return f"{_FIX}; clawgate config validate, clawgate logs"
    if listener.kind == "none":
        return f"check that the plugin is enabled: clawgate plugins inspect {ID}; and clawgate logs"
    return "stop the program on the port, or set another bridgePort"


def _remote_details(url: str, remote: RemoteStatus) -> dict[str, Any]:
    return {
        "url": url,
        "state": remote.state,
        "reachable": remote.responds,
        "authorized": remote.authorized,
        "latencyMs": remote.milliseconds,
        "models": list(remote.models),
        "message": remote.message,
    }


def _provider_details(context: api.CommandContext, problem: api.Diagnostic | None) -> dict[str, Any]:
    block = api.object_at(context.config_file, PROVIDER)
    return {
        "configured": bool(block) or _is_implied(context),
        "baseUrl": _printable(block.get("baseUrl")),
        "problem": f"{problem.path[-1]}: {problem.message}" if problem is not None else None,
    }


def _is_implied(context: api.CommandContext) -> bool:
    entry = api.object_at(context.config_file, ("plugins", "entries", ID))
    return entry.get("enabled") is True and api.object_at(entry, ("config",)).get("bridgePort") != 0


def _state(listener: Listener, reason: str, *, is_ours: bool) -> str:
    version = f", version {listener.version}" if listener.version else ""
    if is_ours:
        return f"listening, the gateway's own{version}{f'; {reason}' if reason else ''}"
    return f"{'not ours' if listener.kind == 'bridge' else 'not listening'}{version}: {reason}"


def _remote_rows(remote: RemoteStatus) -> list[tuple[str, str]]:
    latency = f", {remote.milliseconds:.0f} ms" if remote.milliseconds is not None else ""
    reason = f": {remote.message}" if not remote.ok else ""
    return [
        ("reachable", f"{_REACHABLE[remote.responds]}{latency}{reason}"),
        ("token", _TOKEN[remote.authorized]),
    ]


def _provider_text(context: api.CommandContext, problem: api.Diagnostic | None) -> str:
    block = api.object_at(context.config_file, PROVIDER)
    if not block:
        return "configured by the plugin's settings" if _is_implied(context) else _NOT_CONFIGURED
    if problem is not None:
        return f"{problem.path[-1]}: {problem.message}"
    return f"its baseUrl is the bridge's ({_printable(block.get('baseUrl')) or 'not set'})"


def _model_rows(models: tuple[str, ...]) -> list[tuple[str, str]]:
    if not models:
        return []
    more = ", ..." if len(models) > _MAX_SHOWN_MODELS else ""
    return [("models", f"{len(models)}: {', '.join(models[:_MAX_SHOWN_MODELS])}{more}")]


def _printable(value: object) -> str | None:
    return value if isinstance(value, str) and value.isprintable() else None
