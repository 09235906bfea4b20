"""Writes a change of one value to the config file, and prints what it takes effect on."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable

import click

from clawgate.cli.config.path_argument import fail_no_such_path
from clawgate.cli.context import print_remaining
from clawgate.cli.effect import effect_of, print_warnings
from clawgate.cli.errors import UNCHANGED, fail, fail_invalid_config
from clawgate.cli.exit_codes import ExitCode
from clawgate.cli.paths import Paths, find_paths
from clawgate.settings.atomic_write import WriteFailed
from clawgate.settings.json5.document import EditNotSupported, NoSuchPath
from clawgate.settings.json5.edit import EditVerificationFailed
from clawgate.settings.json5.file import Json5File
from clawgate.settings.json5.source_map import InvalidJson5
from clawgate.settings.key_path import KeyPath, format_key_path
from clawgate.settings.openclaw.update import BringsProblems, WriteResult, update
from clawgate.settings.problems import SettingsInvalid


def write_value(
    config: str | None,
    edit: Callable[[str], str],
    *,
    path: KeyPath | None = None,
    file: Json5File | None = None,
    dropped: tuple[KeyPath, ...] = (),
    may_shrink: bool = False,
) -> WriteResult:
    """Apply ``edit`` to the text of the file; a change that cannot be written ends the command.

    ``path`` and ``file`` let the error for a missing key suggest a similar one.
    """
    config_path = find_paths(config).config
    try:
        return update(config_path, os.environ, edit, dropped=dropped, may_shrink=may_shrink)
    except NoSuchPath as error:
        if path is None or file is None:
            fail(str(error), outcome=UNCHANGED)
        fail_no_such_path(path, file)
    except EditNotSupported as error:
        fail(str(error), outcome=UNCHANGED)
    except WriteFailed as error:
        fail(str(error))  # which says that nothing was changed
    except EditVerificationFailed as error:
        fail(
            f"the change cannot be made safely: {error}; this is a defect of clawgate, please report it",
            outcome=UNCHANGED,
        )
    except InvalidJson5 as error:
        fail(f"{config_path}:{error.line}:{error.column}: {error.message}", outcome=UNCHANGED)
    except BringsProblems as error:
        for problem in error.problems:
            click.echo(f"Config validation failed: {problem}", err=True)
        click.echo(UNCHANGED, err=True)
        sys.exit(ExitCode.FAILED)
    except SettingsInvalid as error:
        fail_invalid_config(error.problems)


def print_change(written: WriteResult, paths: Paths, path: KeyPath, verb: str) -> None:
    """Print what was changed, what the running gateway did with it, and which set variables override it.

    Without a gateway that runs, in OpenClaw's words when it counts.
    """
    from clawgate.settings.openclaw.key_catalog import applied_live, known_key

    if not written.changed:
        click.echo("No change")
        return
    effect = effect_of(paths, written, (path,))
    live = "Change will apply without restarting the gateway."
    text = effect.text or (live if applied_live(path) else "Restart the gateway to apply.")
    click.echo(f"{verb} {format_key_path(path)}. {text}")
    if written.backup is not None:
        click.echo(f"  Backup: {written.backup}")
    known = known_key(path)
    for name in known.variables if known is not None and effect.pid is None else ():
        if os.environ.get(name):
            click.echo(f"Warning: environment variable {name} overrides the file", err=True)
    print_warnings(effect)
    print_remaining(written)
