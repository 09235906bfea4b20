"""Refuses a request for an agent: the field at fault, and the client's text as a message may show it.

Law: a message has a bounded length, and nothing in it has the shape of a credential.
"""

from __future__ import annotations

import re
from typing import NoReturn

from clawgate.errors import InvalidRequest
from clawgate.policy.printable import escape_controls
from clawgate.policy.redaction import Redactor

_LONGEST_SHOWN = 64
_LONGEST_READ = 1024
_SHAPES = Redactor()
_NOT_IN_LISTS = re.compile(r"[^A-Za-z0-9_.*-]")
_NAMES = {bool: "boolean", int: "number", float: "number", str: "string", list: "array", dict: "object"}


def reject(param: str | None, message: str) -> NoReturn:
    """Raise `InvalidRequest` for a field, None for one whose place is not known."""
    raise InvalidRequest(message, param=param)


def shown(text: str) -> str:
    """Return a client's text as a message may show it: short, printable, without what looks like a credential."""
    plain = escape_controls(_SHAPES.redact(text[:_LONGEST_READ]))
    return plain if len(plain) <= _LONGEST_SHOWN else f"{plain[:_LONGEST_SHOWN]}..."


def field_name(name: str) -> str:
    """Return the name of a client's field for a header that lists it."""
    return _NOT_IN_LISTS.sub("?", shown(name))


def type_name(value: object) -> str:
    """Return the JSON type of ``value``, as OpenClaw's messages name it."""
    return "null" if value is None else _NAMES[type(value)]


def listing(names: list[str], most: int = 20) -> str:
    """Return ``names`` as a list in a message, the first of many."""
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more
