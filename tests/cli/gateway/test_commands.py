"""``clawgate gateway`` has its commands, and one gateway runs for each state folder."""

from __future__ import annotations

from tests.cli.gateway_home import Home


def test_a_second_one_in_the_foreground_is_refused(home: Home) -> None:
    home.gateway("start")
    first = home.running()
    second = home.gateway("run")
    assert second.returncode == 78 and f"(pid {first.pid} at {first.url}, since " in second.stderr
    assert home.running() == first


def test_help_names_every_command(home: Home) -> None:
    found = home.gateway("--help")
    for name in ("run", "start", "stop", "restart", "status", "health", "token", "install", "uninstall"):
        assert f"\n  {name} " in found.stdout
