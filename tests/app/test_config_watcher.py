"""A changed config counts for the next request; one that cannot be used changes nothing."""

from __future__ import annotations

import hashlib
import logging
from pathlib import Path
from typing import Any

import pytest

from clawgate.policy.cross_origin import LOOPBACK_NAMES
from clawgate.processes.instance.run_records import ConfigReport, read_report
from tests.peers import faults
from tests.peers.upstream import FakeUpstream
from tests.private_file import write_private
from tests.routing.gateway_server import (
    CLIENT_TOKEN,
    KEY,
    GatewayStand,
    config_of,
    provider,
    question,
    serving_gateway,
    write,
)

GOOD = faults.json_response({"next": "fine"})
OTHER_TOKEN = "gt-another-Wm4yRb8TqLz6Hd1s"
NOWHERE = "http://127.0.0.1:9"


def auth(**more: Any) -> dict[str, Any]:
    return {"auth": {"mode": "token", "token": CLIENT_TOKEN, **more}}


async def test_a_changed_token_counts_for_the_next_request(tmp_path: Path) -> None:
    """Also on a connection that is open, and the old one is good for nothing."""
    async with FakeUpstream(GOOD) as upstream:
        blocks = {"x": provider(upstream.url)}
        async with serving_gateway(tmp_path, config_of(blocks)) as stand, await stand.client() as client:
            assert (await stand.ask(question("x/m"), client=client)).status == 200
            stand.rewrite(config_of(blocks, gateway=auth(token=OTHER_TOKEN)))
            assert (await stand.ask(question("x/m"), client=client)).status == 401
            assert (await stand.ask(question("x/m"), client=client, token=OTHER_TOKEN)).status == 200
            assert OTHER_TOKEN in stand.learned and KEY in stand.learned


def look(stand: GatewayStand, times: int = 2) -> None:
    """The gateway looks at its files; at one that cannot be read twice, before it acts on that."""
    for _ in range(times):
        for _, chore in stand.role.periodic_tasks:
            chore()


