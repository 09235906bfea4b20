"""Decides what happens next to a supervised child: a pure state machine that enforces all limits.

Must not do I/O, read a clock or draw random numbers. Invariants: there is never a second child (``Spawn`` follows only
``Exited``, ``SpawnFailed`` or the ``Abandon`` of a child that survived SIGKILL), and a stop request is fulfilled after
``grace + kill_timeout`` seconds at most. Times are monotonic seconds.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any, assert_never

from clawgate.processes.supervision import child_state
from clawgate.processes.supervision.child_state import Phase, PortStatus, State, SupervisionLimits

_Transition = tuple[State, tuple[child_state.Action, ...]]
_PROBED_PHASES = ("ready", "degraded", "unhealthy", "adopted", "port_taken")
"""Phases that follow from the result of a probe."""


def step(
    state: State, event: child_state.Event, now: float, limits: SupervisionLimits, jitter: float
) -> _Transition:
    """Return the state after ``event`` and what to do. The last action is always `WaitUntil`.

    ``jitter`` is a random number from 0 to 1, a new one for each call.
    """
    new, actions = _handle(state, event, now, limits, jitter)
    if new.phase != state.phase:
        new = replace(new, since=now, next_step=new.next_step if new.phase in _PROBED_PHASES else "")
    if _visible(new) != _visible(state):
        actions = (*actions, child_state.PublishStatus())
    times = [at for at in (new.deadline, new.next_try_at, new.next_probe_at) if at is not None]
    return new, (*actions, child_state.WaitUntil(min(times, default=None)))


def backoff(crashes: int, limits: SupervisionLimits, jitter: float) -> float:
    """Return the seconds before the next try: doubled for each quick crash, plus up to a quarter, with a maximum."""
    highest = max(limits.max_restart_delay / 1.25, limits.restart_delay)
    doubled = limits.restart_delay * 2.0 ** min(max(crashes - 1, 0), 32)
    return min(doubled, highest) * (1 + jitter / 4)


def _visible(state: State) -> tuple[object, ...]:
    process, seen = (state.phase, state.pid, state.restarts), (state.reason, state.port_owner, state.healthy)
    return process, seen, state.next_try_at


def _handle(
    state: State, event: child_state.Event, now: float, limits: SupervisionLimits, jitter: float
) -> _Transition:
    match event:
        case child_state.StopRequested():
            state = replace(state, desired="stopped", crashed=False)
            return _stop(state, now, limits, "stop requested")
        case child_state.StartRequested(spawn):
            state = replace(state, desired="running" if spawn or state.desired == "running" else "external")
            if state.phase in ("stopped", "given_up", "backing_off", "port_taken") and not state.spawned:
                return _check_port(state, "checking its port")
            return state, ()
        case child_state.RestartRequested():
            state = replace(state, desired="running", quick_crashes=0, crashed=False)
            if state.spawned:
                return _stop(state, now, limits, "restart requested")
            return _check_port(state, "restart requested")
        case child_state.Started() | child_state.SpawnFailed() | child_state.Exited() if not state.spawned:
            return state, ()
        case child_state.Started(pid):
            return replace(state, pid=pid), ()
        case child_state.SpawnFailed(error, lasting):
            return _on_spawn_failed(state, error, lasting, now, limits, jitter)
        case child_state.Exited(status, name):
            return _on_exit(state, _exit_text(status, name), now, limits, jitter)
        case child_state.Probed(result, probe_id):
            if probe_id != state.probe_id or not state.probe_pending:
                return state, ()
            return _on_probed(replace(state, probe_pending=False), result, now, limits)
        case child_state.PortOwnerExited(port_owner):
            if state.phase == "adopted" and state.port_owner == port_owner:
                return _check_port(replace(state, port_owner=None), "the adopted proxy exited")
            return state, ()
        case child_state.Tick():
            return _on_tick(state, now, limits, jitter)
        case _:
            assert_never(event)


def _exit_text(status: int | None, name: str) -> str:
    if status is None:
        return "exited with unknown status"
    if status < 0:
        return f"killed by {name or f'signal {-status}'}"
    return f"exited with status {status}"


# --- stop


def _without_timers(state: State) -> State:
    return replace(
        state, probe_pending=False, next_probe_at=None, next_try_at=None, deadline=None, silent_since=None
    )


def _not_serving(state: State, phase: Phase, reason: str, **changes: Any) -> State:
    """Return the state in ``phase``, without timers and health."""
    state = replace(_without_timers(state), phase=phase, reason=reason, healthy=False, healthy_since=None)
    return replace(state, **changes)


def _stop(state: State, now: float, limits: SupervisionLimits, reason: str) -> _Transition:
    """Stop the child, if one may exist. ``state.desired`` decides what follows."""
    if not state.spawned:
        return _not_serving(state, "stopped", reason, port_owner=None), ()
    if state.phase == "stopping":
        return replace(state, reason=reason), ()
    state = replace(
        _without_timers(state),
        phase="stopping",
        healthy=False,
        reason=reason,
        killed=False,
        deadline=now + limits.grace,
    )
    return state, (child_state.SignalTerm(),)


def _on_stop_timeout(state: State, now: float, limits: SupervisionLimits, jitter: float) -> _Transition:
    if not state.killed:
        return replace(state, killed=True, deadline=now + limits.kill_timeout), (child_state.SignalKill(),)
    process = f"pid {state.pid}" if state.pid else "its process"
    after, actions = _on_exit(state, f"{process} survived SIGKILL", now, limits, jitter)
    return after, (child_state.Abandon(), *actions)


# --- after the end


def _on_exit(state: State, how: str, now: float, limits: SupervisionLimits, jitter: float) -> _Transition:
    on_request = state.phase == "stopping" and not state.crashed
    reason = f"{state.reason}; {how}" if state.phase == "stopping" else how
    healthy_seconds = 0.0 if state.healthy_since is None else now - state.healthy_since
    earlier_crashes = 0 if healthy_seconds >= limits.healthy_after else state.quick_crashes
    state = replace(_without_timers(state), spawned=False, pid=None, healthy=False, healthy_since=None)
    state = replace(state, crashed=False, killed=False, port_owner=None, exit=how)
    if on_request:
        if state.desired == "stopped":
            return replace(state, phase="stopped", reason=reason), ()
        return _check_port(state, reason)
    return _on_failure(replace(state, quick_crashes=earlier_crashes + 1), reason, now, limits, jitter)


def _on_failure(
    state: State, reason: str, now: float, limits: SupervisionLimits, jitter: float, *, lasting: bool = False
) -> _Transition:
    state = replace(state, reason=reason)
    if not limits.auto_restart:
        next_try_at = now + limits.probe_interval
        return replace(state, phase="stopped", desired="external", next_try_at=next_try_at), ()
    if lasting or state.quick_crashes >= limits.max_quick_crashes:
        return replace(state, phase="given_up", next_try_at=now + limits.slow_retry_delay), ()
    delay = backoff(state.quick_crashes, limits, jitter)
    return replace(state, phase="backing_off", next_try_at=now + delay), ()


def _on_spawn_failed(
    state: State, error: str, lasting: bool, now: float, limits: SupervisionLimits, jitter: float
) -> _Transition:
    on_request = state.phase == "stopping" and not state.crashed
    state = replace(_without_timers(state), spawned=False, pid=None, crashed=False, killed=False, exit="")
    state = replace(state, healthy=False, healthy_since=None)  # whatever a probe has found before
    if on_request:
        if state.desired == "stopped":
            return replace(state, phase="stopped"), ()
        return _check_port(state, state.reason)
    if not lasting:
        state = replace(state, quick_crashes=state.quick_crashes + 1)
    return _on_failure(state, error, now, limits, jitter, lasting=lasting)


# --- start and probe


def _probe(state: State) -> _Transition:
    probe_id = state.probe_id + 1
    return replace(state, probe_id=probe_id, probe_pending=True, next_probe_at=None), (
        child_state.Probe(probe_id),
    )


def _check_port(state: State, reason: str) -> _Transition:
    """Probe before a spawn: a program may already serve the port."""
    return _probe(_not_serving(state, "starting", reason))


def _spawn(state: State, now: float, limits: SupervisionLimits) -> _Transition:
    state = _not_serving(
        state,
        "starting",
        "no response yet",
        spawned=True,
        port_owner=None,
        restarts=state.restarts + (1 if state.started_before else 0),
        started_before=True,
        deadline=now + limits.ready_timeout,
        next_probe_at=now + limits.startup_probe_interval,
    )
    return state, (child_state.Spawn(),)


def _on_tick(state: State, now: float, limits: SupervisionLimits, jitter: float) -> _Transition:
    if state.deadline is not None and now >= state.deadline:
        if state.phase == "stopping":
            return _on_stop_timeout(state, now, limits, jitter)
        reason = f"not ready within {limits.ready_timeout:g} s ({state.reason})"
        return _stop(replace(state, crashed=True), now, limits, reason)
    if state.next_try_at is not None and now >= state.next_try_at:
        if state.phase in ("backing_off", "given_up"):
            return _check_port(state, state.reason)
        return _probe(replace(state, next_try_at=None))  # the phase changes only with the result
    if state.next_probe_at is not None and now >= state.next_probe_at:
        return _probe(state)
    return state, ()


# --- probe results


def _on_probed(state: State, result: PortStatus, now: float, limits: SupervisionLimits) -> _Transition:
    if state.spawned:
        if result.is_own_child is False:  # another process has the port: its response is not the child's
            owner = result.owner or "another process"
            return _on_silence(state, replace(result, detail=f"{owner} has its port"), now, limits)
        if result.is_expected:
            return _serving(state, result, now, limits), ()
        return _on_silence(state, result, now, limits)
    if result.is_expected:
        adopted = _serving(state, result, now, limits)
        return replace(adopted, phase="adopted", port_owner=result.owner), ()
    return _on_nothing_to_adopt(state, result, now, limits)


def _serving(state: State, result: PortStatus, now: float, limits: SupervisionLimits) -> State:
    """Return the state after an expected response, of the child or of an adopted program."""
    phase: Phase = "unhealthy"
    if result.health in ("ready", "degraded"):
        phase = "degraded" if result.health == "degraded" else "ready"
    healthy = phase != "unhealthy"
    since = (now if state.healthy_since is None else state.healthy_since) if healthy else None
    settled = since is not None and now - since >= limits.healthy_after
    return replace(
        _without_timers(state),
        phase=phase,
        healthy=healthy,
        healthy_since=since,
        reason=result.detail,
        next_step=result.next_step,
        quick_crashes=0 if settled else state.quick_crashes,
        next_probe_at=now + limits.probe_interval,
        port_owner=None,
    )


def _on_silence(state: State, result: PortStatus, now: float, limits: SupervisionLimits) -> _Transition:
    """Handle a probe without a response of the child: expected while it starts, later unhealthy, then a hang.

    A foreign response makes it unhealthy at once: no request may be sent there.
    """
    detail = result.detail or "no response"
    if state.phase == "starting":
        return replace(state, reason=detail, next_probe_at=now + limits.startup_probe_interval), ()
    silent_since = now if state.silent_since is None else state.silent_since
    silent = now - silent_since
    state = replace(state, silent_since=silent_since, next_probe_at=now + _silence_interval(limits))
    state = replace(state, next_step=result.next_step)  # that of the last response does not help any more
    # Unhealthy before: one late probe of ours is no hang.
    if silent >= limits.hang_timeout and state.phase == "unhealthy":
        reason = f"no response for {silent:.0f} s ({detail})"
        return _stop(replace(state, crashed=True), now, limits, reason)
    if silent >= limits.unhealthy_after or result.health == "stranger" or result.is_own_child is False:
        state = replace(state, phase="unhealthy", healthy=False, healthy_since=None)
        state = replace(state, reason=detail)
    return state, ()


def _silence_interval(limits: SupervisionLimits) -> float:
    return min(limits.probe_interval, limits.unhealthy_after / 2)


def _on_nothing_to_adopt(
    state: State, result: PortStatus, now: float, limits: SupervisionLimits
) -> _Transition:
    """Handle a probe without a child and without an expected response: the port is free or taken."""
    in_use = result.owner is not None or state.phase == "adopted"
    if result.health == "stranger" or (result.health == "silent" and in_use):
        return _on_port_taken(state, result, now, limits)
    if state.desired == "running":
        return _spawn(state, now, limits)
    gone = "the adopted proxy exited" if state.phase == "adopted" else "nothing listens on its port"
    reason = state.reason if state.phase == "stopped" else gone
    next_try_at = now + limits.probe_interval if state.desired == "external" else None
    return _not_serving(state, "stopped", reason, port_owner=None, next_try_at=next_try_at), ()


def _on_port_taken(state: State, result: PortStatus, now: float, limits: SupervisionLimits) -> _Transition:
    if state.phase == "adopted" and result.health == "silent":
        silent_since = now if state.silent_since is None else state.silent_since
        if now - silent_since < limits.hang_timeout:
            state = replace(state, silent_since=silent_since, next_probe_at=now + _silence_interval(limits))
            state = replace(state, next_step=result.next_step)
            if now - silent_since >= limits.unhealthy_after:
                state = replace(state, healthy=False, reason=result.detail)
            return state, ()
    owner = result.owner or "an unidentified process"
    reason = f"its port is taken by {owner}: {result.detail or 'no response'}"
    state = _not_serving(state, "port_taken", reason, port_owner=owner, next_step=result.next_step)
    return replace(state, next_try_at=now + limits.probe_interval), ()
