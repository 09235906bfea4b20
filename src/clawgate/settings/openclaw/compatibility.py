"""What does OpenClaw refuse in its file that clawgate can do with? One file has to serve both, so it is told.

It knows the document and no file; who tells it decides what comes of it.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Mapping
from typing import get_args

from clawgate.settings.key_path import KeyPath, format_key_path
from clawgate.settings.openclaw.schema import Api
from clawgate.settings.openclaw.unknown_keys import UnknownKey
from clawgate.settings.openclaw.upstream_keys import DIALECTS, VERSION

_REFUSES = f"OpenClaw {VERSION} refuses its whole config for it"


def unknown_key(key: UnknownKey) -> str:
    """What to say of a key that neither of the two knows; ``key.openclaws`` is false."""
    if key.meant is None:
        return f"{format_key_path(key.path)} is no key of OpenClaw {VERSION}, which refuses its whole config for it"
    if key.there:
        return f"{format_key_path(key.path)} is not read, '{key.meant}' beside it is; {_REFUSES}"
    return f"{format_key_path(key.path)} is not read; {_REFUSES}; did you mean '{key.meant}'?"


def refusals(document: object) -> Iterator[str]:
    """What is missing or wrong in providers and models; what is of a wrong type is passed over."""
    models = document.get("models") if isinstance(document, dict) else None
    providers = models.get("providers") if isinstance(models, dict) else None
    for provider, block in providers.items() if isinstance(providers, dict) else ():
        if not isinstance(block, dict):
            continue
        path: KeyPath = ("models", "providers", provider)
        yield from _dialect(block, path)
        entries = block.get("models")
        for at, entry in enumerate(entries) if isinstance(entries, list) else ():
            if isinstance(entry, dict):
                yield from _dialect(entry, (*path, "models", at))
                yield from _name(entry, (*path, "models", at))


def _dialect(block: Mapping[str, object], path: KeyPath) -> Iterator[str]:
    api = block.get("api")
    if isinstance(api, str) and "${" not in api and api not in DIALECTS:
        near = difflib.get_close_matches(api, get_args(Api), n=1) or difflib.get_close_matches(
            api, DIALECTS, n=1
        )
        mean = f"; did you mean '{near[0]}'?" if near else f"; it takes {', '.join(DIALECTS)}"
        yield f"{format_key_path((*path, 'api'))} is no dialect of OpenClaw's; {_REFUSES}{mean}"


def _name(entry: Mapping[str, object], path: KeyPath) -> Iterator[str]:
    if "name" not in entry:
        name = format_key_path((*path, "name"))
        yield f"{name} is missing; {_REFUSES}; set one with: clawgate config set '{name}' 'My model'"
