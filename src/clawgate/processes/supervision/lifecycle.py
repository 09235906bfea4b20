"""What happens to a supervised child next? All that is decided about it is decided here, and every limit is held here.

Events go in, a new state and actions come out: no process, no clock, no chance. Two laws: there is never a second child
(``Spawn`` is only answered with ``Exited``, ``SpawnFailed`` or the ``Abandon`` of one that not even SIGKILL ended),
and whatever was asked to stop is stopped after ``grace + kill_wait`` seconds at most. Times are monotonic seconds.
"""

from __future__ import annotations

from dataclasses import replace
from typing import assert_never

from clawgate.processes.supervision.child_state import (
    Abandon,
    Action,
    Event,
    Exited,
    Phase,
    PortOwnerExited,
    Probe,
    Probed,
    PublishStatus,
    RestartRequested,
    SignalKill,
    SignalTerm,
    Spawn,
    SpawnFailed,
    Started,
    StartRequested,
    State,
    StopRequested,
    SupervisionLimits,
    Tick,
    WaitUntil,
)
from clawgate.processes.supervision.probe import Finding


def step(
    state: State, event: Event, now: float, rules: SupervisionLimits, jitter: float
) -> tuple[State, tuple[Action, ...]]:
    """Answer an event. ``jitter`` is from 0 to 1, new each time. The last action is always `WaitUntil`."""
    new, actions = _answer(state, event, now, rules, jitter)
    if new.phase != state.phase:
        new = replace(new, since=now)
    if _told(new) != _told(state):
        actions = (*actions, PublishStatus())
    times = [at for at in (new.limit_at, new.next_try_at, new.ask_at) if at is not None]
    return new, (*actions, WaitUntil(min(times, default=None)))


def backoff(crashes: int, rules: SupervisionLimits, jitter: float) -> float:
    """Seconds before the next try after so many quick crashes: doubling, spread by a quarter, at most the longest."""
    highest = max(rules.longest_delay / 1.25, rules.restart_delay)
    doubled = rules.restart_delay * 2.0 ** min(max(crashes - 1, 0), 32)
    return min(doubled, highest) * (1 + jitter / 4)


def _told(state: State) -> tuple[object, ...]:
    return (
        state.phase,
        state.pid,
        state.reason,
        state.holder,
        state.restarts,
        state.healthy,
        state.next_try_at,
    )


def _answer(
    state: State, event: Event, now: float, rules: SupervisionLimits, jitter: float
) -> tuple[State, tuple[Action, ...]]:
    match event:
        case StopRequested():
            state = replace(state, wanted="nothing", crashed=False)
            return _stop(state, now, rules, "it was asked to stop")
        case StartRequested(spawn):
            state = replace(state, wanted="child" if spawn or state.wanted == "child" else "somebody")
            if state.phase in ("stopped", "given_up", "backing_off", "port_taken") and not state.spawned:
                return _look(state, "who has its port is looked at", now)
            return state, ()
        case RestartRequested():
            state = replace(state, wanted="child", quick_crashes=0, crashed=False)
            if state.spawned:
                return _stop(state, now, rules, "it was asked to restart")
            return _look(state, "it was asked to restart", now)
        case Started(pid):
            return (replace(state, pid=pid), ()) if state.spawned else (state, ())
        case SpawnFailed(error, lasting):
            return _spawn_failed(state, error, lasting, now, rules, jitter) if state.spawned else (state, ())
        case Exited(status, name):
            return _exited(state, _ending(status, name), now, rules, jitter) if state.spawned else (state, ())
        case Probed(finding, question):
            if question != state.question or not state.asking:
                return state, ()
            return _found(replace(state, asking=False), finding, now, rules)
        case PortOwnerExited(holder):
            if state.phase == "adopted" and state.holder == holder:
                return _look(replace(state, holder=None), "the proxy that was used is gone", now)
            return state, ()
        case Tick():
            return _time_passed(state, now, rules, jitter)
        case _:
            assert_never(event)


def _ending(status: int | None, name: str) -> str:
    if status is None:
        return "it is gone, and how it ended is not known"
    if status < 0:
        return f"it was ended by {name or f'signal {-status}'}"
    return f"it ended with status {status}"


# --- to stop


def _quiet(state: State) -> State:
    """Without a question that is out, and without a time to come."""
    return replace(state, asking=False, ask_at=None, next_try_at=None, limit_at=None, silent_since=None)


