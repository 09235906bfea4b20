"""Decides whether the process that listens on a local port may be sent requests.

Invariant: only a process of the gateway's own user, or of the user that the config names, is trusted. Any other user
of this machine could listen on the port and respond as the expected program does.
"""

from __future__ import annotations

import os
from pathlib import Path

from clawgate.plugins.api import TrustedUser
from clawgate.policy.local_hosts import is_loopback
from clawgate.processes.port_owner import PROC, listener_uids, user_text


def distrust_reason(
    host: str, port: int, trusted_user: TrustedUser, *, unknown_is_trusted: bool, proc: Path = PROC
) -> str | None:
    """Return why the process that listens there is not trusted, or None if it is.

    ``unknown_is_trusted`` decides if the user is not visible: without /proc, or in another network namespace. A host
    that is not a loopback address is another machine that the config names, of which nothing can be checked.
    """
    if trusted_user == "any" or not is_loopback(host):
        return None
    uids = listener_uids(host, port, proc)
    if not uids:
        return None if unknown_is_trusted else "the user that it runs as is not visible from here"
    trusted = os.geteuid() if trusted_user == "self" else trusted_user
    foreign = sorted(uids - {trusted})
    if not foreign:
        return None
    return f"it runs as {user_text(foreign[0])}, and only {user_text(trusted)} is trusted"
