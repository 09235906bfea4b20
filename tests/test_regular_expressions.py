"""Every regular expression matches the same with each Python that is supported.

Before 3.11.5 a possessive group whose body fails behind its first characters leaves the position there (CPython issue
106052): Debian 12 has 3.11.2. So within one, only single characters may follow what an alternative begins with.
"""

from __future__ import annotations

import importlib
import pkgutil
import re
from collections.abc import Iterator
from re import _constants as code  # type: ignore[attr-defined]  # typeshed has neither
from re import _parser as parser  # type: ignore[attr-defined]
from typing import Any

import pytest

import clawgate

_SINGLE = {code.LITERAL, code.NOT_LITERAL, code.IN, code.ANY}


def patterns() -> Iterator[tuple[str, re.Pattern[Any]]]:
    """Each compiled pattern at the top of a module of clawgate, or one whose method is kept there."""
    for module in pkgutil.walk_packages(clawgate.__path__, "clawgate."):
        if module.name.endswith("__main__") or ".migrations" in module.name:
            continue
        try:
            values = vars(importlib.import_module(module.name)).items()
        except ImportError:  # of an extra
            continue
        for name, value in values:
            pattern = getattr(value, "__self__", value)
            for one in pattern.values() if isinstance(pattern, dict) else [pattern]:
                if isinstance(one, re.Pattern):
                    yield f"{module.name}.{name}", one


def is_portable(items: Any, *, possessive: bool = False) -> bool:
    """Whether no alternative in a possessive group has more than single characters behind its first item."""
    for position, (kind, argument) in enumerate(items):
        if possessive and position and kind not in _SINGLE:
            return False
        if kind in (code.MAX_REPEAT, code.MIN_REPEAT, code.POSSESSIVE_REPEAT):
            body = argument[2]
            is_group = kind is code.POSSESSIVE_REPEAT and not (len(body) == 1 and body[0][0] in _SINGLE)
            inner = [body]
        elif kind is code.BRANCH:
            is_group, inner = possessive, argument[1]
        elif kind is code.SUBPATTERN:
            is_group, inner = possessive, [argument[-1]]
        elif kind in (code.ASSERT, code.ASSERT_NOT):
            is_group, inner = False, [argument[1]]
        else:
            continue
        if not all(is_portable(one, possessive=is_group) for one in inner):
            return False
    return True


@pytest.mark.parametrize(
    ("pattern", "portable"),
    [
        (r"(?:[^a]++|b.)*+", True),
        (r"(?:a|b[^c]*+d)*+", False),
        (r"(?:\*(?!/))*+", False),
        (r"(?:(?:a|bc*d)x)++", False),
        (r"(?:a|b[^c]*+d)*", True),
    ],
)
def test_what_is_not_portable_is_found(pattern: str, portable: bool) -> None:
    assert is_portable(parser.parse(pattern)) is portable


def test_every_pattern_is_portable() -> None:
    found = list(patterns())
    assert len(found) > 50
    assert [name for name, one in found if not is_portable(parser.parse(one.pattern, one.flags))] == []