def errors(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [one.getMessage() for one in caplog.records if one.levelno == logging.ERROR]


@pytest.mark.parametrize(
    "change",
    [
        {"models": {"providers": {"x": {"api": 5}}}, "gateway": {"port": "x"}},
        {"gateway": {"port": "x"}},
        {"gateway": {"bind": "nowhere"}},
        {"gateway": {"htttp": {}}},
        {"agents": {"defaults": {"model": 5}}},
        {"plugins": {"entries": []}},
        {"pluginss": {}},
        {"plugins": {"entries": {"clawgate": {"config": {"maxUpstreamConnections": 0}}}}},
        {"plugins": {"entries": {"clawgate": {"config": {"agents": {"defaults": {"maxTurns": 0}}}}}}},
        {"plugins": {"entries": {"clawgate": {"config": {"database": "mysql://127.0.0.1/x"}}}}},
        {"plugins": {"entries": {"clawgate": {"config": {"maxTurnss": 1}}}}},
    ],
    ids=str,
)
async def test_an_invalid_config_changes_nothing_but_credentials(
    change: dict[str, Any], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """It is logged once, and counts again once it is fixed."""
    caplog.set_level(logging.INFO, "clawgate.gateway")
    async with FakeUpstream(GOOD) as upstream:
        config = config_of({"x": provider(upstream.url)})
        async with serving_gateway(tmp_path, config) as stand:
            write(stand.config, merged(config, change))
            look(stand, 4)
            assert (await stand.ask(question("x/m"))).status == 200
            (error,) = errors(caplog)
            assert "the running settings stay" in error and "revokes (none)" in error
            stand.rewrite(config | {"models": {"mode": "replace", "providers": {}}})
            assert (await stand.ask(question("x/m"))).status == 404


async def test_a_change_without_a_name_in_the_log_is_not_called_unused(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "clawgate.gateway")
    config = config_of({})
    async with serving_gateway(tmp_path, config) as stand:
        for change in (
            {"trustedProxies": ["127.0.0.1"]},
            {"controlUi": {"allowedOrigins": ["https://a.example"]}},
        ):
            stand.rewrite(merged(config, {"gateway": change}))
            assert caplog.messages[-1] == "[reload] config change applied", change
        stand.rewrite(merged(config, {"gateway": {"auth": {"token": OTHER_TOKEN}}}))
        assert caplog.messages[-1] == "[reload] config change applied: gateway.auth"


async def test_a_provider_that_cannot_be_used_is_the_only_one_that_is_not(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """At a reload as at the start; the rest of the changed file counts, and so does its correction."""
    caplog.set_level(logging.INFO, "clawgate.gateway")
    async with FakeUpstream(GOOD) as upstream:
        config = config_of({"x": provider(upstream.url), "y": provider(upstream.url)})
        async with serving_gateway(tmp_path, config) as stand:
            for wrong in ({"baseUrl": "no url"}, {"apiKey": "two words"}, {"models": [{"id": 7}]}):
                write(stand.config, merged(config, {"models": {"providers": {"x": wrong}}}))
                look(stand, 2)
                response = await stand.ask(question("x/m"))
                message = response.json()["error"]["message"]
                assert response.status == 503 and f"models.providers.x.{next(iter(wrong))}" in message
                assert "two words" not in message and (await stand.ask(question("y/m"))).status == 200
            assert errors(caplog) == []
            stand.rewrite(config)
            assert (await stand.ask(question("x/m"))).status == 200


def merged(one: dict[str, Any], other: dict[str, Any]) -> dict[str, Any]:
    """``one`` with what ``other`` has beside or instead."""
    result = dict(one)
    for key, value in other.items():
        old = result.get(key)
        result[key] = merged(old, value) if isinstance(old, dict) and isinstance(value, dict) else value
    return result


BROKEN = {"agents": {"defaults": {"model": 5}}}
"""What makes a config unusable and concerns none of its credentials."""


@pytest.mark.parametrize(
    "gateway",
    [
        {},
        {"auth": {}},
        {"auth": {"mode": "token"}},
        {"auth": {"mode": "password", "token": CLIENT_TOKEN}},
        {"auth": {"mode": "tokn", "token": CLIENT_TOKEN}},
        {"auth": {"token": CLIENT_TOKEN, "password": OTHER_TOKEN}},
        {"auth": {"mode": "trusted-proxy", "token": CLIENT_TOKEN}},
        {"auth": {"mode": "token", "tokens": CLIENT_TOKEN}},
        {"auth": {"mode": "token", "token": "${GONE}"}},
        {"auth": {"mode": "token", "token": 5}},
        {"auth": {"mode": "token", "token": ""}},
        {"auth": {"mode": "token", "token": "***"}},
        {"auth": {"mode": "token", "token": {"source": "exec", "provider": "p", "id": "x"}}},
        {"auth": {"mode": "token", "token": CLIENT_TOKEN, "$include": "more.json"}},
        {"auth": [], "port": 0},
        {"$include": "gateway.json5"},
        [],
        None,
    ],
    ids=str,
)
@pytest.mark.parametrize("more", [{}, BROKEN], ids=["alone", "with-other-problems"])
async def test_a_token_that_the_file_does_not_grant_any_more_is_revoked(
    gateway: object, more: dict[str, Any], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Whatever is wrong with the file, and on connections that are open."""
    async with FakeUpstream(GOOD) as upstream:
        config = config_of({"x": provider(upstream.url)})
        async with serving_gateway(tmp_path, config) as stand, await stand.client() as client:
            assert (await stand.ask(question("x/m"), client=client)).status == 200
            write(stand.config, merged(config, more) | {"gateway": gateway})
            look(stand, 1)
            assert (await stand.ask(question("x/m"), client=client)).status == 401
            assert (await stand.ask(question("x/m"), token=None)).status == 401
            assert "no caller is admitted" in errors(caplog)[0]
            stand.rewrite(config)
            assert (await stand.ask(question("x/m"), client=client)).status == 200
            assert len(upstream.requests) == 2


@pytest.mark.parametrize("auth", [{"mode": "token", "token": OTHER_TOKEN}, {"password": OTHER_TOKEN}])
async def test_a_token_that_is_replaced_in_an_unusable_file_is_replaced(
    auth: dict[str, Any], tmp_path: Path
) -> None:
    async with FakeUpstream(GOOD) as upstream:
        config = config_of({"x": provider(upstream.url)})
        async with serving_gateway(tmp_path, config) as stand:
            write(stand.config, merged(config, BROKEN) | {"gateway": {"port": 0, "auth": auth}})
            look(stand, 1)
            assert (await stand.ask(question("x/m"))).status == 401
            assert (await stand.ask(question("x/m"), token=OTHER_TOKEN)).status == 200
            assert OTHER_TOKEN in stand.learned


UNREADABLE = ["{", "[]", "", " ", "null", "\0\0", '{"gateway": {"auth": {"token": "', "text", None]
"""Of none of these is known what it grants; None is a file that is gone."""


def make_unreadable(path: Path, content: str | None) -> None:
    if content is None:
        path.unlink()
    else:
        write(path, content)


@pytest.mark.parametrize("content", UNREADABLE)
async def test_a_config_that_cannot_be_read_admits_no_caller(
    content: str | None, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """At the second look: an editor may be writing it."""
    async with FakeUpstream(GOOD) as upstream:
        config = config_of({"x": provider(upstream.url)})
        async with serving_gateway(tmp_path, config) as stand:
            make_unreadable(stand.config, content)
            look(stand, 1)
            assert (await stand.ask(question("x/m"))).status == 200
            look(stand, 3)
            assert (await stand.ask(question("x/m"))).status == 503
            (error,) = errors(caplog)
            assert "no caller is admitted" in error
            stand.rewrite(config)
            assert (await stand.ask(question("x/m"))).status == 200


@pytest.mark.parametrize("content", UNREADABLE)
async def test_an_open_gateway_is_closed_by_a_config_that_cannot_be_read(
    content: str | None, tmp_path: Path
) -> None:
    """Whether it was meant to stay open cannot be known."""
    async with FakeUpstream(GOOD) as upstream:
        config = config_of({"x": provider(upstream.url)}, gateway={"auth": {"mode": "none"}})
        async with serving_gateway(tmp_path, config) as stand:
            assert (await stand.ask(question("x/m"), token=None)).status == 200
            make_unreadable(stand.config, content)
            look(stand)
            assert (await stand.ask(question("x/m"), token=None)).status == 503


@pytest.mark.parametrize("content", UNREADABLE)
async def test_a_token_of_the_environment_outlives_the_file_and_its_providers_do_not(
    content: str | None, tmp_path: Path
) -> None:
    """It wins over the file, so the file cannot revoke it; the file's keys are not sent meanwhile."""
    async with FakeUpstream(GOOD) as upstream:
        local = provider(upstream.url) | {"apiKey": None}
        del local["apiKey"]
        config = config_of({"x": provider(upstream.url), "keyless": local})
        environment = {"OPENCLAW_GATEWAY_TOKEN": OTHER_TOKEN}
        async with serving_gateway(tmp_path, config, environment=environment) as stand:
            make_unreadable(stand.config, content)
            look(stand)
            assert (await stand.ask(question("x/m"))).status == 401
            response = await stand.ask(question("x/m"), token=OTHER_TOKEN)
            assert response.status == 503
            assert "its credential was changed or removed" in response.json()["error"]["message"]
            assert (await stand.ask(question("keyless/m"), token=OTHER_TOKEN)).status == 200
            assert len(upstream.requests) == 1


@pytest.mark.parametrize("name", [".env", "named.env"])
@pytest.mark.parametrize("content", [b"", f"SOME_TOKEN={CLIENT_TOKEN}\n".encode(), b"\xff\xff", None])
async def test_a_variable_that_is_gone_revokes_its_token(
    name: str, content: bytes | None, tmp_path: Path
) -> None:
    """In ``.env`` of the state folder and in the file of --env-file; also if that cannot be read any more."""
    variables = tmp_path / name
    write_private(variables, f"SOME_TOKEN={OTHER_TOKEN}\n")
    env_file = None if name == ".env" else str(variables)
    config = config_of({"x": provider(NOWHERE)}, gateway=auth(token="${SOME_TOKEN}"))

    def change(content: bytes | None) -> None:
        if content is None:
            variables.unlink()
        else:
            write_private(variables, content)

    async def status(stand: GatewayStand) -> int:
        return (await stand.ask(None, token=OTHER_TOKEN, target="/v1/models")).status

    async with serving_gateway(tmp_path, config, env_file=env_file) as stand:
        assert await status(stand) == 200
        change(content)
        look(stand)
        is_unreadable = content == b"\xff\xff" or (content is None and env_file is not None)
        assert await status(stand) == (503 if is_unreadable else 401)
        change(f"SOME_TOKEN={OTHER_TOKEN}\n".encode())
        look(stand)
        assert await status(stand) == 200


@pytest.mark.parametrize("name", [".env", "named.env"])
async def test_variables_that_others_can_read_admit_no_caller_until_they_cannot(
    name: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """As a tokens file: its mode is a change, and is logged."""
    variables = write_private(tmp_path / name, f"SOME_TOKEN={OTHER_TOKEN}\n")
    config = config_of({"x": provider(NOWHERE)}, gateway=auth(token="${SOME_TOKEN}"))
    env_file = None if name == ".env" else str(variables)
    async with serving_gateway(tmp_path, config, env_file=env_file) as stand:
        for mode, status in ((0o644, 503), (0o600, 200)):
            variables.chmod(mode)
            look(stand)
            response = await stand.ask(None, token=OTHER_TOKEN, target="/v1/models")
            assert response.status == status
    assert (
        f"{variables}: other users have access to it (mode 0644); run: chmod 600 {variables}" in caplog.text
    )


@pytest.mark.parametrize(
    ("block", "says"),
    [
        (None, "its credential was changed or removed"),
        ({"apiKey": "***"}, "its credential was changed or removed"),
        ({"apiKey": "${GONE_KEY}"}, "GONE_KEY"),
        ({"apiKey": 5}, "its credential was changed or removed"),
        ([], "its credential was changed or removed"),
        ({"apiKey": "pk-NEWSECRET-Gw2kYt7Vb9Qz", "api": 5}, "its credential was changed or removed"),
    ],
    ids=str,
)
async def test_a_key_that_an_unusable_file_takes_away_is_not_sent_any_more(
    block: Any, says: str, tmp_path: Path
) -> None:
    """Also where the block itself is what cannot be used."""
    async with FakeUpstream(GOOD) as upstream:
        blocks = {"x": provider(upstream.url), "y": provider(upstream.url, name="y")}
        config = config_of(blocks)
        async with serving_gateway(tmp_path, config) as stand:
            changed = {name: dict(one) for name, one in blocks.items()}
            if isinstance(block, dict):
                changed["x"] |= block
            elif block is None:
                del changed["x"]
            else:
                changed["x"] = block
            write(stand.config, merged(config_of(changed), BROKEN))
            look(stand, 1)
            response = await stand.ask(question("x/m"))
            assert response.status == 503 and says in response.json()["error"]["message"]
            assert (await stand.ask(question("y/m"))).status == 200
            stand.rewrite(config)
            assert (await stand.ask(question("x/m"))).status == 200


async def test_a_key_that_an_unusable_file_replaces_is_replaced(tmp_path: Path) -> None:
    async with FakeUpstream(GOOD) as upstream:
        config = config_of({"x": provider(upstream.url)})
        async with serving_gateway(tmp_path, config) as stand:
            changed = config_of({"x": provider(upstream.url, name="-new")})
            write(stand.config, merged(changed, BROKEN))
            look(stand, 1)
            assert (await stand.ask(question("x/m"))).status == 200
            assert upstream.requests[-1].header("authorization") == f"Bearer {KEY}-new"
            assert f"{KEY}-new" in stand.learned


@pytest.mark.parametrize("weak", [{"mode": "none"}, {"mode": "token", "token": "short-1"}])
async def test_a_listener_that_others_reach_is_not_opened_by_a_change(
    weak: dict[str, Any], tmp_path: Path
) -> None:
    """Not even if the same change says loopback: the listener moves at a restart only."""
    config = config_of({"x": provider(NOWHERE)}, gateway={"bind": "lan"})
    async with serving_gateway(tmp_path, config) as stand:
        write(stand.config, config_of({"x": provider(NOWHERE)}, gateway={"bind": "loopback", "auth": weak}))
        look(stand, 1)
        for token in (None, CLIENT_TOKEN, "short-1"):
            assert (await stand.ask(None, token=token, target="/v1/models")).status == 401


async def test_a_failure_while_the_config_is_read_admits_no_caller(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with serving_gateway(tmp_path, config_of({"x": provider(NOWHERE)})) as stand:
        monkeypatch.setattr("clawgate.app.config_watcher.read_partly", lambda *_: 1 / 0)
        write(stand.config, config_of({"x": provider(NOWHERE)}))
        look(stand, 1)
        assert (await stand.ask(None, target="/v1/models")).status == 503
        monkeypatch.undo()
        stand.rewrite(config_of({"x": provider(NOWHERE)}))
        assert (await stand.ask(None, target="/v1/models")).status == 200


async def test_what_became_of_a_change_is_reported(tmp_path: Path) -> None:
    """For the command that made it: by the digest of the file, and for this run of the gateway alone."""
    folder = tmp_path / "clawgate"
    folder.mkdir()

    def report(stand: GatewayStand) -> ConfigReport:
        found = read_report(folder, "test-instance")
        assert found is not None and read_report(folder, "another") is None
        assert found.digest == hashlib.sha256(stand.config.read_bytes()).hexdigest()
        return found

    environment = {"OPENCLAW_GATEWAY_TOKEN": OTHER_TOKEN}
    config = config_of({"x": provider(NOWHERE)})
    async with serving_gateway(tmp_path, config, environment=environment) as stand:
        first = report(stand)
        assert first.used and first.admits_callers and not first.problems
        assert first.given_elsewhere == {"gateway.auth.token": "environment variable OPENCLAW_GATEWAY_TOKEN"}
        for _ in range(2):
            stand.rewrite(merged(config, {"gateway": {"port": 4711}, "x": {}}))
            assert report(stand).needs_restart == ("gateway.port",)
            stand.rewrite(merged(config, {"gateway": {"port": 4711}, "y": {}}))
            assert report(stand).needs_restart == ("gateway.port",), "it is still to be applied"
        own = {"plugins": {"entries": {"clawgate": {"config": {"database": "/srv/other.db"}}}}}
        stand.rewrite(merged(config, own))
        assert report(stand).needs_restart == ("plugins.entries.clawgate.config.database",)
        stand.rewrite(merged(config, {"gateway": {"auth": {"mode": "password"}}}))
        last = report(stand)
        assert not last.used and not last.admits_callers
        assert "gateway.auth.password" in last.problems[0]


async def test_a_change_is_logged_and_one_that_needs_a_restart_too(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """By the names of what changed, never with a value."""
    caplog.set_level(logging.INFO, "clawgate.gateway")
    async with serving_gateway(tmp_path, config_of({"x": provider(NOWHERE)})) as stand:
        stand.rewrite(config_of({"y": provider(NOWHERE)}, gateway={"port": 4712, **auth(token=OTHER_TOKEN)}))
    logged = "\n".join(record.getMessage() for record in caplog.records)
    assert "providers x, y; gateway.auth" in logged and "restart the gateway to apply that" in logged
    assert KEY not in logged and OTHER_TOKEN not in logged and CLIENT_TOKEN not in logged


async def test_a_variable_that_is_set_later_counts_without_a_restart(tmp_path: Path) -> None:
    """In `.env` of the state folder, where the wizard says to put it; the config file itself stays as it is."""
    async with FakeUpstream(GOOD) as upstream:
        config = config_of({"x": provider(upstream.url) | {"apiKey": "${LATER_KEY}"}})
        async with serving_gateway(tmp_path, config) as stand:
            assert (await stand.ask(question("x/m"))).status == 503
            write_private(tmp_path / ".env", f"LATER_KEY={KEY}\n")
            for _, chore in stand.role.periodic_tasks:
                chore()
            assert (await stand.ask(question("x/m"))).status == 200


async def test_a_rewritten_file_with_the_same_content_is_no_change(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "clawgate.gateway")
    config = config_of({"x": provider(NOWHERE)})
    async with serving_gateway(tmp_path, config) as stand:
        kept = stand.upstream("x")
        stand.rewrite(config)
        assert stand.upstream("x") is kept
    assert "[reload]" not in "".join(record.getMessage() for record in caplog.records)


async def test_missing_settings_are_logged_at_start(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "clawgate.gateway")
    config = config_of({"x": {"api": "openai-completions"}}, primary="x/m", fallbacks=("gone/n",))
    async with serving_gateway(tmp_path, config):
        pass
    logged = [record.getMessage() for record in caplog.records]
    assert any("the provider 'x' is not ready: its address is not set" in text for text in logged)
    assert any("there is no provider 'gone'" in text for text in logged)
    assert any(text.startswith("default model: x/m, fallbacks: gone/n") for text in logged)


async def test_allowed_hosts_and_origins_count_from_the_next_request_on(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Those of OpenClaw's keys, too; what is no origin there is warned about and lets nobody in."""
    app = ("Origin", "https://app.example.com")
    async with FakeUpstream(GOOD) as upstream:
        blocks = {"x": provider(upstream.url)}
        plain = config_of(blocks)
        async with serving_gateway(tmp_path, plain) as stand, await stand.client() as client:

            async def status(*more: tuple[str, str]) -> int:
                return (await stand.ask(question("x/m"), *more, client=client)).status

            assert await status(app) == 403
            stand.rewrite(
                config_of(blocks, gateway={"controlUi": {"allowedOrigins": ["https://App.example.com/"]}})
            )
            assert await status(app) == 200
            assert stand.role.connections.admission.browser.hosts == LOOPBACK_NAMES | {b"app.example.com"}
            stand.rewrite(config_of(blocks, gateway={"publicOrigin": "https://app.example.com/gw"}))
            assert await status(app) == 200
            stand.rewrite(config_of(blocks, gateway={"controlUi": {"allowedOrigins": ["*", "x"]}}))
            assert await status(app) == 403
            assert "gateway.controlUi.allowedOrigins: '*' is not the origin of a page" in caplog.text
            stand.rewrite(
                plain | {"plugins": {"entries": {"clawgate": {"config": {"allowHost": ["gw.lan"]}}}}}
            )
            assert stand.role.connections.admission.browser.hosts == LOOPBACK_NAMES | {b"gw.lan"}
            stand.rewrite(plain)
            assert await status() == 200 and stand.role.connections.admission.browser.hosts == LOOPBACK_NAMES
