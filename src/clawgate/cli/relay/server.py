"""``clawgate server``: the remote proxy that holds the real key and accepts tokens instead."""

from __future__ import annotations

import secrets
import socket
from typing import Any

import click

from clawgate.cli.paths import config_option, env_file_option
from clawgate.cli.relay.options import settings_options
from clawgate.cli.relay.run import run, settings_from
from clawgate.cli.relay.server_health import server_health
from clawgate.cli.relay.service import install, uninstall
from clawgate.cli.relay.tokens import token
from clawgate.cli.terminal.program import program
from clawgate.policy.local_hosts import WILDCARDS, is_loopback
from clawgate.policy.redaction import Redactor
from clawgate.settings.roles.bridge import BridgeSettings
from clawgate.settings.roles.server import ServerSettings


@click.group()
def server() -> None:
    """The remote proxy: it holds the real key, clients hold tokens that you can revoke."""


for command in (server_health, token, install, uninstall):
    server.add_command(command)


@server.command("new-token")
def make_token() -> None:
    """Print a new random token."""
    click.echo(secrets.token_urlsafe(32))


@server.command("run", short_help="Run the remote proxy in the foreground.")
@config_option
@env_file_option
@settings_options(ServerSettings)
def run_server(**flags: Any) -> None:
    """Run the remote proxy in the foreground until Ctrl-C.

    Clients present their token as X-Proxy-Token or as Authorization: Bearer; the upstream sees only the real key.
    Listens on 127.0.0.1 by default: put a TLS proxy in front, or give --tls-certificate and --tls-key with --host.
    """
    settings = settings_from(ServerSettings, ServerSettings.ENTRY, flags)

    def build(redactor: Redactor) -> Any:
        from clawgate.app.server import build_server

        return build_server(settings, add_secrets=redactor.add)

    def banner(role: Any, url: str) -> list[str]:
        allowed = f"models: {', '.join(settings.models)}" if settings.models else "all models"
        lines = [f"clawgate server listening on {url} -> {role.upstream.origin} ({allowed})"]
        if url.startswith("http:") and not url.startswith(
            ("http://127.", "http://localhost", "http://[::1]")
        ):
            lines.append(
                "  warning: tokens and prompts travel unencrypted; use --tls-certificate or a TLS proxy"
            )
        scheme, port = url.partition(":")[0], url.rpartition(":")[2]
        remote = f"{scheme}://{socket.gethostname()}:{port}" if role.host in WILDCARDS else url
        # The program of another machine is installed at a place of its own.
        name = program() if is_loopback(role.host) else "clawgate"
        lines.append(
            f"Next: {name} models auth login --provider {BridgeSettings.ENTRY} --remote-url {remote}"
        )
        return lines

    run(build, settings.secrets(), banner, role_name="server", verbose=False)
