"""Defines what is stored and what is read back: sessions, turns, runs, usage. Plain data, no SQL."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Literal

TurnStatus = Literal["complete", "interrupted"]
ToolCallStatus = Literal["ok", "error", "client"]
UsageKey = Literal["agent", "model", "provider", "caller", "day"]


@dataclass(frozen=True, slots=True, kw_only=True)
class NewTurn:
    message: dict[str, Any]
    """A message as in OpenAI's chat API."""
    status: TurnStatus = "complete"


@dataclass(frozen=True, slots=True)
class Extent:
    """How much of a session is read: the latest turns, so many of them and so many bytes; one turn in any case."""

    turns: int = 2**31 - 1
    size: int = 2**62
    with_replaced: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredTurn:
    seq: int
    message: dict[str, Any]
    status: TurnStatus
    run: str
    created_at: float
    replaced_by: int | None = None
    """The ``seq`` of the first turn in its place, once the client took another way."""
    run_key: str | None = None
    """The idempotency key of its run."""

    @property
    def public_id(self) -> str:
        """What its caller knows its run by, as `LiveRun.public_id`."""
        return self.run if self.run_key is None else self.run_key


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredSession:
    caller: str
    key: str
    agent: str
    created_at: float
    updated_at: float
    next_seq: int
    """What the next run has to expect; 0 where there is no session yet. Deleted turns do not lower it."""
    turns: tuple[StoredTurn, ...]
    is_whole: bool
    """Whether the conversation has no turn before ``turns``, read or deleted."""
    model: str | None
    """Set by /model, in place of the agent's own."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionSummary:
    caller: str
    key: str
    agent: str
    created_at: float
    updated_at: float
    turns: int
    model: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolCallRecord:
    id: str
    name: str
    arguments: str
    """JSON text, as the model wrote it."""
    result: str
    status: ToolCallStatus
    started_at: float
    seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class NewApproval:
    """A call that waits for its caller's approval. ``definition`` is the digest of its tool as the model saw it.

    ``session`` is the key of the session that it was made in, empty outside of one.
    """

    id: str
    name: str
    arguments: str
    definition: str
    session: str
    expires_at: float


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredApproval(NewApproval):
    """``decided_by`` is the run that got the decision, None before; ``ended_as`` the status that this run ended with.

    ``result`` is what the model reads of the call, None until it is known.
    """

    agent: str
    decided_by: str | None
    result: str | None
    ended_as: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelUsage:
    provider: str
    model: str
    input_tokens: int
    """With the cached ones."""
    output_tokens: int
    cached_tokens: int = 0
    cost: Decimal | None = None
    """In US dollars; None where the price is not known, which is not the same as free."""


@dataclass(frozen=True, slots=True, kw_only=True)
class IdempotencyResult:
    """The response that a repeated request gets."""

    key: str
    status: int
    content_type: str
    body: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class NewResponse:
    """A response that can be retrieved by the id of its run. ``parent`` is the run of the response before it.

    ``begun``: this is the end of one that was written when its run began.
    """

    body: dict[str, Any]
    input: list[Any]
    status: str
    parent: str | None = None
    begun: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredResponse:
    """``session`` and ``seq`` are where it ends in the session that it is part of; ``is_own``: of this process."""

    id: str
    agent: str
    session: str | None
    seq: int | None
    status: str
    is_own: bool
    body: dict[str, Any]
    input: list[Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class ResponseHistory:
    """``turns`` are all up to the end of the response, or with ``is_whole`` False the latest of them."""

    response: StoredResponse
    turns: tuple[StoredTurn, ...]
    is_whole: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class RunRecord:
    """Everything that one run leaves; written in one transaction."""

    run: str
    caller: str
    agent: str
    session: str
    keeps_session: bool
    expected_seq: int
    started_at: float
    finished_at: float
    turns: tuple[NewTurn, ...] = ()
    tool_calls: tuple[ToolCallRecord, ...] = ()
    approvals: tuple[NewApproval, ...] = ()
    usage: tuple[ModelUsage, ...] = ()
    provider: str | None = None
    model: str | None = None
    status: int = 200
    code: str | None = None
    bytes_sent: int = 0
    trace_id: str | None = None
    key: str | None = None
    """Its idempotency key."""
    idempotency: IdempotencyResult | None = None
    response: NewResponse | None = None
    replaces_from: int | None = None
    """Turns of the session from this one on are replaced by ``turns``."""
    begins_anew: bool = False
    """Whether what its session had so far is deleted."""
    session_model: str | None = None
    """Becomes the session's model; an empty text removes it, None leaves it as it is."""


@dataclass(frozen=True, slots=True, kw_only=True)
class UsageRow:
    """Sums over the usage that has the same ``key``."""

    key: str
    runs: int
    input_tokens: int
    output_tokens: int
    cached_tokens: int
    cost: Decimal
    """Of what has a known price; in US dollars."""
    unpriced_calls: int
    """How many model calls have no known price."""


@dataclass(frozen=True, slots=True)
class Begun:
    """The request is new: run it."""


@dataclass(frozen=True, slots=True)
class Running:
    """The same request is being served, by run ``run``; ``is_own``: of this process."""

    run: str
    is_own: bool = False


@dataclass(frozen=True, slots=True)
class Finished:
    """The same request was served, by ``run``."""

    result: IdempotencyResult
    run: str
