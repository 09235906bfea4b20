"""A file that cannot be used says which, where in it, and why; `${VAR}` comes from the environment or not at all."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel

from clawgate.settings.diagnostic import Diagnostic
from clawgate.settings.problems import SettingsInvalid
from clawgate.settings.roles.bridge import BridgeSettings
from clawgate.settings.roles.loader import SettingsSources, load, read_sources
from tests.private_file import write_private
from tests.settings.canary import CANARY, TOKEN

ENTRY = "proxy-bridge"


@pytest.fixture(autouse=True)
def empty_world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No variable of OpenClaw's, of ours, and no .env but the test's."""
    for name in list(os.environ):
        if name.startswith(("OPENCLAW_", "PROXY_BRIDGE_", "OPENAI_")):
            monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)


def wrapped(block: str) -> str:
    return f'{{plugins: {{entries: {{"{ENTRY}": {{config: {block}}}}}}}}}'


def read(tmp_path: Path, text: str | bytes, *, env_file: str | None = None) -> SettingsSources:
    path = tmp_path / "c.json"
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return read_sources(entry=ENTRY, config=str(path), env_file=env_file)


def invalid(tmp_path: Path, text: str | bytes) -> Diagnostic:
    with pytest.raises(SettingsInvalid) as caught:
        read(tmp_path, text)
    (problem,) = caught.value.problems
    assert CANARY not in str(problem)
    return problem


class Loose(BaseModel):
    """Three settings that take everything."""

    proxy_token: Any = None
    remote_url: Any = None
    allow_host: Any = None


def load_block(tmp_path: Path, block: str) -> Loose:
    return load(Loose, {}, read(tmp_path, wrapped(block)))


def problems(tmp_path: Path, block: str) -> list[Diagnostic]:
    with pytest.raises(SettingsInvalid) as caught:
        load_block(tmp_path, block)
    return caught.value.problems


BROKEN = [
    ("", 1, "empty"),
    ("{", 1, "never closed"),
    ('{\n  "a": 1,\n  "b" 2\n}', 3, "a colon is missing"),
    ("{\n\n\n  a: tru\n}", 4, "half a word"),
    ('{"a": [1,,2]}', 1, "a comma too many"),
    (f'{{\n"k": "{CANARY}",\n"b"; 1}}', 3, "a semicolon, behind a secret"),
    (f'{{\n"k": "{CANARY}\n"}}', 2, "a secret that is not closed"),
    (f'{{\n"k": {CANARY}}}', 2, "a secret without quotes"),
    ("[" * 5000, 1, "thousands of lists"),
    ('{"a": 0x}', 1, "half a number"),
    ('{"a": "\\u12"}', 1, "half an escape"),
]


@pytest.mark.parametrize(("text", "line", "why"), BROKEN, ids=[row[2] for row in BROKEN])
def test_broken_json5_says_file_and_line_and_shows_no_content(
    tmp_path: Path, text: str, line: int, why: str
) -> None:
    problem = invalid(tmp_path, text)
    assert problem.location.startswith(f"{tmp_path / 'c.json'}:{line}:")
    assert problem.text.startswith("it is not JSON5: "), why


@pytest.mark.parametrize(
    ("text", "place", "says"),
    [
        ('{\n  "a": 1,\n  "b" 2\n}', "3:7", "'2'"),
        ("", "1:1", "empty"),
    ],
    ids=["no colon", "nothing"],
)
def test_the_place_is_exact_and_the_reason_true(tmp_path: Path, text: str, place: str, says: str) -> None:
    problem = invalid(tmp_path, text)
    assert problem.location.endswith(f":{place}") and says in problem.text


@pytest.mark.parametrize("text", [b"\xff\xfe{}", '{"a": "\xe9"}'.encode("latin-1"), "{}".encode("utf-16")])
def test_a_file_that_is_not_utf8(tmp_path: Path, text: bytes) -> None:
    assert invalid(tmp_path, text).message == "it cannot be read: it is not UTF-8 text"


