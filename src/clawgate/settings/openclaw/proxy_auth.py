"""Reads and checks ``gateway.auth.trustedProxy``. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from clawgate.policy.local_hosts import is_loopback
from clawgate.policy.proxy_identity import ProxyIdentity
from clawgate.settings.diagnostic import Diagnostic
from clawgate.settings.key_path import KeyPath
from clawgate.settings.openclaw.config_file import ConfigFile
from clawgate.wire.http.header import is_header_name

TRUSTED_PROXY = "trusted-proxy"
_PROXIES: KeyPath = ("gateway", "trustedProxies")
_BLOCK: KeyPath = ("gateway", "auth", "trustedProxy")


def proxy_identity(file: ConfigFile) -> ProxyIdentity | None:
    """Return how the proxy names the caller; None in another mode, and where `identity_problems` has a problem."""
    auth = file.config.gateway.auth
    block = auth.trusted_proxy
    if auth.mode != TRUSTED_PROXY or next(identity_problems(file), None) is not None:
        return None
    return ProxyIdentity(
        user_header=_lower(block.user_header or ""),
        required_headers=tuple(map(_lower, block.required_headers)),
        users=frozenset(block.allow_users),
        allow_loopback=block.allow_loopback,
    )


def identity_problems(file: ConfigFile) -> Iterator[Diagnostic]:
    """Yield what would reject every request in mode trusted-proxy."""
    gateway = file.config.gateway
    block, proxies = gateway.auth.trusted_proxy, gateway.trusted_proxies
    names = [
        ("userHeader", block.user_header or ""),
        *(("requiredHeaders", name) for name in block.required_headers),
    ]
    for key, name in names:
        if not is_header_name(name.strip()):
            path = (*_BLOCK, key)
            message = f"must be the name of a header; mode '{TRUSTED_PROXY}' needs it"
            fix = "name the one in which the proxy sends it, such as x-forwarded-user"
            yield Diagnostic(path, message, fix=fix, location=file.location(path))
    if not proxies:
        message = f"is empty, and mode '{TRUSTED_PROXY}' admits what these proxies send alone"
        yield Diagnostic(
            _PROXIES, message, fix="list the address of the proxy", location=file.location(_PROXIES)
        )
    elif not block.allow_loopback and all(is_loopback(text.partition("/")[0]) for text in proxies):
        path = (*_BLOCK, "allowLoopback")
        message = "is not set, and gateway.trustedProxies has addresses of this machine alone"
        fix = "set it to true if every local process may be trusted like the proxy"
        yield Diagnostic(path, message, fix=fix, location=file.location(path))


def _lower(name: str) -> bytes:
    return name.strip().lower().encode("ascii")
