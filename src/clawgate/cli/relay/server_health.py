"""``clawgate server health``: whether the server of this machine responds, for containers and scripts."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import click

from clawgate.cli.exit_codes import ExitCode
from clawgate.cli.paths import config_option, env_file_option
from clawgate.cli.relay.options import settings_options
from clawgate.cli.relay.run import settings_from
from clawgate.policy.local_hosts import connectable
from clawgate.settings.roles.server import ServerSettings

if TYPE_CHECKING:
    from clawgate.processes.instance.health_client import HealthCheck

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
    role = (found.body or {}).get("role", "server")  # a server shows it to its callers alone
    other = "bridge" if role == "bridge" else "gateway" if role == "gateway" else "program"
    error = found.error or ("" if role == "server" else f"a {other} responded, not a server")
    if error:
        click.echo(f"clawgate server: {url}: {error}; {_next_step(found, settings.port)}", err=True)
        sys.exit(ExitCode.FAILED)
    click.echo(f"OK: {url} ({found.milliseconds:.0f} ms)")


def _next_step(found: HealthCheck, port: int) -> str:
    from clawgate.processes.instance.health_client import NOTHING_LISTENS
    from clawgate.processes.port_owner import port_owner

    if found.tls:
        return "give --tls-certificate and --tls-key as to clawgate server run"
    if found.tls is False:
        return "leave out --tls-certificate and --tls-key (tlsCertificate and tlsKey in the config)"
    if found.error == NOTHING_LISTENS:
        return "start it: clawgate server run"
    owner = port_owner(port) or "what listens there"
    return f"give the port of the server (--port), or stop {owner} and start the server: clawgate server run"
