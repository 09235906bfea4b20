"""Keeps which tools of each MCP server were accepted: its first list, and later what the operator accepts.

Law: fail closed. A model is offered a tool as it was accepted, and a server that describes it otherwise, or has a new
one, waits for ``clawgate mcp accept``. Where the file of a server cannot be read nothing of it is accepted. Files are
private: who can write them decides what models read.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from clawgate.agents.tools.mcp.definitions import Definition
from clawgate.settings.private_folder import make_private_folder, replace_private
from clawgate.settings.problems import SettingsInvalid
from clawgate.settings.regular_file import read_regular

_VERSION = 1


def pins_folder(state: Path) -> Path:
    """Return the folder of the files in OpenClaw's state folder."""
    return state / "clawgate" / "mcp"


@dataclass(frozen=True, slots=True)
class Pins:
    """What is known of one server. ``waiting`` are tools as they were listed last that are not accepted.

    ``problem`` is why its file cannot be used; ``is_new``: there is none, so its first list is accepted.
    """

    accepted: Mapping[str, Definition] = field(default_factory=dict)
    waiting: Mapping[str, Definition] = field(default_factory=dict)
    accepted_at: str = ""
    problem: str = ""
    is_new: bool = False

    def after(self, listed: Iterable[Definition], now: float) -> Pins:
        """Return what is known once the server has listed its tools."""
        tools = {tool.name: tool for tool in listed}
        if self.is_new:
            return Pins(tools, accepted_at=_text_of(now))
        waiting = {
            name: tool
            for name, tool in tools.items()
            if name not in self.accepted or self.accepted[name].digest != tool.digest
        }
        return Pins(self.accepted, waiting, self.accepted_at, self.problem)

    def accept(self, now: float) -> Pins:
        """Return what is known once the operator has accepted what waits."""
        return Pins({**self.accepted, **self.waiting}, accepted_at=_text_of(now))


class PinStore:
    """The files, in ``folder``; ``clock`` is in seconds since 1970."""

    def __init__(self, folder: Path, clock: Callable[[], float]) -> None:
        self._folder = folder
        self._clock = clock
        self._read: dict[str, tuple[tuple[int, int, int], Pins]] = {}

    def path(self, prefix: str) -> Path:
        """Return the file of the server whose tools begin with ``prefix``."""
        return self._folder / f"{prefix}.json"

    def read(self, prefix: str) -> Pins:
        """Return what is known of a server; its file is read again when it has changed."""
        path = self.path(prefix)
        try:
            status = path.stat()
        except FileNotFoundError:
            self._read.pop(prefix, None)
            return Pins(is_new=True)
        except OSError as error:
            return Pins(problem=f"{path}: {error.strerror}; check its owner and mode")
        seen = status.st_mtime_ns, status.st_size, status.st_ino
        known = self._read.get(prefix)
        if known is None or known[0] != seen:
            known = self._read[prefix] = (seen, _read(path))
        return known[1]

    def observe(self, prefix: str, listed: Iterable[Definition]) -> Pins:
        """Record the list of a server, and return what is known now. Raises OSError where that cannot be written."""
        before = self.read(prefix)
        if before.problem:
            return before
        after = before.after(listed, self._clock())
        if after != before:
            self._write(prefix, after)
        return after

    def accept(self, prefix: str) -> Pins:
        """Accept what waits, and return what is known now. Raises OSError where that cannot be written."""
        after = self.read(prefix).accept(self._clock())
        self._write(prefix, after)
        return after

    def _write(self, prefix: str, pins: Pins) -> None:
        make_private_folder(self._folder)
        document = {
            "version": _VERSION,
            "acceptedAt": pins.accepted_at,
            "accepted": [tool.document for tool in pins.accepted.values()],
            "waiting": [tool.document for tool in pins.waiting.values()],
        }
        replace_private(self.path(prefix), json.dumps(document, indent=1).encode())


def _read(path: Path) -> Pins:
    try:
        found = read_regular(path)
        document: Any = json.loads(found[0] if found is not None else b"")
        if document["version"] != _VERSION:
            return Pins(problem=f"{path}: its version is not {_VERSION}; remove it to accept the tools anew")
        accepted = [Definition.of(tool) for tool in document["accepted"]]
        waiting = [Definition.of(tool) for tool in document["waiting"]]
        return Pins(
            {tool.name: tool for tool in accepted},
            {tool.name: tool for tool in waiting},
            str(document["acceptedAt"]),
        )
    except SettingsInvalid as error:
        return Pins(problem=f"{path}: {error}")
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return Pins(problem=f"{path}: it is damaged; remove it to accept the tools anew")


def _text_of(now: float) -> str:
    return datetime.fromtimestamp(now, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
