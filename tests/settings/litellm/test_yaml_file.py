from __future__ import annotations

import builtins
import time
from pathlib import Path
from typing import Any

import pytest

from clawgate.settings.extras import install_command
from clawgate.settings.litellm.yaml_file import MAX_BYTES, parse_yaml, read_yaml
from clawgate.settings.problems import SettingsInvalid
from tests.settings.litellm.yaml_text import SECRET, mapping


def problem(text: str) -> str:
    with pytest.raises(SettingsInvalid) as caught:
        parse_yaml(text, "config.yaml")
    return str(caught.value)


def test_values_are_those_of_yaml_1_1_and_keys_know_their_lines() -> None:
    found = mapping("a: on\nb: {c: 010}\n# comment\nd: 2024-01-02\n1: x\n")
    assert found == {"a": True, "b": {"c": 8}, "d": found["d"], "1": "x"}
    assert found.lines == {"a": 1, "b": 2, "d": 4, "1": 5} and found.at("d") == "config.yaml:4"


def test_an_anchor_is_read_once_and_own_keys_win_over_merged_ones() -> None:
    found = mapping("a: &a {x: 1, y: 1}\nb: {<<: *a, x: 2}\nc: {<<: [{x: 3}, *a]}\n")
    assert found["b"] == {"x": 2, "y": 1} and found["c"] == {"x": 3, "y": 1}


@pytest.mark.parametrize("form", ["[{}]", "{{<<: [{}]}}"])
def test_anchors_that_multiply_take_no_time(form: str) -> None:
    lines = ["a0: &a0 {k: v}"]
    for index in range(1, 60):
        uses = ", ".join([f"*a{index - 1}"] * 9)
        lines.append(f"a{index}: &a{index} {form.format(uses)}")
    began = time.process_time()
    assert len(mapping("\n".join(lines))) == 60
    assert time.process_time() - began < 2


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a: 1\n\tb: 2\n", "config.yaml:2:1: it is not valid YAML"),
        ("a: [1\n", "config.yaml:2:1: it is not valid YAML"),
        ("a: *nowhere\n", "undefined alias"),
        ("a: 1\nb: 2\na: 3\n", "config.yaml:3: the key a is a duplicate; it is first set on line 1; remove one"),
        ("a: &a [*a]\n", "config.yaml:1: an anchor contains itself"),
        ("a: &a {<<: *a}\n", "config.yaml:1: an anchor contains itself"),
        ("a: {<<: 3}\n", "config.yaml:1: << merges something else than a mapping"),
        ("? [a]\n: b\n", "config.yaml:1: a key is a list or a mapping"),
        ("a: !include other.yaml\n", "config.yaml:1: a tag with ! is not supported"),
        ("a: !!python/object/apply:os.system [id]\n", "config.yaml:1: a tag with ! is not supported"),
        ("a: 1\n---\nb: 2\n", "found another document"),
        ("a: \x07\n", "a character that YAML does not allow"),
        ("[" * 5000, "nested too deeply"),
    ],
)  # fmt: skip
def test_a_file_that_is_no_plain_yaml_is_refused_with_its_line(text: str, expected: str) -> None:
    assert expected in problem(text)


def test_tabs_are_named_with_what_to_do() -> None:
    assert problem("a:\n  b:\n\t- c\n").endswith("; indent with spaces")


@pytest.mark.parametrize("text", [f"a: *{SECRET}\n", f"{SECRET}: 1\n{SECRET}: 2\n", f"a: {SECRET}: b\n"])
def test_no_message_has_a_secret_of_the_file(text: str) -> None:
    assert SECRET not in problem(text)


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (None, "there is no such file"),
        (b"\xff\xfe", "it is not UTF-8 text"),
        (b"#" * (MAX_BYTES + 1), "it is larger than 512 KB"),
    ],
)
def test_a_file_that_cannot_be_read_is_named(tmp_path: Path, content: bytes | None, expected: str) -> None:
    path = tmp_path / "config.yaml"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(SettingsInvalid, match=expected):
        read_yaml(path, "config.yaml")


def test_without_pyyaml_the_command_that_installs_it_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    real = builtins.__import__

    def without(name: str, *more: Any, **extra: Any) -> Any:
        if name == "yaml":
            raise ModuleNotFoundError(name=name)
        return real(name, *more, **extra)

    monkeypatch.setattr(builtins, "__import__", without)
    assert install_command("litellm") in problem("a: 1")
