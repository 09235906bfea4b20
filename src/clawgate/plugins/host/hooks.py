"""Calls the optional hooks of a plugin's provider: `transform_request`, `map_error`, `check_config`, and reads its
`further_dialects`.

Invariant: a hook that fails never makes a request succeed. A failed `transform_request` fails the request; a failed
`map_error` keeps the upstream's error.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any, get_args

from pydantic import BaseModel

from clawgate.errors import InvalidRequest, ProviderUnavailable
from clawgate.plugins import api
from clawgate.plugins.host.isolation import PluginFailed, reason_of
from clawgate.plugins.host.watchdog import STEP_SECONDS, alarm_after

logger = logging.getLogger("clawgate.plugins")


def transform_request(
    plugin: str, provider: api.TransformsRequests, request: api.UpstreamRequest
) -> api.UpstreamRequest:
    """Return the request to send. Raises `ProviderUnavailable` if the plugin fails: nothing may be sent."""
    try:
        with alarm_after(STEP_SECONDS):
            result: object = provider.transform_request(request)
        if isinstance(result, api.UpstreamRequest) and result.model:
            return result
        reason = "its transform_request() returned no request"
    except api.RequestRefused as error:
        raise InvalidRequest(str(error)) from None
    except BaseException as error:  # the plugin boundary
        logger.debug("plugin failed plugin=%s method=transform_request", plugin, exc_info=error)
        reason = reason_of(error)
    raise ProviderUnavailable(
        f"the plugin '{plugin}' could not prepare the request, so it was not sent: {reason}"
    )


def map_error(plugin: str, provider: api.MapsErrors, status: int, body: bytes) -> api.MappedError | None:
    """Return what the provider maps a failure to; None to keep it, also if the plugin fails."""
    try:
        with alarm_after(STEP_SECONDS):
            result: object = provider.map_error(status, body)
        if result is None or (isinstance(result, api.MappedError) and 400 <= result.status <= 599):
            return result
        reason = "its map_error() returned neither None nor a MappedError with a status of 400 to 599"
    except BaseException as error:  # the plugin boundary
        logger.debug("plugin failed plugin=%s method=map_error", plugin, exc_info=error)
        reason = reason_of(error)
    logger.warning("[plugins] %s: map_error failed: %s", plugin, reason)
    return None


def further_dialects(plugin: str, provider: object) -> tuple[str, ...]:
    """Return the dialects that the provider speaks beside its own; none if the plugin fails."""
    try:
        found: object = provider.further_dialects if isinstance(provider, api.SpeaksDialects) else ()
        if isinstance(found, tuple) and all(one in get_args(api.Dialect) for one in found):
            return found
        reason = f"its further_dialects must be a tuple of {', '.join(get_args(api.Dialect))}"
    except BaseException as error:  # the plugin boundary
        logger.debug("plugin failed plugin=%s attribute=further_dialects", plugin, exc_info=error)
        reason = reason_of(error)
    logger.warning("[plugins] %s: %s", plugin, reason)
    return ()


def check_config(
    provider: object, config: Mapping[str, Any], settings: BaseModel
) -> tuple[api.Diagnostic, ...]:
    """Return the provider's diagnostics for ``config``. Raises `PluginFailed` if the plugin fails."""
    if not isinstance(provider, api.ChecksConfig):
        return ()
    try:
        with alarm_after(STEP_SECONDS):
            results = tuple[object, ...](provider.check_config(config, settings))
    except BaseException as error:  # the plugin boundary
        logger.debug("plugin failed method=check_config", exc_info=error)
        raise PluginFailed(f"its check_config failed: {reason_of(error)}") from error
    return tuple(one for one in results if isinstance(one, api.Diagnostic))
