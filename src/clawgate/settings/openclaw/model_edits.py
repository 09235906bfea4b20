"""Edits the default model, its fallbacks and aliases in the text of the config file.

Pure: text in, text out. ``agents.defaults.model`` may be a plain text in OpenClaw's file; it stays one for as long as
it only names the primary model.
"""

from __future__ import annotations

from clawgate.policy.model_routing import ModelRef
from clawgate.settings.json5.edit import set_value, unset_value, value_in

_MODEL = ("agents", "defaults", "model")
_MODELS = ("agents", "defaults", "models")
_NO_ALLOWLIST = ("meta", "migrations", "modelPolicyAllowlist")


def with_default(text: str, ref: ModelRef) -> str:
    if isinstance(value_in(text, _MODEL), str):
        return set_value(text, _MODEL, str(ref))
    return set_value(text, (*_MODEL, "primary"), str(ref))


def fallbacks_in(text: str) -> list[str]:
    names = value_in(text, (*_MODEL, "fallbacks"))
    return [name for name in names if isinstance(name, str)] if isinstance(names, list) else []


def with_fallback(text: str, ref: ModelRef) -> str:
    names = fallbacks_in(text)
    if str(ref) in names:
        return text
    model = value_in(text, _MODEL)
    if isinstance(model, str):
        return set_value(text, _MODEL, {"primary": model, "fallbacks": [str(ref)]})
    return set_value(text, (*_MODEL, "fallbacks"), [*names, str(ref)])


def without_fallbacks(text: str, name: str | None = None) -> str:
    """Remove the fallback ``name``, or all of them."""
    names = fallbacks_in(text)
    kept = [one for one in names if name is not None and one != name]
    return text if kept == names else set_value(text, (*_MODEL, "fallbacks"), kept)


def with_alias(text: str, alias: str, ref: ModelRef) -> str:
    """Make ``alias`` the alias of ``ref``, and of no other model.

    With the first one OpenClaw would take the list of aliases for the list of all allowed models, unless a mark says
    that it is none (read in 2026.9.6, ``collectLegacyDefaultModelAllowRefs``). A list that is there may limit them on
    purpose.
    """
    if not value_in(text, _MODELS):
        text = set_value(text, _NO_ALLOWLIST, True)
    return set_value(_without_alias(text, alias, ref), (*_MODELS, str(ref), "alias"), alias)


def without_alias(text: str, alias: str) -> str:
    return _without_alias(text, alias, None)


def _without_alias(text: str, alias: str, kept: ModelRef | None) -> str:
    models = value_in(text, _MODELS)
    for name, settings in models.items() if isinstance(models, dict) else ():
        present = settings.get("alias") if isinstance(settings, dict) else None
        if isinstance(present, str) and present.casefold() == alias.casefold() and name != str(kept):
            text = unset_value(text, (*_MODELS, name, "alias"))
    return text
