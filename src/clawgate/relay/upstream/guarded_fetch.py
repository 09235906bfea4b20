"""Fetches the URLs that tools are given: each hop is checked anew, all of it is bounded, and nothing is kept open.

Law: what a URL names and where a redirect leads is decided by the policy and the one dialer. Headers that could hold a
credential go to the first origin alone, and no more once a redirect left it: the page there chose what follows, as in
the Fetch standard. Cancelled, it frees the connection at once.
"""

from __future__ import annotations

import asyncio
import functools
import re
import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urljoin

from clawgate import __version__
from clawgate.errors import InvalidRequest, UpstreamMalformed, UpstreamRedirected, UpstreamTimedOut
from clawgate.policy.egress.policy import EgressPolicy
from clawgate.relay.upstream.dial import Dialer
from clawgate.relay.upstream.endpoint import UpstreamEndpoint, tls_context
from clawgate.relay.upstream.fetch import FetchResponse, Reply
from clawgate.relay.upstream.pool import Pool, PoolLimits
from clawgate.wire.http.url import Origin, parse_fetch_url

_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_DECODED = frozenset({b"", b"identity", b"gzip", b"x-gzip"})
_ANYWHERE = frozenset({"accept", "accept-language", "user-agent"})
"""Headers that also go to other origins than the first."""
_OF_TWO_READINGS = re.compile(r"https?:(?!//[^/])|///|//\Z", re.IGNORECASE)
"""Redirects of which `urljoin` keeps the host before, and a browser takes the next word (WHATWG URL: it ignores
slashes in front of an authority)."""
_OWN = {"user-agent": f"clawgate/{__version__}", "accept": "*/*"}


@dataclass(frozen=True, slots=True, kw_only=True)
class FetchLimits:
    """``max_bytes`` of the body, decoded or not; ``seconds`` for all of it, redirects included."""

    max_bytes: int = 750_000
    max_redirects: int = 3
    seconds: float = 30.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Fetched:
    """The last response, of ``url``, with its body up to the limit."""

    url: str
    status: int
    content_type: str
    body: bytes
    truncated: bool


async def fetch_url(
    dialer: Dialer,
    url: str,
    policy: EgressPolicy,
    limits: FetchLimits = FetchLimits(),
    headers: Mapping[str, str] | None = None,
    body: bytes | None = None,
) -> Fetched:
    """GET ``url`` and follow its redirects, or POST ``body`` to it, of which no redirect is followed.

    Raises `GatewayError`: `EgressDenied` for what the policy refuses.
    """
    sent = {**_OWN, **{name.lower(): value for name, value in (headers or {}).items()}}
    try:
        async with asyncio.timeout(limits.seconds):
            return await _follow(dialer, url, policy, limits, sent, body)
    except TimeoutError:
        raise UpstreamTimedOut(
            f"no complete response within {limits.seconds:g} s", limit="total", seconds=limits.seconds
        ) from None


async def _follow(
    dialer: Dialer,
    url: str,
    policy: EgressPolicy,
    limits: FetchLimits,
    headers: dict[str, str],
    body: bytes | None,
) -> Fetched:
    try:
        first, target = parse_fetch_url(url)
    except ValueError as error:
        raise InvalidRequest(f"the URL {error}") from None
    origin = first
    sent = headers
    for _ in range(limits.max_redirects + 1):
        url = f"{origin}{target}"
        if origin != first:
            sent = {name: value for name, value in headers.items() if name in _ANYWHERE}
        response = await _exchange(dialer, origin, target, policy, sent, body, limits.max_bytes)
        location = response.headers.get(b"location")
        if body is not None or response.status not in _REDIRECTS or location is None:
            return _fetched(url, response)
        try:
            origin, target = _next(url, location.decode("utf-8", "replace"))
        except ValueError as error:
            raise UpstreamRedirected(f"{url} redirects to what cannot be fetched: it {error}") from None
    raise UpstreamRedirected(
        f"{url} is redirect number {limits.max_redirects + 1}, and so many are not followed"
    )


def _next(url: str, location: str) -> tuple[Origin, str]:
    """Return where a redirect of ``url`` leads. Raises ValueError."""
    if not location.isprintable():  # `urljoin` drops tabs
        raise ValueError("must not contain control characters")
    if _OF_TWO_READINGS.match(location):
        raise ValueError("must name its host after two slashes, or begin with one")
    return parse_fetch_url(urljoin(url, location))


async def _exchange(
    dialer: Dialer,
    origin: Origin,
    target: str,
    policy: EgressPolicy,
    headers: Mapping[str, str],
    body: bytes | None,
    limit: int,
) -> FetchResponse:
    tls = await asyncio.to_thread(_public_tls) if origin.scheme == "https" else None
    pool = Pool(dialer, UpstreamEndpoint(origin=origin, policy=policy, tls=tls), PoolLimits())
    lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    method, length = ("GET", "") if body is None else ("POST", f"content-length: {len(body)}\r\n")
    head = (
        f"{method} {target} HTTP/1.1\r\nhost: {origin.authority}\r\n{lines}{length}"
        "accept-encoding: gzip\r\nconnection: close\r\n\r\n"
    )
    connection = await pool.dial(target)
    try:
        reply = Reply(limit)
        connection.start_response(reply, head_only=False)
        connection.write([head.encode("latin-1"), body or b""])
        return await reply.done
    finally:
        connection.abort()


def _fetched(url: str, response: FetchResponse) -> Fetched:
    coding = response.headers.get(b"content-encoding", b"").lower()
    if coding not in _DECODED:
        raise UpstreamMalformed(f"{url}: the response is encoded in a way that was not requested")
    return Fetched(
        url=url,
        status=response.status,
        content_type=response.headers.get(b"content-type", b"").decode("latin-1"),
        body=response.body,
        truncated=response.truncated,
    )


@functools.cache
def _public_tls() -> ssl.SSLContext:
    """Of the system's authorities; reading them takes too long for the loop."""
    return tls_context()
