"""``clawgate bridge``: the local bridge that replaces the client's Bearer token with ``X-Proxy-Token``."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NoReturn

import click

from clawgate.cli.errors import CommandFailed, print_error
from clawgate.cli.exit_codes import ExitCode
from clawgate.cli.hosted import SHOWN_AT_ONCE, Host, claim, host_of, hosted_options
from clawgate.cli.paths import config_option, env_file_option
from clawgate.cli.relay.options import settings_options
from clawgate.cli.relay.run import run, settings_from
from clawgate.policy.redaction import Redactor
from clawgate.processes.instance.instance_lock import Instance
from clawgate.settings.roles.bridge import BridgeSettings


@click.group()
def bridge() -> None:
    """The local bridge: any OpenAI client in front, a proxy that wants X-Proxy-Token behind."""


@bridge.command("run", short_help="Run the bridge in the foreground.")
@config_option
@env_file_option
@hosted_options
@settings_options(BridgeSettings, leave_out=("models",))
def run_bridge(host_url: str | None, instance: str | None, **flags: Any) -> None:
    """Run the bridge in the foreground until Ctrl-C.

    Point any OpenAI client at http://127.0.0.1:18800/v1 with any API key. The key is dropped, every path below
    /v1 goes to the remote with its token, and responses come back byte for byte as they arrive.
    """
    gateway, held = host_of(host_url, instance), None
    try:
        if gateway is not None:
            held = claim(gateway, BridgeSettings.ENTRY, flags["config"])
        _run(held, dict(flags))
    except CommandFailed as failure:
        if gateway is None or failure.code != ExitCode.USAGE:
            raise
        _refuse(gateway, flags, failure)


def _run(held: Instance | None, flags: dict[str, Any]) -> NoReturn:
    settings = settings_from(BridgeSettings, BridgeSettings.ENTRY, flags)

    def build(redactor: Redactor) -> Any:
        from clawgate.app.bridge import build_bridge

        if held is None:
            return build_bridge(settings)
        return build_bridge(settings, instance=held.id, operator_status=SHOWN_AT_ONCE)

    def banner(role: Any, url: str) -> list[str]:
        from clawgate.app.upstreams import is_sent_in_the_clear
        from clawgate.cli.terminal.program import local_curl

        lines = [
            f"clawgate bridge listening on {url} -> {role.upstream.origin}",
            f"  base URL for clients: {url}/v1; to test the remote: {local_curl()} '{url}/health?deep=1'",
        ]
        if is_sent_in_the_clear(role.upstream.origin):
            lines.append("  warning: token and prompts travel to the remote unencrypted; use https if it can")
        return lines

    run(build, settings.secrets(), banner, role_name="bridge", verbose=settings.verbose)


def _refuse(gateway: Host, flags: Mapping[str, Any], failure: CommandFailed) -> NoReturn:
    """Show the host why the bridge cannot serve: it tries a refused connection again for 80 s, and a 400 not at all.

    Where it cannot listen either, the command ends with ``failure``, which is what the host has to show.
    """
    from clawgate.settings.roles.expected_address import expected_address

    host, port = expected_address(flags)
    reason = f"{failure.message} {'; '.join(failure.problems)}".rstrip()

    def build(redactor: Redactor) -> Any:
        from clawgate.app.refusing_bridge import build_refusing_bridge

        return build_refusing_bridge(
            reason,
            host=host,
            port=port,
            instance=gateway.instance,
            operator_status=SHOWN_AT_ONCE,
            parent_fd=0 if flags["exit_on_stdin_eof"] else None,
        )

    def banner(role: Any, url: str) -> list[str]:
        return [f"clawgate bridge listening on {url} -> no remote: every request gets the reason above"]

    try:
        run(build, (), banner, role_name="bridge", verbose=False)
    except CommandFailed:
        print_error(failure.message, failure.problems)
        raise failure from None
