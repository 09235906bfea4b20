"""Flag, environment, file, default: the first that has it wins, and every problem says where it was found."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from pydantic.alias_generators import to_camel

from clawgate.settings.diagnostic import Diagnostic
from clawgate.settings.environment import Environment
from clawgate.settings.fields import variables_of
from clawgate.settings.paths import config_path
from clawgate.settings.problems import SettingsInvalid
from clawgate.settings.roles.bridge import BridgeSettings
from clawgate.settings.roles.loader import (
    SettingsSources,
    load,
    origin_of,
    read_sources,
    text_setting,
)
from clawgate.settings.roles.server import ServerSettings
from tests.settings.canary import BRIDGE, CANARY, KEY, SERVER, TOKEN

BLOCK = 'openclaw.json: plugins.entries."proxy-bridge".config'
LEVELS = ["default", "file", "env file", "environment", "flag"]
VARIABLE = "environment variable PROXY_BRIDGE_PORT"


def sources(
    *, environment: Mapping[str, str] | None = None, env_file: Mapping[str, str] | None = None, **block: Any
) -> SettingsSources:
    variables = Environment(environment or {}).below(env_file or {}, Path("my.env"))
    return SettingsSources(environment=variables, block=BRIDGE | block, block_name=BLOCK)


def invalid(*arguments: Any, **named: Any) -> list[Diagnostic]:
    with pytest.raises(SettingsInvalid) as caught:
        load(*arguments, **named)
    assert str(caught.value) == "; ".join(map(str, caught.value.problems))
    return caught.value.problems


# Precedence


@pytest.mark.parametrize("top", range(len(LEVELS)), ids=LEVELS)
def test_the_first_place_that_has_it_wins(top: int) -> None:
    """Every level is over all below it; what is above does not have it."""
    values = [18800, 1001, 1002, 1003, 1004]
    found = load(
        BridgeSettings,
        {"bridge_port": str(values[4]) if top >= 4 else None},
        sources(
            environment={"PROXY_BRIDGE_PORT": str(values[3])} if top >= 3 else {},
            env_file={"PROXY_BRIDGE_PORT": str(values[2])} if top >= 2 else {},
            **({"bridgePort": values[1]} if top >= 1 else {}),
        ),
    )
    assert found.bridge_port == values[top]


@pytest.mark.parametrize("top", range(1, len(LEVELS)), ids=LEVELS[1:])
def test_a_problem_names_the_place_that_won(top: int) -> None:
    """Good values below it are neither used instead nor blamed."""
    bad = "no number"
    (problem,) = invalid(
        BridgeSettings,
        {"bridge_port": bad if top == 4 else None},
        sources(
            environment={"PROXY_BRIDGE_PORT": bad if top == 3 else "1003"} if top >= 3 else {},
            env_file={"PROXY_BRIDGE_PORT": bad if top == 2 else "1002"} if top >= 2 else {},
            bridgePort=bad if top == 1 else 1001,
        ),
    )
    places = ["", f"{BLOCK}.bridgePort", "PROXY_BRIDGE_PORT in my.env", VARIABLE, "--port"]
    assert (problem.key, problem.location) == ("bridgePort", places[top])


@pytest.mark.parametrize(
    "empty", [{"environment": {"PROXY_BRIDGE_PORT": ""}}, {"env_file": {"PROXY_BRIDGE_PORT": ""}}]
)
def test_an_empty_variable_is_an_unset_one(empty: dict[str, dict[str, str]]) -> None:
    assert load(BridgeSettings, {}, sources(bridgePort=1001, **empty)).bridge_port == 1001


def test_a_flag_that_was_not_given_is_none() -> None:
    flags = {"bridge_port": None, "allow_host": (), "verbose": None}
    found = load(BridgeSettings, flags, sources(bridgePort=1001, allowHost=["a"], verbose=True))
    assert (found.bridge_port, found.allow_host, found.verbose) == (1001, ("a",), True)
    assert load(BridgeSettings, {"verbose": False}, sources(verbose=True)).verbose is False


# Problems


def test_all_problems_come_at_once_each_with_its_place() -> None:
    block = {"remotUrl": "x", "idleTimeout": -1, "maxBodyMb": "a", "nonsense": 1, "proxyToken": TOKEN}
    found = invalid(
        BridgeSettings,
        {"bridge_port": "99999"},
        SettingsSources(
            environment=Environment({"PROXY_BRIDGE_LOCAL_TOKEN": "short"}), block=block, block_name=BLOCK
        ),
    )
    assert {(problem.key, problem.location) for problem in found} == {
        ("remotUrl", BLOCK), ("nonsense", BLOCK), ("idleTimeout", f"{BLOCK}.idleTimeout"), ("remoteUrl", ""),
        ("maxBodyMb", f"{BLOCK}.maxBodyMb"), ("bridgePort", "--port"),
        ("bridgeToken", "environment variable PROXY_BRIDGE_LOCAL_TOKEN"),
    }  # fmt: skip


@pytest.mark.parametrize(
    ("key", "near"), [("remotUrl", "remoteUrl"), ("remote_url", "remoteUrl"), ("proxytoken", "proxyToken")]
)  # fmt: skip
def test_an_unknown_key_comes_with_a_suggestion(key: str, near: str) -> None:
    (problem,) = invalid(BridgeSettings, {}, SettingsSources(block=BRIDGE | {key: 1}, block_name=BLOCK))
    assert f"did you mean '{near}'?" in problem.text


def test_an_unknown_key_that_is_like_none_comes_with_the_list() -> None:
    (problem,) = invalid(BridgeSettings, {}, sources(zzzz=1))
    assert "use one of" in problem.text and "remoteUrl" in problem.text


def test_a_missing_setting_names_every_way_to_give_it() -> None:
    found = invalid(BridgeSettings, {}, SettingsSources(block_name=BLOCK))
    assert [problem.key for problem in found] == ["remoteUrl", "proxyToken"]
    file, _, block = BLOCK.rpartition(": ")
    assert found[0].text == (
        f"is not set; set PROXY_BRIDGE_URL, or --remote-url, or {block}.remoteUrl in {file}"
    )
    assert "--proxy-token" not in found[1].text  # other users can read the command line


def test_a_problem_of_the_whole_is_said_once() -> None:
    (problem,) = invalid(ServerSettings, {"openai_api_key": KEY}, SettingsSources())
    assert problem.path == () and str(problem).startswith("no token is set")


def test_a_server_that_lacks_everything_is_told_everything_at_once() -> None:
    assert [problem.key for problem in invalid(ServerSettings, {}, SettingsSources())] == [
        "openaiApiKey",
        "",
    ]
    # A token that is there and bad is one problem, not also a missing one.
    found = invalid(ServerSettings, {"proxy_token": "changeme"}, SettingsSources())
    assert [problem.key for problem in found] == ["openaiApiKey", "proxyToken"]
    found = invalid(ServerSettings, {"proxy_tokens": "a"}, SettingsSources())
    assert [problem.key for problem in found] == ["openaiApiKey", "proxyTokens"]


# Secrets


def secret_cases() -> list[tuple[str, type[Any], dict[str, Any], SettingsSources]]:
    cases: list[tuple[str, type[Any], dict[str, Any], SettingsSources]] = []
    for bad in (f"{CANARY} x", f"{CANARY}\n", f"{CANARY}...", f"<{CANARY}>", f"your-{CANARY}", f"{CANARY}é"):
        cases += [
            (f"flag {bad!r}", BridgeSettings, {"proxy_token": bad}, SettingsSources(block=BRIDGE)),
            (
                f"variable {bad!r}",
                ServerSettings,
                {},
                SettingsSources(environment=Environment({"OPENAI_API_KEY": bad}), block=SERVER),
            ),
            (
                f".env {bad!r}",
                ServerSettings,
                {},
                SettingsSources(
                    environment=Environment({}).below({"OPENAI_PROXY_TOKEN": bad}, Path(".env")), block=SERVER
                ),
            ),
            (
                f"file {bad!r}",
                BridgeSettings,
                {},
                SettingsSources(block=BRIDGE | {"bridgeToken": bad}, block_name=BLOCK),
            ),
            (f"named {bad!r}", ServerSettings, {"proxy_tokens": f"a:{bad}"}, SettingsSources(block=SERVER)),
        ]
    wrong: list[Any] = [[CANARY], {"value": CANARY}, {"source": "file", "id": CANARY}, {CANARY: CANARY}]
    for number, value in enumerate(wrong):
        cases.append(
            (
                f"type {number}",
                BridgeSettings,
                {},
                SettingsSources(block=BRIDGE | {"proxyToken": value}, block_name=BLOCK),
            )
        )
    for number, url in enumerate((f"http://u:{CANARY}@h", f"http://h?key={CANARY}", f"http://h\\{CANARY}")):
        cases.append((f"url {number}", BridgeSettings, {"remote_url": url}, SettingsSources(block=BRIDGE)))
    cases += [
        (
            "named twice",
            ServerSettings,
            {"proxy_tokens": f"a:{TOKEN},a:{TOKEN}"},
            SettingsSources(block=SERVER),
        ),
        ("no name", ServerSettings, {"proxy_tokens": TOKEN}, SettingsSources(block=SERVER)),
        ("whole", ServerSettings, {"proxy_tokens": f"default:{TOKEN}x"}, SettingsSources(block=SERVER)),
        ("number", BridgeSettings, {"bridge_port": CANARY}, SettingsSources(block=BRIDGE)),
    ]
    return cases


@pytest.mark.parametrize(
    ("model", "flags", "given"),
    [case[1:] for case in secret_cases()],
    ids=[case[0] for case in secret_cases()],
)
def test_no_problem_shows_a_value(model: type[Any], flags: dict[str, Any], given: SettingsSources) -> None:
    """Not in its message, its repr, or anything that a traceback would print."""
    with pytest.raises(SettingsInvalid) as caught:
        load(model, flags, given)
    error: BaseException | None = caught.value
    assert CANARY not in str(error) + repr(error)
    assert caught.value.__cause__ is None and caught.value.__suppress_context__


def test_no_problem_shows_a_token_in_the_place_of_its_name() -> None:
    (problem,) = invalid(ServerSettings, {"proxy_tokens": f"{TOKEN}:alice"}, SettingsSources(block=SERVER))
    assert CANARY not in str(problem)


# Which file


@pytest.mark.parametrize(
    ("environment", "flag", "path", "named"),
    [
        ({}, "/f/a.json", "/f/a.json", True),
        ({"OPENCLAW_CONFIG_PATH": "/e/b.json"}, "/f/a.json", "/f/a.json", True),
        ({"OPENCLAW_CONFIG_PATH": "/e/b.json", "OPENCLAW_STATE_DIR": "/s"}, None, "/e/b.json", True),
        ({"OPENCLAW_STATE_DIR": "/s", "OPENCLAW_HOME": "/h"}, None, "/s/openclaw.json", False),
        ({"OPENCLAW_HOME": "/h"}, None, "/h/.openclaw/openclaw.json", False),
        ({"OPENCLAW_CONFIG_PATH": "", "OPENCLAW_STATE_DIR": "", "OPENCLAW_HOME": "/h"}, "",
        "/h/.openclaw/openclaw.json", False),
        ({}, None, "/home-of-the-test/.openclaw/openclaw.json", False),
        ({}, "~/a.json", "/home-of-the-test/a.json", True),
        ({"OPENCLAW_STATE_DIR": "~/s"}, None, "/home-of-the-test/s/openclaw.json", False),
        ({"OPENCLAW_HOME": "~"}, None, "/home-of-the-test/.openclaw/openclaw.json", False),
    ],
)  # fmt: skip
def test_which_config_file(
    monkeypatch: pytest.MonkeyPatch, environment: dict[str, str], flag: str | None, path: str, named: bool
) -> None:
    monkeypatch.setenv("HOME", "/home-of-the-test")
    assert config_path(environment, flag) == (Path(path), named)


def test_a_home_that_nobody_has_is_a_problem_with_a_name() -> None:
    with pytest.raises(SettingsInvalid):
        read_sources(entry="x", config="~nobody-of-this-name/x.json", env_file=None)


@pytest.mark.parametrize("quote", ['"', "'"])
@pytest.mark.parametrize(
    "name", ["openai_api_key", "base_url", "proxy_token", "proxy_tokens", "port", "host"]
)
def test_a_value_in_quotes_is_refused_with_its_place(name: str, quote: str) -> None:
    """Whatever it is for, and from a flag, a variable, or what the file refers to."""
    (variable,) = variables_of(ServerSettings.model_fields[name])
    value, key = f"{quote}{CANARY}{quote}", to_camel(name)
    for flags, environment, block, place in (
        ({}, {variable: value}, {}, variable),
        ({name: value}, {}, {}, "--" + name.replace("_", "-")),
        ({}, {}, {key: value}, "p"),
        ({}, {"MINE": value}, {key: "${MINE}"}, "MINE"),
    ):
        given = SettingsSources(
            environment=Environment(environment), block={**SERVER, **block}, block_name="p"
        )
        (found,) = [one for one in invalid(ServerSettings, flags, given) if one.path == (key,)]
        assert place in str(found) and "wrapped in quotes" in str(found) and CANARY not in str(found)


# One setting alone


def test_one_setting_is_found_where_the_role_finds_it() -> None:
    """Whatever is wrong with the others; a reference is resolved, and an unset one is a problem."""
    given = sources(environment={"PLACE": "/p"}, proxyTokensFile="${PLACE}/f", port="bad")
    found = text_setting(ServerSettings, "proxy_tokens_file", None, given)
    assert found is not None and found.value == "/p/f" and found.origin == f"{BLOCK}.proxyTokensFile"
    flag = text_setting(ServerSettings, "proxy_tokens_file", "/g", given)
    assert flag is not None and (flag.value, flag.origin) == ("/g", "--proxy-tokens-file")
    assert text_setting(ServerSettings, "proxy_tokens_file", None, sources()) is None
    for wrong in ("${NOWHERE}", 7, ""):
        with pytest.raises(SettingsInvalid):
            text_setting(ServerSettings, "proxy_tokens_file", None, sources(proxyTokensFile=wrong))
    assert origin_of(ServerSettings, "port", given) == f"{BLOCK}.port"
    assert origin_of(ServerSettings, "host", given) is None
