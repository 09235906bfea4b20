"""Changes the config file: read, change, validate as a whole, write; or nothing happens at all.

Every command that changes the file uses this. What to change is the caller's decision (`settings.json5.edit`), what the
file may say is that of `settings.openclaw.config_file`, how the bytes are replaced that of `settings.atomic_write`.
"""

from __future__ import annotations

import dataclasses
import hashlib
import re
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping
from pathlib import Path

from clawgate.settings import atomic_write
from clawgate.settings.atomic_write import WriteFailed
from clawgate.settings.diagnostic import Diagnostic
from clawgate.settings.json5.document import EditNotSupported, find_value
from clawgate.settings.json5.edit import EditVerificationFailed
from clawgate.settings.json5.file import PRIVATE_MODE, Json5File, json5_file, read_json5
from clawgate.settings.json5.source_map import InvalidJson5, nearest_position
from clawgate.settings.key_path import KeyPath, format_key_path
from clawgate.settings.problems import SettingsInvalid

NEW_FILE = "{\n}\n"
"""The text that a change is made to where there is no file yet."""

_NEVER_DROPPED: dict[KeyPath, str] = {
    ("gateway", "mode"): "OpenClaw does not start without it",
    ("meta",): "without it OpenClaw takes the file for damaged and restores a backup over it",
}
_INDEX = re.compile(r"\[\d+\]")
_SMALL_BYTES = 512
"""A smaller file may halve without being a mistake."""


NOT_WRITTEN = (SettingsInvalid, WriteFailed, EditNotSupported, EditVerificationFailed, InvalidJson5)
"""What an edit and `update` raise: nothing was written, and the text of the error says why."""


class LosesTooMuch(WriteFailed):
    """The change would remove what was not named."""


class BringsProblems(SettingsInvalid):
    """The file would have problems that it has not now; nothing was written."""


@dataclasses.dataclass(frozen=True, slots=True)
class WriteResult:
    """What was written. ``path`` is the file itself, links resolved; ``backup`` has the version before.

    ``remaining`` are problems that the file had before and still has: worth a warning, no reason to reject.
    ``digest`` is the SHA-256 of the new bytes.
    """

    path: Path
    changed: bool
    created: bool = False
    backup: Path | None = None
    remaining: tuple[Diagnostic, ...] = ()
    digest: str = dataclasses.field(default="", compare=False)


def update(
    path: Path,
    environment: Mapping[str, str],
    change: Callable[[str], str],
    *,
    dropped: Collection[KeyPath] = (),
    may_shrink: bool = False,
) -> WriteResult:
    """Replace the text of ``path`` by the result of ``change``; other writers wait until it is done.

    ``dropped`` are the paths that may go even if OpenClaw needs them; ``may_shrink``: the file may become less than
    half as large. ``change`` may raise anything; nothing is written then. Raises `SettingsInvalid` for a file that
    cannot be read, `BringsProblems` for those that the change would add (a file with others may be changed),
    `WriteFailed` if the file could not be written, `EditVerificationFailed` for a text that cannot be read.
    """
    import clawgate.settings.openclaw.config_file
    import clawgate.settings.openclaw.key_catalog  # noqa: F401  # imports take time, and other writers wait

    with atomic_write.locked(path):
        target = atomic_write.resolve_symlink(path)
        old = read_json5(target)
        before = old.text if old is not None else NEW_FILE
        after = change(before)
        if after == before:
            return WriteResult(target, changed=False)
        try:
            new = json5_file(target, after, mode=old.mode if old else PRIVATE_MODE)
        except InvalidJson5 as error:
            raise EditVerificationFailed(f"the new text could not be read: {error.message}") from error
        remaining = _remaining_problems(old, new, environment)
        if old is not None:
            _check_loss(old, new, dropped, may_shrink=may_shrink)
        backup = atomic_write.replace(
            target, after.encode(), old=old.text.encode() if old is not None else None
        )
    digest = hashlib.sha256(after.encode()).hexdigest()
    return WriteResult(
        target, changed=True, created=old is None, backup=backup, remaining=remaining, digest=digest
    )


def problems_of(file: Json5File, environment: Mapping[str, str]) -> list[Diagnostic]:
    """Return everything that is wrong with a parsed file, with the settings of our own roles in it."""
    from clawgate.settings.openclaw.config_file import validate

    try:
        validate(file, environment)
    except SettingsInvalid as error:
        problems = error.problems
    else:
        problems = []
    known = {(problem.path, problem.message) for problem in problems}
    roles = [one for one in _role_problems(file) if (one.path, one.message) not in known]
    return [*problems, *dict.fromkeys(roles)]


def _role_problems(file: Json5File) -> Iterator[Diagnostic]:
    """What is wrong in ``plugins.entries.<role>.config``; what is missing there may be set elsewhere."""
    from clawgate.settings.openclaw.key_catalog import ROLES
    from clawgate.settings.roles.config_block import config_block
    from clawgate.settings.roles.loader import SettingsSources, load

    in_block = "block"
    for entry, model in ROLES.items():
        section: KeyPath = ("plugins", "entries", entry, "config")
        if not isinstance(file.value, dict):
            return
        try:
            block = config_block(file, entry)
        except SettingsInvalid as error:
            yield from error.problems
            continue
        try:
            load(model, {}, SettingsSources(block=block, block_name=in_block))
        except SettingsInvalid as error:
            for problem in error.problems:
                if problem.location.startswith(in_block) and not problem.unset:
                    path = (*section, *problem.path)
                    location = file.location(*nearest_position(file.source_map.spans, path))
                    yield dataclasses.replace(problem, path=path, location=location)


def _remaining_problems(
    old: Json5File | None, new: Json5File, environment: Mapping[str, str]
) -> tuple[Diagnostic, ...]:
    """The problems that were there before. Raises `BringsProblems` with those that were not."""
    problems = problems_of(new, environment)
    if not problems:
        return ()
    before = Counter(map(_identity, problems_of(old, environment) if old is not None else ()))
    added = []
    for problem in problems:
        before[_identity(problem)] -= 1
        if before[_identity(problem)] < 0:
            added.append(problem)
    if added:
        raise BringsProblems(added)
    return tuple(problems)


def _identity(problem: Diagnostic) -> tuple[str, str]:
    """What stays the same about a problem when lines and entries before it come or go."""
    return _INDEX.sub("[]", problem.key), problem.message


def _check_loss(old: Json5File, new: Json5File, dropped: Collection[KeyPath], *, may_shrink: bool) -> None:
    for path, reason in _NEVER_DROPPED.items():
        if (
            path not in dropped
            and find_value(old.value, path) is not None
            and find_value(new.value, path) is None
        ):
            name = format_key_path(path)
            raise LosesTooMuch(
                f"{name}: would be removed, and {reason}; nothing was changed, "
                f"to remove it run: clawgate config unset {name}"
            )
    before, after = len(old.text.encode()), len(new.text.encode())
    if not may_shrink and before >= _SMALL_BYTES and after * 2 < before:
        raise LosesTooMuch(
            f"{old.path}: would shrink from {before} to {after} bytes; nothing was changed, "
            "to remove parts of it run: clawgate config unset PATH"
        )
