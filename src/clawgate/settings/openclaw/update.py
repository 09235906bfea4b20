"""How does a change get into the config file? Read, changed, judged as a whole, written: or nothing happens at all.

Every command that changes the file comes through here. What to change is the caller's decision
(`settings.json5.edit`), what the file may say is `settings.openclaw.config_file`'s, how the bytes get there is
`settings.atomic_write`'s.
"""

from __future__ import annotations

import dataclasses
import re
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping
from pathlib import Path

from clawgate.settings.atomic_write import WriteFailed, locked, replace, resolve_symlink
from clawgate.settings.diagnostic import Diagnostic
from clawgate.settings.json5.edit import EditVerificationFailed, NoSuchPath, value_at
from clawgate.settings.json5.file import Json5File, parsed, read_json5
from clawgate.settings.json5.source_map import InvalidJson5, nearest
from clawgate.settings.key_path import KeyPath, format_key_path
from clawgate.settings.problems import SettingsInvalid

NEW_FILE = "{\n}\n"
"""What a change is made to where there is no file yet."""

_NEVER_DROPPED: dict[KeyPath, str] = {
    ("gateway", "mode"): "without it OpenClaw does not start",
    ("meta",): "without it OpenClaw takes the file for damaged and restores a backup over it",
}
_INDEX = re.compile(r"\[\d+\]")
_SMALL = 512
"""Bytes; a smaller file may halve without anybody asking whether it was meant."""


class LosesTooMuch(WriteFailed):
    """The change would take away what nobody said should go."""


class BringsProblems(SettingsInvalid):
    """The file would have problems that it has not now; nothing was written."""


@dataclasses.dataclass(frozen=True, slots=True)
class WriteResult:
    """How it went. ``path`` is the file itself, behind links; ``backup`` holds the version before.

    ``remaining`` are problems that the file had before and still has: worth a warning, no reason to refuse.
    """

    path: Path
    changed: bool
    created: bool = False
    backup: Path | None = None
    remaining: tuple[Diagnostic, ...] = ()


def update(
    path: Path,
    environment: Mapping[str, str],
    change: Callable[[str], str],
    *,
    dropped: Collection[KeyPath] = (),
    may_shrink: bool = False,
) -> WriteResult:
    """Replace the text of ``path`` by what ``change`` makes of it; other writers wait until it is done.

    ``dropped`` are the paths that are meant to go even if OpenClaw needs them; ``may_shrink``: the file may become
    less than half as large. ``change`` may raise what it likes; nothing is written then. Raises `SettingsInvalid` for a
    file that cannot be read, `BringsProblems` for those that the change would add (a file with others may be changed),
    `WriteFailed` with its cause if the file could not be written, `EditVerificationFailed` for a text that cannot be
    read.
    """
    import clawgate.settings.openclaw.config_file
    import clawgate.settings.openclaw.key_catalog  # noqa: F401  # what takes time is done before others have to wait

    with locked(path):
        target = resolve_symlink(path)
        old = read_json5(target)
        before = old.text if old is not None else NEW_FILE
        after = change(before)
        if after == before:
            return WriteResult(target, changed=False)
        try:
            new = Json5File(target, after, "", old.mode if old else 0o600, *parsed(after))
        except InvalidJson5 as error:
            raise EditVerificationFailed(f"the new text could not be read: {error.message}") from error
        remaining = _judged(old, new, environment)
        if old is not None:
            _ask_for_loss(old, new, dropped, may_shrink=may_shrink)
        seen = old.text.encode() if old is not None else None
        backup = replace(target, after.encode(), seen=seen)
    return WriteResult(target, changed=True, created=old is None, backup=backup, remaining=remaining)


def problems_of(file: Json5File, environment: Mapping[str, str]) -> list[Diagnostic]:
    """Everything that is wrong with a file that could be read, with the settings of our own roles in it."""
    from clawgate.settings.openclaw.config_file import validate

    try:
        validate(file, environment)
    except SettingsInvalid as error:
        found = error.problems
    else:
        found = []
    return [*found, *_of_roles(file)]


def _of_roles(file: Json5File) -> Iterator[Diagnostic]:
    """What is wrong in ``plugins.entries.<role>.config``; what is missing there may be set elsewhere."""
    from clawgate.settings.openclaw.key_catalog import ROLES
    from clawgate.settings.roles.loader import SettingsSources, load

    for entry, model in ROLES.items():
        path: KeyPath = ("plugins", "entries", entry, "config")
        try:
            block = value_at(file.value, path)
        except NoSuchPath:
            continue
        if not isinstance(block, dict):
            continue  # told already: no plugin's may be anything else
        try:
            load(model, {}, SettingsSources(block=block, block_name="here"))
        except SettingsInvalid as error:
            for problem in error.problems:
                if problem.location.startswith("here") and not problem.unset:
                    own = (*path, *problem.path)
                    place = file.place(*nearest(file.scan.spans, own))
                    yield dataclasses.replace(problem, path=own, location=place)


def _judged(old: Json5File | None, new: Json5File, environment: Mapping[str, str]) -> tuple[Diagnostic, ...]:
    """The problems that were there before; raises `BringsProblems` with those that were not."""
    found = problems_of(new, environment)
    if not found:
        return ()
    had = Counter(map(_sort, problems_of(old, environment) if old is not None else ()))
    fresh = []
    for problem in found:
        had[_sort(problem)] -= 1
        if had[_sort(problem)] < 0:
            fresh.append(problem)
    if fresh:
        raise BringsProblems(fresh)
    return tuple(found)


def _sort(problem: Diagnostic) -> tuple[str, str]:
    """What stays the same about a problem when lines and entries before it come or go."""
    return _INDEX.sub("[]", problem.key), problem.message


def _ask_for_loss(old: Json5File, new: Json5File, dropped: Collection[KeyPath], *, may_shrink: bool) -> None:
    for path, why in _NEVER_DROPPED.items():
        if path not in dropped and _has(old.value, path) and not _has(new.value, path):
            name = format_key_path(path)
            raise LosesTooMuch(
                f"This would drop {name}: {why}. Nothing was changed; "
                f"if it is meant, run: clawgate config unset {name}"
            )
    before, after = len(old.text.encode()), len(new.text.encode())
    if not may_shrink and before >= _SMALL and after * 2 < before:
        raise LosesTooMuch(
            f"This would shrink {old.path} from {before} to {after} bytes. Nothing was changed; "
            "if it is meant, take away what should go with: clawgate config unset PATH"
        )


def _has(document: object, path: KeyPath) -> bool:
    try:
        value_at(document, path)
    except NoSuchPath:
        return False
    return True
