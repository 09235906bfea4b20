"""Whether a proxy can work is what its body says; its status and its port say too little."""

from __future__ import annotations

import asyncio
import json
from typing import Any, Literal

import pytest

from clawgate.bundled.anthropic_claude_proxy.health import RESTART_IN_PASSTHROUGH, ProxyHealth, check_health
from clawgate.plugins.api import FetchFailed, FetchRequest, FetchResponse
from tests.bundled.anthropic_claude_proxy.stand_in import HEALTH, PAGE

ORIGIN = "http://127.0.0.1:3456"


def seen(health: tuple[int, Any], root: tuple[int, Any] = (404, b"")) -> tuple[str, bool | None]:
    async def fetch(plan: FetchRequest) -> FetchResponse:
        assert plan.allow_private and plan.url in (f"{ORIGIN}/health", f"{ORIGIN}/")
        status, body = health if plan.url.endswith("/health") else root
        return FetchResponse(
            status=status, body=body if isinstance(body, bytes) else json.dumps(body).encode()
        )

    found = asyncio.run(check_health(fetch, ORIGIN))
    return found.result.health, found.logged_in


ROOT = {"status": "ok", "service": "claude-max-proxy", "format": "anthropic", "endpoints": []}


@pytest.mark.parametrize(
    ("health", "root", "expected"),
    [
        (HEALTH["healthy"], (404, b""), ("ready", True)),
        (HEALTH["degraded"], (404, b""), ("degraded", None)),
        (HEALTH["unhealthy"], (404, b""), ("unhealthy", False)),
        ((200, {"status": "unhealthy"}), (404, b""), ("unhealthy", None)),
        ((503, {"status": "healthy"}), (404, b""), ("unhealthy", None)),
        ((200, {"status": "ok", "provider": "claude-code-cli"}), (404, b""), ("degraded", None)),
        ((404, b"404 Not Found"), (200, ROOT), ("degraded", None)),
        ((404, b"404 Not Found"), (200, PAGE), ("stranger", None)),
        ((404, b"404 Not Found"), (404, ROOT), ("stranger", None)),
        ((200, PAGE), (404, b""), ("stranger", None)),
        ((200, {"status": "ok"}), (404, b""), ("stranger", None)),
        ((200, {"status": ["healthy"]}), (404, b""), ("stranger", None)),
        ((200, b"[" * 60_000), (404, b""), ("stranger", None)),
        ((200, b""), (404, b""), ("stranger", None)),
        ((401, {"error": "no"}), (404, b""), ("stranger", None)),
    ],
)
def test_what_is_on_the_port(
    health: tuple[int, Any], root: tuple[int, Any], expected: tuple[str, Any]
) -> None:
    assert seen(health, root) == expected


@pytest.mark.parametrize(
    ("cause", "expected"), [("unreachable", "silent"), ("timed_out", "silent"), ("malformed", "stranger")]
)
def test_no_answer_is_told_from_an_answer_of_somebody_else(
    cause: Literal["unreachable", "timed_out", "malformed"], expected: str
) -> None:
    async def fetch(plan: FetchRequest) -> FetchResponse:
        raise FetchFailed(cause, "words")

    assert asyncio.run(check_health(fetch, ORIGIN)).result.health == expected


def test_a_proxy_that_hangs_has_to_be_restarted_and_not_logged_in() -> None:
    async def fetch(plan: FetchRequest) -> FetchResponse:
        raise FetchFailed("timed_out", "words")

    step = asyncio.run(check_health(fetch, ORIGIN)).result.next_step
    assert "anthropic-claude-proxy restart" in step and "login" not in step


@pytest.mark.parametrize(
    ("logged_in", "reason", "expected"),
    [(True, "out of memory", "restart"), (True, "Not logged in", "login"), (False, "", "login")],
)
def test_only_a_proxy_that_lacks_a_login_is_advised_to_log_in(
    logged_in: bool, reason: str, expected: str
) -> None:
    async def fetch(plan: FetchRequest) -> FetchResponse:
        body = {"status": "unhealthy", "error": reason, "auth": {"loggedIn": logged_in}}
        return FetchResponse(status=503, body=json.dumps(body).encode())

    assert expected in asyncio.run(check_health(fetch, ORIGIN)).result.next_step


def test_a_proxy_of_the_other_dialect_is_told_with_the_way_out() -> None:
    async def fetch(plan: FetchRequest) -> FetchResponse:
        return FetchResponse(status=200, body=b'{"status":"ok","provider":"claude-code-cli"}')

    found = asyncio.run(check_health(fetch, ORIGIN))
    assert (
        not found.speaks_messages
        and "openai-completions" in found.result.next_step
        and f"{ORIGIN}/v1" in found.result.next_step
    )


def test_words_of_the_proxy_are_fit_to_be_shown() -> None:
    async def fetch(plan: FetchRequest) -> FetchResponse:
        return FetchResponse(
            status=200, body=json.dumps({"status": "degraded", "error": "\x1b[31m" + "x" * 999}).encode()
        )

    reason = asyncio.run(check_health(fetch, ORIGIN)).result.reason
    assert reason.isprintable() and len(reason) <= 200


def with_mode(mode: str | None, version: str | None, status: str = "healthy") -> ProxyHealth:
    body = {"status": status, "auth": {"loggedIn": True}, "mode": mode, "version": version}

    async def fetch(plan: FetchRequest) -> FetchResponse:
        body_of = {name: value for name, value in body.items() if value is not None}
        return FetchResponse(status=200, body=json.dumps(body_of).encode())

    return asyncio.run(check_health(fetch, ORIGIN))


def test_a_proxy_in_its_internal_mode_is_rejected_with_how_to_start_it() -> None:
    """It would run a shell and write files on this machine, whatever the client asked for (up to 1.29)."""
    found = with_mode("internal", None)
    assert found.result.health == "unhealthy" and found.result.next_step == RESTART_IN_PASSTHROUGH
    assert "a shell" in found.result.reason
    assert with_mode("internal", None, "degraded").result.health == "unhealthy"


def test_a_newer_proxy_that_may_be_in_its_internal_mode_is_used_with_a_warning() -> None:
    """It says the same whether the variable is unset, which means passthrough there, or "0"."""
    found = with_mode("internal", "1.43.0")
    assert found.result.health == "degraded" and "MERIDIAN_PASSTHROUGH=0" in found.result.reason
    assert RESTART_IN_PASSTHROUGH in found.result.next_step
    both = with_mode("internal", "1.43.0", "degraded").result
    assert "logged in is unknown" in both.reason and "claude login" in both.next_step
    assert RESTART_IN_PASSTHROUGH in both.next_step


@pytest.mark.parametrize("version", [None, "1.43.0"])
@pytest.mark.parametrize("mode", ["passthrough", None])
def test_a_proxy_in_passthrough_mode_is_ready(mode: str | None, version: str | None) -> None:
    assert with_mode(mode, version).result.health == "ready"


def test_another_users_process_is_a_stranger_and_the_setting_is_named() -> None:
    async def fetch(plan: FetchRequest) -> FetchResponse:
        assert plan.trusted_user == 7
        raise FetchFailed("untrusted", "it runs as uid 8")

    found = asyncio.run(check_health(fetch, ORIGIN, 7)).result
    assert found.health == "stranger" and "proxyUser" in found.next_step and "uid 8" in found.reason
