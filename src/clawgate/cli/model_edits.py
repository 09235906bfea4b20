"""How do the default model, its fallbacks and aliases stand in the text of the config file? Text in, text out.

``agents.defaults.model`` may be a plain text in OpenClaw's file; it stays one for as long as it has to say no more.
"""

from __future__ import annotations

from collections.abc import Sequence

import pyjson5

from clawgate.policy.model_route import ModelRef
from clawgate.settings.edit import NoSuchPath, set_value, unset_value, value_at

_MODEL = ("agents", "defaults", "model")
_MODELS = ("agents", "defaults", "models")


def with_default(text: str, ref: ModelRef) -> str:
    """``ref`` answers when nothing else is asked for."""
    if isinstance(_at(text, _MODEL), str):
        return set_value(text, _MODEL, str(ref))
    return set_value(text, (*_MODEL, "primary"), str(ref))


def with_fallbacks(text: str, refs: Sequence[ModelRef]) -> str:
    """These may stand in for the default, in this order."""
    names = list(map(str, refs))
    present = _at(text, _MODEL)
    if isinstance(present, str):
        return set_value(text, _MODEL, {"primary": present, "fallbacks": names}) if names else text
    return set_value(text, (*_MODEL, "fallbacks"), names)


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