def test_a_folder_in_the_place_of_the_file(tmp_path: Path) -> None:
    (tmp_path / "d").mkdir()
    with pytest.raises(SettingsInvalid, match="it cannot be read: Is a directory"):
        read_sources(entry=ENTRY, config=str(tmp_path / "d"), env_file=None)


def test_a_file_that_somebody_named_has_to_exist(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(SettingsInvalid, match="does not exist"):
        read_sources(entry=ENTRY, config=str(tmp_path / "none"), env_file=None)
    monkeypatch.setenv("OPENCLAW_CONFIG_PATH", str(tmp_path / "none"))
    with pytest.raises(SettingsInvalid, match="does not exist"):
        read_sources(entry=ENTRY, config=None, env_file=None)


def test_the_default_file_may_be_missing() -> None:
    assert read_sources(entry=ENTRY, config=None, env_file=None).block == {}


JSON5 = "// c\n{plugins: {entries: {'proxy-bridge': {config: {remoteUrl: 'http://a', bridgePort: 0x10, /* c */}}}},}"


@pytest.mark.parametrize("text", [JSON5, "\ufeff" + JSON5, JSON5.replace("\n", "\r\n")])
def test_json5_is_read(tmp_path: Path, text: str) -> None:
    """Comments, single quotes, commas at ends, hexadecimal numbers, a byte order mark."""
    assert read(tmp_path, text).block == {"remoteUrl": "http://a", "bridgePort": 16}


@pytest.mark.parametrize(
    "text",
    ["{}", "{plugins: {}}", "{plugins: {entries: {}}}", '{plugins: {entries: {"proxy-bridge": {enabled: true}}}}',
     "{plugins: {entries: {other: {config: {a: 1}}}}}", "{gateway: {port: 1}, unknown: {deep: [1]}}"],
)  # fmt: skip
def test_what_is_not_ours_is_ignored(tmp_path: Path, text: str) -> None:
    assert read(tmp_path, text).block == {}


@pytest.mark.parametrize("block", ["5", '"x"', "[]", "[{}]", "true"])
def test_our_block_has_to_be_an_object(tmp_path: Path, block: str) -> None:
    problem = invalid(tmp_path, wrapped(block))
    assert problem.path == ("plugins", "entries", ENTRY, "config") and problem.text == "must be an object"


# Variables and references


@pytest.mark.parametrize(
    ("value", "found"),
    [
        ("'${A_1}'", "one"), ("'x${A_1}y${B}z'", "xoneytwoz"), ("'$A_1'", "$A_1"), ("'plain'", "plain"),
        ("{source: 'env', id: 'A_1'}", "one"), ("{source: 'env', provider: 'default', id: 'B'}", "two"),
        ("{deep: {er: '${B}'}}", {"deep": {"er": "two"}}), ("'${C}'", "${A_1}"), ("5", 5), ("true", True),
    ],
)  # fmt: skip
def test_variables_are_substituted_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, value: str, found: object
) -> None:
    """From the environment; what a variable holds is not substituted again."""
    for name, text in (("A_1", "one"), ("B", "two"), ("C", "${A_1}")):
        monkeypatch.setenv(name, text)
    assert load_block(tmp_path, f"{{proxyToken: {value}}}").proxy_token == found


@pytest.mark.parametrize(
    "value", ["'${UNSET}'", "'x${UNSET}'", "{source: 'env', id: 'UNSET'}", "{a: {b: '${UNSET}'}}"]
)
@pytest.mark.parametrize("state", ["unset", "empty"])
def test_a_variable_that_is_not_set_is_a_problem_and_never_an_empty_secret(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, value: str, state: str
) -> None:
    if state == "empty":
        monkeypatch.setenv("UNSET", "")
    (problem,) = problems(tmp_path, f"{{proxyToken: {value}}}")
    assert problem.key == "proxyToken" and problem.location.endswith(".config.proxyToken")
    assert problem.text.startswith("the environment variable UNSET is not set; set it, or")


