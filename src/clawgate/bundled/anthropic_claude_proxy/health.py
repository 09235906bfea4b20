"""Is what answers on the port a Claude proxy, can it work, and is it logged in? By the body: a status says little.

Measured at opencode-claude-max-proxy 1.21.1, @rynfar/meridian 1.43.0 and claude-max-api-proxy 1.0.0; read in the
source of 1.0 to 1.4 of the first, which have no ``/health``. Somebody who is logged out mostly shows as ``degraded``
with status 200.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from clawgate.plugins.api import Fetch, FetchFailed, FetchRequest, FetchResponse, ProbeResult

LOGIN = "run 'claude login' as the user of the gateway, or set CLAUDE_CODE_OAUTH_TOKEN in its environment"
_CONNECT_SECONDS = 2.0
_ANSWER_SECONDS = 5.5
"""The proxy may have to ask its CLI about the login, for which it takes 5 s at most."""


@dataclass(frozen=True, slots=True)
class Look:
    """What was found. ``logged_in`` is None where the proxy does not tell; ``speaks_messages`` is False for the kind
    that has OpenAI's dialect alone."""

    finding: ProbeResult
    logged_in: bool | None = None
    speaks_messages: bool = True

    @property
    def next_step(self) -> str:
        return self.finding.next_step


async def look(fetch: Fetch, origin: str) -> Look:
    """Ask ``/health``, and where there is none, ``/``. Raises nothing: silence is a finding."""
    try:
        answer = await fetch(_plan(f"{origin}/health"))
        if answer.status == 404:
            return _of_root(await fetch(_plan(f"{origin}/")), origin)
    except FetchFailed as error:
        return Look(ProbeResult("stranger" if error.cause == "malformed" else "silent", error.message))
    return _of_health(answer, origin)


def _plan(url: str) -> FetchRequest:
    return FetchRequest(
        url=url,
        headers={"accept": "application/json"},
        allow_private=True,
        connect_seconds=_CONNECT_SECONDS,
        response_seconds=_ANSWER_SECONDS,
    )


def _of_health(answer: FetchResponse, origin: str) -> Look:
    said = _object(answer)
    version, reason, auth = _text(said.get("version")), _text(said.get("error")), said.get("auth")
    known = auth.get("loggedIn") if isinstance(auth, dict) else None
    logged_in = known if isinstance(known, bool) else None
    match said.get("status"):
        case "healthy" if answer.status == 200:
            return Look(ProbeResult("ready", "", version), logged_in)
        case "degraded":
            reason = reason or "it does not know whether it is logged in"
            step = f"if requests fail, {LOGIN}"
            return Look(ProbeResult("degraded", reason, version, step), logged_in)
        case "healthy" | "unhealthy":
            reason = reason or f"it says so itself, with status {answer.status}"
            return Look(ProbeResult("unhealthy", reason, version, LOGIN), logged_in)
        case "ok" if said.get("provider") == "claude-code-cli":
            reason = "it speaks OpenAI's dialect alone, and does not tell whether it is logged in"
            step = (
                f'if requests fail: models.providers."anthropic-claude-proxy" needs api openai-completions and baseUrl '
                f"{origin}/v1, and Claude Code a login (claude login)"
            )
            return Look(ProbeResult("degraded", reason, next_step=step), None, speaks_messages=False)
    return _stranger(answer, origin)


def _of_root(answer: FetchResponse, origin: str) -> Look:
    said = _object(answer)
    service = _text(said.get("service"))
    if answer.status != 200 or said.get("status") != "ok" or not service:
        return _stranger(answer, origin)
    reason = f"{service}, of a version that does not tell whether it is logged in"
    return Look(ProbeResult("degraded", reason, next_step=f"if requests fail, {LOGIN}"))


def _stranger(answer: FetchResponse, origin: str) -> Look:
    reason = f"what answers at {origin} (status {answer.status}) is no Claude proxy"
    return Look(ProbeResult("stranger", reason, next_step="stop it, or configure another port for the proxy"))


def _object(answer: FetchResponse) -> dict[str, Any]:
    try:
        said = answer.json()
    except RecursionError:
        return {}
    return said if isinstance(said, dict) else {}


def _text(value: object) -> str:
    """Somebody else's words, fit to be shown."""
    if not isinstance(value, str):
        return ""
    return "".join(sign if sign.isprintable() else " " for sign in value[:200]).strip()
