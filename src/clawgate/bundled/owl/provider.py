"""Defines the provider: the block of ``models.providers`` that its settings imply, and what is worth a note of them.

It has no questions of its own: the wizard asks those for any server, and writes the block itself.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from pydantic import BaseModel

from clawgate.bundled.owl.config import ID, OwlCredential, OwlSettings
from clawgate.plugins import api

_CONFIG = ("plugins", "entries", ID, "config")


class OwlProvider:
    """The provider ``owl``."""

    id = ID
    label = "A server of your own with OpenAI's API"
    dialect: api.Dialect = "openai-completions"

    def implied_block(self, settings: BaseModel, environment: Mapping[str, str]) -> Mapping[str, object]:
        assert isinstance(settings, OwlSettings)
        if settings.base_url is None:
            return {}
        request: dict[str, object] = {}
        block: dict[str, object] = {
            "baseUrl": settings.base_url,
            "api": self.dialect,
            "request": request,
            "models": [
                {"id": model, "name": model} if isinstance(model, str) else model for model in settings.models
            ],
            "own": {"timeouts": settings.timeouts.model_dump(exclude_none=True)},
        }
        credential = settings.credential()
        if credential.kind == "bearer":
            block["apiKey"] = credential.value
        elif credential.kind != "none":
            request["auth"] = _auth(credential, settings.header_name)
        if settings.allow_private_network is not None:
            request["allowPrivateNetwork"] = settings.allow_private_network
        if settings.ca_file is not None:
            request["tls"] = {"ca": settings.ca_file}
        return block

    def check_config(self, config: Mapping[str, Any], settings: BaseModel) -> Sequence[api.Diagnostic]:
        return list(_notes(config, settings)) if isinstance(settings, OwlSettings) else ()


def _auth(credential: OwlCredential, header: str | None) -> dict[str, object]:
    basic = credential.kind == "basic"
    name = "Authorization" if basic else header
    return {
        "mode": "header",
        "headerName": name,
        "value": f"Basic {credential.value}" if basic else credential.value,
    }


def _notes(config: Mapping[str, Any], settings: OwlSettings) -> Iterator[api.Diagnostic]:
    if api.object_at(config, ("models", "providers", ID)):
        if api.object_at(config, _CONFIG):
            yield api.Diagnostic(
                path=_CONFIG,
                message=f"it has no effect: models.providers.{ID} is the whole provider",
                fix="remove one of the two",
            )
        return
    credential = settings.credential()
    if credential.is_recognized:
        yield api.Diagnostic(
            path=(*_CONFIG, "apiKey"),
            message="it is user:password, or that in base64, so it is sent as Basic",
            severity=api.Severity.INFO,
            fix="if it is a token: set auth to bearer",
        )
    for name in credential.unsent:
        yield api.Diagnostic(
            path=(*_CONFIG, name),
            message=f"it is not sent: auth is {credential.kind}",
            severity=api.Severity.INFO,
        )
