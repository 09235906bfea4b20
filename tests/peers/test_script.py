"""Scripts are plain data: they can be built, compared and printed without a socket or a loop."""

from __future__ import annotations

import asyncio
import dataclasses
from typing import get_args

import pytest

from tests.peers import script as steps
from tests.peers.script import Close, Drip, Hold, Send, SetEvent, Step, Trickle, Wait

EVERY = get_args(Step)


def test_every_step_is_a_step() -> None:
    """One that is written and left out of `Step` would be performed by nobody."""
    written = {kind for kind in vars(steps).values() if dataclasses.is_dataclass(kind)}
    assert written == set(EVERY)


@pytest.mark.parametrize("kind", EVERY)
def test_a_step_says_what_it_does_and_cannot_be_changed(kind: type) -> None:
    assert kind.__doc__ and not kind.__doc__.startswith(f"{kind.__name__}(")
    values = [
        {"data": b"", "pause": 0.0, "until": 0.0, "event": None}.get(f.name, 1)
        for f in dataclasses.fields(kind)
    ]
    step = kind(*values)
    assert step == kind(*values) and hash(step) == hash(kind(*values))
    for name in ("data", "anything"):
        with pytest.raises((AttributeError, TypeError)):
            setattr(step, name, b"other")


def test_scripts_compare_by_what_they_do() -> None:
    assert (Send(b"a"), Close()) == (Send(b"a"), Close()) != (Send(b"b"), Close())
    assert repr((Drip(b"ab", 2), Hold())) == "(Drip(data=b'ab', size=2, pause=0.0), Hold())"
    assert Trickle(b"a", 0.1).times is None


def test_events_are_told_apart_by_who_they_are() -> None:
    one, two = asyncio.Event(), asyncio.Event()
    assert Wait(one) == Wait(one) != Wait(two) and SetEvent(one) != SetEvent(two)
