"""How does ``clawgate gateway run`` go from the config file to serving, and to its next self?"""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

import click

from clawgate.cli.exit_codes import ExitCode
from clawgate.cli.gateway.options import plain_flags
from clawgate.cli.paths import Paths, places
from clawgate.cli.relay.run import refuse, sockets_of
from clawgate.policy.redaction import Redactor
from clawgate.processes.argv_redaction import redact_argv
from clawgate.processes.instance.instance_lock import AlreadyRunning, Instance
from clawgate.processes.instance.log_file import file_handler
from clawgate.processes.instance.reexec import SocketHandover, inherited_sockets, matching_sockets
from clawgate.settings.environment import ignored_env_file, named_environment
from clawgate.settings.problems import SettingsInvalid
from clawgate.settings.regular_file import access_warnings

if TYPE_CHECKING:
    from clawgate.settings.openclaw.config_file import ConfigFile

logger = logging.getLogger("clawgate.gateway")


def run_gateway(
    *,
    port: int | None,
    bind: str | None,
    token: str | None,
    password: str | None,
    verbose: bool,
    config: str | None,
    env_file: str | None,
    log_file: str | None,
    exit_on_stdin_eof: bool = False,
) -> NoReturn:
    """Serve until stopped; the body of the command."""
    from clawgate.app.gateway import build_gateway
    from clawgate.app.log_setup import set_up_logging
    from clawgate.app.run import serve
    from clawgate.relay.upstream.upstream import SHORTEST_SECRET
    from clawgate.settings.openclaw.config_file import read_config
    from clawgate.settings.openclaw.gateway import GatewayFlags

    redact_argv(secret for secret in (token, password) if secret)
    os.umask(0o077)  # whatever is ever written is for its owner alone
    inherited = inherited_sockets()
    where = places(config)
    instance = _claim(where.folder)
    redactor = Redactor(())
    set_up_logging(redactor, verbose=verbose)
    if log_file is not None:
        _log_to(Path(log_file), redactor)

    def add_secrets(secrets: Iterable[str]) -> None:
        # A dummy such as "local" is a word of many lines, the provider's own name among them.
        redactor.add(secret for secret in secrets if len(secret) >= SHORTEST_SECRET)

    try:
        environment = named_environment(os.environ, env_file)
        file = read_config(where.config, environment, required=where.config_named)
        add_secrets(file.secrets())
        _log_sources(where, file, env_file)
        for note in file.notes:
            logger.debug("%s", note)
        for warning in file.warnings:
            logger.warning("%s", warning)
        role = build_gateway(
            file,
            GatewayFlags(port=port, bind=bind, token=token, password=password),
            environment,
            instance=instance.id,
            state=where.state,
            verbose=verbose,
            add_secrets=add_secrets,
        )
    except SettingsInvalid as error:
        refuse(error)
    role.parent_fd = 0 if exit_on_stdin_eof else None
    sockets, url = sockets_of(role, matching_sockets(inherited, role.host, role.port))
    role.plugins.around.gateway_url = url
    handover = SocketHandover(sockets)
    flags = plain_flags(
        {"port": port, "bind": bind, "config": config, "env_file": env_file, "verbose": verbose}
    )

    def ready() -> None:
        handover.install()
        served_port = sockets[0].getsockname()[1]
        instance.announce(url, served_port, where.config, Path(log_file) if log_file else None, flags=flags)
        serving = [p.id for p in role.direct.catalog.providers.values() if p.why_not_ready is None]
        logger.info("http server listening on %s (providers: %s)", url, ", ".join(serving) or "none is ready")

    code = serve(role, sockets, ready)
    if handover.requested:
        try:
            handover.reexec(instance.hand_over())
        except OSError as error:
            logger.error("cannot start again: %s", error)  # noqa: TRY400  # the reason is all there is
            code = ExitCode.FAILED
    handover.close()
    instance.release()
    sys.exit(code)


def _log_sources(where: Paths, file: ConfigFile, env_file: str | None) -> None:
    """Log which files variables come from, and which files and folders another user can change."""
    for path in file.environment.files:
        logger.info("environment file read path=%s", path)
    if note := ignored_env_file(Path.cwd(), env_file):
        logger.info("%s", note)
    for warning in access_warnings(file.path, file.path.parent, where.state, *file.environment.files):
        logger.warning("%s", warning)


def _claim(folder: Path) -> Instance:
    try:
        return Instance.claim(folder)
    except AlreadyRunning as error:
        click.echo(f"clawgate: {error}; stop it with: clawgate gateway stop", err=True)
        sys.exit(ExitCode.PORT_TAKEN)
    except OSError as error:
        click.echo(
            f"clawgate: the state folder {folder} cannot be used: {error.strerror or error}; "
            "set OPENCLAW_STATE_DIR to a folder of yours",
            err=True,
        )
        sys.exit(ExitCode.USAGE)


def _log_to(path: Path, redactor: Redactor) -> None:
    try:
        logging.getLogger().handlers[:] = [file_handler(path, redactor)]
    except OSError as error:
        click.echo(f"clawgate: the log file {path} cannot be written: {error.strerror}", err=True)
        sys.exit(ExitCode.USAGE)
