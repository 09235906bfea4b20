"""Commands act on the gateway of their state folder, and on no other process."""

from __future__ import annotations

import re

from tests.cli.gateway_home import Home


def test_a_holder_that_cannot_be_seen_is_not_signalled(home: Home) -> None:
    """As in another container with the same folder: its number means somebody else here, or nobody."""
    home.gateway("start")
    found = home.running()
    lock = home.state / "clawgate" / "gateway.lock"
    text = lock.read_text()
    lock.write_text(re.sub(r"pid:\[\d+\]", "pid:[1]", text))
    try:
        for verb in ("stop", "restart"):
            refused = home.gateway(verb)
            assert refused.returncode == 1 and "is not visible from here" in refused.stderr
    finally:
        lock.write_text(text)  # so that it is found and ended
    assert home.running() == found
