"""Finds where the clients of a bridge expect it, also where its settings as a whole cannot be used.

Nothing is reported: what cannot be read or is not valid counts as not set.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from clawgate.policy.local_hosts import is_loopback
from clawgate.settings.environment import full_environment, named_environment
from clawgate.settings.json5.file import read_json5
from clawgate.settings.paths import config_path
from clawgate.settings.problems import SettingsInvalid
from clawgate.settings.roles.bridge import BridgeSettings
from clawgate.settings.roles.loader import SettingsSources, valid_setting
from clawgate.wire.http.url import parse_url

_LOOPBACK = "127.0.0.1"


def expected_address(flags: Mapping[str, Any], process: Mapping[str, str] = os.environ) -> tuple[str, int]:
    """Return a loopback host and the port: those of the settings; else the port that the provider's URL names.

    ``flags`` are those of `clawgate bridge run`.
    """
    with suppress(SettingsInvalid):
        process = named_environment(process, flags.get("env_file"))
    document: object = {}
    with suppress(SettingsInvalid):
        file = read_json5(config_path(process, flags.get("config"))[0])
        document = {} if file is None else file.value
    block = _object_at(document, "plugins", "entries", BridgeSettings.ENTRY, "config")
    sources = SettingsSources(environment=full_environment(process, document)[0], block=block)
    host = valid_setting(BridgeSettings, "host", flags.get("host"), sources)
    port = valid_setting(BridgeSettings, "bridge_port", flags.get("bridge_port"), sources)
    if port is None:
        provider = _object_at(document, "models", "providers", BridgeSettings.ENTRY)
        port = _port_in(provider.get("baseUrl")) or BridgeSettings.model_fields["bridge_port"].default
    return host if host is not None and is_loopback(host) else _LOOPBACK, port


def _object_at(document: object, *path: str) -> Mapping[str, Any]:
    for key in path:
        document = document.get(key) if isinstance(document, Mapping) else None
    return document if isinstance(document, Mapping) else {}


def _port_in(url: object) -> int | None:
    with suppress(ValueError):
        origin = parse_url(url)[0] if isinstance(url, str) else None
        return origin.port if origin is not None and is_loopback(origin.host) else None
    return None
