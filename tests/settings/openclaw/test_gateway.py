"""Where the gateway listens and who may come in: flags before environment before file, never everybody by accident."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from clawgate.settings.openclaw.config_file import ConfigFile, read_config
from clawgate.settings.openclaw.gateway import (
    GatewayFlags,
    GatewaySettings,
    caller_secret,
    gateway_settings,
    lacks_token,
    listens_at,
    report_notes,
    serving_notes,
)
from clawgate.settings.problems import SettingsInvalid

TOKEN, PASSWORD, THIRD = "tok-Zk3vN8pQ1rXwLm", "pw-Wm4yRb8TqLz6Hd", "third-Kd5WmR7yLpN3vQ"
SHORT = "Zk3vN8p"


def settings(
    folder: Path,
    gateway: Mapping[str, Any] | None = None,
    *,
    env: Mapping[str, str] | None = None,
    **flags: Any,
) -> GatewaySettings:
    """Of a file with this ``gateway`` block, by default with a token."""
    block = {"auth": {"token": TOKEN}} if gateway is None else gateway
    return gateway_settings(config_file(folder, block, env), GatewayFlags(**flags))


def config_file(
    folder: Path, gateway: Mapping[str, Any], env: Mapping[str, str] | None = None, **blocks: Any
) -> ConfigFile:
    path = folder / "openclaw.json"
    path.touch(0o600)
    path.write_text(json.dumps({"gateway": gateway, **blocks}))
    environment = {"HOME": str(folder), "OPENCLAW_STATE_DIR": str(folder), **(env or {})}
    return read_config(path, environment, required=True)


def problems(folder: Path, gateway: Mapping[str, Any] | None = None, **more: Any) -> list[str]:
    with pytest.raises(SettingsInvalid) as caught:
        settings(folder, gateway, **more)
    return [str(problem) for problem in caught.value.problems]


def test_the_defaults_are_openclaws(tmp_path: Path) -> None:
    found = settings(tmp_path)
    assert found.listens_at == ("127.0.0.1", 18789) and found.tokens == {"token": TOKEN}
    assert found.serves_models and found.rate_limit is None and found.trusted_proxies == ()


@pytest.mark.parametrize(
    ("block", "flag", "host"),
    [
        ({}, None, "127.0.0.1"),
        ({"bind": "loopback"}, None, "127.0.0.1"),
        ({"bind": "auto"}, None, "127.0.0.1"),
        ({"bind": "lan"}, None, "0.0.0.0"),
        ({"bind": "lan"}, "loopback", "127.0.0.1"),
        ({"bind": "custom", "customBindHost": "192.168.7.7"}, None, "192.168.7.7"),
        ({}, "lan", "0.0.0.0"),
        ({}, "::1", "::1"),
        ({}, "10.0.0.7", "10.0.0.7"),
        ({"customBindHost": "10.0.0.8"}, "custom", "10.0.0.8"),
    ],
)
def test_bind_modes_give_their_address(
    block: dict[str, Any], flag: str | None, host: str, tmp_path: Path
) -> None:
    """The flag, else the file."""
    assert settings(tmp_path, {"auth": {"token": TOKEN}, **block}, bind=flag).host == host


@pytest.mark.parametrize(
    ("block", "flag", "message"),
    [
        ({"bind": "custom"}, None, "gateway.customBindHost: is not set"),
        ({"bind": "tailnet"}, None, "'tailnet' is not supported"),
        ({}, "everywhere", "'everywhere' is neither an address nor a known name"),
        ({}, "localhost:1", "is neither an address"),
        ({}, "", None),
    ],
)
def test_a_bind_without_an_address_is_a_problem(
    block: dict[str, Any], flag: str | None, message: str | None, tmp_path: Path
) -> None:
    block = {"auth": {"token": TOKEN}, **block}
    if message is None:
        assert settings(tmp_path, block, bind=flag).host == "127.0.0.1"
    else:
        (said,) = problems(tmp_path, block, bind=flag)
        assert message in said


@pytest.mark.parametrize(
    ("flag", "variable", "port"),
    [
        (None, None, 4000),
        (None, "5000", 5000),
        (6000, "5000", 6000),
        (0, "5000", 0),
        (None, "", 4000),
        (None, "0", 0),
    ],
)
def test_the_port_comes_from_the_flag_the_variable_or_the_file(
    flag: int | None, variable: str | None, port: int, tmp_path: Path
) -> None:
    env = {} if variable is None else {"OPENCLAW_GATEWAY_PORT": variable}
    assert settings(tmp_path, {"port": 4000, "auth": {"token": TOKEN}}, env=env, port=flag).port == port


@pytest.mark.parametrize("text", ["x", "-1", "65536", "1.5", " 80", "٨٠", "99999999999"])
def test_a_variable_that_is_no_port_is_a_problem(text: str, tmp_path: Path) -> None:
    (said,) = problems(tmp_path, env={"OPENCLAW_GATEWAY_PORT": text})
    assert "OPENCLAW_GATEWAY_PORT" in said and "0 to 65535" in said


ENV = {"OPENCLAW_GATEWAY_TOKEN": THIRD}


@pytest.mark.parametrize(
    ("auth", "more", "tokens"),
    [
        ({"token": TOKEN}, {}, {"token": TOKEN}),
        ({"password": PASSWORD}, {}, {"password": PASSWORD}),
        ({"token": TOKEN}, {"env": {"OPENCLAW_GATEWAY_PASSWORD": THIRD}}, {"password": THIRD}),
        ({"password": PASSWORD}, {"env": {"OPENCLAW_GATEWAY_TOKEN": THIRD}}, {"password": PASSWORD}),
        ({"mode": "token", "token": TOKEN, "password": PASSWORD}, {}, {"token": TOKEN}),
        ({"mode": "password", "token": TOKEN, "password": PASSWORD}, {}, {"password": PASSWORD}),
        ({"token": TOKEN}, {"env": ENV}, {"token": THIRD}),
        ({"token": TOKEN}, {"env": {"OPENCLAW_GATEWAY_TOKEN": ""}}, {"token": TOKEN}),
        ({"token": TOKEN}, {"env": ENV, "token": PASSWORD}, {"token": PASSWORD}),
        ({}, {"env": {"OPENCLAW_GATEWAY_PASSWORD": THIRD}}, {"password": THIRD}),
        ({"mode": "token"}, {"token": TOKEN}, {"token": TOKEN}),
        ({"token": TOKEN}, {"password": PASSWORD}, {"password": PASSWORD}),
        ({"password": PASSWORD}, {"token": TOKEN}, {"token": TOKEN}),
        ({"mode": "none"}, {}, {}),
        ({"mode": "none", "token": TOKEN}, {"env": ENV}, {}),
    ],
)
def test_what_lets_in(
    auth: dict[str, str], more: dict[str, Any], tokens: dict[str, str], tmp_path: Path
) -> None:
    """The kind that the mode names, else a flag's, else a password; the flag before the variable before the file."""
    assert settings(tmp_path, {"auth": auth}, **more).tokens == tokens


