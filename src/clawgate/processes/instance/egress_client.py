"""Reads from the running gateway what it knows of egress, by the key that this run of it announced."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode

import httptools

from clawgate.processes.instance.daemon import endpoint_of
from clawgate.processes.instance.health_client import get
from clawgate.processes.instance.instance_lock import RunningInstance

_SECONDS = 10.0
_OK, _NOT_FOUND = 200, 404


class EgressCallFailed(Exception):
    """The gateway does not say; the text says why."""


def read_egress(running: RunningInstance, path: str, params: Mapping[str, str]) -> dict[str, Any]:
    """Return the JSON of one of the control paths of egress. Raises `EgressCallFailed`."""
    host, port, tls = endpoint_of(running.url or "")
    try:
        status, content = get(
            host, port, f"{path}?{urlencode(params)}", seconds=_SECONDS, key=running.key, tls=tls
        )
        body = json.loads(content)
    except TimeoutError:
        raise EgressCallFailed(f"no response within {_SECONDS:g} s") from None
    except (OSError, httptools.HttpParserError, ValueError, RecursionError) as error:
        raise EgressCallFailed(str(getattr(error, "strerror", None) or error)) from None
    if status == _OK and isinstance(body, dict):
        return body
    text = body.get("error") if isinstance(body, dict) else None
    if status == _NOT_FOUND or not isinstance(text, str):
        raise EgressCallFailed(f"it responds with status {status}; restart it: clawgate gateway restart")
    raise EgressCallFailed(text)