def test_every_unset_variable_is_reported_beside_every_other_problem(tmp_path: Path) -> None:
    block = "{proxyToken: '${UNSET_A}', remoteUrl: 'x${UNSET_B}${UNSET_C}', nonsense: 1}"
    found = problems(tmp_path, block)
    assert sorted(problem.key for problem in found) == ["nonsense", "proxyToken", "remoteUrl", "remoteUrl"]
    for name in ("UNSET_A", "UNSET_B", "UNSET_C"):
        assert any(f"{name} is not set" in problem.text for problem in found)


def test_an_unset_variable_is_not_also_called_a_missing_setting(tmp_path: Path) -> None:
    block = "{remoteUrl: 'http://a', proxyToken: '${UNSET}'}"
    with pytest.raises(SettingsInvalid) as caught:
        load(BridgeSettings, {}, read(tmp_path, wrapped(block)))
    assert len(caught.value.problems) == 1


def test_a_variable_that_is_overruled_need_not_be_set(tmp_path: Path) -> None:
    found = load(Loose, {"proxy_token": "x"}, read(tmp_path, wrapped("{proxyToken: '${UNSET}'}")))
    assert found.proxy_token == "x"


def test_variables_in_lists_are_substituted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NAME", "ai.lan")
    assert load_block(tmp_path, "{allowHost: ['${NAME}', 'b']}").allow_host == ["ai.lan", "b"]


@pytest.mark.parametrize(
    "value", ["{source: 'env', id: 'my-key'}", "'${my-key}'", "'${1KEY}'", "'${}'", "'${KEY'"]
)
def test_a_reference_that_cannot_be_followed_is_a_problem(tmp_path: Path, value: str) -> None:
    """It never becomes the secret itself."""
    (problem,) = problems(tmp_path, f"{{proxyToken: {value}}}")
    assert problem.key == "proxyToken" and problem.unset


# The .env file


def test_the_env_file_that_is_named_is_read(tmp_path: Path) -> None:
    write_private(
        tmp_path / "my.env", "PROXY_BRIDGE_TOKEN='a ${HOME}'\nexport PROXY_BRIDGE_PORT=5 # c\nEMPTY\n"
    )
    found = read_sources(entry=ENTRY, config=None, env_file="my.env").environment
    assert (found["PROXY_BRIDGE_TOKEN"], found["PROXY_BRIDGE_PORT"]) == ("a ${HOME}", "5")
    assert "EMPTY" not in found


def test_references_in_the_block_are_looked_up_in_the_env_file_too(tmp_path: Path) -> None:
    write_private(tmp_path / "my.env", f"TEAM_TOKEN={TOKEN}\n")
    sources = read(
        tmp_path, wrapped('{remoteUrl: "http://h", proxyToken: "${TEAM_TOKEN}"}'), env_file="my.env"
    )
    assert load(BridgeSettings, {}, sources).proxy_token.get_secret_value() == TOKEN


def test_a_role_has_the_variables_that_the_gateway_has(tmp_path: Path) -> None:
    """What the file refers to means the same to `bridge run` and to the plugin of the gateway."""
    (tmp_path / ".openclaw").mkdir(0o700)
    write_private(tmp_path / ".openclaw" / ".env", f"TEAM_TOKEN={TOKEN}\n")
    block = wrapped('{remoteUrl: "${SITE}", proxyToken: "${TEAM_TOKEN}"}')
    text = block.replace("{", '{env: {vars: {SITE: "http://h"}}, ', 1)
    found = load(BridgeSettings, {}, read(tmp_path, text))
    assert (found.remote_url, found.proxy_token.get_secret_value()) == ("http://h", TOKEN)


def test_an_env_file_of_the_state_folder_that_cannot_be_used_stops_a_role(tmp_path: Path) -> None:
    (tmp_path / ".openclaw" / ".env").mkdir(0o700, parents=True)
    with pytest.raises(SettingsInvalid, match=r"\.openclaw/\.env: it cannot be read"):
        read_sources(entry=ENTRY, config=None, env_file=None)
