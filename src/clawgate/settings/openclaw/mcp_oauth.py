"""Reads how the token of an MCP server with ``auth: "oauth"`` is gotten, and what is wrong with that.

Pure. Law: a secret belongs to one authorization server, which the config names: the MCP server must not choose who gets
it.
"""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import urlsplit

from pydantic import SecretStr

from clawgate.settings.key_path import KeyPath
from clawgate.settings.openclaw.own_settings import McpOAuthSettings
from clawgate.settings.schema.mcp import McpServer
from clawgate.wire.http.url import Origin, parse_fetch_url

REDIRECT_URL = "http://127.0.0.1:8989/oauth/callback"
"""OpenClaw's, so that one registered client serves both programs."""
_LOOPBACK = frozenset({"127.0.0.1", "::1", "localhost"})


@dataclass(frozen=True, slots=True, kw_only=True)
class McpOAuthClient:
    """The client that gets tokens for the server ``server`` at ``url``. ``origins``: of what the config names."""

    server: str
    url: str
    is_headless: bool
    scope: str | None
    redirect_url: str
    client_metadata_url: str | None
    issuer: str | None
    client_id: str | None
    client_secret: SecretStr | None
    private_key_file: str | None
    origins: tuple[Origin, ...]

    def may_send(self, url: str) -> bool:
        """Whether a request of the login may go there unencrypted, or is encrypted."""
        origin, _ = parse_fetch_url(url)
        return origin.scheme == "https" or origin.host in _LOOPBACK or origin in self.origins


def oauth_client(server: str, block: McpServer, own: McpOAuthSettings) -> McpOAuthClient | None:
    """Return the client of a server that has one and no `oauth_problem`."""
    if block.auth is None or block.command or not block.url:
        return None
    named = [block.url, *([own.issuer] if own.issuer else [])]
    return McpOAuthClient(
        server=server,
        url=block.url,
        is_headless=own.grant == "client_credentials",
        scope=block.oauth.scope,
        redirect_url=block.oauth.redirect_url or REDIRECT_URL,
        client_metadata_url=block.oauth.client_metadata_url,
        issuer=own.issuer,
        client_id=own.client_id,
        client_secret=own.client_secret,
        private_key_file=own.private_key_file,
        origins=tuple(parse_fetch_url(url)[0] for url in named),
    )


def oauth_problem(
    block: McpServer, own: McpOAuthSettings, path: KeyPath, own_path: KeyPath
) -> tuple[KeyPath, str, str] | None:
    """Return the key that makes a login impossible, why, and what to do."""
    upstream, own_path = (*path, "oauth"), (*own_path, "oauth")
    if block.oauth.auth_profile_id is not None:
        return (*upstream, "authProfileId"), "is a login of OpenClaw, which is not read", "remove it"
    if block.oauth.identity != "shared":
        return (
            (*upstream, "identity"),
            "per-requester is not supported",
            "remove it: one login serves all callers",
        )
    if (block.oauth.client_metadata_url or "https://a/b")[:8] != "https://":
        return (*upstream, "clientMetadataUrl"), "is no https URL", "enter the address of the document"
    for url, key in (
        (block.oauth.redirect_url, (*upstream, "redirectUrl")),
        (own.issuer, (*own_path, "issuer")),
    ):
        if url and (reason := _url_problem(url)):
            return key, reason, "enter an http or https URL"
    has_proof = own.client_secret is not None or own.private_key_file is not None
    if own.client_id is None and (has_proof or own.grant == "client_credentials"):
        return (*own_path, "clientId"), "is missing", "enter the id of the client"
    if own.grant == "client_credentials" and not has_proof:
        return (*own_path, "clientSecret"), "is missing", "enter it, or privateKeyFile"
    if own.grant == "authorization_code" and own.private_key_file is not None:
        return (*own_path, "privateKeyFile"), "counts for the grant client_credentials alone", "remove it"
    if own.client_id is not None and own.issuer is None:
        return (*own_path, "issuer"), "is missing", "enter the issuer that the client is registered with"
    return None


def _url_problem(url: str) -> str | None:
    try:
        parse_fetch_url(url)
    except ValueError as error:
        return str(error)
    return "must not carry a query or fragment" if urlsplit(url).query or "#" in url else None
