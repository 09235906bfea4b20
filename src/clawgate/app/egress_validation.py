"""Validates the egress policy of a config in practice: what has to be reached is, and what must not be is not.

Law: fail closed. A canary, a server on loopback whose page holds a token that is made for it, counts as shut only if
its fetch was refused by the policy and no connection came; and only after the same fetch with permission got the token.
"""

from __future__ import annotations

import asyncio
import contextlib
import secrets
from collections.abc import AsyncIterator, Iterable
from dataclasses import dataclass, field
from typing import cast

from clawgate.app.egress_policies import http_servers, policy_of
from clawgate.app.upstreams import provider_upstream
from clawgate.errors import EgressDenied, GatewayError
from clawgate.policy.egress.policy import EgressPolicy, check_host
from clawgate.providers.catalog import Catalog
from clawgate.providers.credential import NoCredential
from clawgate.providers.provider import Provider
from clawgate.relay.upstream.dial import Dialer
from clawgate.relay.upstream.endpoint import UpstreamEndpoint
from clawgate.relay.upstream.fetch import fetch
from clawgate.relay.upstream.upstream import Upstream, UpstreamConfig
from clawgate.settings.openclaw.config_file import ConfigFile
from clawgate.settings.openclaw.own_settings import network_rules
from clawgate.settings.openclaw.web_tools import NEEDS
from clawgate.wire.http.url import Origin, parse_fetch_url

SECONDS = 5.0
_VIA = b"clawgate-validate"
_SPELLINGS = ("127.0.0.1", "localhost", "2130706433", "0x7f.1", "[::ffff:127.0.0.1]")


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """One result. ``expects`` is what has to become of it: reached, refused, or what opens it."""

    requester: str
    url: str
    expects: str
    ok: bool
    message: str = ""

    def to_json(self) -> dict[str, object]:
        return {
            "requester": self.requester,
            "url": self.url,
            "expects": self.expects,
            "ok": self.ok,
            "message": self.message or None,
        }


@dataclass(slots=True)
class Canary:
    """``connections`` counts those that came."""

    port: int
    token: str = field(repr=False)
    connections: int = 0

    def origin(self, spelling: str = "127.0.0.1") -> Origin:
        return parse_fetch_url(f"http://{spelling}:{self.port}/")[0]


async def validate(
    catalog: Catalog, file: ConfigFile, providers: Iterable[Provider], dialer: Dialer
) -> list[Check]:
    """Try the addresses of ``providers``, then the canary with the policy of each requester of the config."""
    tried = await asyncio.gather(*(_reach(provider, dialer) for provider in providers))
    names = [
        *(f"tool:{name}" for name in NEEDS),
        *(f"mcp:{server.name}" for server in http_servers(file)),
        *(f"provider:{name}" for name in catalog.providers),
    ]
    policies = [policy_of(name, catalog, file) for name in names]
    policies.insert(0, EgressPolicy(requester="unprivileged", network=network_rules(file.config)))
    async with canary() as made:
        check = await _control(made, dialer)
        shut = [await _shut(made, policy, dialer) for policy in policies] if check.ok else []
    return [*tried, check, *shut]


async def _reach(provider: Provider, dialer: Dialer) -> Check:
    """Open a connection as a request to ``provider`` does, and send nothing."""
    message = ""
    try:
        if provider.problem is not None:
            raise ValueError(provider.problem)  # as for settings that cannot be used
        upstream = provider_upstream(provider, dialer, via=_VIA, listening=("", 0))
        async with asyncio.timeout(SECONDS):
            (await upstream.pool.dial()).abort()
    except TimeoutError:
        message = f"no connection within {SECONDS:g} s; is this its address, and does a firewall allow it?"
    except GatewayError as error:
        message = error.message
    except (ValueError, OSError) as error:
        message = str(error)
    url = str(provider.origin or "")
    return Check(
        requester=f"provider:{provider.id}", url=url, expects="reached", ok=not message, message=message
    )


async def _control(made: Canary, dialer: Dialer) -> Check:
    """Reach the canary with permission: else a refusal would prove nothing."""
    origin = made.origin()
    message = await _fetch(
        made, origin, EgressPolicy(requester="validate", private=True, origin=origin), dialer
    )
    is_reached = message == made.token
    return Check(
        requester="validate",
        url=str(origin),
        expects="reached",
        ok=is_reached,
        message="" if is_reached else f"the canary itself cannot be reached, so nothing is shown: {message}",
    )


async def _shut(made: Canary, policy: EgressPolicy, dialer: Dialer) -> Check:
    """Try every spelling of the canary's address; each has to be refused before a connection.

    A requester that the operator opened to private addresses is no stranger.
    """
    url = str(made.origin())
    if policy.private and policy.origin is None:
        return Check(requester=policy.requester, url=url, expects=f"open by {policy.setting}", ok=True)
    for spelling in _SPELLINGS:
        origin, before = made.origin(spelling), made.connections
        found = await _fetch(made, origin, policy, dialer)
        if found is not None or made.connections != before:
            decision = check_host(origin, policy)
            why = "refusals are only reported" if decision.reported else decision.rule
            reason = f"it was reached ({why})" if made.connections != before else str(found)
            return Check(
                requester=policy.requester,
                url=f"http://{spelling}:{made.port}",
                expects="refused",
                ok=False,
                message=f"a server on this machine that it must not reach: {reason}",
            )
    return Check(requester=policy.requester, url=url, expects="refused", ok=True)


async def _fetch(made: Canary, origin: Origin, policy: EgressPolicy, dialer: Dialer) -> str | None:
    """Return None where the policy refuses it, else the page or what went wrong."""
    config = UpstreamConfig(
        name="validate",
        endpoint=UpstreamEndpoint(origin=origin, policy=policy),
        prefix="",
        credential=NoCredential(),
    )
    try:
        upstream = Upstream(config, dialer, via=_VIA)
        found = await fetch(upstream, b"/", connect_seconds=SECONDS, response_seconds=SECONDS)
    except EgressDenied:
        return None
    except GatewayError as error:
        return error.message
    return found.body.decode("ascii", "replace")


@contextlib.asynccontextmanager
async def canary() -> AsyncIterator[Canary]:
    """Serve a page with a new token on loopback while the context lasts."""
    token = secrets.token_hex(16)
    made = Canary(0, token)
    page = f"HTTP/1.1 200 OK\r\nContent-Length: {len(token)}\r\nConnection: close\r\n\r\n{token}".encode(
        "ascii"
    )

    class Page(asyncio.Protocol):
        def connection_made(self, transport: asyncio.BaseTransport) -> None:
            made.connections += 1
            self.peer = cast(asyncio.Transport, transport)

        def data_received(self, data: bytes) -> None:
            self.peer.write(page)
            self.peer.close()

    server = await asyncio.get_running_loop().create_server(Page, "127.0.0.1", 0)
    made.port = server.sockets[0].getsockname()[1]
    try:
        yield made
    finally:
        server.close()
