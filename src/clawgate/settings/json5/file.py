"""Reads a JSON5 file with the place of each of its values.

Errors name file, line and column, and show no content. Must not know what the keys mean.
"""

from __future__ import annotations

import hashlib
import re
import stat
from dataclasses import dataclass
from pathlib import Path

import pyjson5

from clawgate.settings.json5.source_map import InvalidJson5, SourceMap, source_map
from clawgate.settings.key_path import MAX_DEPTH
from clawgate.settings.problems import SettingsInvalid
from clawgate.settings.regular_file import read_regular

PRIVATE_MODE = 0o600
"""The mode of a file that does not exist yet."""


@dataclass(frozen=True, slots=True)
class Json5File:
    """A parsed file. ``digest`` is the SHA-256 of its bytes, ``mode`` its permission bits."""

    path: Path
    text: str
    digest: str
    mode: int
    value: object
    source_map: SourceMap

    def location(self, line: int, column: int) -> str:
        return f"{self.path}:{line}:{column}"


def read_json5(path: Path) -> Json5File | None:
    """Return the file, None where there is none. Raises `SettingsInvalid` for one that cannot be read."""
    found = read_regular(path)
    if found is None:
        return None
    data, status = found
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as error:
        before = data[: error.start].decode("utf-8")
        line, column = before.count("\n") + 1, len(before) - before.rfind("\n")
        raise SettingsInvalid.at(
            f"{path}:{line}:{column}", "it cannot be read: it is not UTF-8 text"
        ) from None
    try:
        if text and not text.strip("\0"):
            raise InvalidJson5("nothing but NUL characters; restore a backup", 1, 1)
        return json5_file(path, text, hashlib.sha256(data).hexdigest(), stat.S_IMODE(status.st_mode))
    except InvalidJson5 as error:
        location = f"{path}:{error.line}:{error.column}"
        raise SettingsInvalid.at(location, f"it is not JSON5: {error.message}") from None


def json5_file(path: Path, text: str, digest: str = "", mode: int = PRIVATE_MODE) -> Json5File:
    """Return a text as the file that it is or will be. Raises `InvalidJson5`."""
    spans = source_map(text)
    try:
        return Json5File(path, text, digest, mode, pyjson5.decode(text, MAX_DEPTH), spans)
    except pyjson5.Json5Exception as error:  # stricter than ours: both readers have to take it
        at = re.search(r"near (\d+)", str(error.args[0]))
        end = min(max(int(at[1]) - 1, 0), len(text)) if at else len(text)
        line, column = text.count("\n", 0, end) + 1, end - text.rfind("\n", 0, end)
        raise InvalidJson5("it cannot be read from here on", line, column) from None


def missing_file(path: Path) -> SettingsInvalid:
    fix = "name another with --config or OPENCLAW_CONFIG_PATH, or none"
    return SettingsInvalid.at(path, "the file does not exist", fix)
