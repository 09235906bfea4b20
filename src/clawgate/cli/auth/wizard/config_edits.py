"""Edits the text of the config file for a provider that is set up or removed. Text in, text out.

Invariant: what is not part of the change stays byte for byte, comments included.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from clawgate.plugins.api.provider import ConfigChange
from clawgate.plugins.install.config_cleanup import owned_paths
from clawgate.policy.model_routing import ModelRef
from clawgate.settings.json5.document import NoSuchPath
from clawgate.settings.json5.edit import set_value, unset_value, value_in
from clawgate.settings.key_path import KeyPath
from clawgate.settings.openclaw.model_edits import with_alias, with_default
from clawgate.settings.openclaw.own_settings import SECTION

_MODEL: KeyPath = ("agents", "defaults", "model")


def with_provider(
    text: str, provider: str, change: ConfigChange, *, plugin: str | None, default: bool
) -> str:
    """Return ``text`` with ``change`` applied. ``plugin`` is the plugin of the provider, None if it has none.

    A plugin's provider keeps the keys of its block that the change does not name, and what the operator has set for a
    model that is still in the list; any other provider is replaced.
    ``default``: the default model of the change becomes the default of the config.
    """
    path = ("models", "providers", provider)
    block = dict(change.provider)
    if plugin is not None:
        present = value_in(text, path)
        block = _joined(present if isinstance(present, dict) else {}, block)
        text = _with_plugin(text, plugin, change.plugin_config)
    text = set_value(text, path, block)
    for removed in change.removes:
        text = _without(text, removed)
    text = _with_own_settings(text, provider, change.own)
    for alias, model in change.aliases.items():
        if (ref := ModelRef.parse(model)) is not None:
            text = with_alias(text, alias, ref)
    if default and change.default_model and (ref := ModelRef.parse(change.default_model)) is not None:
        if plugin is None:
            return with_default(text, ref)
        return set_value(
            text, _MODEL, _kept(text) | {"primary": str(ref), "fallbacks": list(change.fallbacks)}
        )
    return text


def _with_own_settings(text: str, provider: str, own: Mapping[str, object]) -> str:
    path = (*SECTION, "providers", provider)
    present = value_in(text, path)
    return set_value(text, path, {**own, **(present if isinstance(present, dict) else {})}) if own else text


def _joined(present: Mapping[str, Any], change: Mapping[str, object]) -> dict[str, object]:
    """Return ``change`` merged over ``present``; of a model, the keys of ``present`` precede."""
    joined = {**present, **change}
    for key, new in change.items():
        old = present.get(key)
        if key == "models" and isinstance(new, list | tuple):
            joined[key] = [_model(old, entry) for entry in new]
        elif isinstance(old, dict) and isinstance(new, Mapping):
            joined[key] = _joined(old, new)
    return joined


def _model(present: object, entry: object) -> object:
    """Return ``entry`` with the keys that the file has for the same model: the operator may have corrected them."""
    if not isinstance(entry, Mapping) or not isinstance(present, list):
        return entry
    same = (one for one in present if isinstance(one, dict) and one.get("id") == entry.get("id"))
    return {**entry, **next(same, {})}


def _kept(text: str) -> dict[str, Any]:
    present = value_in(text, _MODEL)
    return present if isinstance(present, dict) else {}


def _with_plugin(text: str, plugin: str, config: Mapping[str, object]) -> str:
    entry = ("plugins", "entries", plugin)
    if value_in(text, (*entry, "enabled")) is not True:
        text = set_value(text, (*entry, "enabled"), True)
    present = value_in(text, (*entry, "config"))
    merged = (present if isinstance(present, dict) else {}) | dict(config)
    return set_value(text, (*entry, "config"), merged) if merged else text


def without_provider(text: str, provider: str, owned: Sequence[KeyPath]) -> str:
    """Return ``text`` without ``owned``, the provider's block, and every default, fallback and alias of its models."""
    for path in owned:
        text = _without(text, path)
    for path in owned_paths(value_in(text, ()), "", [provider]):
        text = _without(text, path)
    return _without(text, _MODEL) if value_in(text, _MODEL) in ({}, {"fallbacks": []}) else text


def _without(text: str, path: KeyPath) -> str:
    try:
        return unset_value(text, path)
    except NoSuchPath:
        return text
