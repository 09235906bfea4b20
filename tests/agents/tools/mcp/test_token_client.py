"""The client of OAuth proves who it is as its authorization server takes it, and signs with the key that it has."""

from __future__ import annotations

from pathlib import Path

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from mcp.shared.auth import OAuthMetadata
from pydantic import SecretStr

from clawgate.agents.tools.mcp.logins import Login
from clawgate.agents.tools.mcp.token_client import TokenClient
from clawgate.settings.openclaw.mcp_oauth import McpOAuthClient

ISSUER = "https://login.example"


def client(**changes: object) -> TokenClient:
    settings: dict[str, object] = {
        "server": "docs",
        "url": "https://mcp.example/mcp",
        "is_headless": True,
        "scope": None,
        "redirect_url": "http://127.0.0.1:8989/oauth/callback",
        "client_metadata_url": None,
        "issuer": ISSUER,
        "client_id": "me",
        "client_secret": SecretStr("a-secret-value"),
        "private_key_file": None,
        "origins": (),
    }
    return TokenClient(McpOAuthClient(**{**settings, **changes}), Login(None, ""), None)  # type: ignore[arg-type]  # a table


def described(found: TokenClient, methods: list[str] | None = None) -> TokenClient:
    found.context.oauth_metadata = OAuthMetadata.model_validate(
        {
            "issuer": ISSUER,
            "authorization_endpoint": f"{ISSUER}/authorize",
            "token_endpoint": f"{ISSUER}/token",
            "token_endpoint_auth_methods_supported": methods,
        }
    )
    return found


@pytest.mark.parametrize(
    ("methods", "is_in_body"),
    [(None, False), (["client_secret_post", "client_secret_basic"], False), (["client_secret_post"], True)],
)
async def test_a_secret_is_sent_as_the_server_takes_it(methods: list[str] | None, is_in_body: bool) -> None:
    found = client()
    await found.take_kept()
    request = await described(found, methods)._perform_authorization()
    assert (b"client_secret=a-secret-value" in request.content) is is_in_body
    assert ("authorization" in request.headers) is not is_in_body


@pytest.mark.parametrize(
    ("key", "algorithm"),
    [
        (ec.generate_private_key(ec.SECP256R1()), "ES256"),
        (ec.generate_private_key(ec.SECP384R1()), "ES384"),
        (ed25519.Ed25519PrivateKey.generate(), "EdDSA"),
        (rsa.generate_private_key(65537, 2048), "RS256"),
    ],
    ids=["p256", "p384", "ed25519", "rsa"],
)
async def test_an_assertion_is_signed_for_the_issuer(
    tmp_path: Path, key: ec.EllipticCurvePrivateKey, algorithm: str
) -> None:
    file = tmp_path / "key.pem"
    file.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    found = client(client_secret=None, private_key_file=str(file))
    await found.take_kept()
    request = await described(found)._perform_authorization()
    form = dict(part.split("=", 1) for part in request.content.decode().split("&"))
    assert jwt.get_unverified_header(form["client_assertion"])["alg"] == algorithm
    claims = jwt.decode(form["client_assertion"], key.public_key(), [algorithm], audience=ISSUER)
    assert (claims["iss"], claims["sub"]) == ("me", "me") and "client_secret" not in form


async def test_a_scope_of_the_config_is_the_one_that_is_asked_for() -> None:
    found = described(client(scope="read"))
    found.context.client_metadata.scope = "everything"
    await found.take_kept()
    described(found)
    assert b"scope=read" in (await found._perform_authorization()).content
