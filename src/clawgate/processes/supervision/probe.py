"""Is what answers on a port the proxy that we mean, and is it well? By what its answer says: a status is not enough.

How it is asked is passed in. Measured at opencode-claude-max-proxy 1.21, meridian 1.43 and claude-max-api-proxy 1.0.
"""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Literal

Answer = Literal["healthy", "degraded", "unhealthy", "stranger", "silent", "closed"]
"""degraded: it is up, and whether it is logged in is not known. silent: nothing was said that could be judged.
closed: nobody listens there."""

_LONGEST_DETAIL = 200


@dataclass(frozen=True, slots=True)
class Finding:
    """What was found on the port. ``detail``: a few words for people.

    ``holder``: who listens there, as ``name (pid N)``, as far as can be seen. ``ours``: whether that is the child that
    was started here, None where it cannot be told. The supervisor fills in these two; a probe leaves them alone.
    """

    answer: Answer
    detail: str = ""
    holder: str | None = None
    ours: bool | None = None

    @property
    def is_expected(self) -> bool:
        """A proxy of the kind that was meant, in whatever health."""
        return self.answer in ("healthy", "degraded", "unhealthy")


@dataclass(frozen=True, slots=True)
class Question:
    """A GET, and the one header field that matters to it."""

    path: str
    accept: str = "application/json"


@dataclass(frozen=True, slots=True)
class Reply:
    """The status and the beginning of the body of an answer; 64 kB are more than enough of it."""

    status: int
    body: bytes


HEALTH = Question("/health")
ROOT = Question("/")
"""For versions 1.0 to 1.4, which have no /health."""


async def ask(fetch: Callable[[Question], Awaitable[Reply]]) -> Finding:
    """Ask ``/health``, and ``/`` of those that know no such path.

    ``fetch`` raises ConnectionRefusedError where nobody listens, and another OSError, such as TimeoutError, where
    nothing can be judged.
    """
    try:
        reply = await fetch(HEALTH)
        if reply.status != 404:
            return judge_health(reply)
        return judge_root(await fetch(ROOT))
    except ConnectionRefusedError:
        return Finding("closed", "nobody listens there")
    except OSError as error:
        return Finding("silent", str(error.strerror or error) or type(error).__name__)


def judge_health(reply: Reply) -> Finding:
    """The answer to ``/health``. With status 200 it may still say that it is degraded, and 503 is an answer as well."""
    said = _object(reply.body)
    status = said.get("status")
    if status == "ok" and said.get("provider") == "claude-code-cli":
        return Finding("healthy", "claude-max-api-proxy; it does not tell whether it is logged in")
    detail = _text(said.get("error"))
    if status == "healthy" and reply.status == 200:
        return Finding("healthy")
    if status == "degraded":
        return Finding("degraded", detail or "it is up, and whether it is logged in is not known")
    if status in ("unhealthy", "healthy"):
        return Finding("unhealthy", detail or f"it says so itself (status {reply.status})")
    return _stranger(reply)


def judge_root(reply: Reply) -> Finding:
    """The answer to ``/`` of a version without ``/health``."""
    said = _object(reply.body)
    if reply.status == 200 and said.get("status") == "ok" and isinstance(said.get("service"), str):
        return Finding("degraded", f"{_text(said['service'])}, an old version: its login is not known")
    return _stranger(reply)


def _stranger(reply: Reply) -> Finding:
    return Finding("stranger", f"it answers with status {reply.status}, and not as a Claude proxy does")


def _object(body: bytes) -> dict[str, object]:
    try:
        said = json.loads(body)
    except (ValueError, RecursionError):
        return {}
    return said if isinstance(said, dict) else {}


def _text(value: object) -> str:
    """Words of somebody else, fit to be shown."""
    if not isinstance(value, str):
        return ""
    return "".join(sign if sign.isprintable() else " " for sign in value[:_LONGEST_DETAIL]).strip()
