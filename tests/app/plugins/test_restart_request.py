"""A command requests a restart of one run of the gateway, and no other acts on it."""

from __future__ import annotations

import os
from pathlib import Path

from clawgate.app.plugins.restart_request import (
    clear_restart,
    request_restart,
    restart_requested,
    withdraw_restart,
)


def test_a_request_is_seen_by_its_instance_alone_until_it_is_cleared(tmp_path: Path) -> None:
    assert not restart_requested(tmp_path, "one")
    request_restart(tmp_path, "one")
    assert restart_requested(tmp_path, "one") and not restart_requested(tmp_path, "two")
    clear_restart(tmp_path)
    clear_restart(tmp_path)
    assert not restart_requested(tmp_path, "one")


def test_a_request_is_for_its_owner_alone(tmp_path: Path) -> None:
    request_restart(tmp_path, "one")
    (file,) = tmp_path.iterdir()
    assert file.stat().st_mode & 0o777 == 0o600


def test_who_waits_no_longer_withdraws_its_own_request_and_no_other(tmp_path: Path) -> None:
    request = request_restart(tmp_path, "one")
    (file,) = tmp_path.iterdir()
    os.utime(file, ns=(0, request + 1))  # the request of another command
    withdraw_restart(tmp_path, request)
    assert restart_requested(tmp_path, "one")
    withdraw_restart(tmp_path, request + 1)
    withdraw_restart(tmp_path, request + 1)
    assert not file.exists()
