"""Makes the token of a gateway that has none, and stores it in the config file, for its owner alone.

As OpenClaw does: the first start of a gateway that only this machine reaches makes one. Law: a token is written only
into a file that is the user's own and no link, because a link leads to files that are shared or published; never for an
address that others reach; never over a token that is set; and no function here shows it.
"""

from __future__ import annotations

import os
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from clawgate.settings.diagnostic import Diagnostic
from clawgate.settings.json5.edit import set_value, value_in
from clawgate.settings.key_path import KeyPath
from clawgate.settings.openclaw.config_file import ConfigFile
from clawgate.settings.openclaw.gateway import GatewayFlags, gateway_settings, lacks_token
from clawgate.settings.openclaw.update import NOT_WRITTEN, update
from clawgate.settings.problems import SettingsInvalid

TOKEN: KeyPath = ("gateway", "auth", "token")
MODE: KeyPath = ("gateway", "mode")
_BYTES = 32
_OTHERS = 0o077
_PRIVATE = 0o600
_SET_ONE = (
    "set OPENCLAW_GATEWAY_TOKEN, in the gateway's environment or in the .env file of the state folder (mode 0600); "
    "to make one: clawgate server new-token"
)


@dataclass(frozen=True, slots=True)
class StoredToken:
    """``path`` is the config file; ``backup`` has the version before; ``was_open``: others could read the file."""

    path: Path
    backup: Path | None
    was_open: bool


class TokenNotStored(Exception):
    """No token was made; the text is the reason."""


def start_problems(file: ConfigFile, flags: GatewayFlags) -> list[Diagnostic]:
    """Return what would keep a gateway from starting with this config; a token that it can make is none of it."""
    try:
        gateway_settings(file, flags)
    except SettingsInvalid as error:
        if not lacks_token(file, flags):
            return error.problems
        reason = storage_problem(file.path)
        return [] if reason is None else [_not_stored(file.path, reason)]
    return []


def ensure_token(file: ConfigFile, flags: GatewayFlags, environment: Mapping[str, str]) -> StoredToken | None:
    """Make and store the token that a gateway lacks; None if it lacks none.

    Raises `SettingsInvalid` if it cannot be stored, with what to do instead.
    """
    if not lacks_token(file, flags):
        return None
    try:
        return store_token(file.path, environment)
    except TokenNotStored as error:
        raise SettingsInvalid([_not_stored(file.path, str(error))]) from error


def store_token(path: Path, environment: Mapping[str, str]) -> StoredToken:
    """Write a new token to the config file, which is made if there is none. Raises `TokenNotStored`."""
    if (reason := storage_problem(path)) is not None:
        raise TokenNotStored(reason)
    try:
        was_open = close_to_others(path)
        written = update(path, environment, with_token)
    except NOT_WRITTEN as error:
        raise TokenNotStored(str(error)) from error
    except OSError as error:
        raise TokenNotStored(error.strerror or str(error)) from error
    return StoredToken(written.path, written.backup, was_open)


def storage_problem(path: Path) -> str | None:
    """Return why a token must not or cannot be written to ``path``; None if it can, also where there is no file."""
    try:
        if path.is_symlink():
            return f"it is a link to {path.readlink()}, so the file belongs to something else"
        status = path.stat()
    except FileNotFoundError:
        return None
    except OSError as error:
        return f"it cannot be examined: {error.strerror}"
    if status.st_uid != os.geteuid():
        return "it belongs to another user"
    if not (os.access(path, os.W_OK) and os.access(path.parent, os.W_OK)):
        return "it is read-only"
    return None


def close_to_others(path: Path) -> bool:
    """Give an existing file the mode 0600 before a secret is written to it; return whether others could read it."""
    try:
        fd = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except FileNotFoundError:
        return False
    try:
        was_open = bool(os.fstat(fd).st_mode & _OTHERS)
        if was_open:
            os.fchmod(fd, _PRIVATE)
    finally:
        os.close(fd)
    return was_open


def with_token(text: str) -> str:
    """Return the text of the config with a new token, unless it has one, and with `with_mode`."""
    if value_in(text, TOKEN) is None:
        text = set_value(text, TOKEN, secrets.token_urlsafe(_BYTES))
    return with_mode(text)


def token_in(text: str) -> str:
    """Return the token that the text of a config has; "" if it has none."""
    found = value_in(text, TOKEN)
    return found if isinstance(found, str) else ""


def with_mode(text: str) -> str:
    """Return the text of the config with ``gateway.mode``, without which OpenClaw starts no gateway."""
    return set_value(text, MODE, "local") if value_in(text, MODE) is None else text


def _not_stored(path: Path, reason: str) -> Diagnostic:
    message = f"no token is set, and none can be stored in the config file: {reason}"
    return Diagnostic(TOKEN, message, fix=_SET_ONE, location=str(path))