@pytest.mark.parametrize(
    ("auth", "more", "message"),
    [
        ({}, {}, "gateway.auth.token (OPENCLAW_GATEWAY_TOKEN) or gateway.auth.password"),
        ({"mode": "token"}, {}, "gateway.auth.token (OPENCLAW_GATEWAY_TOKEN) is not set"),
        (
            {"mode": "password", "token": TOKEN},
            {},
            "gateway.auth.password (OPENCLAW_GATEWAY_PASSWORD) is not set",
        ),
        ({"token": TOKEN, "password": PASSWORD}, {}, "both token and password are"),
        ({"token": TOKEN, "password": TOKEN}, {"env": ENV}, "both token and password are"),
        ({}, {"token": "changeme"}, "is an example"),
        ({}, {"env": {"OPENCLAW_GATEWAY_TOKEN": "${TOKEN}"}}, "is the name of a variable"),
        ({}, {"env": {"OPENCLAW_GATEWAY_TOKEN": "a b"}}, "not allowed in a header"),
        ({}, {"env": {"OPENCLAW_GATEWAY_TOKEN": "   "}}, "is empty"),
    ],
)
def test_a_reachable_listener_needs_a_credential(
    auth: dict[str, str], more: dict[str, Any], message: str, tmp_path: Path
) -> None:
    """What cannot be a secret is none; without one nothing is served, and it is said how to get one."""
    (said,) = problems(tmp_path, {"auth": auth}, **more)
    assert message in said
    ways = ("clawgate doctor --fix", "clawgate server new-token", "trusted-proxy", "set it to 'token'")
    assert any(way in said for way in ways)


def test_no_problem_tells_a_secret(tmp_path: Path) -> None:
    said = str(
        [
            problems(tmp_path, {"bind": "lan", "auth": auth})
            for auth in (
                {"token": SHORT},
                {"password": "aaaaaaaaaaaaaaaaaaaa"},
                {"token": SHORT, "password": TOKEN},
            )
        ]
    )
    assert SHORT not in said and "aaaa" not in said


