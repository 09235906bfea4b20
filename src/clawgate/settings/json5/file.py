"""What stands in a JSON5 file, and may it be read at all? Regular files only, of bounded size, in UTF-8.

It never waits (a pipe in the place of the file is refused, not read), and what it refuses it names by file, line and
column, without the content. It does not know what the keys mean.
"""

from __future__ import annotations

import hashlib
import re
import stat
from dataclasses import dataclass
from pathlib import Path

import pyjson5

from clawgate.settings.diagnostic import Diagnostic
from clawgate.settings.json5.source_map import InvalidJson5, SourceMap, scan
from clawgate.settings.key_path import MAX_DEPTH
from clawgate.settings.problems import SettingsInvalid
from clawgate.settings.regular_file import read_regular


@dataclass(frozen=True, slots=True)
class Json5File:
    """A file that could be read. ``digest`` is the SHA-256 of its bytes, ``mode`` its permission bits."""

    path: Path
    text: str
    digest: str
    mode: int
    value: object
    scan: SourceMap

    def place(self, line: int, column: int) -> str:
        return f"{self.path}:{line}:{column}"


def read_json5(path: Path) -> Json5File | None:
    """The file, None where there is none; raises `SettingsInvalid` for one that cannot be read."""
    found = read_regular(path)
    if found is None:
        return None
    data, status = found
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as error:
        before = data[: error.start].decode("utf-8")
        line, column = before.count("\n") + 1, len(before) - before.rfind("\n")
        place = f"{path}:{line}:{column}"
        raise SettingsInvalid(
            [Diagnostic((), "it cannot be read: it is not UTF-8 text", location=place)]
        ) from None
    try:
        if text and not text.strip("\0"):
            raise InvalidJson5("it is nothing but NUL characters; restore a backup", 1, 1)
        return Json5File(
            path, text, hashlib.sha256(data).hexdigest(), stat.S_IMODE(status.st_mode), *parsed(text)
        )
    except InvalidJson5 as error:
        place = f"{path}:{error.line}:{error.column}"
        raise SettingsInvalid([Diagnostic((), f"it is not JSON5: {error.message}", location=place)]) from None


def parsed(text: str) -> tuple[object, SourceMap]:
    """The value and the spans of a JSON5 text; raises `InvalidJson5`. Both readers have to take it."""
    spans = scan(text)
    try:
        return pyjson5.decode(text, MAX_DEPTH), spans
    except pyjson5.Json5Exception as error:
        at = re.search(r"near (\d+)", str(error.args[0]))
        end = min(max(int(at[1]) - 1, 0), len(text)) if at else len(text)
        line, column = text.count("\n", 0, end) + 1, end - text.rfind("\n", 0, end)
        raise InvalidJson5("it cannot be read from here on", line, column) from None


def no_such_file(path: Path) -> SettingsInvalid:
    """A config file that was named, and is not there."""
    way = "name another with --config or OPENCLAW_CONFIG_PATH, or none"
    return SettingsInvalid([Diagnostic((), f"the file does not exist; {way}", location=str(path))])
