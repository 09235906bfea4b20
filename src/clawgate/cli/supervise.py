"""``clawgate supervise``: the services of one plugin, for another gateway that starts this process."""

from __future__ import annotations

import logging
import os

import click

from clawgate.cli.context import load_config
from clawgate.cli.errors import fail, fail_invalid_config
from clawgate.cli.exit_codes import ExitCode
from clawgate.cli.hosted import Host, claim, host_of, hosted_options
from clawgate.cli.paths import path_options
from clawgate.cli.terminal.standard_streams import keep_serving
from clawgate.policy.redaction import SHORTEST_SECRET, Redactor
from clawgate.settings.problems import SettingsInvalid


@click.command(short_help="Run the services of a plugin alone, for another gateway that starts them.")
@click.argument("plugin")
@hosted_options
@click.option(
    "--exit-on-stdin-eof",
    is_flag=True,
    help="Stop when standard input ends: for programs that start clawgate.",
)
@path_options
def supervise(
    plugin: str, host_url: str | None, instance: str | None, exit_on_stdin_eof: bool, config: str | None
) -> None:
    """Run the services of PLUGIN until Ctrl-C, without a gateway.

    For a gateway such as OpenClaw, whose plugin of the same name starts this command; the state of the services is
    shown by that plugin's status command.
    """
    gateway = host_of(host_url, instance)
    if gateway is None:
        raise click.UsageError("--host-url and --instance are missing; a plugin of OpenClaw gives both")
    _run(plugin, gateway, config, exit_on_stdin_eof=exit_on_stdin_eof)


def _run(plugin: str, gateway: Host, config: str | None, *, exit_on_stdin_eof: bool) -> None:
    from clawgate.app.log_setup import set_up_logging
    from clawgate.app.supervise import supervise as run_services
    from clawgate.plugins.host.discovery import find_plugins
    from clawgate.plugins.host.isolation import PluginFailed
    from clawgate.plugins.host.loader import load_plugin, plugin_settings

    loaded = load_config(config)
    found = next((one for one in find_plugins(loaded.paths.state) if one.id == plugin), None)
    if found is None or found.manifest is None or "service" not in found.manifest.registers:
        fail(
            f"no plugin '{plugin}' with a service is installed; see: clawgate plugins list",
            status=ExitCode.USAGE,
        )
    try:
        plugin_settings(load_plugin(found), loaded.file.plugin_config(plugin), loaded.file.environment)
    except SettingsInvalid as error:
        fail_invalid_config(error.problems)
    except PluginFailed as error:
        fail(f"the plugin '{plugin}' cannot be used: {error}", status=ExitCode.USAGE)
    keep_serving()
    os.umask(0o077)  # every file that this process writes is for its owner alone
    redactor = Redactor(loaded.file.secrets())
    set_up_logging(redactor, verbose=False, role=plugin)
    held = claim(gateway, plugin, config)
    logging.getLogger("clawgate").info("services of %s are running for %s", plugin, gateway.url)
    run_services(
        loaded.file,
        plugin,
        instance=held.id,
        host_url=gateway.url,
        exit_on_stdin_eof=exit_on_stdin_eof,
        add_secrets=lambda secrets: redactor.add(one for one in secrets if len(one) >= SHORTEST_SECRET),
    )
    held.release()
