"""Runs a gateway in this process: from the config file to serving, and to the process that replaces it on restart."""

from __future__ import annotations

import contextlib
import logging
import os
import sys
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from socket import socket
from typing import NoReturn

import click

from clawgate.app.factory import raise_fd_limit
from clawgate.app.gateway import GatewayRole, build_gateway
from clawgate.app.gateway_token import ensure_token
from clawgate.app.log_setup import set_up_logging
from clawgate.app.run import serve
from clawgate.cli.errors import fail, fail_invalid_config
from clawgate.cli.exit_codes import ExitCode
from clawgate.cli.first_request import (
    advice_without_model,
    choose_model,
    credential_expression,
    door_of,
    first_request,
    requested,
    without_models,
)
from clawgate.cli.gateway.options import public_flags
from clawgate.cli.gateway.preflight import start_refusal
from clawgate.cli.listener import open_sockets
from clawgate.cli.paths import find_paths
from clawgate.cli.terminal.standard_streams import keep_serving
from clawgate.policy.redaction import SHORTEST_SECRET, Redactor
from clawgate.processes.argv_redaction import argument_warnings, redact_argv
from clawgate.processes.instance.instance_lock import AlreadyRunning, Instance
from clawgate.processes.instance.log_file import file_handler
from clawgate.processes.instance.reexec import (
    RESTART_SIGNAL,
    SocketHandover,
    inherited_sockets,
    matching_sockets,
)
from clawgate.processes.instance.run_records import RestartRefusal, write_refusal
from clawgate.processes.instance.service_manager import notify_ready
from clawgate.settings.atomic_write import FULL_DISK
from clawgate.settings.environment import ignored_env_file
from clawgate.settings.openclaw.config_file import ConfigFile
from clawgate.settings.openclaw.gateway import GatewayFlags
from clawgate.settings.problems import SettingsInvalid
from clawgate.settings.regular_file import access_warnings

logger = logging.getLogger("clawgate.gateway")


@dataclass(frozen=True, slots=True, kw_only=True)
class RunOptions:
    port: int | None
    bind: str | None
    token: str | None = field(repr=False)
    password: str | None = field(repr=False)
    allow_host: tuple[str, ...]
    allow_origin: tuple[str, ...]
    drain_timeout: float | None
    verbose: bool
    config: str | None
    env_file: str | None
    log_file: str | None
    exit_on_stdin_eof: bool = False


