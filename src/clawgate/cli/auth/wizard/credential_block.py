"""Reads and writes the credential in a provider's block of the config.

Which credential is sent is decided by `providers.credential_selection`; this must use the same keys in the same order.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from clawgate.policy.egress.names import host_kind
from clawgate.policy.egress.ranges import AddressKind
from clawgate.policy.secret_names import is_credential_header
from clawgate.providers.credential import basic_value
from clawgate.providers.credential_selection import UNSENT_KEY
from clawgate.settings.key_path import KeyPath
from clawgate.settings.secrets import basic_login, login_problem
from clawgate.wire.http.url import parse_url

KINDS = {
    "bearer": "Authorization: Bearer",
    "x-api-key": "x-api-key, as Anthropic uses it",
    "header": "another header",
    "basic": "user and password",
    "none": "no credential",
}


@dataclass(frozen=True, slots=True)
class StoredCredential:
    """``secret`` is the text in the file, ``${NAME}`` for a reference; ``path`` is the key path within the block."""

    kind: str
    header: str
    secret: str = field(repr=False)
    path: KeyPath


def credential_of(block: Mapping[str, Any]) -> StoredCredential | None:
    """Return the credential that is sent; None if there is none, or only one that OpenClaw alone reads."""
    request = block.get("request")
    request = request if isinstance(request, dict) else {}
    auth = request.get("auth")
    if isinstance(auth, dict) and auth.get("mode") in ("header", "authorization-bearer"):
        return _of_auth(auth)
    for path in (("request", "headers"), ("headers",)):
        headers = (request if len(path) == 2 else block).get("headers")
        for name, value in headers.items() if isinstance(headers, dict) else ():
            if is_credential_header(name) and (text := _text(value)):
                return _in_header(name, text, "", (*path, name))
    if (text := _text(block.get("apiKey"))) and text != UNSENT_KEY:
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
    """Return ``block`` with this credential and no other; an equal one keeps its place.

    One that OpenClaw 2026.9.6 can use, too (measured): it joins a prefix without a blank, drops an ``Authorization``
    header where there is no ``apiKey``, and then sends no request to a server that is not local. The key beside a
    header is the same secret: OpenClaw sends both, and a server may compare them.
    """
    new = dict(block)
    present = credential_of(block)
    same = present is not None and (present.kind, present.header, present.secret) == (kind, header, secret)
    if (
        same and kind != "basic"
    ):  # its prefix, as earlier versions wrote it, is one that OpenClaw joins without a blank
        return new
    request = dict(new["request"]) if isinstance(new.get("request"), dict) else {}
    request.pop("auth", None)
    new.pop("apiKey", None)
    new.pop("authHeader", None)
    for holder in (new, request):
        if isinstance(holder.get("headers"), dict):
            kept = {
                name: value for name, value in holder["headers"].items() if not is_credential_header(name)
            }
            holder["headers"] = kept
            if not kept:
                del holder["headers"]
    anthropic = new.get("api") == "anthropic-messages"
    if kind == "bearer" or (kind == "x-api-key" and anthropic):
        new["apiKey"] = secret
        if kind == "bearer" and anthropic:
            new["authHeader"] = True
    elif kind == "basic":
        request["auth"] = {"mode": "header", "headerName": "Authorization", "value": f"Basic {secret}"}
        new["apiKey"] = UNSENT_KEY
    else:
        if kind != "none":
            name = "x-api-key" if kind == "x-api-key" else header
            request["auth"] = {"mode": "header", "headerName": name, "value": secret}
        if not _is_loopback(new.get("baseUrl")):
            new["apiKey"] = UNSENT_KEY if kind == "none" else secret
    new.pop("request", None)
    if request:
        new["request"] = request
    return new


def _is_loopback(base_url: object) -> bool:
    try:
        return host_kind(parse_url(str(base_url))[0].host) is AddressKind.LOOPBACK
    except ValueError:
        return False


def basic_written(secret: str) -> str:
    """Return ``user:password`` in base64, since OpenClaw sends the value unchanged. A reference stays one."""
    if secret.startswith("${") or ":" not in secret:
        return secret
    return basic_value(secret).removeprefix("Basic ")


def basic_problem(text: str) -> str | None:
    """Return why the text is neither ``user:password`` nor its base64 form, None if it is one."""
    if ":" in text:
        return login_problem(text)
    return None if basic_login(text) is not None else "must be user:password, or that in base64"