@pytest.mark.parametrize("block", [{}, {"bind": "lan"}, {"bind": "custom", "customBindHost": "10.0.0.7"}])
@pytest.mark.parametrize(
    ("auth", "problem"),
    [
        ({"mode": "none"}, "gateway.auth.mode"),
        ({"token": SHORT}, "gateway.auth.token"),
        ({"password": "aaaaaaaaaaaaaaaaaaaa"}, "gateway.auth.password"),
    ],
)
def test_guessable_tokens_are_refused(
    block: dict[str, str], auth: dict[str, str], problem: str, tmp_path: Path
) -> None:
    """On any address; to let in everybody on this machine is allowed."""
    if not block and "mode" in auth:
        assert settings(tmp_path, {"auth": auth}).tokens == {}
        return
    (said,) = problems(tmp_path, {**block, "auth": auth})
    assert said.split(" ")[0].rstrip(":") == problem
    assert "mode" in auth or "clawgate server new-token" in said
    assert settings(tmp_path, {**block, "auth": {"token": TOKEN}}).tokens == {"token": TOKEN}


def test_every_problem_is_told_at_once(tmp_path: Path) -> None:
    said = problems(
        tmp_path, {"bind": "tailnet", "auth": {}}, env={"OPENCLAW_GATEWAY_PORT": "x"}, token="changeme"
    )
    assert {text.split(" ")[0].rstrip(":") for text in said} == {
        "gateway.bind",
        "gateway.port",
        "gateway.auth.token",
    }


def test_a_missing_token_is_told_beside_other_problems(tmp_path: Path) -> None:
    said = problems(tmp_path, {"bind": "tailnet", "auth": {}})
    assert {text.split(" ")[0].rstrip(":") for text in said} == {"gateway.bind", "gateway.auth"}


@pytest.mark.parametrize("chat", [None, True, False])
@pytest.mark.parametrize("responses", [None, True, False])
def test_agents_are_off_unless_they_are_switched_on(
    chat: bool | None, responses: bool | None, tmp_path: Path
) -> None:
    on = {"chatCompletions": chat, "responses": responses}
    endpoints = {name: {"enabled": value} for name, value in on.items() if value is not None}
    found = settings(tmp_path, {"auth": {"token": TOKEN}, "http": {"endpoints": endpoints}})
    assert (b"/v1/chat/completions" in found.agent_paths, b"/v1/messages" in found.agent_paths) == (
        bool(chat),
    ) * 2
    assert (b"/v1/responses" in found.agent_paths) == bool(responses)
    assert (found.serves_agents, found.serves_models) == (bool(chat or responses), True)


@pytest.mark.parametrize(
    ("bind", "listening_on", "switch", "serves"),
    [
        ("loopback", None, None, True), ("auto", None, None, True), ("lan", None, None, False),
        ("loopback", None, False, False), ("lan", None, True, True),
        ("loopback", "0.0.0.0", None, False), ("lan", "127.0.0.1", None, True),
    ],
)  # fmt: skip
def test_models_are_on_by_default_where_only_this_machine_reaches_the_gateway(
    bind: str, listening_on: str | None, switch: bool | None, serves: bool, tmp_path: Path
) -> None:
    """By the address that it listens on, which a change of the file does not move."""
    own = {} if switch is None else {"directModels": switch}
    block = {"auth": {"token": TOKEN}, "bind": bind}
    found = config_file(tmp_path, block, plugins={"entries": {"clawgate": {"config": own}}})
    assert gateway_settings(found, GatewayFlags(), listening_on=listening_on).serves_models is serves


@pytest.mark.parametrize(
    ("bind", "models", "agents", "says"),
    [
        ("loopback", None, False, None), ("lan", None, True, None), ("lan", True, False, None),
        ("lan", None, False, "is not set, and others reach the gateway at 0.0.0.0"),
        ("loopback", False, False, "is false"), ("loopback", False, True, None),
    ],
)  # fmt: skip
def test_a_gateway_that_serves_nothing_says_what_to_set(
    bind: str, models: bool | None, agents: bool, says: str | None, tmp_path: Path
) -> None:
    own = {} if models is None else {"directModels": models}
    switch = {"endpoints": {"chatCompletions": {"enabled": agents}}}
    block = {"auth": {"token": TOKEN}, "bind": bind, "http": switch}
    notes = serving_notes(config_file(tmp_path, block, plugins={"entries": {"clawgate": {"config": own}}}))
    assert len(notes) == (says is not None)
    if says is not None:
        (note,) = notes
        text = str(note)
        assert text.startswith("plugins.entries.clawgate.config.directModels") and says in text
        assert "gateway.http.endpoints.chatCompletions.enabled" in text and not note.is_error


def test_limits_and_proxies_are_taken_over(tmp_path: Path) -> None:
    block = {
        "auth": {"token": TOKEN, "rateLimit": {"maxAttempts": 3, "exemptLoopback": False}},
        "trustedProxies": ["10.0.0.1"],
    }
    found = settings(tmp_path, block)
    assert found.rate_limit is not None and found.rate_limit.max_attempts == 3
    assert (found.rate_limit.window_ms, found.rate_limit.lockout_ms) == (60_000, 300_000)
    assert found.trusted_proxies == ("10.0.0.1",)


