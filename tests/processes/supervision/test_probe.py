"""A proxy is judged by what it says: by its body, and in the ways of three programs."""

from __future__ import annotations

import asyncio
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clawgate.processes.supervision.probe import Finding, Question, Reply, ask, judge_health, judge_root


def body(**said: object) -> bytes:
    return json.dumps(said).encode()


@pytest.mark.parametrize(
    ("status", "said", "answer"),
    [
        (200, body(status="healthy", version="1.43.0", auth={"loggedIn": True}), "healthy"),
        (200, body(status="degraded", error="Could not verify auth status"), "degraded"),
        (503, body(status="unhealthy", error="Not logged in. Run: claude login"), "unhealthy"),
        (503, body(status="healthy"), "unhealthy"),
        (200, body(status="ok", provider="claude-code-cli", timestamp="now"), "healthy"),
        (200, body(status="ok", provider="another"), "stranger"),
        (200, body(status="ok"), "stranger"),
        (200, b"<html>", "stranger"),
        (200, b"[" * 100_000, "stranger"),
        (200, b"", "stranger"),
        (401, body(error="who are you"), "stranger"),
    ],
)
def test_what_health_says(status: int, said: bytes, answer: str) -> None:
    assert judge_health(Reply(status, said)).answer == answer


def test_its_own_words_are_passed_on_harmless_and_short() -> None:
    found = judge_health(Reply(503, body(status="unhealthy", error="Not\x1b[31m logged in" + "!" * 9999)))
    assert found.detail.startswith("Not [31m logged in!") and len(found.detail) <= 200
    assert judge_health(Reply(503, body(status="unhealthy", error={"a": 1}))).detail != ""


@given(st.integers(100, 599), st.binary(max_size=200))
def test_any_answer_is_judged_without_an_error(status: int, said: bytes) -> None:
    assert judge_health(Reply(status, said)).answer == "stranger"
    assert judge_root(Reply(status, said)).answer == "stranger"


def asked(replies: dict[str, Reply | OSError]) -> tuple[Finding, list[str]]:
    paths: list[str] = []

    async def fetch(question: Question) -> Reply:
        paths.append(question.path)
        reply = replies[question.path]
        if isinstance(reply, OSError):
            raise reply
        return reply

    return asyncio.run(ask(fetch)), paths


def test_versions_without_health_are_asked_at_their_root() -> None:
    old = Reply(200, body(status="ok", service="claude-max-proxy", format="anthropic", endpoints=[]))
    found, paths = asked({"/health": Reply(404, b"404 Not Found"), "/": old})
    assert (found.answer, paths) == ("degraded", ["/health", "/"])
    found, _ = asked({"/health": Reply(404, b""), "/": Reply(200, b"<html>welcome</html>")})
    assert found.answer == "stranger"


def test_nobody_there_and_no_answer_are_two_things() -> None:
    assert asked({"/health": ConnectionRefusedError(111, "refused")})[0].answer == "closed"
    found, paths = asked({"/health": TimeoutError()})
    assert (found.answer, found.detail, paths) == ("silent", "TimeoutError", ["/health"])
    assert asked({"/health": OSError(113, "No route to host")})[0].detail == "No route to host"
