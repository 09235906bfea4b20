"""Reads the tools that an MCP server lists: what identifies each, its name towards models, and what these read of it.

Pure. Law: what is not exactly what was accepted is another tool (the digest covers all that describes it), and no name
is given twice. Invisible characters are taken out of descriptions: instructions are hidden in them (the "tag"
characters of Unicode, bidirectional overrides).
"""

from __future__ import annotations

import hashlib
import json
import re
import unicodedata
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import cached_property
from typing import Any

from clawgate.agents.tools.external_content import without_unprintable
from clawgate.settings.openclaw.mcp_servers import SEPARATOR
from clawgate.settings.schema.mcp import ToolFilter

MAX_DEFINITION = 65_536
"""Characters of one definition as JSON: each model call sends them."""

_DESCRIBED_BY = ("name", "title", "description", "inputSchema", "outputSchema", "annotations")
_LONGEST_NAME = 64
_NOT_IN_A_NAME = re.compile(r"[^A-Za-z0-9_-]")
_INVISIBLE_CATEGORIES = frozenset({"Cc", "Cf", "Co", "Cs"})
_MAX_DEPTH = 64


@dataclass(frozen=True)
class Definition:
    """One tool of a server; ``document`` is all that describes it."""

    document: Mapping[str, Any]

    @classmethod
    def of(cls, listed: Mapping[str, Any]) -> Definition:
        """Read one of the server's list. Raises ValueError for what can be no tool."""
        name = listed.get("name")
        if not isinstance(name, str) or not name or not isinstance(listed.get("inputSchema"), dict):
            raise ValueError("it has no name or no inputSchema")
        definition = cls({key: listed[key] for key in _DESCRIBED_BY if listed.get(key) is not None})
        if _depth_exceeds(definition.document, _MAX_DEPTH):
            raise ValueError(f"its definition is nested more than {_MAX_DEPTH} deep")
        if definition.size > MAX_DEFINITION:
            raise ValueError(f"its definition exceeds {MAX_DEFINITION} characters")
        return definition

    @property
    def name(self) -> str:
        return str(self.document["name"])

    @cached_property
    def digest(self) -> str:
        return f"sha256:{hashlib.sha256(self._json.encode()).hexdigest()}"

    @property
    def size(self) -> int:
        """Characters as JSON."""
        return len(self._json)

    @cached_property
    def _json(self) -> str:
        return json.dumps(self.document, sort_keys=True, separators=(",", ":"))

    @property
    def description(self) -> str:
        """What a model reads; never empty."""
        for key in ("description", "title"):
            if text := without_invisible(str(self.document.get(key, ""))).strip():
                return text
        return without_invisible(self.name) or "a tool"

    @property
    def parameters(self) -> dict[str, Any]:
        """The JSON schema that a model reads."""
        text = json.dumps(_cleaned_schema(self.document["inputSchema"]), ensure_ascii=False)
        schema = json.loads(without_unprintable(text))  # names and values may hide text, too
        assert isinstance(schema, dict), "`of` checks it"
        return {"type": "object", **schema}


def without_invisible(text: str) -> str:
    """Return ``text`` without invisible characters but for line feeds and tabs."""
    if text.isprintable():
        return text
    return "".join(
        char for char in text if char in "\n\t" or unicodedata.category(char) not in _INVISIBLE_CATEGORIES
    )


def tool_name(prefix: str, name: str) -> str:
    """Return the name of a server's tool towards models, as OpenClaw makes it: both programs read lists of them."""
    text = _NOT_IN_A_NAME.sub("-", name.strip()) or "tool"
    own = text if text[0].isascii() and text[0].isalpha() else f"tool-{text}"
    return f"{prefix}{SEPARATOR}{own}"[:_LONGEST_NAME]


def named(prefix: str, tools: Iterable[Definition]) -> tuple[dict[str, Definition], dict[str, str]]:
    """Return the tools by their names towards models; and those without one by their own name, with the reason.

    Of two tools of the same name neither is offered: which one a list of tools means would depend on their order.
    """
    found: dict[str, list[Definition]] = {}
    for tool in tools:
        found.setdefault(tool_name(prefix, tool.name).lower(), []).append(tool)
    names: dict[str, Definition] = {}
    reasons: dict[str, str] = {}
    for same in found.values():
        if len(same) == 1:
            names[tool_name(prefix, same[0].name)] = same[0]
            continue
        for tool in same:
            others = ", ".join(repr(without_invisible(one.name)[:80]) for one in same if one is not tool)
            reasons[tool.name] = f"{tool_name(prefix, tool.name)} would be the name of {others} as well"
    return names, reasons


def passes(rule: ToolFilter, name: str) -> bool:
    """Whether the config offers the server's tool ``name``."""
    if any(_matches(pattern, name) for pattern in rule.exclude):
        return False
    return not rule.include or any(_matches(pattern, name) for pattern in rule.include)


def _matches(pattern: str, name: str) -> bool:
    literal = re.sub(r"[?\[]", lambda match: f"[{match[0]}]", pattern)  # of a glob only ``*`` counts
    return fnmatchcase(name, literal)


def _cleaned_schema(schema: object) -> object:
    """Return a schema whose texts for the model have no invisible characters; joiners in names and values stay."""
    if isinstance(schema, list):
        return [_cleaned_schema(one) for one in schema]
    if not isinstance(schema, dict):
        return schema
    return {
        key: without_invisible(value)
        if key in ("title", "description") and isinstance(value, str)
        else _cleaned_schema(value)
        for key, value in schema.items()
    }


def _depth_exceeds(value: object, most: int) -> bool:
    level: list[object] = [value]
    for _ in range(most):
        level = [part for one in level for part in _parts(one)]
        if not level:
            return False
    return True


def _parts(value: object) -> Iterable[object]:
    if isinstance(value, Mapping):
        return value.values()
    return value if isinstance(value, list) else ()
