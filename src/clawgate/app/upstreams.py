"""Builds upstreams from settings: endpoint, TLS, proxy and time limits."""

from __future__ import annotations

import contextlib
import os
import ssl
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from clawgate.policy.egress.names import host_kind
from clawgate.policy.egress.policy import EgressPolicy
from clawgate.policy.egress.ranges import NEVER_ALLOWED, AddressKind
from clawgate.policy.egress.refusal import advice
from clawgate.policy.local_hosts import WILDCARDS, is_loopback
from clawgate.policy.timeouts import TimeLimits
from clawgate.providers.credential import HeaderToken, basic_value
from clawgate.providers.provider import Provider
from clawgate.relay.upstream.dial import Dialer
from clawgate.relay.upstream.endpoint import UpstreamEndpoint, tls_context
from clawgate.relay.upstream.pool import PoolLimits
from clawgate.relay.upstream.upstream import Upstream, UpstreamConfig
from clawgate.settings.diagnostic import Diagnostic
from clawgate.settings.key_path import KeyPath
from clawgate.settings.problems import SettingsInvalid
from clawgate.settings.regular_file import exposure
from clawgate.settings.roles.relay import RelaySettings
from clawgate.wire.http.url import Origin, parse_url, split_proxy_url

_PEM = "-----BEGIN"
_CONNECT_SECONDS = 10.0
_OTHER = "set another upstream URL, or another port to listen on"


def relay_endpoint(
    settings: RelaySettings, policy: EgressPolicy, listener: tuple[str, int]
) -> UpstreamEndpoint:
    """Return how to connect to the origin of ``policy``; ``listener`` is our own host and port.

    Raises `SettingsInvalid`.
    """
    problems = []
    origin = policy.origin
    assert origin is not None
    if is_own_listener(origin, listener):
        problems.append(
            Diagnostic((), "it is this listener itself", fix=_OTHER, location=f"upstream URL {origin}")
        )
    elif (kind := host_kind(origin.host)) in NEVER_ALLOWED:
        message = f"this address is never dialled ({kind})"
        fix = advice(origin.host, origin, policy)
        problems.append(Diagnostic((), message, fix=fix, location=f"upstream URL {origin}"))
    tls = None
    if origin.scheme == "https":
        files = (settings.ca_file, settings.client_certificate, settings.client_key)
        try:
            tls = tls_context(ca_file=files[0], certificate=files[1], key=files[2])
        except (OSError, ssl.SSLError) as error:
            location = "caFile, clientCertificate, clientKey"
            problems.append(Diagnostic((), why_unusable(error, *files), location=location))
    if problems:
        raise SettingsInvalid(problems)
    proxy_url = settings.upstream_proxy
    proxy, authorization = parse_proxy(None if proxy_url is None else proxy_url.get_secret_value())
    return UpstreamEndpoint(
        origin=origin,
        policy=policy,
        tls=tls,
        proxy=proxy,
        proxy_authorization=authorization,
    )


def provider_upstream(
    provider: Provider, dialer: Dialer, *, via: bytes, listening: tuple[str, int]
) -> Upstream:
    """Return the connections of ``provider``. Raises ValueError or OSError for unusable settings."""
    origin = provider.origin
    if origin is None:
        raise ValueError("it has no baseUrl")
    if is_own_listener(origin, listening):
        raise ValueError(f"its baseUrl {origin} is this gateway itself")
    proxy, authorization = parse_proxy(provider.proxy)
    config = UpstreamConfig(
        name=provider.id,
        endpoint=UpstreamEndpoint(
            origin=origin,
            policy=provider.egress_policy(),
            tls=_provider_tls(provider) if origin.scheme == "https" else None,
            server_name=provider.server_name,
            proxy=proxy,
            proxy_authorization=authorization,
        ),
        prefix=provider.path,
        replaces="/v1",
        credential=provider.credential,
        credential_advice=(
            f"check the credential of the provider '{provider.id}', also with: clawgate models status --probe"
        ),
        limits=_provider_time_limits(provider),
        pool_limits=PoolLimits(
            max_connections=provider.max_connections,
            wait_seconds=provider.connection_wait_seconds,
            setting=provider.max_connections_setting,
        ),
        extra_lines=b"".join(HeaderToken(name, value).line() for name, value in provider.headers),
    )
    return Upstream(config, dialer, via=via)


