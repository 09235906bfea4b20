"""Checks a gateway elsewhere for `gateway status --url` and `gateway health --url`, over its WebSocket."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import Any

from clawgate.cli.remote import Remote, with_next_step
from clawgate.processes.instance.gateway_client import GatewayCallFailed, connect


@dataclass(slots=True)
class RemoteHealth:
    """``error`` is "" for a gateway that is healthy; ``body`` is what it reports, of OpenClaw without its models."""

    milliseconds: float
    error: str = ""
    version: str = ""
    body: dict[str, Any] = field(default_factory=dict)


def check_remote(remote: Remote) -> RemoteHealth:
    start = time.monotonic()
    found = RemoteHealth(0.0)
    try:
        with connect(remote.address, seconds=remote.seconds) as gateway:
            found.version = gateway.version
            found.body = gateway.request("health", {}, seconds=remote.seconds)
            found.milliseconds = round((time.monotonic() - start) * 1000, 1)
        if found.body.get("ok") is not True:
            found.error = "the gateway is not healthy"
    except GatewayCallFailed as failure:
        found.error = with_next_step(failure).message
    return found
