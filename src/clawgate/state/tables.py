"""Names every table and column of the state; the SQL that uses them is in the module of its subject.

A session's identity is (caller, key), so every statement about one has both. Texts that a model or client wrote are
JSON in a text column: PostgreSQL stores neither NUL nor a lone surrogate, and JSON escapes both. A change here needs a
migration (see `migrations`).
"""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Column,
    Float,
    ForeignKeyConstraint,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    Table,
    Text,
)

NewRow = dict[str, object]
"""The values of a row that is to be inserted, by their columns."""

metadata = MetaData()

sessions = Table(
    "sessions",
    metadata,
    Column("caller", Text, primary_key=True),
    Column("key", Text, primary_key=True),
    Column("agent", Text, nullable=False),
    Column("model", Text),
    Column("next_seq", Integer, nullable=False),
    Column("created_at", Float(53), nullable=False),
    Column("updated_at", Float(53), nullable=False),
    Index("sessions_updated_at", "updated_at"),
)

turns = Table(
    "turns",
    metadata,
    Column("caller", Text, primary_key=True),
    Column("session", Text, primary_key=True),
    Column("seq", Integer, primary_key=True, autoincrement=False),
    Column("run", Text, nullable=False),
    Column("status", Text, nullable=False),
    Column("message", Text, nullable=False),  # JSON
    Column("created_at", Float(53), nullable=False),
    Column(
        "replaced_by", Integer
    ),  # the seq of the first turn in its place; NULL for one of the conversation
    Column("run_key", Text),  # the idempotency key of its run; NULL for one without
    ForeignKeyConstraint(["caller", "session"], ["sessions.caller", "sessions.key"], ondelete="CASCADE"),
)

requests = Table(
    "requests",
    metadata,
    Column("run", Text, primary_key=True),
    Column("caller", Text, nullable=False),
    Column("agent", Text, nullable=False),
    Column("session", Text, nullable=False),
    Column("provider", Text),
    Column("model", Text),
    Column("status", Integer, nullable=False),
    Column("code", Text),
    Column("started_at", Float(53), nullable=False),
    Column("finished_at", Float(53), nullable=False),
    Column("bytes_sent", BigInteger, nullable=False),
    Column("trace_id", Text),
    Index("requests_finished_at", "finished_at"),
)

tool_calls = Table(
    "tool_calls",
    metadata,
    Column("run", Text, primary_key=True),
    Column("position", Integer, primary_key=True, autoincrement=False),
    Column("caller", Text, nullable=False),
    Column("session", Text, nullable=False),
    Column("id", Text, nullable=False),  # JSON, as the next three: the model chose it
    Column("name", Text, nullable=False),
    Column("arguments", Text, nullable=False),
    Column("result", Text, nullable=False),
    Column("status", Text, nullable=False),
    Column("started_at", Float(53), nullable=False),
    Column("seconds", Float(53), nullable=False),
    Index("tool_calls_session", "caller", "session"),
    Index("tool_calls_started_at", "started_at"),
)

approvals = Table(
    "approvals",
    metadata,
    Column("caller", Text, primary_key=True),
    Column("id", Text, primary_key=True),
    Column("agent", Text, nullable=False),
    Column("session", Text, nullable=False),  # empty for a call outside of a session
    Column("run", Text, nullable=False),  # that made the call
    Column("name", Text, nullable=False),  # JSON, as the next one: the model chose it
    Column("arguments", Text, nullable=False),
    Column("definition", Text, nullable=False),  # the digest of its tool
    Column("expires_at", Float(53), nullable=False),
    Column("decided_by", Text),  # the run that got the decision; NULL while the call waits for one
    Column("result", Text),  # JSON; NULL until it is known
    Index("approvals_session", "caller", "session"),
    Index("approvals_run", "run"),
)

usage = Table(
    "usage",
    metadata,
    Column("run", Text, primary_key=True),
    Column("position", Integer, primary_key=True, autoincrement=False),
    Column("caller", Text, nullable=False),
    Column("agent", Text, nullable=False),
    Column("provider", Text, nullable=False),
    Column("model", Text, nullable=False),
    Column("input_tokens", BigInteger, nullable=False),
    Column("output_tokens", BigInteger, nullable=False),
    Column("cached_tokens", BigInteger, nullable=False),
    Column("cost", BigInteger),  # in 10^-12 US dollars, so that sums are exact; NULL: not known
    Column("day", Integer, nullable=False),  # since 1970-01-01, UTC
    Column("finished_at", Float(53), nullable=False),
    Index("usage_finished_at", "finished_at"),
)

idempotency = Table(
    "idempotency",
    metadata,
    Column("caller", Text, primary_key=True),
    Column("key", Text, primary_key=True),
    Column("body_hash", Text, nullable=False),
    Column("run", Text, nullable=False),
    Column("owner", BigInteger, nullable=False),  # the store that began the run
    Column("expires_at", Float(53), nullable=False),
    Column("status", Integer),  # NULL while the run is in progress, as the next two
    Column("content_type", Text),
    Column("body", LargeBinary),
    Index("idempotency_expires_at", "expires_at"),
)

responses = Table(
    "responses",
    metadata,
    Column("caller", Text, primary_key=True),
    Column("id", Text, primary_key=True),
    Column("agent", Text, nullable=False),
    Column("session", Text),  # NULL for one without a session
    Column("seq", Integer),  # of its session's first turn behind it
    Column("parent", Text),  # the response that it continues
    Column("status", Text, nullable=False),
    Column("owner", BigInteger, nullable=False),  # the store that began the run
    Column("created_at", Float(53), nullable=False),
    Column("body", Text),  # JSON, as the next two; NULL once it was deleted
    Column("input", Text),
    Column("turns", Text),  # of one without a session
    ForeignKeyConstraint(["caller", "session"], ["sessions.caller", "sessions.key"], ondelete="CASCADE"),
    ForeignKeyConstraint(
        ["caller", "parent"],
        ["responses.caller", "responses.id"],
        ondelete="CASCADE",
        deferrable=True,
        initially="DEFERRED",
    ),
    Index("responses_session", "caller", "session"),
    Index("responses_parent", "caller", "parent"),
    Index("responses_created_at", "created_at"),
)

egress = Table(
    "egress",
    metadata,
    Column("id", Text, primary_key=True),
    Column("instance", Text, nullable=False),  # the run of the gateway that had the connection
    Column("opened_at", Float(53), nullable=False),
    Column("requester", Text, nullable=False),
    Column("url", Text, nullable=False),
    Column("address", Text, nullable=False),
    Column("kind", Text, nullable=False),
    Column("rule", Text, nullable=False),
    Column("verdict", Text, nullable=False),
    Column("status", Text, nullable=False),
    Column("closed_at", Float(53)),  # NULL while it is open, and where its process was killed
    Column("bytes_sent", BigInteger),
    Column("bytes_received", BigInteger),
    Index("egress_opened_at", "opened_at"),
)
