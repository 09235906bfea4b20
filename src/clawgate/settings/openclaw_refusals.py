"""What does OpenClaw refuse in its file that clawgate can do with? One file has to serve both, so it is told.

It knows the document and no file; who tells it decides what comes of it.
"""

from __future__ import annotations

from collections.abc import Iterator

from clawgate.settings.openclaw_keys import Unread
from clawgate.settings.openclaw_own import VERSION
from clawgate.settings.problems import named

_REFUSES = f"OpenClaw {VERSION} refuses its whole config for it"


def unknown_key(key: Unread) -> str:
    """What to say of a key that neither of the two knows; ``key.openclaws`` is false."""
    if key.meant is None:
        return f"{named(key.path)} is no key of OpenClaw {VERSION}, which refuses its whole config for it"
    if key.there:
        return f"{named(key.path)} is not read, '{key.meant}' beside it is; {_REFUSES}"
    return f"{named(key.path)} is not read; {_REFUSES}; did you mean '{key.meant}'?"


def nameless_models(document: object) -> Iterator[str]:
    """Models without a ``name``, each with the command that mends it; what is of a wrong type is passed over."""
    models = document.get("models") if isinstance(document, dict) else None
    providers = models.get("providers") if isinstance(models, dict) else None
    for provider, block in providers.items() if isinstance(providers, dict) else ():
        entries = block.get("models") if isinstance(block, dict) else None
        for at, entry in enumerate(entries) if isinstance(entries, list) else ():
            if isinstance(entry, dict) and "name" not in entry:
                name = named(("models", "providers", provider, "models", at, "name"))
                yield (
                    f"{name} is missing, and {_REFUSES}; set one with: clawgate config set '{name}' 'My model'"
                )