class GatewayRun:
    """One run of a gateway in this process; `serve` does not return."""

    def __init__(self, options: RunOptions) -> None:
        redact_argv(secret for secret in (options.token, options.password) if secret)
        os.umask(0o077)  # every file that this process writes is for its owner alone
        self._options = options
        self._inherited = inherited_sockets()
        self._paths = find_paths(options.config)
        self._instance = _claim(self._paths.folder)
        self._redactor = Redactor(())

    def serve(self) -> NoReturn:
        """Serve until stopped; after a restart signal, replace this process by its successor."""
        keep_serving()
        raise_fd_limit()
        self._set_up_logging()
        try:
            role = self._build()
        except SettingsInvalid as error:
            fail_invalid_config(error.problems)
        role.parent_fd = 0 if self._options.exit_on_stdin_eof else None
        is_restart = bool(self._inherited)
        sockets, url = open_sockets(role, matching_sockets(self._inherited, role.host, role.port))
        role.plugins.environment.gateway_url = url
        handover = SocketHandover(sockets, lambda: self._may_restart(sockets))
        seen, log_file = role.sockets.gateway, self._options.log_file
        seen.log_file = Path(log_file) if log_file is not None else None
        seen.is_restarting = lambda: handover.requested
        seen.restart = lambda: os.kill(os.getpid(), RESTART_SIGNAL)
        if self._options.log_file is None and not is_restart:
            role.tasks.append(lambda: self._print_first_request(role, url))

        def on_ready() -> None:
            handover.install()
            self._announce(role, url, sockets)
            notify_ready()

        status = serve(role, sockets, on_ready)
        if handover.requested:
            try:
                handover.reexec(self._instance.hand_over())
            except OSError as error:
                logger.error("restart failed: %s", error)  # noqa: TRY400  # the message is all there is
                status = ExitCode.FAILED
        handover.close()
        self._instance.release()
        sys.exit(status)

    def _set_up_logging(self) -> None:
        set_up_logging(self._redactor, verbose=self._options.verbose)
        if self._options.log_file is None:
            return
        try:
            logging.getLogger().handlers[:] = [file_handler(Path(self._options.log_file), self._redactor)]
        except OSError as error:
            fail(
                f"the log file {self._options.log_file} cannot be written: {error.strerror}",
                status=ExitCode.USAGE,
            )

    def _build(self) -> GatewayRole:
        """Read the config and build the role. Raises `SettingsInvalid`."""
        options, paths = self._options, self._paths
        file = self._read_config()
        if (stored := ensure_token(file, self._flags, file.environment)) is not None:
            logger.info("token made and stored path=%s key=gateway.auth.token mode=0600", stored.path)
            if stored.was_open:
                logger.warning("other users could read %s; it is closed to them now (mode 0600)", stored.path)
            file = self._read_config()
        self._add_secrets(file.secrets())
        self._log_sources(file)
        for note in file.notes:
            logger.debug("%s", note)
        for warning in file.warnings:
            logger.warning("%s", warning)
        return build_gateway(
            file,
            self._flags,
            os.environ,
            instance=self._instance.id,
            key=self._instance.key,
            env_file=options.env_file,
            state=paths.state,
            verbose=options.verbose,
            add_secrets=self._add_secrets,
        )

    def _read_config(self) -> ConfigFile:
        return self._paths.read_config(self._options.env_file)

    @property
    def _flags(self) -> GatewayFlags:
        return GatewayFlags.of(asdict(self._options))

    def _may_restart(self, sockets: list[socket]) -> bool:
        """Check that the next program of this process could start; if not, log and record why."""
        options = self._options
        try:
            refusal = start_refusal(
                self._paths,
                self._flags,
                os.environ,
                env_file=options.env_file,
                log_file=options.log_file,
                sockets=sockets,
            )
        except Exception:
            logger.exception("restart refused, the gateway keeps running: it cannot be checked")
            refusal = RestartRefusal(ExitCode.FAILED, ("the checks failed; see the gateway's log",))
        else:
            if refusal is None:
                return True
            logger.error("restart refused, the gateway keeps running: %s", "; ".join(refusal.problems))
        write_refusal(self._paths.folder, self._instance.id, refusal)
        return False

    async def _print_first_request(self, role: GatewayRole, url: str) -> None:
        """Print the first request on standard output; nothing depends on that it can be written."""
        try:
            file = self._read_config()
            credential = credential_expression(file, self._flags, self._paths, self._options.env_file)
        except SettingsInvalid:  # changed since the start
            return
        catalog = role.router.catalog
        model, advice = without_models(role.settings, file) or (
            await choose_model(catalog, role.discovery.models_of),
            advice_without_model(catalog, self._paths),
        )
        named = requested(model, role.settings, catalog)
        door = door_of(named, role.settings)
        for line in first_request(url, named, credential, advice, door).lines():
            with contextlib.suppress(OSError):
                click.echo(line)

    def _log_sources(self, file: ConfigFile) -> None:
        """Log which files variables come from, and which files and folders another user can change."""
        for text in argument_warnings(sys.argv):
            logger.warning("%s", text)
        for path in file.environment.files:
            logger.info("environment file read path=%s", path)
        if note := ignored_env_file(Path.cwd(), file.environment):
            logger.info("%s", note)
        folders = (file.path.parent, self._paths.state)
        for warning in access_warnings(file.path, *folders, secret_files=file.environment.files):
            logger.warning("%s", warning)

    def _add_secrets(self, secrets: Iterable[str]) -> None:
        """Redact ``secrets`` from the log; a dummy such as "local" is also an ordinary word, and is left."""
        self._redactor.add(secret for secret in secrets if len(secret) >= SHORTEST_SECRET)

    def _announce(self, role: GatewayRole, url: str, sockets: list[socket]) -> None:
        port = sockets[0].getsockname()[1]
        log = Path(self._options.log_file) if self._options.log_file else None
        flags = public_flags(asdict(self._options))
        self._instance.announce(url, port, self._paths.config, log, flags=flags)
        ready = [one.id for one in role.router.catalog.providers.values() if one.problem is None]
        logger.info("http server listening on %s (providers: %s)", url, ", ".join(ready) or "none is ready")


def _claim(folder: Path) -> Instance:
    try:
        return Instance.claim(folder)
    except AlreadyRunning as error:
        fail(f"{error}; stop it with: clawgate gateway stop", status=ExitCode.PORT_TAKEN)
    except OSError as error:
        fix = FULL_DISK.get(error.errno or 0, "set OPENCLAW_STATE_DIR to a folder of yours")
        reason = error.strerror or error
        fail(f"the state folder {folder} cannot be used: {reason}; {fix}", status=ExitCode.USAGE)
