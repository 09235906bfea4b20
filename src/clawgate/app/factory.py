"""Which parts do bridge and server share, and how are they made from settings?"""

from __future__ import annotations

import logging
import resource
import ssl

from clawgate.policy.cross_origin import LOOPBACK_NAMES, CrossOriginPolicy
from clawgate.policy.egress import NEVER_ALLOWED, Reason, classify_host
from clawgate.policy.local_hosts import WILDCARDS, is_loopback
from clawgate.policy.timeouts import TimeLimits
from clawgate.providers.credential import basic_value
from clawgate.relay.downstream.request_parser import ClientLimits
from clawgate.relay.upstream.dial import UpstreamEndpoint, tls_context
from clawgate.settings.diagnostic import Diagnostic
from clawgate.settings.problems import SettingsInvalid
from clawgate.settings.roles.relay import RelaySettings
from clawgate.wire.http.url import Origin, parse_url, split_proxy_url

logger = logging.getLogger("clawgate")

_SPARE_FILES = 64  # descriptors that are not connections: listeners, logs, pipes, modules


def route(settings: RelaySettings, origin: Origin, listening: tuple[str, int]) -> UpstreamEndpoint:
    """How to reach ``origin``; ``listening`` is our own host and port."""
    problems = _bad_places(origin, listening)
    tls = None
    if origin.scheme == "https":
        try:
            tls = tls_context(
                ca_file=settings.ca_file, certificate=settings.client_certificate, key=settings.client_key
            )
        except (OSError, ssl.SSLError) as error:
            files = (settings.ca_file, settings.client_certificate, settings.client_key)
            problems.append(
                Diagnostic((), why_unusable(error, *files), location="caFile, clientCertificate, clientKey")
            )
    proxy, authorization = None, None
    if settings.upstream_proxy is not None:
        url, userinfo = split_proxy_url(settings.upstream_proxy.get_secret_value())
        proxy, _ = parse_url(url)
        authorization = basic_value(userinfo) if userinfo else None
    if problems:
        raise SettingsInvalid(problems)
    return UpstreamEndpoint(
        origin=origin, allow_private=True, tls=tls, proxy=proxy, proxy_authorization=authorization
    )


def why_unusable(error: OSError, *files: str | None) -> str:
    """What is wrong with one of ``files``; OpenSSL does not say which of them it could not read."""
    for file in files:
        if file is not None:
            try:
                with open(file, "rb"):  # noqa: PTH123  # the name came as text
                    pass
            except OSError as unreadable:
                return f"{file} cannot be read: {unreadable.strerror}"
    return f"cannot be used: {error}"


def _bad_places(origin: Origin, listening: tuple[str, int]) -> list[Diagnostic]:
    """What can be known to be wrong with an upstream's place before anything is sent to it."""
    host, port = listening
    here = origin.host == host or (is_loopback(origin.host) and (is_loopback(host) or host in WILDCARDS))
    if origin.port == port and here:
        return [Diagnostic((), "it is this listener itself", location=f"upstream URL {origin}")]
    if (kind := classify_host(origin.host)) in NEVER_ALLOWED:
        return [Diagnostic((), f"this address is never dialled ({kind})", location=f"upstream URL {origin}")]
    return []


def travels_unencrypted(origin: Origin) -> bool:
    """Whether what is sent to ``origin`` can be read on the way there."""
    if origin.scheme == "https" or is_loopback(origin.host):
        return False
    return classify_host(origin.host) in (Reason.PUBLIC, Reason.NOT_AN_ADDRESS)


def browser_rule(settings: RelaySettings, host: str) -> CrossOriginPolicy:
    origins = frozenset(origin.encode() for origin in settings.allow_origin)
    if "*" in settings.allow_host or not (settings.allow_host or is_loopback(host)):
        return CrossOriginPolicy(hosts=None, origins=origins)
    names = LOOPBACK_NAMES | {name.lower().encode() for name in settings.allow_host} | {host.lower().encode()}
    return CrossOriginPolicy(hosts=names, origins=origins)


def time_limits(settings: RelaySettings) -> TimeLimits:
    return TimeLimits(
        connect=settings.connect_timeout,
        first_byte=settings.first_byte_timeout,
        idle=settings.idle_timeout,
        total=settings.total_timeout,
    )


def body_limit(settings: RelaySettings) -> int:
    return int(settings.max_body_mb * 1024 * 1024)


def intake_limits(settings: RelaySettings) -> ClientLimits:
    return ClientLimits(body_bytes=body_limit(settings), connections=most_connections())


def most_connections() -> int:
    """As many clients as descriptors allow, two for each: its own and one to the upstream."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = min(hard, 65_536) if hard != resource.RLIM_INFINITY else 65_536
    if soft < wanted:
        try:
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
            soft = wanted
        except (ValueError, OSError):
            logger.debug("the limit of open files stays at %d", soft)
    return max((soft - _SPARE_FILES) // 2, 16)


def via_value(instance: str) -> bytes:
    return f"clawgate-{instance}".encode("ascii")
