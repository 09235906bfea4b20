"""Runs the services of one plugin without a gateway, for another gateway that starts this process."""

from __future__ import annotations

import asyncio
import contextlib
import signal
from collections.abc import Callable, Iterable
from dataclasses import replace

from clawgate.app.plugins.context import HostEnvironment
from clawgate.app.plugins.host import PluginHost
from clawgate.processes.parent_watch import watch_parent
from clawgate.relay.upstream.dial import Dialer
from clawgate.settings.openclaw.config_file import ConfigFile
from clawgate.settings.schema.openclaw import PluginEntry

STDIN = 0


def only_plugin(file: ConfigFile, plugin: str) -> ConfigFile:
    """Return ``file`` as if it enabled ``plugin`` alone: the other gateway has decided that it runs."""
    plugins = file.config.plugins
    entry = plugins.entries.get(plugin, PluginEntry()).model_copy(update={"enabled": True})
    alone = plugins.model_copy(
        update={"enabled": True, "allow": [plugin], "deny": [], "entries": {plugin: entry}}
    )
    return replace(file, config=file.config.model_copy(update={"plugins": alone}))


def supervise(
    file: ConfigFile,
    plugin: str,
    *,
    instance: str,
    host_url: str,
    exit_on_stdin_eof: bool,
    add_secrets: Callable[[Iterable[str]], None],
) -> None:
    """Start the services of ``plugin``, and stop them at a signal or the end of standard input."""
    environment = HostEnvironment(
        state=file.path.parent,
        dialer=Dialer(),
        instance=instance,
        gateway_url=host_url,
        add_secrets=add_secrets,
    )
    host = PluginHost(environment)
    host.load(only_plugin(file, plugin))
    asyncio.run(_run(host, exit_on_stdin_eof=exit_on_stdin_eof))


async def _run(host: PluginHost, *, exit_on_stdin_eof: bool) -> None:
    loop = asyncio.get_running_loop()
    running = loop.create_task(host.run(), name="supervise: services")

    def stop() -> None:
        running.cancel()

    for sig in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        loop.add_signal_handler(sig, stop)
    if exit_on_stdin_eof:
        watch_parent(STDIN, stop)
    with contextlib.suppress(asyncio.CancelledError):
        await running
