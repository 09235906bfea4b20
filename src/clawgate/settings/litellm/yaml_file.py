"""Reads a YAML file into mappings that know the line of each key, as LiteLLM does: YAML 1.1, plain data alone.

Must make no object but plain values, whatever tags the file has, and must do work in proportion to its size: an anchor
is read once, however often it is used. Messages name lines and kinds, no values.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from clawgate.settings.extras import install_command
from clawgate.settings.problems import SettingsInvalid
from clawgate.settings.redaction import redact_name
from clawgate.settings.regular_file import read_regular

if TYPE_CHECKING:
    from yaml import MappingNode, MarkedYAMLError, Node

MAX_BYTES = 512 * 1024
"""Thousands of models. The parser is Python's and needs seconds for so much."""
_PLAIN = "tag:yaml.org,2002:"


class YamlMapping(dict[str, Any]):
    """A mapping of a file, in its order: ``lines`` has the line of each key."""

    def __init__(self, location: str) -> None:
        super().__init__()
        self.location = location
        self.lines: dict[str, int] = {}

    def at(self, key: str) -> str:
        """Return where ``key`` is, as ``file:line``."""
        return f"{self.location}:{self.lines[key]}" if key in self.lines else self.location


def read_yaml(path: Path, name: str) -> object:
    """Return the value of the file; ``name`` stands for it in messages. Raises `SettingsInvalid`."""
    found = read_regular(path)
    if found is None:
        raise SettingsInvalid.at(name, "there is no such file")
    if len(found[0]) > MAX_BYTES:
        raise SettingsInvalid.at(name, f"it is larger than {MAX_BYTES // 1024} KB")
    try:
        text = found[0].decode("utf-8-sig")
    except UnicodeDecodeError:
        raise SettingsInvalid.at(name, "it is not UTF-8 text") from None
    return parse_yaml(text, name)


def parse_yaml(text: str, name: str) -> object:
    """Return the value of a YAML text, None for an empty one. Raises `SettingsInvalid`."""
    try:
        import yaml
    except ModuleNotFoundError:
        command = install_command("litellm")
        raise SettingsInvalid.at(
            name, "PyYAML, which reads it, is not installed", f"run: {command}"
        ) from None
    try:
        loader = yaml.SafeLoader(text)
        node = loader.get_single_node()
        return None if node is None else _Reader(loader, name).value(node)
    except yaml.MarkedYAMLError as error:
        raise _unreadable(error, name) from None
    except yaml.YAMLError:
        raise SettingsInvalid.at(name, "it contains a character that YAML does not allow") from None
    except RecursionError:
        raise SettingsInvalid.at(name, "its values are nested too deeply") from None


def _unreadable(error: MarkedYAMLError, name: str) -> SettingsInvalid:
    mark = error.problem_mark or error.context_mark
    location = f"{name}:{mark.line + 1}:{mark.column + 1}" if mark is not None else name
    problem = " ".join(map(redact_name, (error.problem or "").removeprefix("but ").split()))
    fix = "indent with spaces" if "'\\t'" in problem else ""
    return SettingsInvalid.at(location, f"it is not valid YAML: {problem}", fix)


class _Reader:
    def __init__(self, loader: Any, name: str) -> None:
        self._loader = loader
        self._name = name
        self._done: dict[int, object] = {}
        self._open: set[int] = set()

    def value(self, node: Node) -> object:
        if id(node) in self._done:
            return self._done[id(node)]
        if id(node) in self._open:
            raise self._problem(node, "an anchor contains itself")
        self._open.add(id(node))
        self._done[id(node)] = value = self._read(node)
        return value

    def _read(self, node: Node) -> object:
        import yaml

        if not node.tag.startswith(_PLAIN) or "python" in node.tag:
            raise self._problem(node, "a tag with ! is not supported; write the value itself")
        if isinstance(node, yaml.MappingNode):
            return self._mapping(node)
        if isinstance(node, yaml.SequenceNode):
            return [self.value(one) for one in node.value]
        try:
            return self._loader.construct_object(node)
        except (ValueError, OverflowError):  # 2024-13-45 is no date
            return node.value

    def _mapping(self, node: MappingNode) -> YamlMapping:
        import yaml

        mapping = YamlMapping(self._name)
        merged: list[YamlMapping] = []
        for key_node, value_node in node.value:
            if not isinstance(key_node, yaml.ScalarNode):
                raise self._problem(key_node, "a key is a list or a mapping")
            if key_node.tag == f"{_PLAIN}merge":
                merged += self._merged(value_node)
                continue
            key = key_node.value
            if key in mapping:
                first = f"it is first set on line {mapping.lines[key]}"
                raise self._problem(
                    key_node, f"the key {redact_name(key)} is a duplicate", f"{first}; remove one"
                )
            mapping.lines[key] = key_node.start_mark.line + 1
            mapping[key] = self.value(value_node)
        for other in merged:  # the mapping's own keys win, then those of the first
            for key in other:
                if key not in mapping:
                    mapping[key], mapping.lines[key] = other[key], other.lines[key]
        return mapping

    def _merged(self, node: Node) -> Iterator[YamlMapping]:
        value = self.value(node)
        for one in value if isinstance(value, list) else [value]:
            if not isinstance(one, YamlMapping):
                raise self._problem(node, "<< merges something else than a mapping")
            yield one

    def _problem(self, node: Node, message: str, fix: str = "") -> SettingsInvalid:
        return SettingsInvalid.at(f"{self._name}:{node.start_mark.line + 1}", message, fix)
