"""``clawgate egress validate``: tries what has to be reached, and a server on this machine that must not be."""

from __future__ import annotations

import asyncio
import json
import sys

import click

from clawgate.app.egress_validation import validate as run_validation
from clawgate.cli.context import load_config
from clawgate.cli.exit_codes import ExitCode
from clawgate.cli.paths import json_option, path_options
from clawgate.cli.terminal.table import print_table
from clawgate.policy.printable import escape_controls
from clawgate.relay.upstream.dial import Dialer


@click.command(short_help="Check that providers are reached, and that others are not.")
@json_option
@path_options
def validate(config: str | None, as_json: bool) -> None:
    """Check the egress policy of the config, from this machine.

    Each provider is connected to, as its requests do; nothing is sent. A server that this command starts on loopback,
    with a new token on its page, must not be reached with the policy of a tool, nor with that of a provider. The exit
    status is 1 if a check fails.
    """
    loaded = load_config(config)
    catalog = loaded.catalog
    checks = asyncio.run(run_validation(catalog, loaded.file, catalog.used_providers(), Dialer()))
    ok = all(check.ok for check in checks)
    if as_json:
        output = {
            "ok": ok,
            "basedOn": str(loaded.path),
            "checks": [check.to_json() for check in checks],
        }
        click.echo(json.dumps(output, indent=2))
    else:
        rows = [
            (check.requester, check.url or "-", check.expects, "ok" if check.ok else "FAILED")
            for check in checks
        ]
        print_table(
            ("Requester", "URL", "Has to be", "Result"), [tuple(map(escape_controls, row)) for row in rows]
        )
        for check in checks:
            if not check.ok:
                click.echo(f"{check.requester}: {escape_controls(check.message)}", err=True)
        click.echo(f"Based on {loaded.path}, from this machine.")
    sys.exit(ExitCode.OK if ok else ExitCode.FAILED)
