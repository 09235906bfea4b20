"""Says of one upstream what a dial needs: its origin, the policy of its addresses, its proxy, and TLS."""

from __future__ import annotations

import ssl
from dataclasses import dataclass

from clawgate.policy.egress.policy import EgressPolicy
from clawgate.wire.http.url import Origin


@dataclass(frozen=True, slots=True, kw_only=True)
class UpstreamEndpoint:
    """How to reach one upstream.

    ``policy`` decides which addresses it may have, and its ``proxy``: an HTTP proxy that opens the tunnel with CONNECT.
    """

    origin: Origin
    policy: EgressPolicy
    tls: ssl.SSLContext | None = None
    proxy: Origin | None = None
    proxy_authorization: str | None = None
    server_name: str | None = None
    """Whom the certificate has to name, if not the origin's host."""


def tls_context(
    *,
    ca_file: str | None = None,
    ca_text: str | None = None,
    certificate: str | None = None,
    key: str | None = None,
) -> ssl.SSLContext:
    """Return a context for TLS 1.2+ that verifies by the system's authorities, or by ``ca_file`` or ``ca_text`` alone.

    Raises OSError or ssl.SSLError.
    """
    context = ssl.create_default_context(cafile=ca_file, cadata=ca_text)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_alpn_protocols(["http/1.1"])
    if certificate is not None:
        context.load_cert_chain(certificate, key)
    return context
