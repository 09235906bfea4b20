"""Gathers the facts of this installation from its files, the machine, loopback and DNS.

Must not change anything, and draws no conclusion: that is the subject of `app.doctor.checks`.
"""

from __future__ import annotations

import logging
import os
import resource
import shutil
import ssl
import stat
import sys
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from typing import Any

from clawgate.agents.definition.tool_diagnostics import tool_diagnostics
from clawgate.app.doctor.checks import Facts, FileFact, ProviderFact
from clawgate.app.doctor.placeholders import LookUp, look_up, with_placeholders
from clawgate.app.doctor.state_database import database_facts, database_files
from clawgate.app.gateway_token import start_problems
from clawgate.app.provider_probe import dial_local
from clawgate.errors import GatewayError, ModelNotFound, PrivateNetworkBlocked, ProviderNotConfigured
from clawgate.plugins.host.bundled import local_providers
from clawgate.plugins.host.diagnostics import plugin_diagnostics
from clawgate.plugins.host.discovery import find_plugins
from clawgate.policy.redaction import SHORTEST_SECRET
from clawgate.processes.instance.availability import check_instance, known_availability
from clawgate.processes.instance.instance_lock import RunningInstance, find_instance
from clawgate.processes.port_owner import port_owner
from clawgate.providers.availability import Availability, egress_error
from clawgate.providers.catalog import build_catalog
from clawgate.settings.fields import variables_of
from clawgate.settings.openclaw import own_settings
from clawgate.settings.openclaw.config_file import ConfigFile, read_config
from clawgate.settings.openclaw.gateway import GatewayFlags, listens_at, report_notes, serving_notes
from clawgate.settings.paths import config_path, folder_problem, state_dir
from clawgate.settings.problems import SettingsInvalid
from clawgate.settings.regular_file import ROOT, foreign_writer, is_mounted_secret
from clawgate.settings.roles.server import ServerSettings
from clawgate.settings.schema.openclaw import GatewayAuth

logger = logging.getLogger("clawgate.doctor")

_OWN_ENTRIES = (ServerSettings.ENTRY, own_settings.ENTRY)
"""Entries that clawgate reads although they are no plugins."""
_MOST_FILES = 200
_AUTH_VARIABLES = [
    variable for name in ("token", "password") for variable in variables_of(GatewayAuth.model_fields[name])
]
_DEFAULT_PORT = 18789


def gather(environment: Mapping[str, str], config: str | None = None) -> Facts:
    """Return the facts. Raises `SettingsInvalid` only if the files cannot be located."""
    path, _ = config_path(environment, config)
    named = config is not None  # a variable may name a file that is still to be made
    state = state_dir(environment)
    folder = state / "clawgate"
    not_gathered: list[str] = []
    state_problem = folder_problem(folder)
    try:
        running = find_instance(folder)
    except OSError as error:
        running = None
        if state_problem is None:
            not_gathered.append(f"{folder}: {error.strerror}")
    found: dict[str, Any] = {}
    databases: list[Path] = []
    has_secret = True
    try:
        file = read_config(path, environment, required=named)
    except SettingsInvalid as error:
        found["config_problems"] = tuple(error.problems)
        port = _DEFAULT_PORT
    else:
        found |= _from_config(file, environment, folder, is_running=running is not None)
        found["plugin_diagnostics"] = (*plugin_diagnostics(file, state), *tool_diagnostics(file, state))
        found |= database_facts(file, state)
        databases = database_files(file, state)
        has_secret = any(len(one) >= SHORTEST_SECRET and one in file.text for one in file.secrets())
        port = found.pop("wanted_port")
    _, file_limit = resource.getrlimit(resource.RLIMIT_NOFILE)  # the gateway raises the soft limit to it
    return Facts(
        config_path=str(path),
        config_exists=path.exists(),
        now=datetime.now(UTC),
        files=tuple(_files(path, state, databases, has_secret=has_secret)),
        leftovers=() if running else tuple(_leftovers(folder)),
        running=str(running) if running else None,
        health_problem=_health_problem(running),
        port=port,
        port_owner=None if running or not port else port_owner(port),
        known_plugins=tuple(sorted({*_OWN_ENTRIES, *(one.id for one in find_plugins(state))})),
        python=sys.version_info[:3],
        openssl=ssl.OPENSSL_VERSION_INFO[:3],
        open_files=file_limit if file_limit != resource.RLIM_INFINITY else sys.maxsize,
        state_problem=state_problem,
        free_bytes=_free(state),
        not_gathered=tuple(not_gathered),
        **found,
    )