def version_line(provider: Provider) -> bytes:
    """Return the header without which Anthropic's API rejects every request (its reference, "Versions"), if needed."""
    has_version = any(name.lower() == "anthropic-version" for name, _ in provider.headers)
    is_needed = provider.api == "anthropic-messages" and not has_version
    return b"anthropic-version: 2023-06-01\r\n" if is_needed else b""


def is_own_listener(origin: Origin, listener: tuple[str, int]) -> bool:
    """Return whether ``origin`` is the host and port that this process listens on."""
    host, port = listener
    if origin.port != port:
        return False
    return origin.host == host or (is_loopback(origin.host) and (is_loopback(host) or host in WILDCARDS))


def parse_proxy(url: str | None) -> tuple[Origin | None, str | None]:
    """Return the origin of a proxy and the value of its ``Proxy-Authorization``; None for what there is not."""
    if url is None:
        return None, None
    place, userinfo = split_proxy_url(url)
    return parse_url(place)[0], basic_value(userinfo) if userinfo else None


def is_sent_in_the_clear(origin: Origin) -> bool:
    if origin.scheme == "https" or is_loopback(origin.host):
        return False
    return host_kind(origin.host) in (AddressKind.PUBLIC, AddressKind.NOT_AN_ADDRESS)


def why_unusable(error: OSError, *files: str | None) -> str:
    """Return what is wrong with one of ``files``; OpenSSL does not name the one that it could not read."""
    for file in files:
        if file is not None:
            try:
                with open(file, "rb"):  # noqa: PTH123  # the name came as text
                    pass
            except OSError as unreadable:
                return f"{file} cannot be read: {unreadable.strerror}"
    return f"cannot be used: {error}"


def check_key_file(file: str, key: KeyPath = ()) -> None:
    """Raises OSError, or `SettingsInvalid` for a TLS key that others have access to."""
    path = Path(file)
    if (problem := exposure(path, path.stat(), key)) is not None:
        raise SettingsInvalid([problem])


def _provider_tls(provider: Provider) -> ssl.SSLContext:
    """Raises ValueError with what is wrong with the files."""
    ca = provider.ca
    try:
        holder = provider.key or provider.certificate  # which holds the key too, if there is no file of it
        if holder is not None and _PEM not in holder:
            check_key_file(holder)
        with _as_file(provider.certificate) as certificate, _as_file(provider.key) as key:
            context = tls_context(
                ca_file=ca if ca is not None and _PEM not in ca else None,
                ca_text=ca if ca is not None and _PEM in ca else None,
                certificate=certificate,
                key=key,
            )
    except OSError as error:
        files = [file for file in (ca, provider.certificate, provider.key) if file and _PEM not in file]
        raise ValueError(f"its request.tls: {why_unusable(error, *files)}") from error
    except SettingsInvalid as error:
        raise ValueError(f"its request.tls: {error}") from error
    if provider.insecure:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context


@contextlib.contextmanager
def _as_file(pem: str | None) -> Iterator[str | None]:
    """Yield a temporary file with PEM text, because OpenSSL reads certificates from files only; a path as it is."""
    if pem is None or _PEM not in pem:
        yield pem
        return
    fd, name = tempfile.mkstemp()  # 0600
    try:
        with os.fdopen(fd, "w", encoding="ascii") as file:
            file.write(pem)
        yield name
    finally:
        os.unlink(name)  # noqa: PTH108  # the name came as text


def time_limits(settings: RelaySettings) -> TimeLimits:
    return TimeLimits(
        connect=settings.connect_timeout,
        first_byte=settings.first_byte_timeout,
        idle=settings.idle_timeout,
        total=settings.total_timeout,
    )


def pool_limits(settings: RelaySettings) -> PoolLimits:
    return PoolLimits(
        max_connections=settings.max_upstream_connections,
        wait_seconds=settings.upstream_wait_timeout,
        setting="maxUpstreamConnections (--max-upstream-connections)",
    )


def _provider_time_limits(provider: Provider) -> TimeLimits:
    """OpenClaw's ``timeoutSeconds`` bounds how long a provider may be silent, before and within its response."""
    seconds = provider.timeout_seconds
    limits = TimeLimits()
    if seconds is not None:
        limits = TimeLimits(
            connect=min(_CONNECT_SECONDS, seconds),
            first_byte=seconds,
            idle=seconds,
            total=max(limits.total, seconds),
        )
    return replace(limits, **provider.timeouts)
