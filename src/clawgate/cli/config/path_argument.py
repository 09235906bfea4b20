"""The PATH argument of `config` commands: parses it, completes it for the shell, suggests a key if it is missing."""

from __future__ import annotations

import contextlib
import difflib
from typing import NoReturn

import click
from click.shell_completion import CompletionItem

from clawgate.cli.errors import fail
from clawgate.cli.paths import find_paths
from clawgate.policy.typos import typo_of
from clawgate.settings.json5.file import Json5File, read_json5
from clawgate.settings.key_path import KeyPath, format_key_path, in_document, parse_key_path
from clawgate.settings.problems import SettingsInvalid

_BY_ID: tuple[KeyPath, ...] = (("models", "providers"), ("plugins", "entries"))


def path_argument(context: click.Context, option: click.Parameter, value: str) -> KeyPath:
    try:
        return parse_key_path(value)
    except ValueError as error:
        raise click.BadParameter(str(error), context, option) from error


def complete_path(context: click.Context, option: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Complete the key paths of the file and the documented ones. Must not print, even for an unusable file."""
    from clawgate.settings.openclaw.key_catalog import known_paths

    paths = list(known_paths())
    with contextlib.suppress(SettingsInvalid, click.UsageError, OSError):
        file = read_json5(find_paths(context.params.get("config")).config)
        if file is not None:
            paths += [path for path in file.source_map.spans if path]

    words = sorted({format_key_path(path) for path in paths})
    matching = [word for word in words if word.startswith(incomplete)]
    short = [word for word in matching if not any(sign in word[len(incomplete) + 1 :] for sign in ".[")]
    return [CompletionItem(word) for word in short or matching]


def fail_no_such_path(path: KeyPath, file: Json5File) -> NoReturn:
    """End the command: the file has nothing at ``path``. Names the command or the key that may have been meant."""
    from clawgate.settings.openclaw.key_catalog import known_key, known_paths

    name = format_key_path(path)
    message = f"{name} is not set in {file.path}"
    document_path = in_document(path, file.value)
    if known_key(document_path) is not None and not any(isinstance(key, int) for key in document_path):
        fail(f"{message}; for its default, see: clawgate config explain '{name}'")
    others = [*file.source_map.spans, *known_paths()]
    names = dict.fromkeys(format_key_path(other) for other in others if _may_be_meant(document_path, other))
    near = difflib.get_close_matches(name, names, n=1, cutoff=0.7)
    fail(message + (f"; did you mean {near[0]}?" if near else ""))


def _may_be_meant(path: KeyPath, other: KeyPath) -> bool:
    """Return whether ``other`` is not a setting of another provider or plugin than ``path`` names."""
    if path[:2] not in _BY_ID or other[:2] != path[:2] or len(path) < 3 or len(other) < 3:
        return True
    return path[2] == other[2] or typo_of(str(path[2]), [str(other[2])]) is not None
