"""Reads a provider's address, proxy and TLS settings from its config, with their problems.

Checks the config alone: `relay.upstream.dial` resolves names and checks their addresses. Every problem names the key to
change.
"""

from __future__ import annotations

import shlex
from collections.abc import Mapping

from clawgate.errors import EgressDenied
from clawgate.policy.egress.names import host_kind
from clawgate.policy.egress.policy import NOT_ALLOWED, check_host
from clawgate.policy.egress.ranges import NEVER_ALLOWED, PRIVATE_KINDS
from clawgate.policy.egress.refusal import denied
from clawgate.providers.credential_selection import how_to_set
from clawgate.providers.provider import Provider
from clawgate.settings.fields import BaseUrl
from clawgate.settings.schema.openclaw import ProviderBlock, RequestProxy
from clawgate.wire.http.base_url import base_url
from clawgate.wire.http.url import Origin, parse_url, split_proxy_url


def endpoint_of(
    url: BaseUrl | None, api: str, key_path: str, unset: Mapping[str, str]
) -> tuple[Origin | None, str, str | None]:
    """Return the origin, the path that replaces ``/v1``, and the problem."""
    if url is None:
        variable = unset.get("baseUrl")
        fix = how_to_set(f"{key_path}.baseUrl", variable) if variable else f"set {key_path}.baseUrl"
        return None, "", f"its address is not set: {fix}"
    path = url.path.removesuffix("/v1") + "/v1" if api == "anthropic-messages" else url.path
    return url.origin, path or "/v1", None


def never_dialled(provider: Provider) -> EgressDenied | None:
    """Return the error of every request to an address that no setting opens, whatever else is configured."""
    origin = provider.origin
    if origin is None or host_kind(origin.host) not in NEVER_ALLOWED:
        return None
    policy = provider.egress_policy()
    return denied(origin, origin.host, check_host(origin, policy), policy)


def address_notes(provider: Provider) -> list[str]:
    """Return notes for the operator: an address that is blocked, a credential that is sent unencrypted."""
    origin, notes = provider.origin, list[str]()
    if origin is None:
        return notes
    kind = host_kind(origin.host)
    is_public = kind not in PRIVATE_KINDS
    decision = check_host(origin, provider.egress_policy())
    if provider.proxy is None and not decision.allowed and decision.rule == NOT_ALLOWED:
        notes.append(
            f"egress: blocked until {provider.allow_private_setting} is true ({origin.host} is {kind})"
        )
    if (misplaced := endpoint_note(provider)) is not None:
        notes.append(misplaced)
    if is_public and origin.scheme == "http" and provider.credential.line():
        notes.append(f"its credential is sent unencrypted to {origin}")
    return notes


def endpoint_note(provider: Provider) -> str | None:
    """Return a note where the base URL is that of a request, so that every request goes to a path behind it."""
    given = provider.base_url
    if provider.api == "anthropic-messages":
        given = given.removesuffix("/v1")
    base = base_url(given)
    if base == given:
        return None
    setting = shlex.quote(provider.address_setting)
    return (
        f"{provider.address_setting} is the address of a request, and requests add theirs to it; set the part in "
        f"front: clawgate config set {setting} {shlex.quote(base)}"
    )


def proxy_of(
    proxy: RequestProxy | None, key_path: str, unset: Mapping[str, str]
) -> tuple[str | None, str | None]:
    """Return the proxy's URL and its problem. The problem must not contain the URL: it holds a password."""
    if proxy is None:
        return None, None
    prefix = f"{key_path}.request.proxy"
    if "request.proxy.url" in unset:
        return None, f"its proxy is not set: {how_to_set(f'{prefix}.url', unset['request.proxy.url'])}"
    if proxy.mode == "env-proxy":
        return (
            None,
            f"{prefix}.mode 'env-proxy' is not supported; set {prefix}.url and the mode explicit-proxy",
        )
    if proxy.tls is not None:
        return None, f"{prefix}.tls is not supported: connections to a proxy are plain HTTP"
    if proxy.url is None:
        return None, f"its proxy is not set: set {prefix}.url"
    text = proxy.url.get_secret_value()
    url, _ = split_proxy_url(text.removesuffix("/"))
    try:
        _, path = parse_url(url)
    except ValueError:
        path = "?"
    if path or not text.startswith("http://"):
        return None, f"{prefix}.url must look like http://[user:password@]host:port"
    return text.removesuffix("/"), None


def tls_problem(block: ProviderBlock, key_path: str, unset: Mapping[str, str]) -> str | None:
    tls = block.request.tls
    for key in ("request.tls.key", "request.tls.passphrase", "request.tls.ca", "request.tls.cert"):
        if key in unset:
            return f"its TLS setting is not set: {how_to_set(f'{key_path}.{key}', unset[key])}"
    if tls is None:
        return None
    if tls.passphrase is not None:
        return f"{key_path}.request.tls.passphrase is not supported; use a key without one, in a file of mode 0600"
    if tls.key is not None and tls.cert is None:
        return f"{key_path}.request.tls.key is set without request.tls.cert"
    return None