@pytest.mark.parametrize(
    ("block", "flags", "environment", "expected"),
    [
        ({"auth": {"token": TOKEN}}, {}, {}, ("token", TOKEN, True)),
        ({"auth": {"token": "${THIRD}"}}, {}, {"THIRD": THIRD}, ("token", THIRD, True)),
        ({"auth": {"password": PASSWORD}}, {}, {}, ("password", PASSWORD, True)),
        ({"auth": {"mode": "token", "token": TOKEN, "password": PASSWORD}}, {}, {}, ("token", TOKEN, True)),
        (
            {"auth": {"mode": "password", "token": TOKEN, "password": PASSWORD}},
            {},
            {},
            ("password", PASSWORD, True),
        ),
        ({"auth": {"token": TOKEN}}, {"token": THIRD}, {}, ("token", THIRD, False)),
        ({"auth": {"token": TOKEN}}, {}, {"OPENCLAW_GATEWAY_TOKEN": THIRD}, ("token", THIRD, False)),
        ({"auth": {"mode": "none"}}, {}, {}, None),
        ({}, {}, {}, None),
        ({"auth": {"mode": "password"}}, {}, {}, None),
    ],
)
def test_what_a_client_presents_has_an_origin(
    block: dict[str, Any],
    flags: dict[str, Any],
    environment: dict[str, str],
    expected: tuple[str, str, bool] | None,
    tmp_path: Path,
) -> None:
    found = caller_secret(config_file(tmp_path, block, environment), GatewayFlags(**flags))
    assert (found and (found.kind, found.value, found.is_in_file)) == expected
    if found is not None:
        assert TOKEN not in repr(found) and THIRD not in repr(found) and PASSWORD not in repr(found)


def test_what_cannot_be_a_secret_is_an_error_for_a_client_too(tmp_path: Path) -> None:
    with pytest.raises(SettingsInvalid):
        caller_secret(config_file(tmp_path, {}, {"OPENCLAW_GATEWAY_TOKEN": "***"}), GatewayFlags())


@pytest.mark.parametrize(
    ("block", "flags", "expected"),
    [
        ({}, {}, True),
        ({"auth": {"mode": "token"}}, {}, True),
        ({"bind": "auto"}, {}, True),
        ({"bind": "lan"}, {"bind": "127.0.0.3"}, True),
        ({"auth": {"mode": "token", "password": PASSWORD}}, {}, True),
        ({"bind": "lan"}, {}, False),
        ({}, {"bind": "0.0.0.0"}, False),
        ({}, {"token": TOKEN}, False),
        ({"auth": {"mode": "password"}}, {}, False),
        ({"auth": {"mode": "none"}}, {}, False),
        ({"bind": "tailnet"}, {}, False),
    ],
)
def test_a_token_is_all_that_is_missing(
    block: dict[str, Any], flags: dict[str, Any], expected: bool, tmp_path: Path
) -> None:
    assert lacks_token(config_file(tmp_path, block), GatewayFlags(**flags)) is expected


@pytest.mark.parametrize(
    ("block", "expected"),
    [({"bind": "lan", "port": 1}, ("0.0.0.0", 1)), ({"bind": "tailnet"}, ("127.0.0.1", 18789))],
)
def test_an_address_is_known_without_a_token(
    block: dict[str, Any], expected: tuple[str, int], tmp_path: Path
) -> None:
    assert listens_at(config_file(tmp_path, block), GatewayFlags()) == expected


@pytest.mark.parametrize(
    ("network", "is_noted"), [({}, False), ({"mode": "enforce"}, False), ({"mode": "report"}, True)]
)
def test_a_policy_that_only_reports_is_a_warning(
    tmp_path: Path, network: dict[str, str], is_noted: bool
) -> None:
    notes = report_notes(
        config_file(tmp_path, {}, plugins={"entries": {"clawgate": {"config": {"network": network}}}})
    )
    assert len(notes) == is_noted
    for note in notes:
        assert str(note).startswith("plugins.entries.clawgate.config.network.mode") and not note.is_error
        assert "clawgate config set plugins.entries.clawgate.config.network.mode enforce" in note.fix


def test_the_drain_limit_is_that_of_the_flag_then_of_the_file(tmp_path: Path) -> None:
    block = {"auth": {"token": TOKEN}}
    own = {"plugins": {"entries": {"clawgate": {"config": {"drainTimeout": 7}}}}}
    path = tmp_path / "openclaw.json"
    path.write_text(json.dumps({"gateway": block, **own}))
    path.chmod(0o600)
    file = read_config(path, {}, required=True)
    assert gateway_settings(file, GatewayFlags()).drain_seconds == 7
    assert gateway_settings(file, GatewayFlags(drain_timeout=0.5)).drain_seconds == 0.5
    assert settings(tmp_path).drain_seconds == 30
