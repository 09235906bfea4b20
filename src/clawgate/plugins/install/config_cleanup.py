"""Removes from the config file what belongs to a plugin, or refers to one of its providers.

Must not read a file or run code: text in, text out. It works by ids only, so that a plugin that cannot be loaded any
more can be removed as well.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator

from clawgate.plugins.api import object_at
from clawgate.settings.json5.edit import unset_value
from clawgate.settings.key_path import KeyPath

_MODEL: KeyPath = ("agents", "defaults", "model")
_MODELS: KeyPath = ("agents", "defaults", "models")


def owned_paths(document: object, plugin: str, providers: Collection[str]) -> list[KeyPath]:
    """Return the paths to remove, in an order that keeps them valid: later entries of a list first.

    The plugin's entry, its providers, the aliases and settings of their models, and a default model or fallback that
    is one of theirs.
    """
    paths: list[KeyPath] = []
    if plugin in object_at(document, ("plugins", "entries")):
        paths.append(("plugins", "entries", plugin))
    configured = object_at(document, ("models", "providers"))
    paths += [("models", "providers", provider) for provider in providers if provider in configured]
    models = object_at(document, _MODELS)
    own_models = {name: settings for name, settings in models.items() if _is_of(name, providers)}
    aliases = {object_at(settings, ()).get("alias") for settings in own_models.values()}
    own_aliases = {alias.casefold() for alias in aliases if isinstance(alias, str)}
    paths += [(*_MODELS, name) for name in own_models]
    paths += _default_model_paths(object_at(document, _MODEL[:-1]).get("model"), providers, own_aliases)
    return paths


def _default_model_paths(
    model: object, providers: Collection[str], aliases: Collection[str]
) -> Iterator[KeyPath]:
    def is_own(name: object) -> bool:
        return isinstance(name, str) and (_is_of(name, providers) or name.casefold() in aliases)

    if isinstance(model, str):
        if is_own(model):
            yield _MODEL
        return
    block = object_at(model, ())
    if is_own(block.get("primary")):
        yield (*_MODEL, "primary")
    fallbacks = block.get("fallbacks")
    for index, name in reversed(list(enumerate(fallbacks if isinstance(fallbacks, list) else []))):
        if is_own(name):
            yield (*_MODEL, "fallbacks", index)


def remove_paths(text: str, paths: Collection[KeyPath]) -> str:
    """Return ``text`` without the values at ``paths``. Raises as `unset_value` does."""
    for path in paths:
        text = unset_value(text, path)
    return text


def _is_of(name: str, providers: Collection[str]) -> bool:
    provider, slash, _ = name.partition("/")
    return bool(slash) and provider in providers
