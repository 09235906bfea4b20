"""Checks whether the program on the port is a Claude proxy, works, and is logged in.

By the body of its response: a status says too little. Measured at opencode-claude-max-proxy 1.21.1, @rynfar/meridian
1.43.0 and claude-max-api-proxy 1.0.0; read in the source of 1.0 to 1.4 of the first, which have no ``/health``. A
logged-out proxy mostly reports ``degraded`` with status 200.

The mode, read in the source of the first two: ``internal`` means that neither CLAUDE_PROXY_PASSTHROUGH nor
MERIDIAN_PASSTHROUGH is set. Up to 1.29 the proxy then runs its own tools (a shell, read and write of files) on its
machine and drops the client's. From 1.30, whose ``/health`` has a version, it does so only if one of them is "0".
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from clawgate.plugins.api import Fetch, FetchFailed, FetchRequest, FetchResponse, ProbeResult, TrustedUser

LOGIN = "run 'claude login' as the user of the gateway, or set CLAUDE_CODE_OAUTH_TOKEN in its environment"
RESTART_IN_PASSTHROUGH = (
    "restart it with MERIDIAN_PASSTHROUGH=1 and CLAUDE_PROXY_PASSTHROUGH=1 in its environment, or stop it and let the "
    "gateway start it (autoStart true)"
)
RESTART = "restart it: clawgate anthropic-claude-proxy restart, or by hand if the gateway did not start it"
OTHER_USER = "stop it, configure another port, or set proxyUser to the user that it runs as"
_OWN_TOOLS = "it runs tools of its own (a shell, files) on this machine and drops those of the client"
_CONNECT_SECONDS = 2.0
_RESPONSE_SECONDS = 5.5
"""The proxy may run its CLI to check the login, which takes up to 5 s."""


@dataclass(frozen=True, slots=True)
class ProxyHealth:
    """The result of a check. ``logged_in`` is None if unknown.

    ``speaks_messages`` is False for the kind that has OpenAI's dialect only; ``mode`` is "" if the proxy reports none.
    """

    result: ProbeResult
    logged_in: bool | None = None
    speaks_messages: bool = True
    mode: str = ""


async def check_health(fetch: Fetch, origin: str, trusted_user: TrustedUser = "self") -> ProxyHealth:
    """Fetch ``/health``, or ``/`` if there is none. Raises nothing: no response is a result, too."""
    try:
        response = await fetch(_request(f"{origin}/health", trusted_user))
        if response.status == 404:
            return _from_root(await fetch(_request(f"{origin}/", trusted_user)), origin)
    except FetchFailed as error:
        if error.cause == "untrusted":
            return ProxyHealth(ProbeResult("stranger", error.message, next_step=OTHER_USER))
        if error.cause == "timed_out":
            return ProxyHealth(ProbeResult("silent", error.message, next_step=RESTART))
        return ProxyHealth(ProbeResult("stranger" if error.cause == "malformed" else "silent", error.message))
    return _with_mode(_from_health(response, origin), response)


def _request(url: str, trusted_user: TrustedUser) -> FetchRequest:
    return FetchRequest(
        url=url,
        headers={"accept": "application/json"},
        allow_private=True,
        trusted_user=trusted_user,
        connect_seconds=_CONNECT_SECONDS,
        response_seconds=_RESPONSE_SECONDS,
    )


def _from_health(response: FetchResponse, origin: str) -> ProxyHealth:
    body = _object(response)
    version, reason, auth = _text(body.get("version")), _text(body.get("error")), body.get("auth")
    known = auth.get("loggedIn") if isinstance(auth, dict) else None
    logged_in = known if isinstance(known, bool) else None
    match body.get("status"):
        case "healthy" if response.status == 200:
            return ProxyHealth(ProbeResult("ready", "", version), logged_in)
        case "degraded":
            reason = reason or "whether it is logged in is unknown"
            step = f"if requests fail, {LOGIN}"
            return ProxyHealth(ProbeResult("degraded", reason, version, step), logged_in)
        case "healthy" | "unhealthy":
            step = RESTART if logged_in and "log" not in reason.lower() else LOGIN
            reason = reason or f"it reports status {response.status}"
            return ProxyHealth(ProbeResult("unhealthy", reason, version, step), logged_in)
        case "ok" if body.get("provider") == "claude-code-cli":
            reason = "it has OpenAI's dialect only, and does not report whether it is logged in"
            step = (
                'if requests fail: models.providers."anthropic-claude-proxy" needs api openai-completions and baseUrl '
                f"{origin}/v1, and Claude Code a login (claude login)"
            )
            return ProxyHealth(ProbeResult("degraded", reason, next_step=step), None, speaks_messages=False)
    return _stranger(response, origin)


def _with_mode(health: ProxyHealth, response: FetchResponse) -> ProxyHealth:
    """Reject a proxy that is in its internal mode; degrade one that may be."""
    mode = _text(_object(response).get("mode"))
    result = health.result
    if mode != "internal" or result.health not in ("ready", "degraded"):
        return replace(health, mode=mode)
    if not result.version:
        rejected = ProbeResult(
            "unhealthy", f"in its internal mode {_OWN_TOOLS}", next_step=RESTART_IN_PASSTHROUGH
        )
        return replace(health, result=rejected, mode=mode)
    doubt = f"it reports its internal mode: if it was started with MERIDIAN_PASSTHROUGH=0, {_OWN_TOOLS}"
    reason = f"{result.reason}; {doubt}" if result.reason else doubt
    step = (
        f"{result.next_step}; to be sure, {RESTART_IN_PASSTHROUGH}"
        if result.next_step
        else RESTART_IN_PASSTHROUGH
    )
    return replace(health, result=ProbeResult("degraded", reason, result.version, step), mode=mode)


def _from_root(response: FetchResponse, origin: str) -> ProxyHealth:
    body = _object(response)
    service = _text(body.get("service"))
    if response.status != 200 or body.get("status") != "ok" or not service:
        return _stranger(response, origin)
    reason = f"{service}, a version that does not report whether it is logged in"
    return ProxyHealth(ProbeResult("degraded", reason, next_step=f"if requests fail, {LOGIN}"))


def _stranger(response: FetchResponse, origin: str) -> ProxyHealth:
    reason = f"the program at {origin} (status {response.status}) is not a Claude proxy"
    step = "stop it, or configure another port for the proxy"
    return ProxyHealth(ProbeResult("stranger", reason, next_step=step))


def _object(response: FetchResponse) -> dict[str, Any]:
    body = response.json()
    return body if isinstance(body, dict) else {}


def _text(value: object) -> str:
    """Return foreign text in printable form."""
    if not isinstance(value, str):
        return ""
    return "".join(sign if sign.isprintable() else " " for sign in value[:200]).strip()
