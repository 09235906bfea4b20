"""A role finds its part of the config file, or says what is in its place; it never runs without what was written."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from clawgate.settings.diagnostic import Diagnostic
from clawgate.settings.json5.file import json5_file
from clawgate.settings.problems import SettingsInvalid
from clawgate.settings.roles.config_block import config_block
from clawgate.settings.roles.loader import read_sources

ENTRY = "openai-proxy"
SETTINGS = {"models": ["gpt-a"]}
PATH = Path("c.json")


def block(document: object) -> Any:
    return config_block(json5_file(PATH, json.dumps(document)), ENTRY)


def problems(document: object) -> list[Diagnostic]:
    with pytest.raises(SettingsInvalid) as caught:
        block(document)
    assert all(one.location.startswith(f"{PATH}:1:") for one in caught.value.problems)
    return caught.value.problems


def at(depth: int, part: object, **beside: object) -> object:
    """``part`` in the place of plugins, of entries, of the entry, of its config; ``beside`` are keys beside it."""
    for key in reversed(("plugins", "entries", ENTRY, "config")[:depth]):
        part = {key: part, **beside}
        beside = {}
    return part


def test_the_part_of_a_role() -> None:
    assert block(at(4, SETTINGS)) == SETTINGS


@pytest.mark.parametrize("depth", range(5))
def test_an_absent_entry_gives_no_settings(depth: int) -> None:
    assert block(at(depth, {})) == {}


@pytest.mark.parametrize("depth", range(5))
@pytest.mark.parametrize("part", [[], [{}], None, "text", 5, True], ids=str)
def test_what_is_no_object_is_a_problem(depth: int, part: object) -> None:
    (problem,) = problems(at(depth, part))
    assert problem.path == ("plugins", "entries", ENTRY, "config")[:depth]
    assert problem.message == "must be an object"


@pytest.mark.parametrize("depth", range(5))
@pytest.mark.parametrize("more", [{}, {"enabled": True}])
def test_an_include_is_refused_by_name(depth: int, more: dict[str, object]) -> None:
    """Wherever on the way it is, and whatever is beside it."""
    found = problems(at(depth, {"$include": "other.json5"} | (more if depth == 3 else {})))
    assert [(one.path, one.message) for one in found] == [
        ((*("plugins", "entries", ENTRY, "config")[:depth], "$include"), "is not supported")
    ]


@pytest.mark.parametrize(
    ("document", "key", "fix"),
    [
        ({"plugin": {"entries": {ENTRY: {"config": SETTINGS}}}}, "plugin", "did you mean 'plugins'?"),
        ({"Plugins": {"entries": {}}}, "Plugins", "did you mean 'plugins'?"),
        ({ENTRY: {"config": SETTINGS}}, ENTRY, 'move it to plugins.entries["openai-proxy"]'),
        ({"plugins": {"entry": {ENTRY: {}}}}, "plugins.entry", "did you mean 'entries'?"),
        ({"plugins": {"entires": {ENTRY: {}}}}, "plugins.entires", "did you mean 'entries'?"),
        ({"plugins": {ENTRY: {}}}, f"plugins.{ENTRY}", 'move it to plugins.entries["openai-proxy"]'),
        (
            {"plugins": {"entries": {"openai_proxy": {}}}},
            "plugins.entries.openai_proxy",
            f"did you mean '{ENTRY}'?",
        ),
        (
            {"plugins": {"entries": {"OpenAI-Proxy": {}}}},
            "plugins.entries.OpenAI-Proxy",
            f"did you mean '{ENTRY}'?",
        ),
        (
            {"plugins": {"entries": {"openai-prox": {}}}},
            "plugins.entries.openai-prox",
            f"did you mean '{ENTRY}'?",
        ),
        (at(3, {"configs": SETTINGS}), f"plugins.entries.{ENTRY}.configs", "did you mean 'config'?"),
        (at(3, {"Config": SETTINGS}), f"plugins.entries.{ENTRY}.Config", "did you mean 'config'?"),
        (
            at(3, {"config": {}, "configs": SETTINGS}),
            f"plugins.entries.{ENTRY}.configs",
            "did you mean 'config'?",
        ),
        (
            at(3, SETTINGS),
            f"plugins.entries.{ENTRY}.models",
            "move it to plugins.entries.openai-proxy.config",
        ),
        (at(3, {"settings": SETTINGS}), f"plugins.entries.{ENTRY}.settings", "move it to"),
    ],
    ids=str,
)
def test_a_misplaced_key_of_the_entry_is_a_problem(document: Any, key: str, fix: str) -> None:
    (problem,) = problems(document)
    assert problem.message == "is not read" and problem.fix.startswith(fix.partition("[")[0])
    assert problem.key.replace('"]', "").replace('["', ".") == key


def test_keys_of_others_are_none_of_its_business() -> None:
    """OpenClaw's own keys, plugins of other names, and a role that has its part."""
    entries = {
        "proxy-bridge": {},
        "anthropic-claude-proxy": {},
        "openai-proxy-2": {},
        ENTRY: {"enabled": True},
    }
    document = {"plugins": {"entries": entries, "load": {}, "slots": {}}, "channels": {}, "proxy": {}}
    assert block(document) == {}
    assert block(at(3, {"config": SETTINGS, "hooks": {}, "llm": {}, "enabled": False})) == SETTINGS


@pytest.mark.parametrize(
    ("env", "says"),
    [
        ({"vars": {"OPENAI_PROXY_MODELS": ["a"]}}, "env.vars.OPENAI_PROXY_MODELS"),
        ({"vars": ["OPENAI_PROXY_MODELS=a"]}, "env.vars"),
        ({"vars": None}, "env.vars"),
        ({"vars": {"$include": "vars.json"}}, "$include"),
        ({"$include": "env.json"}, "$include"),
        ({"OPENAI_PROXY_MODELS": "a"}, "env.OPENAI_PROXY_MODELS"),
        ({"var": {"OPENAI_PROXY_MODELS": "a"}}, "env.var"),
        ([], "env"),
        (None, "env"),
    ],
    ids=str,
)
def test_variables_of_the_file_that_cannot_be_used_stop_a_role(
    env: object, says: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One of them could hold a limit."""
    monkeypatch.setenv("HOME", str(tmp_path))
    path = tmp_path / "c.json"
    path.write_text(json.dumps({"env": env}))
    with pytest.raises(SettingsInvalid) as caught:
        read_sources(entry=ENTRY, config=str(path), env_file=None)
    assert any(says in str(one) for one in caught.value.problems)
    assert all(str(path) in one.location for one in caught.value.problems)
