"""Warns about what the two programs that read the config file do not both accept: OpenClaw rejects a key, or clawgate
serves without the TLS that another one requests.

Pure: takes the parsed document, reads no file.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Mapping
from typing import get_args

from clawgate.settings.diagnostic import Diagnostic, Severity
from clawgate.settings.key_path import KeyPath, format_key_path
from clawgate.settings.openclaw.unknown_keys import UnknownKey
from clawgate.settings.openclaw.upstream_values import wrong_values
from clawgate.settings.schema.openclaw import Api
from clawgate.settings.schema.upstream_keys import DIALECTS, VERSION

_REJECTS = f"OpenClaw {VERSION} rejects its whole config for it"


_FETCH = ("tools", "web", "fetch")
_OF_CLAWGATE_ALONE: Mapping[KeyPath, str] = {
    (
        "gateway",
        "allowPrivateNetwork",
    ): "list what is needed in plugins.entries.clawgate.config.network.allow",
    (*_FETCH, "allowPrivateNetwork"): "set tools.web.fetch.ssrfPolicy.dangerouslyAllowPrivateNetwork",
    (*_FETCH, "maxBytes"): "set tools.web.fetch.maxResponseBytes",
}
"""Keys that clawgate reads beside OpenClaw's, and what does the same there."""


def unknown_key(key: UnknownKey) -> Diagnostic:
    """Return the warning for a key that neither of the two programs knows."""
    if key.suggestion is None and key.may_be_secret:
        return _warning(key.path[:-1], f"contains a key that is unknown; {_REJECTS}", "remove it")
    if key.suggestion is None:
        return _warning(key.path, f"is not a key; {_REJECTS}", "remove it")
    if key.is_beside:
        return _warning(key.path, f"is not read, '{key.suggestion}' beside it is; {_REJECTS}", "remove it")
    return _warning(key.path, f"is not read; {_REJECTS}", f"did you mean '{key.suggestion}'?")


def incompatibilities(document: object) -> Iterator[Diagnostic]:
    """Yield what is missing or wrong in providers and models, every value that OpenClaw rejects, and TLS."""
    yield from rejected_values(document)
    if not isinstance(document, dict):
        return
    for path, instead in _OF_CLAWGATE_ALONE.items():
        if _has(document, path):
            fix = f"if OpenClaw has to read this file, {instead}"
            yield _warning(path, f"is a key of clawgate alone; {_REJECTS}", fix)
    gateway = document.get("gateway")
    tls = gateway.get("tls") if isinstance(gateway, dict) else None
    if isinstance(tls, dict) and tls.get("enabled") is True:
        message = "is not read: this gateway serves plain HTTP, on which anybody between can read its token"
        yield _warning(("gateway", "tls"), message, "put a reverse proxy with TLS in front of it")
    for block, path in _models(document):
        if isinstance(path[-1], int):
            yield from _model_name(block, path)


def _has(document: object, path: KeyPath) -> bool:
    for key in path:
        if not isinstance(document, dict) or key not in document:
            return False
        document = document[key]
    return True


def rejected_values(document: object) -> Iterator[Diagnostic]:
    """Yield every value that OpenClaw rejects: numbers, booleans, and the dialects of providers and models."""
    for wrong in wrong_values(document):
        yield _warning(wrong.path, f"{wrong.message}; {_REJECTS}", "enter such a value")
    for block, path in _models(document):
        yield from _dialect(block, path)


def _models(document: object) -> Iterator[tuple[Mapping[str, object], KeyPath]]:
    """Yield each provider, and behind it its models, with their key paths."""
    models = document.get("models") if isinstance(document, dict) else None
    providers = models.get("providers") if isinstance(models, dict) else None
    for provider, block in providers.items() if isinstance(providers, dict) else ():
        if not isinstance(block, dict):
            continue
        path: KeyPath = ("models", "providers", provider)
        yield block, path
        entries = block.get("models")
        for index, entry in enumerate(entries) if isinstance(entries, list) else ():
            if isinstance(entry, dict):
                yield entry, (*path, "models", index)


def _dialect(block: Mapping[str, object], path: KeyPath) -> Iterator[Diagnostic]:
    api = block.get("api")
    if isinstance(api, str) and "${" not in api and api not in DIALECTS:
        near = difflib.get_close_matches(api, get_args(Api), n=1) or difflib.get_close_matches(
            api, DIALECTS, n=1
        )
        fix = f"did you mean '{near[0]}'?" if near else f"use one of {', '.join(DIALECTS)}"
        yield _warning((*path, "api"), f"is not a dialect of OpenClaw; {_REJECTS}", fix)


def _model_name(entry: Mapping[str, object], path: KeyPath) -> Iterator[Diagnostic]:
    if "name" not in entry:
        own = (*path, "name")
        fix = f"run: clawgate config set '{format_key_path(own)}' 'My model'"
        yield _warning(own, f"is missing; {_REJECTS}", fix)


def _warning(path: KeyPath, message: str, fix: str) -> Diagnostic:
    return Diagnostic(path, message, Severity.WARNING, fix)
