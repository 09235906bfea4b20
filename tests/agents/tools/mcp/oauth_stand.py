"""An MCP server that wants a token, and its authorization server, which records what it receives."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import parse_qsl, urlencode

from tests.agents.tools.mcp.http_stand import HttpServer

Reply = tuple[int, dict[str, str], Any]


class OAuthServer:
    """Both at one port. ``authorization_server``: the URL that the MCP server names, its own unless set."""

    def __init__(self, authorization_server: str = "", lifetime: int = 3600) -> None:
        self.mcp = HttpServer()
        self.port = 0
        self.named = authorization_server
        self.lifetime = lifetime
        self.wanted_scope = "read"
        self.wanted_for_calls = ""
        self.valid: dict[str, str] = {}
        """Scopes by the tokens that are taken."""
        self.requests: list[tuple[str, dict[str, str], dict[str, str]]] = []
        """Path, headers and form of each request that is not for the MCP server."""
        self.refuses_refresh = False
        self._issued = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def forms(self, path: str) -> list[dict[str, str]]:
        return [form for one, _, form in self.requests if one == path]

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "http":
            return
        headers = {name.decode(): value.decode() for name, value in scope["headers"]}
        body = b""
        while (part := await receive())["type"] == "http.request":
            body += part["body"]
            if not part["more_body"]:
                break
        if scope["path"] == "/mcp":
            await self._mcp(scope, headers, body, send)
            return
        form = dict(parse_qsl(body.decode() or scope["query_string"].decode()))
        self.requests.append((scope["path"], headers, form))
        await _send(send, *self._reply(scope["path"], form))

    async def _mcp(self, scope: Any, headers: dict[str, str], body: bytes, send: Any) -> None:
        granted = self.valid.get(headers.get("authorization", "").removeprefix("Bearer "))
        metadata = f'resource_metadata="{self.url}/.well-known/oauth-protected-resource"'
        if granted is None:
            challenge = f'Bearer {metadata}, scope="{self.wanted_scope}"'
            await _send(send, 401, {"www-authenticate": challenge}, {})
        elif b"tools/call" in body and not set(self.wanted_for_calls.split()) <= set(granted.split()):
            challenge = f'Bearer error="insufficient_scope", {metadata}, scope="{self.wanted_for_calls}"'
            await _send(send, 403, {"www-authenticate": challenge}, {})
        else:

            async def receive() -> dict[str, Any]:
                return {"type": "http.request", "body": body, "more_body": False}

            await self.mcp(scope, receive, send)

    def _reply(self, path: str, form: dict[str, str]) -> Reply:
        match path:
            case "/.well-known/oauth-protected-resource":
                return (
                    200,
                    {},
                    {
                        "resource": f"{self.url}/mcp",
                        "authorization_servers": [self.named or self.url],
                    },
                )
            case "/.well-known/oauth-authorization-server":
                return (
                    200,
                    {},
                    {
                        "issuer": self.url,
                        "authorization_endpoint": f"{self.url}/authorize",
                        "token_endpoint": f"{self.url}/token",
                        "registration_endpoint": f"{self.url}/register",
                        "response_types_supported": ["code"],
                        "code_challenge_methods_supported": ["S256"],
                    },
                )
            case "/register":
                return 201, {}, {"client_id": "registered"}
            case "/authorize":
                back = {"code": "c0de", "state": form["state"], "iss": self.url}
                return 302, {"location": f"{form['redirect_uri']}?{urlencode(back)}"}, {}
            case "/token":
                return self._token(form)
        return 404, {}, {}

    def _token(self, form: dict[str, str]) -> Reply:
        if form["grant_type"] == "refresh_token" and self.refuses_refresh:
            return 400, {}, {"error": "invalid_grant"}
        self._issued += 1
        token = f"t0ken-number-{self._issued}"
        authorized = self.forms("/authorize")
        self.valid = {token: form.get("scope") or (authorized[-1].get("scope", "") if authorized else "")}
        found = {"access_token": token, "token_type": "Bearer", "expires_in": self.lifetime}
        return 200, {}, {**found, "refresh_token": f"refresh-{token}"}


async def _send(send: Any, status: int, headers: dict[str, str], body: Any) -> None:
    lines = [(name.encode(), value.encode()) for name, value in headers.items()]
    lines.append((b"content-type", b"application/json"))
    await send({"type": "http.response.start", "status": status, "headers": lines})
    await send({"type": "http.response.body", "body": json.dumps(body).encode()})