def _from_config(
    file: ConfigFile, environment: Mapping[str, str], folder: Path, *, is_running: bool
) -> dict[str, Any]:
    gateway = file.config.gateway
    environment = {**file.environment, **environment}
    catalog = build_catalog(file.config, file.unset, environment)
    known = known_availability(catalog, folder, file.path)
    serving_error = known.availability.serving_error()
    down = {} if is_running else _down_here(known.availability, folder.parent)
    return {
        "based_on": known.source,
        "serving_problem": serving_error and serving_error.message,
        "wanted_port": listens_at(file, GatewayFlags())[1],
        "config_warnings": (*file.warnings, *serving_notes(file), *report_notes(file)),
        "start_problems": tuple(start_problems(file, GatewayFlags())),
        "mode": gateway.mode,
        "auth_is_set": bool(
            gateway.auth.mode in ("none", "trusted-proxy")
            or gateway.auth.token
            or gateway.auth.password
            or any(environment.get(name) for name in _AUTH_VARIABLES)
        ),
        "providers": tuple(provider_facts(known.availability, down, look_up)),
        "primary": str(catalog.primary) if catalog.primary else None,
        "catalog_notes": catalog.notes,
        "plugins": tuple(file.config.plugins.entries),
    }


def _down_here(availability: Availability, state: Path) -> dict[str, GatewayError]:
    """Return the errors of the servers on this machine, without those that a gateway starts."""
    served = {name for one in find_plugins(state) if one.manifest for name in one.manifest.providers}
    providers = availability.catalog.providers.values()
    return dial_local(one for one in providers if one.id not in served and availability.error_of(one) is None)


def provider_facts(
    availability: Availability, down: Mapping[str, GatewayError], look_up: LookUp
) -> Iterator[ProviderFact]:
    catalog = availability.catalog
    used = catalog.used_providers()
    placeholders = with_placeholders(used, look_up)
    for provider in catalog.providers.values():
        spellings = provider.credential.secrets()
        # A service of our own on this machine is sent a placeholder: "bridge".
        short = (
            bool(spellings)
            and max(map(len, spellings)) < SHORTEST_SECRET
            and provider.id not in local_providers()
        )
        error = availability.error_of(provider)
        is_noted = (
            isinstance(error, PrivateNetworkBlocked)
            and provider.problem is None
            and egress_error(provider) is not None
        )
        yield ProviderFact(
            provider.id,
            None if error is None or is_noted else error.message,
            provider.notes,
            provider in used,
            allow_private_setting=provider.allow_private_setting,
            shortest_masked=SHORTEST_SECRET if short else 0,
            unreached=down[provider.id].message if provider.id in down else None,
            placeholder=placeholders.get(provider.id),
            is_down=not isinstance(error, ProviderNotConfigured | ModelNotFound | None),
        )


def _health_problem(running: RunningInstance | None) -> str | None:
    return None if running is None or running.url is None else check_instance(running).error or None


def _files(config: Path, state: Path, databases: Iterable[Path], *, has_secret: bool) -> Iterator[FileFact]:
    """The config file with its backups, the variables that it refers to, everything of ours, and the parents.

    ``has_secret``: of the config; one that has none may be read by all where it is mounted, as a ConfigMap is.
    """
    beside = (path for path in config.parent.glob(f"{config.name}*") if path.is_file())
    folder = state / "clawgate"
    private = dict.fromkeys((*sorted(beside), state / ".env", folder, *sorted(folder.rglob("*")), *databases))
    for path in islice((*private, *dict.fromkeys((config.parent, state))), _MOST_FILES):
        try:
            status = path.stat()
        except OSError:
            continue  # missing, removed meanwhile, or a link that leads nowhere
        is_parent = path in (config.parent, state)
        is_mounted = is_mounted_secret(path, status)
        is_public = is_mounted and path == config and not has_secret
        if not is_parent or foreign_writer(status):
            yield FileFact(
                str(path),
                stat.S_IMODE(status.st_mode),
                stat.S_ISDIR(status.st_mode),
                status.st_uid in (os.geteuid(), ROOT),
                datetime.fromtimestamp(status.st_mtime, UTC),
                not is_parent and not is_public,
                is_mounted=is_mounted,
            )


def _leftovers(folder: Path) -> Iterator[str]:
    """If no gateway has the lock: its announcement, and files that were being written."""
    for path in (folder / "gateway.json", *sorted(folder.glob(".gateway.json.*"))):
        if path.exists():
            yield str(path)


def _free(state: Path) -> int | None:
    for folder in (state, *state.parents):
        if folder.is_dir():
            return shutil.disk_usage(folder).free
    return None
