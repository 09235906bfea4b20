"""Finds providers whose names a fake-IP DNS resolves to its placeholders, and what allows them.

Queries DNS, and dials nothing. Names that no DNS has (RFC 6761) are not looked up.
"""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence

from clawgate.policy.egress.names import host_kind
from clawgate.policy.egress.policy import check_address
from clawgate.policy.egress.ranges import AddressKind
from clawgate.policy.egress.refusal import fake_ip_command, is_placeholder
from clawgate.providers.provider import Provider
from clawgate.wire.http.url import Origin

LookUp = Callable[[Iterable[str]], Mapping[str, Sequence[str]]]
_SECONDS = 1.0
_RESERVED = ("test", "example", "invalid")


def look_up(hosts: Iterable[str]) -> Mapping[str, Sequence[str]]:
    """Return the addresses of each of ``hosts`` that DNS has within a second; a thread may outlast it."""
    found: dict[str, Sequence[str]] = {}

    def resolve(host: str) -> None:
        try:
            entries = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
        except (OSError, UnicodeError):
            return
        found[host] = [str(entry[4][0]) for entry in entries]

    threads = [threading.Thread(target=resolve, args=(host,), daemon=True) for host in set(hosts)]
    until = time.monotonic() + _SECONDS
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(max(until - time.monotonic(), 0))
    return dict(found)


def with_placeholders(providers: Iterable[Provider], look_up: LookUp) -> dict[str, tuple[str, str]]:
    """Return the address that is refused for each such provider, and the command that allows it."""
    named = [
        (one, one.origin) for one in providers if one.origin is not None and _is_looked_up(one, one.origin)
    ]
    addresses = look_up(origin.host for _, origin in named)
    found = {}
    for provider, origin in named:
        policy = provider.egress_policy()
        for address in addresses.get(origin.host, ()):
            if is_placeholder(address) and not check_address(address, origin, policy).allowed:
                found[provider.id] = address, fake_ip_command(origin.host, policy)
    return found


def _is_looked_up(provider: Provider, origin: Origin) -> bool:
    is_name = host_kind(origin.host) is AddressKind.NOT_AN_ADDRESS
    return is_name and provider.proxy is None and origin.host.rpartition(".")[2] not in _RESERVED
