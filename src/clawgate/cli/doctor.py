"""``clawgate doctor``: reports what is wrong with this installation, and fixes it on request."""

from __future__ import annotations

import hashlib
import json
import os
import sys

import click

from clawgate.app.doctor.checks import Fix, FixableDiagnostic, run_checks
from clawgate.cli.effect import Effect, effect_of, print_effect
from clawgate.cli.errors import print_error
from clawgate.cli.exit_codes import ExitCode
from clawgate.cli.paths import Paths, find_paths, json_option, path_options
from clawgate.cli.terminal.confirm import confirm
from clawgate.settings.diagnostic import Diagnostic
from clawgate.settings.openclaw.update import WriteResult
from clawgate.settings.problems import SettingsInvalid

_COLORS = {"error": "red", "warning": "yellow", "info": "blue"}


@click.command(short_help="Find problems of the installation, and fix them.")
@path_options
@json_option
@click.option("--fix", is_flag=True, help="Fix what can be fixed; each change needs a confirmation.")
@click.option("--yes", "-y", is_flag=True, help="With --fix: do not ask.")
def doctor(config: str | None, as_json: bool, fix: bool, yes: bool) -> None:
    """Check config, credentials, ports, file modes, leftover files and this machine.

    The exit status is 1 if there are errors, or a fix failed. Nothing is changed without --fix, and no request is sent
    except to the gateway of this machine; where none runs, model servers of this machine are dialed.
    """
    diagnostics, based_on = _examine(config)
    done: list[str] = []
    failed: list[str] = []
    if fix:
        done, failed = _fix(diagnostics, config, yes=yes, quiet=as_json)
        if done:
            diagnostics, based_on = _examine(config)
    errors = sum(name == "error" for name in map(_severity, diagnostics))
    if as_json:
        findings = list(map(_to_json, diagnostics))
        output = {
            "ok": not (errors or failed), "findings": findings, "done": done, "failed": failed, "basedOn": based_on,
        }  # fmt: skip
        click.echo(json.dumps(output, indent=2))
    else:
        _print_diagnostics(diagnostics, errors)
        if based_on:
            click.echo(f"Based on {based_on}.")
    if errors or failed:
        sys.exit(ExitCode.FAILED)


def _examine(config: str | None) -> tuple[list[Diagnostic], str]:
    """Return the diagnostics, and what showed whether the providers can serve."""
    from clawgate.app.doctor.facts import gather

    try:
        facts = gather(dict(os.environ), config)
    except SettingsInvalid as error:
        raise click.UsageError(str(error)) from error
    return run_checks(facts), facts.based_on


def _fix(
    diagnostics: list[Diagnostic], config: str | None, *, yes: bool, quiet: bool
) -> tuple[list[str], list[str]]:
    """Apply the fixes that the user confirms; return what was done and what failed, one phrase each."""
    from clawgate.app.doctor.fixes import CannotFix, apply_fix

    done: list[str] = []
    failed: list[str] = []
    changes_config = False
    for diagnostic in diagnostics:
        repair = _repair(diagnostic)
        if repair is None or not (yes or _confirmed(diagnostic, repair)):
            continue
        try:
            lines = apply_fix(repair, dict(os.environ))
        except CannotFix as error:
            print_error(f"could not {repair}: {error}")
            failed.append(str(repair))
            continue
        done.append(str(repair))
        changes_config |= repair.kind in ("make_token", "set_mode")
        if not quiet:
            for line in lines:
                click.echo(line)
    if changes_config:
        effect = _effect(find_paths(config))
        if not quiet:
            print_effect(effect)
    return done, failed


def _effect(paths: Paths) -> Effect:
    """Wait for the running gateway to take the repaired file over, so that it is not examined before that."""
    path = paths.config.resolve()
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    return effect_of(paths, WriteResult(path, changed=True, digest=digest))


def _repair(diagnostic: Diagnostic) -> Fix | None:
    return diagnostic.repair if isinstance(diagnostic, FixableDiagnostic) else None


def _confirmed(diagnostic: Diagnostic, repair: Fix) -> bool:
    if not sys.stdin.isatty():
        print_error(f"not a terminal: pass --yes to {repair}")
        return False
    click.echo(f"{_severity(diagnostic)}: {diagnostic.message} ({diagnostic.where})", err=True)
    action = str(repair)  # not str.capitalize: it holds a path
    return confirm(
        f"  {action[:1].upper()}{action[1:]}?", default=True, on_abort="Nothing more was changed.", err=True
    )


def _print_diagnostics(diagnostics: list[Diagnostic], errors: int) -> None:
    for diagnostic in diagnostics:
        name = _severity(diagnostic)
        click.echo(f"{click.style(f'{name:7}', fg=_COLORS[name])} {diagnostic.message}")
        click.echo(f"        at:  {diagnostic.where}")
        click.echo(f"        fix: {diagnostic.fix}")
    if not diagnostics:
        click.echo("No problems found.")
        return
    fixable = sum(_repair(diagnostic) is not None for diagnostic in diagnostics)
    hint = f"; to fix {fixable} of them: clawgate doctor --fix" if fixable else ""
    click.echo(f"{errors} error(s), {len(diagnostics) - errors} other(s){hint}")


def _severity(diagnostic: Diagnostic) -> str:
    return diagnostic.severity.name.lower()


def _to_json(diagnostic: Diagnostic) -> dict[str, object]:
    return {
        "severity": _severity(diagnostic),
        "what": diagnostic.message,
        "where": diagnostic.where,
        "fix": diagnostic.fix,
        "canFix": _repair(diagnostic) is not None,
    }
