"""How does a configured provider become connections? Its place, its TLS, its proxy and its limits, made once."""

from __future__ import annotations

import contextlib
import os
import ssl
import tempfile
from collections.abc import Iterator

from clawgate.policy.local_hosts import is_loopback
from clawgate.policy.timeouts import TimeLimits
from clawgate.providers.credential import HeaderToken, basic_value
from clawgate.providers.provider import Provider
from clawgate.relay.upstream.dial import Dialer, UpstreamEndpoint, tls_context
from clawgate.relay.upstream.upstream import Upstream, UpstreamConfig
from clawgate.wire.http.url import parse_url, split_proxy_url

_PEM = "-----BEGIN"
_CONNECT_SECONDS = 10.0


def provider_upstream(
    provider: Provider, dialer: Dialer, *, via: bytes, listening: tuple[str, int]
) -> Upstream:
    """The connections of ``provider``. Raises ValueError or OSError with what is wrong with its settings."""
    origin = provider.origin
    if origin is None:
        raise ValueError("it has no baseUrl")
    host, port = listening
    if origin.port == port and (origin.host == host or (is_loopback(origin.host) and is_loopback(host))):
        raise ValueError(f"its baseUrl {origin} is this gateway itself")
    proxy, authorization = None, None
    if provider.proxy is not None:
        url, userinfo = split_proxy_url(provider.proxy)
        proxy, _ = parse_url(url)
        authorization = basic_value(userinfo) if userinfo else None
    return Upstream(
        UpstreamConfig(
            name=provider.id,
            route=UpstreamEndpoint(
                origin=origin,
                allow_private=provider.allow_private,
                allow_private_setting=provider.allow_private_setting,
                tls=_tls(provider) if origin.scheme == "https" else None,
                server_name=provider.server_name,
                proxy=proxy,
                proxy_authorization=authorization,
            ),
            prefix=provider.path,
            replaces="/v1",
            credential=provider.credential,
            limits=_limits(provider),
            extra_lines=b"".join(HeaderToken(name, value).line() for name, value in provider.headers),
        ),
        dialer,
        via=via,
    )


def _limits(provider: Provider) -> TimeLimits:
    """OpenClaw's ``timeoutSeconds`` is how long a provider may be silent, before its answer and within it."""
    seconds = provider.timeout_seconds
    if seconds is None:
        return TimeLimits()
    return TimeLimits(
        connect=min(_CONNECT_SECONDS, seconds),
        first_byte=seconds,
        idle=seconds,
        total=max(TimeLimits().total, seconds),
    )


def _tls(provider: Provider) -> ssl.SSLContext:
    ca = provider.ca
    with _as_file(provider.certificate) as certificate, _as_file(provider.key) as key:
        context = tls_context(
            ca_file=ca if ca is not None and _PEM not in ca else None,
            ca_text=ca if ca is not None and _PEM in ca else None,
            certificate=certificate,
            key=key,
        )
    if provider.insecure:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context


@contextlib.contextmanager
def _as_file(pem: str | None) -> Iterator[str | None]:
    """A file with the PEM text, for as long as OpenSSL needs one (it loads from files alone); a path stays as it is."""
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
