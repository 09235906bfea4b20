"""A changed config counts for the next request; one that cannot be used changes nothing."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import pytest

from clawgate.testing.http import faults
from clawgate.testing.http.upstream import FakeUpstream
from tests.e2e.stand import run
from tests.routing.gateway_server import (
    CLIENT_TOKEN,
    KEY,
    config_of,
    provider,
    question,
    serving_gateway,
    write,
)

GOOD = faults.json_answer({"next": "fine"})
OTHER_TOKEN = "gt-another-Wm4yRb8TqLz6Hd1s"
NOWHERE = "http://127.0.0.1:9"


def auth(**more: Any) -> dict[str, Any]:
    return {"auth": {"mode": "token", "token": CLIENT_TOKEN, **more}}


def test_a_changed_token_counts_for_the_next_request(tmp_path: Path) -> None:
    """Also on a connection that is open, and the old one is good for nothing."""

    async def work() -> None:
        async with FakeUpstream(GOOD) as upstream:
            blocks = {"x": provider(upstream.url)}
            async with serving_gateway(tmp_path, config_of(blocks)) as stand, await stand.client() as client:
                assert (await stand.ask(question("x/m"), client=client)).status == 200
                stand.rewrite(config_of(blocks, gateway=auth(token=OTHER_TOKEN)))
                assert (await stand.ask(question("x/m"), client=client)).status == 401
                assert (await stand.ask(question("x/m"), client=client, token=OTHER_TOKEN)).status == 200
                assert OTHER_TOKEN in stand.learned and KEY in stand.learned

    run(work())


@pytest.mark.parametrize(
    "broken", ["{", "[]", '{"gateway": {"port": "x"}}', '{"gateway": {"auth": {"mode": "token"}}}', ""]
)
def test_an_invalid_config_changes_nothing(
    broken: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """It is logged once, and counts again once it is fixed."""
    caplog.set_level(logging.INFO, "clawgate.gateway")

    async def work() -> None:
        async with FakeUpstream(GOOD) as upstream:
            config = config_of({"x": provider(upstream.url)})
            async with serving_gateway(tmp_path, config) as stand:
                write(stand.config, broken)
                for _ in range(3):
                    for _, chore in stand.role.periodic_tasks:
                        chore()
                assert (await stand.ask(question("x/m"))).status == 200
                logged = [one.getMessage() for one in caplog.records if one.levelno == logging.ERROR]
                assert len(logged) == 1 and "the running settings stay" in logged[0]
                stand.rewrite(config | {"models": {"mode": "replace", "providers": {}}})
                assert (await stand.ask(question("x/m"))).status == 404

    run(work())


def test_a_missing_config_changes_nothing(tmp_path: Path) -> None:
    """An editor may take it away for a moment."""

    async def work() -> None:
        async with FakeUpstream(GOOD) as upstream:
            config = config_of({"x": provider(upstream.url)})
            async with serving_gateway(tmp_path, config) as stand:
                stand.config.unlink()
                for _, chore in stand.role.periodic_tasks:
                    chore()
                assert (await stand.ask(question("x/m"))).status == 200

    run(work())


def test_a_change_is_logged_and_one_that_needs_a_restart_too(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """By the names of what changed, never with a value."""
    caplog.set_level(logging.INFO, "clawgate.gateway")

    async def work() -> None:
        async with serving_gateway(tmp_path, config_of({"x": provider(NOWHERE)})) as stand:
            stand.rewrite(
                config_of({"y": provider(NOWHERE)}, gateway={"port": 4712, **auth(token=OTHER_TOKEN)})
            )

    run(work())
    logged = "\n".join(record.getMessage() for record in caplog.records)
    assert "providers x, y; gateway.auth" in logged and "restart the gateway to apply that" in logged
    assert KEY not in logged and OTHER_TOKEN not in logged and CLIENT_TOKEN not in logged


def test_a_variable_that_is_set_later_counts_without_a_restart(tmp_path: Path) -> None:
    """In `.env` of the state folder, where the wizard says to put it; the config file itself stays as it is."""

    async def work() -> None:
        async with FakeUpstream(GOOD) as upstream:
            config = config_of({"x": provider(upstream.url) | {"apiKey": "${LATER_KEY}"}})
            async with serving_gateway(tmp_path, config) as stand:
                assert (await stand.ask(question("x/m"))).status == 503
                (tmp_path / ".env").write_text(f"LATER_KEY={KEY}\n")
                for _, chore in stand.role.periodic_tasks:
                    chore()
                assert (await stand.ask(question("x/m"))).status == 200

    run(work())


def test_a_rewritten_file_with_the_same_content_is_no_change(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "clawgate.gateway")

    async def work() -> None:
        config = config_of({"x": provider(NOWHERE)})
        async with serving_gateway(tmp_path, config) as stand:
            kept = stand.upstream("x")
            stand.rewrite(config)
            assert stand.upstream("x") is kept

    run(work())
    assert "[reload]" not in "".join(record.getMessage() for record in caplog.records)


def test_missing_settings_are_logged_at_start(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "clawgate.gateway")

    async def work() -> None:
        config = config_of({"x": {"api": "openai-completions"}}, primary="x/m", fallbacks=("gone/n",))
        async with serving_gateway(tmp_path, config):
            pass

    run(work())
    logged = [record.getMessage() for record in caplog.records]
    assert any("the provider 'x' is not ready: its address is not set" in text for text in logged)
    assert any("there is no provider 'gone'" in text for text in logged)
    assert any(text.startswith("default model: x/m, fallbacks: gone/n") for text in logged)
