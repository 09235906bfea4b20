"""``clawgate doctor``: what is wrong with this installation, and shall it be mended?"""

from __future__ import annotations

import json
import os
import sys
from typing import TYPE_CHECKING

import click

from clawgate.cli.exit_codes import ExitCode
from clawgate.cli.paths import place_options
from clawgate.cli.terminal.confirm import confirmed

if TYPE_CHECKING:
    from clawgate.app.doctor.checks import Finding

_COLOURS = {"error": "red", "warning": "yellow", "info": "blue"}


@click.command()
@place_options
@click.option("--json", "as_json", is_flag=True, help="Print JSON")
@click.option("--fix", is_flag=True, help="Mend what can be mended, asking before each change")
@click.option("--yes", is_flag=True, help="With --fix: do not ask")
def doctor(config: str | None, as_json: bool, fix: bool, yes: bool) -> None:
    """Look for what is wrong: config, credentials, ports, file modes, leftovers, this machine.

    It ends with status 1 if there are errors. Nothing is changed without --fix, and nobody is asked but the gateway
    of this machine.
    """
    findings = _look(config)
    done: list[str] = []
    if fix:
        done = _mend(findings, yes=yes, quiet=as_json)
        findings = _look(config) if done else findings
    errors = sum(name == "error" for name in map(_severity, findings))
    if as_json:
        click.echo(
            json.dumps({"ok": not errors, "findings": list(map(_plain, findings)), "done": done}, indent=2)
        )
    else:
        _show(findings, errors)
    if errors:
        sys.exit(ExitCode.FAILED)


def _look(config: str | None) -> list[Finding]:
    from clawgate.app.doctor.checks import run_checks
    from clawgate.app.doctor.facts import gather
    from clawgate.settings.problems import SettingsInvalid

    try:
        return run_checks(gather(dict(os.environ), config))
    except SettingsInvalid as error:
        raise click.UsageError(str(error)) from error


def _mend(findings: list[Finding], *, yes: bool, quiet: bool) -> list[str]:
    """Do what can be done and is agreed to; what was done, in words."""
    from clawgate.app.doctor.fixes import CannotFix, apply_fix

    done: list[str] = []
    for finding in findings:
        if finding.mend is None:
            continue
        if not (yes or _agreed(finding)):
            continue
        try:
            said = apply_fix(finding.mend, dict(os.environ))
        except CannotFix as error:
            click.echo(f"clawgate: could not {finding.mend}: {error}", err=True)
            continue
        done.append(str(finding.mend))
        if not quiet:
            for line in said:
                click.echo(line)
    return done


def _agreed(finding: Finding) -> bool:
    if not sys.stdin.isatty():
        click.echo(f"clawgate: there is nobody to ask; to {finding.mend}, add --yes", err=True)
        return False
    click.echo(f"{_severity(finding)}: {finding.what} ({finding.where})", err=True)
    words = str(finding.mend)  # with a path, whose capitals count
    return confirmed(
        f"  {words[:1].upper()}{words[1:]}?", default=True, left="Nothing more was changed.", err=True
    )


def _show(findings: list[Finding], errors: int) -> None:
    for finding in findings:
        name = _severity(finding)
        click.echo(f"{click.style(f'{name:7}', fg=_COLOURS[name])} {finding.what}")
        click.echo(f"        at:  {finding.where}")
        click.echo(f"        fix: {finding.fix}")
    if not findings:
        click.echo("No problems found.")
        return
    mendable = sum(finding.mend is not None for finding in findings)
    hint = f"; clawgate doctor --fix mends {mendable}" if mendable else ""
    click.echo(f"{errors} error(s), {len(findings) - errors} other finding(s){hint}")


def _severity(finding: Finding) -> str:
    return finding.severity.name.lower()


def _plain(finding: Finding) -> dict[str, object]:
    return {
        "severity": _severity(finding),
        "what": finding.what,
        "where": finding.where,
        "fix": finding.fix,
        "canMend": finding.mend is not None,
    }
