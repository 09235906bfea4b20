"""Lets another gateway, such as OpenClaw with a plugin of ours, start a role of clawgate, and commands find that.

A hosted process holds a lock of its own in the state folder, as a gateway does: so the status command of its plugin
recognises it and what it reports.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import click

from clawgate.cli.errors import fail
from clawgate.cli.exit_codes import ExitCode
from clawgate.cli.paths import find_paths
from clawgate.processes.instance.instance_lock import AlreadyRunning, Instance, RunningInstance, find_instance

SHOWN_AT_ONCE = 400
"""The status of what only the operator can fix: OpenClaw shows it at once, retries a 5xx for 80 s, and sends nothing to
a provider for a minute after a 401 (tried with 2026.9.6)."""

_F = TypeVar("_F", bound=Callable[..., Any])
_ID = re.compile(r"[A-Za-z0-9_-]{1,64}\Z")


@dataclass(frozen=True, slots=True)
class Host:
    """The gateway that started this process: where it serves, and the instance id that it chose for this process."""

    url: str
    instance: str


def hosted_options(command: _F) -> _F:
    """Add ``--host-url`` and ``--instance``; the command gets ``host``, None without the first."""
    options = (
        click.option(
            "--host-url",
            metavar="URL",
            help="Where the gateway serves that starts this process, such as OpenClaw's; for its plugins.",
        ),
        click.option(
            "--instance", metavar="ID", help="With --host-url: the id that /health reports, to be recognised."
        ),
    )
    for option in reversed(options):
        command = option(command)
    return command


def host_of(host_url: str | None, instance: str | None) -> Host | None:
    """Return the host that the flags name, None without them. Raises click.UsageError."""
    if host_url is None and instance is None:
        return None
    if host_url is None or instance is None:
        raise click.UsageError("--host-url and --instance belong together; give both or neither")
    if not _ID.match(instance):
        raise click.UsageError("--instance: must be 1 to 64 letters, digits, dashes and underscores")
    return Host(host_url, instance)


def claim(host: Host, plugin: str, config: str | None) -> Instance:
    """Take the lock of the hosted ``plugin`` and announce its host; another holder ends the command."""
    paths = find_paths(config)
    folder = _folder(paths.folder, plugin)
    try:
        instance = Instance.claim(folder, chosen_id=host.instance)
        instance.announce(host.url, 0, paths.config, None)
    except AlreadyRunning as error:
        fail(
            f"{plugin} runs already ({error.holder or 'not identified'}); stop that process",
            status=ExitCode.FAILED,
        )
    except OSError as error:
        fail(f"the folder {folder} cannot be used: {error.strerror or error}", status=ExitCode.USAGE)
    return instance


def find_hosted(folder: Path, plugin: str) -> RunningInstance | None:
    """Return the process that runs ``plugin`` for another gateway; ``folder`` is clawgate's own."""
    return find_instance(_folder(folder, plugin))


def _folder(folder: Path, plugin: str) -> Path:
    return folder / "hosted" / plugin
