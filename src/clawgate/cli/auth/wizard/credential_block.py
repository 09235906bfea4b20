"""Where in a provider's block does its credential stand, and how is another one put there?

Which credential leaves is decided by `providers.credential_selection`; this reads and writes the same
places in its order.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from clawgate.providers.credential_selection import looks_like_a_credential
from clawgate.settings.key_path import KeyPath

KINDS = {
    "bearer": "Authorization: Bearer",
    "x-api-key": "x-api-key, as Anthropic has it",
    "header": "a header of another name",
    "basic": "user and password",
    "none": "it asks for none",
}


@dataclass(frozen=True, slots=True)
class StoredCredential:
    """``secret`` as it stands in the file, a reference as ``${NAME}``; ``path`` within the block."""

    kind: str
    header: str
    secret: str = field(repr=False)
    path: KeyPath


def credential_of(block: Mapping[str, Any]) -> StoredCredential | None:
    """The one that counts, None where there is none or it is kept where only OpenClaw looks."""
    request = block.get("request")
    request = request if isinstance(request, dict) else {}
    auth = request.get("auth")
    if isinstance(auth, dict) and auth.get("mode") in ("header", "authorization-bearer"):
        return _of_auth(auth)
    for path in (("request", "headers"), ("headers",)):
        headers = (request if len(path) == 2 else block).get("headers")
        for name, value in headers.items() if isinstance(headers, dict) else ():
            if looks_like_a_credential(name) and (text := _text(value)):
                return _in_header(name, text, "", (*path, name))
    if text := _text(block.get("apiKey")):
        by_name = block.get("api") == "anthropic-messages" and block.get("authHeader") is not True
        return StoredCredential("x-api-key" if by_name else "bearer", "", text, ("apiKey",))
    return None


def _of_auth(auth: Mapping[str, Any]) -> StoredCredential | None:
    if auth["mode"] == "authorization-bearer":
        text = _text(auth.get("token"))
        return StoredCredential("bearer", "", text, ("request", "auth", "token")) if text else None
    text, name = _text(auth.get("value")), auth.get("headerName")
    if not text or not isinstance(name, str):
        return None
    prefix = auth.get("prefix")
    return _in_header(name, text, prefix if isinstance(prefix, str) else "", ("request", "auth", "value"))


def _in_header(name: str, text: str, prefix: str, path: KeyPath) -> StoredCredential:
    if not prefix and text.lower().startswith(("basic ", "bearer ")):
        prefix, _, text = text.partition(" ")
    plain, scheme = name.lower(), prefix.strip().lower()
    if plain == "authorization" and scheme in ("basic", "bearer"):
        return StoredCredential(scheme, "", text.strip(), path)
    if plain == "x-api-key":
        return StoredCredential("x-api-key", "", text, path)
    return StoredCredential("header", name, text, path)


def _text(value: object) -> str:
    if isinstance(value, dict) and value.get("source") == "env" and isinstance(value.get("id"), str):
        return f"${{{value['id']}}}"
    return value if isinstance(value, str) else ""


def with_credential(block: Mapping[str, Any], kind: str, header: str, secret: str) -> dict[str, Any]:
    """``block`` with this credential and no other. One that says the same already stays where it stands."""
    made = dict(block)
    held = credential_of(block)
    if held is not None and (held.kind, held.header, held.secret) == (kind, header, secret):
        return made
    request = dict(made["request"]) if isinstance(made.get("request"), dict) else {}
    request.pop("auth", None)
    made.pop("apiKey", None)
    made.pop("authHeader", None)
    for holder in (made, request):
        if isinstance(holder.get("headers"), dict):
            kept = {
                name: value for name, value in holder["headers"].items() if not looks_like_a_credential(name)
            }
            holder["headers"] = kept
            if not kept:
                del holder["headers"]
    anthropic = made.get("api") == "anthropic-messages"
    if kind == "bearer" or (kind == "x-api-key" and anthropic):
        made["apiKey"] = secret
        if kind == "bearer" and anthropic:
            made["authHeader"] = True
    elif kind != "none":
        name = {"basic": "Authorization", "x-api-key": "x-api-key"}.get(kind, header)
        request["auth"] = {"mode": "header", "headerName": name, "value": secret}
        if kind == "basic":
            request["auth"]["prefix"] = "Basic"
    made.pop("request", None)
    if request:
        made["request"] = request
    return made


def basic_written(secret: str) -> str:
    """``user:password`` as a header has it; OpenClaw sends the value as it stands. A reference stays one."""
    if secret.startswith("${") or ":" not in secret:
        return secret
    return base64.b64encode(secret.encode()).decode("ascii")


def why_no_basic(text: str) -> str | None:
    """What is wrong with ``user:password``, or with what base64 makes of it."""
    if ":" in text:
        return None
    try:
        plain = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        plain = b""
    return None if b":" in plain else "must be user:password, or that in base64"