def _stop(
    state: State, now: float, rules: SupervisionLimits, reason: str
) -> tuple[State, tuple[Action, ...]]:
    """End the child, if there may be one. What `state.wanted` says decides what comes then."""
    if not state.spawned:
        state = replace(_quiet(state), healthy=False, healthy_since=None, holder=None)
        return replace(state, phase="stopped", reason=reason), ()
    if state.phase == "stopping":
        return replace(state, reason=reason), ()
    state = replace(
        _quiet(state),
        phase="stopping",
        healthy=False,
        reason=reason,
        killed=False,
        limit_at=now + rules.grace,
    )
    return state, (SignalTerm(),)


def _time_to_stop_is_over(
    state: State, now: float, rules: SupervisionLimits, jitter: float
) -> tuple[State, tuple[Action, ...]]:
    if not state.killed:
        return replace(state, killed=True, limit_at=now + rules.kill_wait), (SignalKill(),)
    who = f"pid {state.pid}" if state.pid else "it"
    after, actions = _exited(state, f"{who} could not be ended, not even by SIGKILL", now, rules, jitter)
    return after, (Abandon(), *actions)


# --- after the end


def _exited(
    state: State, how: str, now: float, rules: SupervisionLimits, jitter: float
) -> tuple[State, tuple[Action, ...]]:
    asked = state.phase == "stopping" and not state.crashed
    reason = f"{state.reason}; {how}" if state.phase == "stopping" else how
    quick = 0 if _is_well_for(state, now) >= rules.healthy_after else state.quick_crashes
    state = replace(_quiet(state), spawned=False, pid=None, healthy=False, healthy_since=None, exit=how)
    state = replace(state, crashed=False, killed=False, holder=None)
    if asked:
        if state.wanted == "nothing":
            return replace(state, phase="stopped", reason=reason), ()
        return _look(state, reason, now)
    return _after_failure(replace(state, quick_crashes=quick + 1), reason, now, rules, jitter)


def _is_well_for(state: State, now: float) -> float:
    return 0.0 if state.healthy_since is None else now - state.healthy_since


def _after_failure(
    state: State, reason: str, now: float, rules: SupervisionLimits, jitter: float
) -> tuple[State, tuple[Action, ...]]:
    state = replace(state, reason=reason)
    if not rules.auto_restart:
        wait = now + rules.pace
        return replace(state, phase="stopped", wanted="somebody", next_try_at=wait), ()
    if state.quick_crashes >= rules.quick_crashes:
        return replace(state, phase="given_up", next_try_at=now + rules.slow_retry), ()
    wait = now + backoff(state.quick_crashes, rules, jitter)
    return replace(state, phase="backing_off", next_try_at=wait), ()


def _spawn_failed(
    state: State, error: str, lasting: bool, now: float, rules: SupervisionLimits, jitter: float
) -> tuple[State, tuple[Action, ...]]:
    stopping, asked = state.phase == "stopping", not state.crashed
    state = replace(_quiet(state), spawned=False, pid=None, crashed=False, killed=False, exit="")
    if stopping and asked:
        if state.wanted == "nothing":
            return replace(state, phase="stopped"), ()
        return _look(state, state.reason, now)
    crashes = rules.quick_crashes if lasting else state.quick_crashes + 1
    return _after_failure(replace(state, quick_crashes=crashes), error, now, rules, jitter)


# --- to look at the port, and to start


def _ask(state: State) -> tuple[State, tuple[Action, ...]]:
    number = state.question + 1
    return replace(state, question=number, asking=True, ask_at=None), (Probe(number),)


def _look(state: State, reason: str, now: float) -> tuple[State, tuple[Action, ...]]:
    """Before a child is started: is somebody there already?"""
    state = replace(_quiet(state), phase="starting", reason=reason, healthy=False, healthy_since=None)
    return _ask(state)


def _spawn(state: State, now: float, rules: SupervisionLimits) -> tuple[State, tuple[Action, ...]]:
    state = replace(
        _quiet(state),
        phase="starting",
        spawned=True,
        healthy=False,
        healthy_since=None,
        holder=None,
        reason="it does not answer yet",
        restarts=state.restarts + (1 if state.started_before else 0),
        started_before=True,
        limit_at=now + rules.ready_timeout,
        ask_at=now + rules.starting_pace,
    )
    return state, (Spawn(),)


def _time_passed(
    state: State, now: float, rules: SupervisionLimits, jitter: float
) -> tuple[State, tuple[Action, ...]]:
    if state.limit_at is not None and now >= state.limit_at:
        if state.phase == "stopping":
            return _time_to_stop_is_over(state, now, rules, jitter)
        said = f"it did not become ready within {rules.ready_timeout:g} s ({state.reason})"
        return _stop(replace(state, crashed=True), now, rules, said)
    if state.next_try_at is not None and now >= state.next_try_at:
        if state.phase in ("backing_off", "given_up"):
            return _look(state, state.reason, now)
        return _ask(replace(state, next_try_at=None))  # the phase stays as it is until there is news
    if state.ask_at is not None and now >= state.ask_at:
        return _ask(state)
    return state, ()


