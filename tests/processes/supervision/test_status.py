"""A status has its reason, its next step and the time for a retry."""

from __future__ import annotations

import typing
from dataclasses import replace

import pytest

from clawgate.processes.supervision.child_state import Phase, State
from clawgate.processes.supervision.status import ChildStatus, service_status, unavailable

LINES = ("first", "second", "third", "Error: Claude CLI not found")


@pytest.mark.parametrize("phase", typing.get_args(Phase))
def test_a_phase_that_does_not_serve_has_a_reason_and_a_retry_after(phase: Phase) -> None:
    state = State(phase=phase, since=90.0, reason="the reason", next_try_at=104.5)
    why = unavailable(ChildStatus("claude-proxy", state, LINES, 100.0))
    assert why is not None and why.reason.startswith("claude-proxy ") and "(the reason)" in why.reason
    assert 1 <= why.retry_after <= 60
    assert unavailable(ChildStatus("claude-proxy", replace(state, healthy=True), LINES, 100.0)) is None


@pytest.mark.parametrize(
    ("phase", "next_try", "text", "seconds"),
    [
        ("backing_off", 4.5, "restarts in 4 s", 7),
        ("given_up", 500.0, "failed 5 times in a row", 60),
        ("starting", None, "has been starting for 10 s", 2),
        ("port_taken", 10.0, "Stop node (pid 9), or configure another port for claude-proxy.", 12),
        ("unhealthy", None, "has been unhealthy for 10 s.", 30),
        ("stopped", None, "is not running", 30),
    ],
)
def test_each_phase_has_its_text_and_next_step(
    phase: Phase, next_try: float | None, text: str, seconds: int
) -> None:
    at = None if next_try is None else 100.0 + next_try
    state = State(
        phase=phase, since=90.0, next_try_at=at, quick_crashes=5, port_owner="node (pid 9)", exit="x"
    )
    shown = ChildStatus("claude-proxy", state, (), 100.0)
    why = unavailable(shown)
    assert why is not None and text in why.reason and why.retry_after == seconds


@pytest.mark.parametrize(
    ("phase", "text"),
    [
        ("given_up", "p could not be started (no such file). Fix that;"),
        ("backing_off", "is tried again in 2 s"),
    ],
)
def test_what_could_not_be_started_did_not_end(phase: Phase, text: str) -> None:
    why = unavailable(ChildStatus("p", State(phase=phase, reason="no such file", next_try_at=3.0), (), 1.0))
    assert why is not None and text in why.reason
    assert "failed" not in why.reason and "exited" not in why.reason and "last lines" not in why.reason


def test_the_last_lines_are_included_where_they_explain_the_phase() -> None:
    down = ChildStatus("p", State(phase="given_up"), LINES, 1.0)
    why = unavailable(down)
    assert why is not None and why.lines == ("second", "third", "Error: Claude CLI not found")
    taken = ChildStatus("p", State(phase="port_taken"), LINES, 1.0)
    assert "Error" not in str(unavailable(taken))


def test_the_text_of_a_status_is_one_line() -> None:
    state = State(phase="backing_off", reason="exited with status 1", next_try_at=3.0)
    assert str(ChildStatus("p", state, LINES, 0.0)) == "p: backing off, exited with status 1, next try in 3 s"
    assert str(ChildStatus("p", State(phase="ready", pid=7), (), 0.0)) == "p: ready, pid 7"


@pytest.mark.parametrize("phase", ["unhealthy", "degraded", "adopted", "port_taken"])
def test_the_next_step_is_that_of_the_probe_and_of_no_other_program(phase: Phase) -> None:
    state = State(phase=phase, next_step="run: house login")
    assert ChildStatus("house", state, (), 0.0).next_step == "run: house login"
    assert "claude" not in ChildStatus("house", State(phase=phase), (), 0.0).next_step


def test_a_service_status_leaves_out_what_is_not_known() -> None:
    found = service_status(ChildStatus("p", State(phase="given_up", reason="no", restarts=2), LINES, 1.0))
    assert (found.state, found.ok, found.reason, found.lines) == ("given_up", False, "no", LINES)
    assert found.details == {"restarts": 2, "quickCrashes": 0} and found.next_step
