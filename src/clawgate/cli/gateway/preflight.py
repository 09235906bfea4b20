"""Checks whether a gateway could start now, for one that is to be restarted: config, credentials, log file, port.

The checks are those that `gateway run` makes, in its order and with its exit statuses. Changes nothing, but for an
empty log file.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from socket import socket
from typing import TYPE_CHECKING

from clawgate.cli.exit_codes import ExitCode
from clawgate.cli.listener import listen_problem
from clawgate.cli.paths import Paths
from clawgate.policy.redaction import Redactor
from clawgate.processes.instance.run_records import RestartRefusal
from clawgate.settings.problems import SettingsInvalid

if TYPE_CHECKING:
    from clawgate.settings.openclaw.gateway import GatewayFlags


def start_refusal(
    paths: Paths,
    flags: GatewayFlags,
    environment: Mapping[str, str],
    *,
    env_file: str | None,
    log_file: str | None,
    sockets: Sequence[socket],
) -> RestartRefusal | None:
    """Return why a gateway could not start, None if it could. ``sockets`` are those that it would inherit."""
    from clawgate.app.gateway_token import start_problems
    from clawgate.settings.openclaw.gateway import listens_at

    try:
        file = paths.read_config(env_file, environment)
    except SettingsInvalid as error:
        return RestartRefusal(ExitCode.USAGE, tuple(map(str, error.problems)))
    if problems := start_problems(file, flags):
        return RestartRefusal(ExitCode.USAGE, tuple(map(str, problems)))
    if log_file is not None and (reason := _log_problem(Path(log_file))) is not None:
        return RestartRefusal(ExitCode.USAGE, (reason,))
    return _port_refusal(*listens_at(file, flags), sockets)


def _log_problem(path: Path) -> str | None:
    from clawgate.processes.instance.log_file import file_handler

    try:
        file_handler(path, Redactor()).close()
    except OSError as error:
        return f"the log file {path} cannot be written: {error.strerror}"
    return None


def _port_refusal(host: str, port: int, sockets: Sequence[socket]) -> RestartRefusal | None:
    """Return why the address cannot be listened on. The present one can: its sockets are handed over."""
    from clawgate.processes.instance.reexec import listens_on
    from clawgate.relay.downstream.server import close, listen

    try:
        if not listens_on(sockets, host, port):
            close(listen(host, port))
    except (OSError, UnicodeError) as error:
        status, reason = listen_problem(host, port, error, "another port")
        return RestartRefusal(status, (reason,))
    return None
