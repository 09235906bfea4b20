"""How do the default model, its fallbacks and aliases stand in the text of the config file? Text in, text out.

``agents.defaults.model`` may be a plain text in OpenClaw's file; it stays one for as long as it has to say no more.
"""

from __future__ import annotations

import pyjson5

from clawgate.policy.model_routing import ModelRef
from clawgate.settings.json5.edit import NoSuchPath, set_value, unset_value, value_at

_MODEL = ("agents", "defaults", "model")
_MODELS = ("agents", "defaults", "models")


def with_default(text: str, ref: ModelRef) -> str:
    """``ref`` answers when nothing else is asked for."""
    if isinstance(_at(text, _MODEL), str):
        return set_value(text, _MODEL, str(ref))
    return set_value(text, (*_MODEL, "primary"), str(ref))


def fallbacks_in(text: str) -> list[str]:
    """What may stand in for the default, in its order."""
    found = _at(text, (*_MODEL, "fallbacks"))
    return [name for name in found if isinstance(name, str)] if isinstance(found, list) else []


def with_fallback(text: str, ref: ModelRef) -> str:
    """``ref`` may stand in for the default, after those that may already."""
    names = fallbacks_in(text)
    if str(ref) in names:
        return text
    present = _at(text, _MODEL)
    if isinstance(present, str):
        return set_value(text, _MODEL, {"primary": present, "fallbacks": [str(ref)]})
    return set_value(text, (*_MODEL, "fallbacks"), [*names, str(ref)])


def without_fallbacks(text: str, name: str | None = None) -> str:
    """``name`` stands in no more; by default none does."""
    names = fallbacks_in(text)
    kept = [held for held in names if name is not None and held != name]
    return text if kept == names else set_value(text, (*_MODEL, "fallbacks"), kept)


def with_alias(text: str, alias: str, ref: ModelRef) -> str:
    """``alias`` means ``ref``, and no other model any more."""
    return set_value(_without_alias(text, alias, ref), (*_MODELS, str(ref), "alias"), alias)


def without_alias(text: str, alias: str) -> str:
    """``alias`` means nothing."""
    return _without_alias(text, alias, None)


def _without_alias(text: str, alias: str, but: ModelRef | None) -> str:
    models = _at(text, _MODELS)
    for name, settings in models.items() if isinstance(models, dict) else ():
        held = settings.get("alias") if isinstance(settings, dict) else None
        if isinstance(held, str) and held.casefold() == alias.casefold() and name != str(but):
            text = unset_value(text, (*_MODELS, name, "alias"))
    return text


def _at(text: str, path: tuple[str, ...]) -> object:
    try:
        return value_at(pyjson5.decode(text), path)
    except NoSuchPath:
        return None
    except pyjson5.Json5Exception:
        return None  # what edits it says so, with line and column
