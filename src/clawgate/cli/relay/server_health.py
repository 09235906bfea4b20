"""``clawgate server health``: whether the server of this machine responds, for containers and scripts."""

from __future__ import annotations

import sys
from typing import Any

import click

from clawgate.cli.exit_codes import ExitCode
from clawgate.cli.paths import config_option, env_file_option
from clawgate.cli.relay.options import settings_options
from clawgate.cli.relay.run import settings_from
from clawgate.policy.local_hosts import connectable
from clawgate.settings.roles.server import ServerSettings

_SECONDS = 3.0
_USED = {"host", "port", "tls_certificate", "tls_key"}
_OTHERS = tuple(name for name in ServerSettings.model_fields if name not in _USED)


@click.command("health", short_help="Check that the server of this machine responds.")
@config_option
@env_file_option
@settings_options(ServerSettings, leave_out=_OTHERS)
def server_health(**flags: Any) -> None:
    """Check that the server of this machine responds; the exit status is 1 if not.

    It looks where `clawgate server run` listens with the same flags, variables and config.
    The upstream is not contacted.
    """
    from clawgate.processes.instance.health_client import check_health

    settings = settings_from(ServerSettings, ServerSettings.ENTRY, flags)
    tls = settings.tls_certificate is not None
    found = check_health(settings.host, settings.port, seconds=_SECONDS, tls=tls)
    host = connectable(settings.host)
    name = f"[{host}]" if ":" in host else host
    url = f"{'https' if tls else 'http'}://{name}:{settings.port}"
    if found.error:
        click.echo(f"clawgate server: {url}: {found.error}; start it: clawgate server run", err=True)
        sys.exit(ExitCode.FAILED)
    click.echo(f"OK: {url} ({found.milliseconds:.0f} ms)")