# --- what was found on the port


def _found(
    state: State, finding: Finding, now: float, rules: SupervisionLimits
) -> tuple[State, tuple[Action, ...]]:
    if state.spawned:
        if finding.ours is False:
            return _found_another(state, finding, now, rules)
        if finding.is_expected:
            return _serves(state, finding, now, rules), ()
        return _silence(state, finding, now, rules)
    if finding.is_expected:
        adopted = _serves(state, finding, now, rules)
        return replace(adopted, phase="adopted", holder=finding.holder), ()
    return _nobody_to_adopt(state, finding, now, rules)


def _serves(state: State, finding: Finding, now: float, rules: SupervisionLimits) -> State:
    """The child, or one that was adopted, answers as it should; how well it is decides the phase."""
    phase: Phase = "unhealthy"
    if finding.answer in ("healthy", "degraded"):
        phase = "degraded" if finding.answer == "degraded" else "ready"
    well = phase != "unhealthy"
    since = (now if state.healthy_since is None else state.healthy_since) if well else None
    settled = since is not None and now - since >= rules.healthy_after
    return replace(
        _quiet(state),
        phase=phase,
        healthy=well,
        healthy_since=since,
        reason=finding.detail,
        quick_crashes=0 if settled else state.quick_crashes,
        ask_at=now + rules.pace,
        holder=None,
    )


def _found_another(
    state: State, finding: Finding, now: float, rules: SupervisionLimits
) -> tuple[State, tuple[Action, ...]]:
    """A child of ours lives, and somebody else has its port: whoever answers there, it is not the child."""
    who = finding.holder or "another process"
    return _silence(state, replace(finding, detail=f"{who} has its port"), now, rules)


def _silence(
    state: State, finding: Finding, now: float, rules: SupervisionLimits
) -> tuple[State, tuple[Action, ...]]:
    """No answer of the child. While it starts this is expected; later it is doubted, and then ended.

    Where somebody else answers in its place there is no doubt: nothing may be sent there.
    """
    said = finding.detail or "it does not answer"
    if state.phase == "starting":
        return replace(state, reason=said, ask_at=now + rules.starting_pace), ()
    silent_since = now if state.silent_since is None else state.silent_since
    silent = now - silent_since
    state = replace(state, silent_since=silent_since, ask_at=now + min(rules.pace, rules.doubt_after / 2))
    if (
        silent >= rules.silence_limit and state.phase == "unhealthy"
    ):  # doubted before: not one slow look of ours
        said = f"it did not answer for {silent:.0f} s ({said})"
        return _stop(replace(state, crashed=True), now, rules, said)
    if silent >= rules.doubt_after or finding.answer == "stranger" or finding.ours is False:
        state = replace(state, phase="unhealthy", healthy=False, healthy_since=None, reason=said)
    return state, ()


def _nobody_to_adopt(
    state: State, finding: Finding, now: float, rules: SupervisionLimits
) -> tuple[State, tuple[Action, ...]]:
    """No child lives and no proxy answers: the port is free, or in the wrong hands."""
    in_use = finding.holder is not None or state.phase == "adopted"
    if finding.answer == "stranger" or (finding.answer == "silent" and in_use):
        return _port_is_taken(state, finding, now, rules)
    if state.wanted == "child":
        return _spawn(state, now, rules)
    gone = "the proxy that was used is gone" if state.phase == "adopted" else "nobody listens on its port"
    reason = state.reason if state.phase == "stopped" else gone
    state = replace(
        _quiet(state), phase="stopped", healthy=False, healthy_since=None, holder=None, reason=reason
    )
    return replace(state, next_try_at=now + rules.pace if state.wanted == "somebody" else None), ()


def _port_is_taken(
    state: State, finding: Finding, now: float, rules: SupervisionLimits
) -> tuple[State, tuple[Action, ...]]:
    if state.phase == "adopted" and finding.answer == "silent":
        silent_since = now if state.silent_since is None else state.silent_since
        if now - silent_since < rules.silence_limit:
            in_doubt = now - silent_since >= rules.doubt_after
            pause = min(rules.pace, rules.doubt_after / 2)
            state = replace(state, silent_since=silent_since, ask_at=now + pause)
            return (replace(state, healthy=False, reason=finding.detail) if in_doubt else state), ()
    who = finding.holder or "a process that cannot be seen from here"
    reason = f"its port is taken by {who}: {finding.detail or 'it does not answer'}"
    state = replace(_quiet(state), phase="port_taken", healthy=False, healthy_since=None)
    return replace(state, holder=who, reason=reason, next_try_at=now + rules.pace), ()
