"""Finds the sessions that a command names; a name that is not clear ends the command."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence

from clawgate.cli.context import LoadedConfig
from clawgate.cli.errors import fail
from clawgate.cli.state_database import with_store
from clawgate.policy.printable import escape_controls
from clawgate.policy.typos import typo_of
from clawgate.state.records import SessionSummary

ALL = 2**31 - 1
"""As a limit."""
_COMPARED = 1000
"""Sessions whose names are compared with one that does not exist."""


def all_sessions(
    loaded: LoadedConfig,
    *,
    agent: str | None = None,
    caller: str | None = None,
    named: str | None = None,
    limit: int = ALL,
    before: float | None = None,
) -> Sequence[SessionSummary]:
    """Return the sessions, those used last first."""
    agent = agent and agent.strip().lower()
    return with_store(
        loaded,
        lambda store: store.sessions(agent=agent, caller=caller, named=named, limit=limit, before=before),
        absent=(),
    )


def sessions_named(
    loaded: LoadedConfig, names: Iterable[str], *, agent: str | None = None, caller: str | None
) -> list[SessionSummary]:
    """Return the sessions that ``names`` mean, each once. Reads no others unless there is none."""
    chosen = []
    for name in names:
        known = all_sessions(loaded, agent=agent, caller=caller, named=name)
        if not known:
            known = all_sessions(loaded, agent=agent, caller=caller, limit=_COMPARED)
        chosen.append(find_session(known, name))
    return list(dict.fromkeys(chosen))


def find_session(sessions: Collection[SessionSummary], name: str) -> SessionSummary:
    """Return the session whose key is ``name``, or whose key is that of an agent and ends with it."""
    found = [one for one in sessions if one.key == name] or [one for one in sessions if _name(one) == name]
    if not found:
        near = typo_of(name, (word for one in sessions for word in (one.key, _name(one))))
        meant = f"; did you mean '{escape_controls(near)}'?" if near else ";"
        fail(f"no session '{escape_controls(name)}'{meant} to see all sessions: clawgate sessions list")
    if len(found) > 1:
        places = [escape_controls(f"{one.key} of caller {one.caller}") for one in found]
        many = f"{len(found)} sessions are named '{escape_controls(name)}'"
        fail(f"{many}; use the whole key, and --caller:", places)
    return found[0]


def _name(session: SessionSummary) -> str:
    """Return the key without what all keys of an agent begin with."""
    return session.key.removeprefix(f"agent:{session.agent}:")
