"""Decisions about a child: examples, and invariants that hold for any order of events."""

from __future__ import annotations

from dataclasses import replace
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clawgate.processes.supervision.child_state import (
    Abandon,
    Action,
    Event,
    Exited,
    Health,
    PortOwnerExited,
    PortStatus,
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
from clawgate.processes.supervision.lifecycle import backoff, step

LIMITS = SupervisionLimits()
CLOSED, HEALTHY = PortStatus("closed"), PortStatus("ready")


class Life:
    """A child whose time passes only where a test says so, with a note of every action."""

    def __init__(self, limits: SupervisionLimits = LIMITS, jitter: float = 0.0) -> None:
        self.state = State()
        self.limits = limits
        self.jitter = jitter
        self.now = 1000.0
        self.wake: float | None = None
        self.done: list[Action] = []

    def take(self, event: Event) -> list[Action]:
        self.state, actions = step(self.state, event, self.now, self.limits, self.jitter)
        assert isinstance(actions[-1], WaitUntil)
        self.wake = actions[-1].at
        taken: list[Action] = []
        taken += [action for action in actions if not isinstance(action, PublishStatus | WaitUntil)]
        self.done += taken
        return taken

    def finds(self, result: PortStatus) -> list[Action]:
        return self.take(Probed(result, self.state.probe_id))

    def passes(self, seconds: float) -> list[Action]:
        """Time passes, with a tick whenever one was requested; probes get no result meanwhile."""
        end = self.now + seconds
        taken: list[Action] = []
        while self.wake is not None and self.wake <= end:
            self.now = max(self.now, self.wake)
            taken += self.take(Tick())
        self.now = end
        return taken

    @property
    def phase(self) -> str:
        return self.state.phase

    def spawned(self) -> Life:
        self.take(StartRequested())
        assert self.finds(CLOSED) == [Spawn()]
        self.take(Started(7))
        return self

    def ready(self) -> Life:
        self.spawned().passes(self.limits.startup_probe_interval)
        self.finds(HEALTHY)
        assert self.phase == "ready"
        return self

    def respond_until(self, result: PortStatus, phase: str) -> None:
        for _ in range(1000):
            if self.phase != phase:
                self.respond(result, 1)
        assert self.phase == phase

    def respond(self, result: PortStatus, times: int) -> None:
        """Give the same result at each probe that is due."""
        for _ in range(times):
            assert self.wake is not None
            self.passes(self.wake - self.now)
            if self.state.probe_pending:
                self.finds(result)


def test_the_port_is_probed_before_a_spawn() -> None:
    life = Life()
    assert life.take(StartRequested()) == [Probe(1)]
    assert life.phase == "starting" and not life.state.spawned
    assert life.finds(CLOSED) == [Spawn()]


@pytest.mark.parametrize(
    ("result", "phase", "serves"),
    [
        (PortStatus("ready"), "ready", True),
        (PortStatus("degraded", "its login is not known"), "degraded", True),
        (PortStatus("unhealthy", "not logged in"), "unhealthy", False),
        (PortStatus("closed"), "starting", False),
        (PortStatus("silent"), "starting", False),
        (PortStatus("stranger"), "starting", False),
        (PortStatus("ready", owner="node (pid 9)", is_own_child=False), "starting", False),
        (PortStatus("ready", owner="node (pid 9)", is_own_child=True), "ready", True),
    ],
)
def test_the_response_of_a_starting_child_decides_its_phase(
    result: PortStatus, phase: str, serves: bool
) -> None:
    life = Life().spawned()
    life.passes(LIMITS.startup_probe_interval)
    life.finds(result)
    assert (life.phase, life.state.healthy) == (phase, serves)
    assert life.state.reason == result.detail or not serves


@pytest.mark.parametrize("health", ["ready", "degraded", "unhealthy"])
def test_a_running_proxy_is_adopted_and_replaced_after_its_exit(health: Health) -> None:
    life = Life()
    life.take(StartRequested())
    assert life.finds(PortStatus(health, owner="node (pid 9)")) == []
    assert life.phase == "adopted" and life.state.healthy == (health != "unhealthy")
    assert life.state.port_owner == "node (pid 9)" and life.state.pid is None
    life.passes(LIMITS.probe_interval)
    assert life.finds(CLOSED) == [Spawn()]


@pytest.mark.parametrize("spawn", [True, False])
def test_after_the_exit_of_an_adopted_proxy_nothing_is_sent_before_the_next_probe(spawn: bool) -> None:
    """Another process may have taken it in the same moment."""
    life = Life()
    life.take(StartRequested(spawn=spawn))
    life.finds(PortStatus("ready", owner="node (pid 9)"))
    assert life.take(PortOwnerExited("other (pid 8)")) == []
    (probe,) = life.take(PortOwnerExited("node (pid 9)"))
    assert isinstance(probe, Probe) and (life.phase, life.state.healthy) == ("starting", False)
    life.finds(PortStatus("stranger", "an apache", "apache2 (pid 9)"))
    assert life.phase == "port_taken" and not life.state.healthy


@pytest.mark.parametrize(
    "result",
    [PortStatus("stranger", "a page"), PortStatus("ready", owner="node (pid 9)", is_own_child=False)],
)
def test_a_foreign_response_on_the_port_of_a_child_makes_it_unhealthy_at_once(
    result: PortStatus,
) -> None:
    """Without the grace that silence has; it is stopped if that continues, and healthy when it responds again."""
    life = Life().spawned()
    life.passes(LIMITS.startup_probe_interval)
    life.finds(HEALTHY)
    life.passes(LIMITS.probe_interval)
    assert life.finds(result) == [] and (life.phase, life.state.healthy) == ("unhealthy", False)
    life.passes(LIMITS.probe_interval)
    life.finds(HEALTHY)
    assert (life.phase, life.state.healthy) == ("ready", True)
    life.respond(result, 8)
    assert SignalTerm() in life.done


def test_an_adopted_proxy_is_not_stopped() -> None:
    life = Life()
    life.take(StartRequested())
    life.finds(HEALTHY)
    assert life.take(StopRequested()) == [] and life.phase == "stopped"


def test_an_adopted_proxy_that_hangs_becomes_unhealthy_and_then_port_taken() -> None:
    """It is not stopped: the owner of the port is named, and the port is probed again and again."""
    life = Life()
    life.take(StartRequested())
    life.finds(HEALTHY)
    hangs = PortStatus("silent", "no response", owner="node (pid 9)", next_step="restart it")
    serves = []
    for _ in range(4):
        life.respond(hangs, 1)
        assert life.state.next_step == "restart it"
        serves.append((life.phase, life.state.healthy))
    assert serves[0] == ("adopted", True) and serves[-1] == ("adopted", False)
    life.respond(hangs, 6)
    assert life.phase == "port_taken" and "node (pid 9)" in life.state.reason
    assert Spawn() not in life.done


@pytest.mark.parametrize(
    "result",
    [
        PortStatus("stranger", "an apache", "apache2 (pid 9)"),
        PortStatus("silent", "no response", "apache2 (pid 9)"),
    ],
)
def test_a_stranger_on_the_port_is_named_until_it_leaves(result: PortStatus) -> None:
    life = Life()
    life.take(StartRequested())
    life.finds(result)
    assert life.phase == "port_taken" and "apache2 (pid 9)" in life.state.reason
    life.respond(result, 20)
    assert Spawn() not in life.done
    life.passes(LIMITS.probe_interval)
    assert life.finds(CLOSED) == [Spawn()]


def test_delays_double_up_to_a_minute_and_the_fifth_crash_gives_up() -> None:
    life = Life().spawned()
    delays = []
    for _ in range(50):
        life.take(Exited(1))
        assert life.state.next_try_at is not None and not life.state.healthy
        delays.append((life.phase, life.state.next_try_at - life.now))
        assert life.passes(delays[-1][1] - 0.001) == []
        assert life.passes(0.002) == [Probe(life.state.probe_id)]
        assert life.finds(CLOSED) == [Spawn()]
    assert delays[:5] == [
        ("backing_off", 3.0),
        ("backing_off", 6.0),
        ("backing_off", 12.0),
        ("backing_off", 24.0),
        ("given_up", 60.0),
    ]
    assert set(delays[4:]) == {("given_up", 60.0)} and life.state.restarts == 50


def test_a_minute_of_health_resets_the_crash_count_and_less_does_not() -> None:
    life = Life().spawned()
    for crashes in (1, 2, 3):
        life.take(Exited(1))
        assert life.state.quick_crashes == crashes
        life.passes(60.0)
        life.finds(CLOSED)
    life.respond(HEALTHY, 6)
    assert life.phase == "ready" and life.state.quick_crashes == 3
    life.respond(HEALTHY, 2)
    assert life.state.quick_crashes == 0
    life.take(Exited(-9, "SIGKILL"))
    assert life.state.quick_crashes == 1 and life.state.reason == "killed by SIGKILL"


def test_a_restart_request_ends_given_up_at_once() -> None:
    life = Life().spawned()
    life.take(SpawnFailed("there is no such command"))
    assert life.phase == "given_up" and life.state.reason == "there is no such command"
    assert life.take(RestartRequested()) == [Probe(life.state.probe_id)]
    assert life.finds(CLOSED) == [Spawn()] and life.state.quick_crashes == 0


def test_a_transient_spawn_failure_is_retried_soon() -> None:
    life = Life().spawned()
    life.take(SpawnFailed("too many processes", lasting=False))
    assert life.phase == "backing_off"


def test_a_child_that_is_not_ready_in_time_is_stopped_and_counts_as_a_crash() -> None:
    life = Life().spawned()
    life.respond(CLOSED, 300)
    assert life.now - 1000.0 < LIMITS.ready_timeout and life.phase == "starting"
    life.respond_until(CLOSED, "stopping")
    assert SignalTerm() in life.done and life.now - 1000.0 == pytest.approx(LIMITS.ready_timeout, abs=1)
    assert "not ready within 90 s" in life.state.reason
    life.take(Exited(-15, "SIGTERM"))
    assert life.phase == "backing_off" and life.state.quick_crashes == 1


def test_a_child_that_hangs_becomes_unhealthy_and_is_restarted() -> None:
    life = Life().ready()
    life.respond(PortStatus("degraded", "login unknown", next_step="log in"), 1)
    hangs = PortStatus("silent", "no response within 6 s", next_step="restart it")
    life.respond(hangs, 1)
    assert life.phase == "degraded" and life.state.next_step == "restart it"
    life.respond_until(hangs, "unhealthy")
    assert not life.state.healthy and SignalTerm() not in life.done
    life.respond_until(hangs, "stopping")
    assert SignalTerm() in life.done
    life.take(Exited(0))
    assert life.phase == "backing_off" and "no response for" in life.state.reason


def test_a_late_probe_stops_no_child_that_was_healthy_before() -> None:
    """This process slept, not the child: two misses that are far apart are no hang."""
    life = Life().ready()
    life.respond(PortStatus("silent"), 1)
    life.now += 1000.0
    life.respond(PortStatus("silent"), 2)
    assert life.phase == "unhealthy" and SignalTerm() not in life.done


def test_one_missed_response_has_no_effect() -> None:
    life = Life().ready()
    for _ in range(20):
        life.respond(PortStatus("silent"), 1)
        life.respond(HEALTHY, 1)
    assert life.phase == "ready" and SignalTerm() not in life.done


def test_stop_terminates_then_kills_then_abandons() -> None:
    life = Life().ready()
    assert life.take(StopRequested()) == [SignalTerm()]
    assert life.passes(LIMITS.grace - 0.1) == []
    assert life.passes(0.2) == [SignalKill()]
    assert life.passes(LIMITS.kill_timeout) == [Abandon()]
    assert life.phase == "stopped" and "survived SIGKILL" in life.state.reason and life.wake is None


def test_a_stop_request_wins_over_a_restart_in_progress() -> None:
    life = Life().ready()
    assert life.take(RestartRequested()) == [SignalTerm()]
    assert life.take(StopRequested()) == []
    life.take(Exited(0))
    assert life.phase == "stopped" and life.wake is None


def test_a_restart_starts_no_second_child_before_the_first_is_gone() -> None:
    life = Life().ready()
    life.take(RestartRequested())
    assert life.take(RestartRequested()) == [] and life.done.count(Spawn()) == 1
    life.take(Exited(0))
    assert life.finds(CLOSED) == [Spawn()] and life.state.quick_crashes == 0


def test_without_auto_restart_a_crashed_child_stays_stopped_and_a_proxy_is_adopted() -> None:
    life = Life(replace(LIMITS, auto_restart=False)).ready()
    life.take(Exited(3))
    assert (life.phase, life.state.reason) == ("stopped", "exited with status 3")
    life.respond(CLOSED, 10)
    assert (life.phase, life.state.reason) == ("stopped", "exited with status 3")
    assert life.done.count(Spawn()) == 1
    life.respond(HEALTHY, 2)
    assert life.phase == "adopted"
    life.respond(CLOSED, 2)
    assert life.phase == "stopped" and life.done.count(Spawn()) == 1


def test_without_auto_start_only_a_running_proxy_is_used() -> None:
    life = Life()
    life.take(StartRequested(spawn=False))
    life.finds(CLOSED)
    assert life.phase == "stopped"
    life.respond(HEALTHY, 2)
    assert life.phase == "adopted"
    life.respond(CLOSED, 2)
    life.take(StartRequested())
    assert life.finds(CLOSED) == [Spawn()]


def test_the_result_of_an_earlier_probe_is_ignored() -> None:
    """It was given by a child that is gone."""
    life = Life().spawned()
    life.passes(LIMITS.startup_probe_interval)
    early = life.state.probe_id
    life.take(Exited(1))
    life.take(Probed(HEALTHY, early))
    assert life.phase == "backing_off"


@given(st.integers(0, 10_000), st.floats(0, 1), st.floats(0.001, 60), st.floats(60, 600))
def test_a_delay_is_within_its_bounds(crashes: int, jitter: float, first: float, longest: float) -> None:
    limits = replace(LIMITS, restart_delay=first, max_restart_delay=longest)
    delay = backoff(crashes, limits, jitter)
    assert min(first, longest / 1.25) <= delay <= max(longest, first * 1.25) * 1.000001
    assert backoff(crashes, limits, 0.0) <= backoff(crashes + 1, limits, 0.0)


RESULTS = st.builds(
    PortStatus,
    st.sampled_from(get_args(Health)),
    st.just("words"),
    st.sampled_from([None, "node (pid 9)"]),
    st.sampled_from([None, True, False]),
)
EVENTS = st.one_of(
    st.sampled_from(
        [StartRequested(), StartRequested(spawn=False), StopRequested(), RestartRequested(), Tick()]
    ),
    st.builds(Exited, st.sampled_from([None, 0, 1, -9])),
    st.builds(SpawnFailed, st.just("no"), st.booleans()),
    st.builds(Started, st.integers(1, 9)),
    st.builds(PortOwnerExited, st.sampled_from(["node (pid 9)", "other (pid 8)"])),
    RESULTS,
    st.floats(0, 100),
)


def play(life: Life, events: list[object]) -> None:
    """Whatever happens, but as the world is: only a child that is there ends."""
    for event in events:
        there = life.state.spawned
        if isinstance(event, float):
            life.now += event
            life.take(Tick())
        elif isinstance(event, PortStatus):
            life.finds(event)
        elif there or not isinstance(event, Exited | SpawnFailed | Started):
            life.take(event)  # type: ignore[arg-type]  # the strategy gives nothing but events
        spawns = life.done.count(Spawn())
        life.done.clear()
        if there and isinstance(
            event, StartRequested | StopRequested | RestartRequested | PortStatus | Started
        ):
            assert spawns == 0, "never a second child"
        assert spawns <= 1
        assert life.state.spawned or life.state.pid is None


@given(st.lists(EVENTS, max_size=60))
def test_there_are_never_two_children_and_a_desired_one_always_has_a_next_event(events: list[object]) -> None:
    """While a child is desired, a probe or a deadline is always pending: it cannot fall asleep."""
    life = Life()
    play(life, events)
    if life.state.desired != "stopped":
        assert life.state.probe_pending or life.wake is not None
    if life.state.healthy:
        assert life.phase in ("ready", "degraded", "adopted")


def test_a_child_that_could_not_be_started_is_not_healthy_whatever_a_probe_found() -> None:
    life = Life()
    play(
        life,
        [StartRequested(spawn=True), CLOSED, 1.0, PortStatus("ready", "words"), SpawnFailed("no", False)],
    )
    assert life.phase == "backing_off" and not life.state.healthy


@given(st.lists(EVENTS, max_size=60), st.lists(RESULTS | st.floats(0, 100), max_size=30))
def test_a_stop_request_is_always_fulfilled(events: list[object], later: list[object]) -> None:
    """Also if no event of the child ever follows."""
    life = Life()
    play(life, events)
    begun = life.now
    life.take(StopRequested())
    play(life, later)
    life.passes(max(begun + LIMITS.grace + LIMITS.kill_timeout + 0.001 - life.now, 0))
    while life.phase != "stopped" and life.wake is not None:  # steps that were late took their time
        life.passes(life.wake - life.now)
    assert life.phase == "stopped" and not life.state.spawned and life.wake is None


def test_the_next_step_of_a_probe_is_kept_only_while_a_probe_explains_the_phase() -> None:
    life = Life()
    life.take(StartRequested())
    life.finds(PortStatus("unhealthy", "not logged in", "proxy (pid 7)", next_step="log in"))
    assert (life.state.phase, life.state.next_step) == ("adopted", "log in")
    life.passes(LIMITS.probe_interval)
    life.finds(PortStatus("stranger", "another program", "nginx (pid 8)", next_step="stop it"))
    assert (life.state.phase, life.state.next_step) == ("port_taken", "stop it")
    life.passes(LIMITS.probe_interval)
    life.finds(CLOSED)
    assert (life.state.phase, life.state.next_step) == ("starting", "")
