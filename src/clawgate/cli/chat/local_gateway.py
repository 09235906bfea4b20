"""Runs a gateway within the command, for `--local`: on a free port of loopback, with agents on, until the command ends.

Law: it has the state folder for itself, as any gateway, and leaves no listener behind, however this process ends. The
command presents what the config says, so that sessions are the same with and without it.
"""

from __future__ import annotations

import contextlib
import logging
import os
import secrets
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from socket import socket

from clawgate.app.gateway import GatewayRole, build_gateway
from clawgate.app.run import serve_in_thread
from clawgate.cli.errors import fail, fail_invalid_config
from clawgate.cli.listener import open_sockets
from clawgate.cli.paths import Paths
from clawgate.processes.instance.instance_lock import AlreadyRunning, Instance
from clawgate.settings.openclaw.config_file import ConfigFile
from clawgate.settings.openclaw.gateway import GatewayFlags, caller_secret
from clawgate.settings.problems import SettingsInvalid
from clawgate.settings.schema.openclaw import GatewayAuth


@dataclass(frozen=True, slots=True)
class LocalGateway:
    host: str
    port: int
    secret: str | None = field(repr=False)


@contextlib.contextmanager
def local_gateway(paths: Paths, env_file: str | None) -> Iterator[LocalGateway]:
    """Yield a gateway that serves; what prevents it ends the command."""
    instance = _claim(paths)
    disabled = logging.root.manager.disable
    logging.disable()  # an error of a run is in its response
    os.umask(0o077)  # as in any gateway
    try:
        role, secret = _build(paths, env_file, instance)
        sockets, url = open_sockets(role)
        role.plugins.environment.gateway_url = url
        role.parent_fd, until = os.pipe()
        ended = threading.Event()
        ready = threading.Event()
        thread = threading.Thread(target=_serve, args=(role, sockets, ready, ended), name="clawgate-local")
        thread.start()
        try:
            ready.wait()
            if ended.is_set():
                fail("the gateway within this command did not start; see: clawgate gateway run")
            yield LocalGateway(role.host, sockets[0].getsockname()[1], secret)
        finally:
            os.close(until)
            thread.join()
    except SettingsInvalid as error:
        fail_invalid_config(error.problems)
    finally:
        logging.disable(disabled)
        instance.release()


def _claim(paths: Paths) -> Instance:
    try:
        return Instance.claim(paths.folder)
    except AlreadyRunning:
        fail("--local: a gateway is running, and its agents can be used; leave --local out")
    except OSError as error:
        fail(
            f"the state folder {paths.folder} cannot be used: {error.strerror}; make it writable for this user"
        )


def _build(paths: Paths, env_file: str | None, instance: Instance) -> tuple[GatewayRole, str | None]:
    """Return the role, and what its caller presents. Raises `SettingsInvalid`."""
    file = _with_agents(paths.read_config(env_file))
    flags = GatewayFlags(port=0, bind="loopback")
    found = caller_secret(file, flags)
    secret = found.value if found is not None else None
    if secret is None and file.config.gateway.auth.mode != "none":
        secret = secrets.token_urlsafe(32)
        flags = replace(flags, token=secret)
        file = _with_gateway(file, auth=GatewayAuth(mode="token"))
    role = build_gateway(
        file,
        flags,
        os.environ,
        instance=instance.id,
        key=instance.key,
        env_file=env_file,
        state=paths.state,
    )
    return role, secret


def _with_agents(file: ConfigFile) -> ConfigFile:
    """Return the config with agents on: this command alone reaches them."""
    http = file.config.gateway.http
    on = http.endpoints.chat_completions.model_copy(update={"enabled": True})
    endpoints = http.endpoints.model_copy(update={"chat_completions": on})
    return _with_gateway(file, http=http.model_copy(update={"endpoints": endpoints}))


def _with_gateway(file: ConfigFile, **changed: object) -> ConfigFile:
    gateway = file.config.gateway.model_copy(update=changed)
    return replace(file, config=file.config.model_copy(update={"gateway": gateway}))


def _serve(role: GatewayRole, sockets: list[socket], ready: threading.Event, ended: threading.Event) -> None:
    try:
        serve_in_thread(role, sockets, ready.set)
    finally:
        ended.set()
        ready.set()
