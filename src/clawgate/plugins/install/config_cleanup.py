"""What in the config file belongs to a plugin or points to one of its providers? Text in, text out; no file, no code.

It goes by ids alone, so that a plugin that cannot be loaded any more can be taken out as well.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from typing import Any

from clawgate.settings.json5.edit import unset_value
from clawgate.settings.key_path import KeyPath

_MODEL: KeyPath = ("agents", "defaults", "model")
_MODELS: KeyPath = ("agents", "defaults", "models")


def owned_paths(document: object, plugin: str, providers: Collection[str]) -> list[KeyPath]:
    """The paths to take out, in an order in which they can be: later entries of a list first.

    The plugin's entry, its providers, aliases and settings of their models, and where the default model or a fallback
    is one of theirs.
    """
    found: list[KeyPath] = []
    if plugin in _object(_at(document, ("plugins", "entries"))):
        found.append(("plugins", "entries", plugin))
    configured = _object(_at(document, ("models", "providers")))
    found += [("models", "providers", provider) for provider in providers if provider in configured]
    models = _object(_at(document, _MODELS))
    named = {name: settings for name, settings in models.items() if _is_of(name, providers)}
    aliases = {_object(settings).get("alias") for settings in named.values()}
    theirs = {alias.casefold() for alias in aliases if isinstance(alias, str)}
    found += [(*_MODELS, name) for name in named]
    found += _choices(_at(document, _MODEL), providers, theirs)
    return found


def _choices(chosen: object, providers: Collection[str], aliases: Collection[str]) -> Iterator[KeyPath]:
    def points_there(name: object) -> bool:
        return isinstance(name, str) and (_is_of(name, providers) or name.casefold() in aliases)

    if isinstance(chosen, str):
        if points_there(chosen):
            yield _MODEL
        return
    choice = _object(chosen)
    if points_there(choice.get("primary")):
        yield (*_MODEL, "primary")
    fallbacks = choice.get("fallbacks")
    for index, name in reversed(list(enumerate(fallbacks if isinstance(fallbacks, list) else []))):
        if points_there(name):
            yield (*_MODEL, "fallbacks", index)


def remove_paths(text: str, paths: Collection[KeyPath]) -> str:
    """``text`` without what stands at ``paths``. Raises as `unset_value` does."""
    for path in paths:
        text = unset_value(text, path)
    return text


def _is_of(name: str, providers: Collection[str]) -> bool:
    provider, slash, _ = name.partition("/")
    return bool(slash) and provider in providers


def _at(document: object, path: KeyPath) -> object:
    for key in path:
        document = _object(document).get(str(key))
    return document


def _object(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}
