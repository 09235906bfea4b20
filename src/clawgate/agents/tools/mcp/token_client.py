"""Is the SDK's client of OAuth, with what a gateway needs: what it knows is kept, and the config has the last word.

Law: a configured client talks to the configured issuer alone. Imports the SDK.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any

import httpx2
from mcp.client.auth import OAuthClientProvider, OAuthFlowError
from mcp.client.auth.extensions.client_credentials import SignedJWTParameters
from mcp.client.auth.utils import issuers_match, union_scopes, validate_authorization_response_iss
from mcp.shared.auth import (
    AuthorizationCodeResult,
    OAuthClientInformationFull,
    OAuthClientMetadata,
    OAuthMetadata,
    OAuthToken,
    ProtectedResourceMetadata,
)
from pydantic import AnyUrl

from clawgate.agents.tools.mcp.logins import Login
from clawgate.settings.openclaw.mcp_oauth import McpOAuthClient

_BASIC, _POST = "client_secret_basic", "client_secret_post"
_SUPPORTS_BASIC = [_BASIC]
"""Of a server that does not say what it supports (RFC 8414 section 2)."""

Browser = Callable[[str], Awaitable[Mapping[str, str]]]
"""Shows a URL to a person, and returns the query that the browser comes back with."""


class TokenClient(OAuthClientProvider):
    """The SDK's client, which keeps what it knows in a `Login`, so that a refresh needs no discovery."""

    def __init__(self, client: McpOAuthClient, login: Login, browser: Browser | None) -> None:
        self._client = client
        self._kept = login
        self._browser = browser
        self._query: Mapping[str, str] = {}
        self._taken: Mapping[str, Any] | None = None
        super().__init__(
            client.url,
            OAuthClientMetadata(
                client_name="clawgate",
                redirect_uris=[AnyUrl(client.redirect_url)],
                grant_types=["client_credentials"]
                if client.is_headless
                else ["authorization_code", "refresh_token"],
            ),
            self,
            self._open if browser is not None else None,
            self._returned if browser is not None else None,
            client.client_metadata_url,
        )

    @property
    def token(self) -> str | None:
        tokens = self.context.current_tokens
        return tokens.access_token if tokens is not None and self.context.is_token_valid() else None

    async def take_kept(self) -> None:
        """Use what is kept, if it is not what was taken last. Raises ValidationError for what is no login."""
        kept = self._kept.read()
        if kept is self._taken:
            return
        context = self.context
        context.oauth_metadata = _of(OAuthMetadata, kept.get("metadata"))
        context.protected_resource_metadata = _of(ProtectedResourceMetadata, kept.get("resource"))
        context.auth_server_url = kept.get("server")
        # a login needs a client that was registered with the address that its browser comes back to
        is_registered = self._browser is None or kept.get("redirect") == self._client.redirect_url
        context.client_info = self._configured() or _of(
            OAuthClientInformationFull, kept.get("client") if is_registered else None
        )
        if (
            self._browser is None or self._taken is not None
        ):  # a login begins without the token of the last one
            context.current_tokens = _of(OAuthToken, kept.get("tokens"))
            context.token_expiry_time = kept.get("expiresAt")
        if context.client_info is not None:
            self._choose_proof(context.client_info)
        self._taken, self._initialized = kept, True

    async def _initialize(self) -> None:
        await self.take_kept()

    def _configured(self) -> OAuthClientInformationFull | None:
        client = self._client
        if client.client_id is None:
            return None
        secret = client.client_secret.get_secret_value() if client.client_secret is not None else None
        return OAuthClientInformationFull(
            client_id=client.client_id,
            client_secret=secret,
            issuer=client.issuer,
            redirect_uris=[AnyUrl(client.redirect_url)],
        )

    def _choose_proof(self, info: OAuthClientInformationFull) -> None:
        """Choose how the configured client proves who it is, by what its authorization server supports."""
        if self._client.client_id is None:
            return
        metadata = self.context.oauth_metadata
        methods = (
            metadata.token_endpoint_auth_methods_supported if metadata is not None else None
        ) or _SUPPORTS_BASIC
        is_post = _BASIC not in methods and _POST in methods
        info.token_endpoint_auth_method = (
            "none" if info.client_secret is None else _POST if is_post else _BASIC
        )

    async def refresh_request(self) -> httpx2.Request:
        return await self._refresh_token()

    async def take_refreshed(self, response: httpx2.Response) -> bool:
        return await self._handle_refresh_response(response)

    def _select_authorization_server(self, advertised: list[str]) -> str:
        issuer = self._client.issuer
        if issuer is None:
            return super()._select_authorization_server(advertised)
        for server in advertised:
            if issuers_match(server, issuer):
                return server
        raise OAuthFlowError(f"it names the authorization server {advertised[0]}, and the config {issuer}")

    def _expected_issuer(self) -> str:
        return self.context.auth_server_url or self._client.issuer or super()._expected_issuer()

    async def _perform_authorization(self) -> httpx2.Request:
        client, context = self._client, self.context
        if client.issuer is not None and context.oauth_metadata is None:
            raise OAuthFlowError(f"the authorization server {client.issuer} does not describe itself")
        if context.client_info is not None:
            self._choose_proof(context.client_info)
        wanted = client.scope or context.client_metadata.scope
        if client.is_headless:
            return await self._own_token_request(wanted)
        context.client_metadata.scope = union_scopes(wanted, self._kept.read().get("wanted"))
        return await super()._perform_authorization()

    async def _own_token_request(self, scope: str | None) -> httpx2.Request:
        """Return the request of a client that logs in itself (RFC 6749 section 4.4, RFC 7523 section 2.2)."""
        context, metadata = self.context, self.context.oauth_metadata
        assert metadata is not None, "`_perform_authorization` checks it"
        data, headers = (
            {"grant_type": "client_credentials"},
            {"content-type": "application/x-www-form-urlencoded"},
        )
        if self._client.private_key_file is not None:
            data["client_assertion"] = await self._signed(self._client.private_key_file, str(metadata.issuer))
            data["client_assertion_type"] = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
        else:
            data, headers = context.prepare_token_auth(data, headers)
        if context.should_include_resource_param(context.protocol_version):
            data["resource"] = context.get_resource_url()
        if scope:
            data["scope"] = scope
        return httpx2.Request("POST", str(metadata.token_endpoint), data=data, headers=headers)

    async def _signed(self, file: str, audience: str) -> str:
        """Raises OSError, ValueError for a file that has no key."""
        key = await asyncio.to_thread(_text_of, file)
        name = str(self._client.client_id)
        parameters = SignedJWTParameters(
            issuer=name, subject=name, signing_key=key, signing_algorithm=_algorithm(key)
        )
        return await parameters.create_assertion_provider()(audience)

    async def _open(self, url: str) -> None:
        assert self._browser is not None, "the SDK calls it only with a browser"
        if not self._client.may_send(url):
            raise OAuthFlowError(f"the page of the login is not encrypted: {url.partition('?')[0]}")
        self._query = await self._browser(url)

    async def _returned(self) -> AuthorizationCodeResult:
        query = self._query
        validate_authorization_response_iss(query.get("iss"), self.context.oauth_metadata)
        if "error" in query:
            raise OAuthFlowError(
                f"the login was refused: {query['error']} {query.get('error_description', '')}".rstrip()
            )
        return AuthorizationCodeResult(
            code=query.get("code", ""), state=query.get("state"), iss=query.get("iss")
        )

    async def get_tokens(self) -> OAuthToken | None:
        return self.context.current_tokens

    async def set_tokens(self, tokens: OAuthToken) -> None:
        context = self.context
        self._kept.write(
            tokens=_plain(tokens),
            expiresAt=context.token_expiry_time,
            metadata=_plain(context.oauth_metadata),
            resource=_plain(context.protected_resource_metadata),
            server=context.auth_server_url,
            client=None if self._client.client_id is not None else _plain(context.client_info),
            redirect=self._client.redirect_url,
            wanted=None,
        )
        self._taken = self._kept.read()

    async def get_client_info(self) -> OAuthClientInformationFull | None:
        return self.context.client_info

    async def set_client_info(self, client_info: OAuthClientInformationFull) -> None:
        """Kept with the token: a client without one is of no use."""


def _of(model: Any, kept: Any) -> Any:
    return None if kept is None else model.model_validate(kept)


def _plain(model: Any) -> Any:
    return None if model is None else model.model_dump(mode="json", by_alias=True, exclude_none=True)


def _text_of(file: str) -> str:
    return Path(file).expanduser().read_text()


def _algorithm(key: str) -> str:
    """Return the algorithm that a private key signs with. Raises ValueError."""
    from cryptography.hazmat.primitives.asymmetric import ec, ed25519
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    loaded = load_pem_private_key(key.encode(), None)
    if isinstance(loaded, ec.EllipticCurvePrivateKey):
        return {"secp256r1": "ES256", "secp384r1": "ES384", "secp521r1": "ES512"}.get(
            loaded.curve.name, "ES256"
        )
    return "EdDSA" if isinstance(loaded, ed25519.Ed25519PrivateKey) else "RS256"
