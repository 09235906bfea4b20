"""Gets the token for an MCP server that wants OAuth, by the SDK's client, and gets a new one when it has expired.

Law: a token goes to the server's origin alone, a secret to the authorization server that the config or the login
names. What the flow requests is fetched under the egress policy, encrypted, and bounded. Only a login may involve a
person: a gateway refreshes what a login got, or names the command. Imports the SDK.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable
from dataclasses import dataclass, replace
from http import HTTPStatus

import httpx2
import msgspec
from mcp.client.auth import OAuthFlowError
from mcp.client.auth.utils import extract_field_from_www_auth, extract_scope_from_www_auth, union_scopes
from pydantic import ValidationError

from clawgate.agents.tools.mcp.definitions import without_invisible
from clawgate.agents.tools.mcp.frames import FrameRejected, amount_exceeds
from clawgate.agents.tools.mcp.logins import Login
from clawgate.agents.tools.mcp.token_client import Browser, TokenClient
from clawgate.errors import GatewayError
from clawgate.policy.egress.policy import EgressPolicy
from clawgate.relay.upstream.dial import Dialer
from clawgate.relay.upstream.guarded_fetch import FetchLimits, fetch_url
from clawgate.settings.openclaw.mcp_oauth import McpOAuthClient
from clawgate.wire.http.url import parse_fetch_url

_LIMITS = FetchLimits(max_bytes=65_536, max_redirects=0, seconds=15.0)
_SENT = ("accept", "authorization", "content-type", "mcp-protocol-version")
_MAX_REASON = 300
_MAX_VALUES = 2000
_LONGEST_SCOPE = 1000
_MAX_CHALLENGES = 8
"""For more rights, in one connection; each scope counts once."""
_JSON = "application/json"


@dataclass(frozen=True, slots=True, kw_only=True)
class Access:
    """What a connection needs to get tokens. ``browser`` is there while a person logs in."""

    client: McpOAuthClient
    login: Login
    dialer: Dialer
    policy: EgressPolicy
    browser: Browser | None = None


class Authorization(httpx2.Auth):
    """Adds the token to the requests of one connection."""

    def __init__(self, access: Access) -> None:
        self.reason = ""
        """Why there is no token; empty if there is one."""
        self._access = access
        self._provider = TokenClient(access.client, access.login, access.browser)
        self._lock = asyncio.Lock()
        self._failed_with: str | None = None
        self._challenges: set[str] = set()

    async def async_auth_flow(
        self, request: httpx2.Request
    ) -> AsyncGenerator[httpx2.Request, httpx2.Response]:
        async with self._lock:
            token = await self._token()
            if token != self._failed_with:
                self.reason = ""
        _add(token, request)
        response = yield request
        if not self._wants_more(response):
            return
        async with self._lock:
            if self._provider.token == token:
                await self._guarded(self._renew(request, response))
            fresh = self._provider.token
        if fresh is not None and fresh != token:
            _add(fresh, request)
            yield request

    def _wants_more(self, response: httpx2.Response) -> bool:
        if response.status_code == HTTPStatus.UNAUTHORIZED:
            return True
        scope = extract_scope_from_www_auth(response) or ""
        is_step = extract_field_from_www_auth(response, "error") == "insufficient_scope"
        if response.status_code != HTTPStatus.FORBIDDEN or not is_step or len(scope) > _LONGEST_SCOPE:
            return False
        if scope in self._challenges or len(self._challenges) == _MAX_CHALLENGES:
            return False
        self._challenges.add(scope)
        return True

    async def _token(self) -> str | None:
        """Return the token that is kept, a new one if it has expired."""
        provider = self._provider
        await provider.take_kept()
        if provider.token is None and provider.context.can_refresh_token():
            await self._guarded(self._refresh(None))
        return provider.token

    async def _guarded(self, work: Awaitable[None]) -> None:
        try:
            await work
        except (OAuthFlowError, GatewayError, ValidationError, ValueError, OSError, TimeoutError) as error:
            if self.reason and self._failed_with == self._provider.token:
                return  # the first reason says more
            text = error.message if isinstance(error, GatewayError) else str(error)
            self.reason = (without_invisible(text).splitlines() or [type(error).__name__])[0][:_MAX_REASON]
            self._failed_with = self._provider.token

    async def _renew(self, request: httpx2.Request, response: httpx2.Response) -> None:
        """Get a token for a server that did not take the last one, if no person is needed for that."""
        provider, client = self._provider, self._access.client
        is_rejected = response.status_code == HTTPStatus.UNAUTHORIZED
        rejected = provider.token
        if is_rejected and self._access.browser is None and provider.context.can_refresh_token():
            await self._refresh(rejected)
            if provider.token not in (None, rejected):
                return
        if not client.is_headless and self._access.browser is None:
            if not is_rejected:
                tokens = provider.context.current_tokens
                granted = tokens.scope if tokens is not None else None
                wanted = union_scopes(granted, extract_scope_from_www_auth(response))
                self._access.login.write(wanted=wanted)
                raise OAuthFlowError(f"it wants a login with more rights ({wanted}); {_command(client)}")
            raise OAuthFlowError(self._access.login.problem or f"it wants a login; {_command(client)}")
        await self._drive(request, response)

    async def _refresh(self, rejected: str | None) -> None:
        """Get a new token, unless another process did."""
        provider = self._provider
        async with self._access.login.locked():
            await provider.take_kept()
            if provider.token not in (None, rejected) or not provider.context.can_refresh_token():
                return
            response = await self._fetch(await provider.refresh_request())
            if response.status_code >= HTTPStatus.INTERNAL_SERVER_ERROR:
                raise OAuthFlowError(f"its token cannot be refreshed now: status {response.status_code}")
            if not await provider.take_refreshed(response):
                raise OAuthFlowError(f"its login has ended; {_command(self._access.client)}")

    async def _drive(self, request: httpx2.Request, response: httpx2.Response) -> None:
        """Run the SDK's flow from the response that began it up to the token."""
        flow = self._provider.async_auth_flow(request)
        try:
            outgoing = await anext(flow)
            was_sent = False
            while outgoing is not request or not was_sent:
                was_sent = was_sent or outgoing is request
                outgoing = await flow.asend(response if outgoing is request else await self._fetch(outgoing))
        except StopAsyncIteration:
            pass
        finally:
            await flow.aclose()

    async def _fetch(self, request: httpx2.Request) -> httpx2.Response:
        """Send a request of the flow itself. Raises `GatewayError`, OAuthFlowError."""
        access, url = self._access, str(request.url)
        if not access.client.may_send(url):
            raise OAuthFlowError(
                f"{url.partition('?')[0]} is not encrypted, so nothing of the login is sent there"
            )
        origin, _ = parse_fetch_url(url)
        policy = replace(access.policy, origin=origin) if origin in access.client.origins else access.policy
        headers = {name: request.headers[name] for name in _SENT if name in request.headers}
        body = request.content if request.method == "POST" else None
        found = await fetch_url(access.dialer, url, policy, _LIMITS, {**headers, "accept": _JSON}, body)
        if found.truncated:
            raise OAuthFlowError(
                f"{url.partition('?')[0]}: the response has more than {_LIMITS.max_bytes} bytes"
            )
        _check_amount(url, found.body)
        return httpx2.Response(
            found.status,
            headers={"content-type": found.content_type},
            content=found.body,
            request=request,
        )


def _check_amount(url: str, body: bytes) -> None:
    """Reject a document with more than the flow needs: the SDK makes a text of each wrong value."""
    try:
        too_much = amount_exceeds([msgspec.json.decode(body)], _MAX_VALUES)
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError):
        return  # the SDK says so
    except FrameRejected as error:
        raise OAuthFlowError(f"{url.partition('?')[0]}: the response is {error}") from error
    if too_much:
        raise OAuthFlowError(f"{url.partition('?')[0]}: the response has more than {_MAX_VALUES} values")


def _add(token: str | None, request: httpx2.Request) -> None:
    request.headers.pop("authorization", None)
    if token is not None:
        request.headers["authorization"] = f"Bearer {token}"


def _command(client: McpOAuthClient) -> str:
    return (
        "check the client in its config" if client.is_headless else f"run: clawgate mcp login {client.server}"
    )
