"""How does a path get from the command line to the config file? Read, completed by the shell, guessed at when wrong."""

from __future__ import annotations

import contextlib
import difflib
import sys
from typing import TYPE_CHECKING, NoReturn

import click
from click.shell_completion import CompletionItem

from clawgate.cli.exit_codes import ExitCode
from clawgate.cli.paths import places

if TYPE_CHECKING:
    from clawgate.settings.json5.file import Json5File
    from clawgate.settings.key_path import KeyPath


def path_argument(context: click.Context, option: click.Parameter, value: str) -> KeyPath:
    """The callback of a PATH argument."""
    from clawgate.settings.key_path import parse_key_path

    try:
        return parse_key_path(value)
    except ValueError as error:
        raise click.BadParameter(str(error), context, option) from error


def complete_path(context: click.Context, option: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Paths of the file and of the models; a shell that completes is no place for complaints."""
    from clawgate.settings.json5.file import read_json5
    from clawgate.settings.openclaw.key_catalog import known_paths
    from clawgate.settings.problems import SettingsInvalid

    found = list(known_paths())
    with contextlib.suppress(SettingsInvalid, click.UsageError, OSError):
        file = read_json5(places(context.params.get("config")).config)
        if file is not None:
            found += [path for path in file.scan.spans if path]
    from clawgate.settings.key_path import format_key_path

    words = sorted({format_key_path(path) for path in found})
    fitting = [word for word in words if word.startswith(incomplete)]
    short = [word for word in fitting if not any(sign in word[len(incomplete) + 1 :] for sign in ".[")]
    return [CompletionItem(word) for word in short or fitting]


def no_such_path(path: KeyPath, file: Json5File) -> NoReturn:
    """End the command: nothing stands at ``path``, and what may have been meant."""
    from clawgate.settings.key_path import format_key_path, in_document
    from clawgate.settings.openclaw.key_catalog import known_key, known_paths

    name = format_key_path(path)
    message = f"clawgate: there is nothing at {name} in {file.path}"
    where = in_document(path, file.value)
    if known_key(where) is not None and not any(isinstance(key, int) for key in where):
        message += f"; what holds without it: clawgate config explain '{name}'"
    else:
        names = dict.fromkeys(map(format_key_path, [*file.scan.spans, *known_paths()]))
        near = difflib.get_close_matches(name, names, n=1, cutoff=0.7)
        message += f"; did you mean {near[0]}?" if near else ""
    click.echo(message, err=True)
    sys.exit(ExitCode.FAILED)
