"""Resolves the ``model`` of a request to a provider and model, and to the fallbacks that may follow.

Law: a model that is named in full is served by its provider or not at all. Fail closed: what is not resolved is
`ModelNotFound`. Knows ids and names alone: no addresses, no credentials.

The first row that matches decides:

| name | resolves to | fallbacks |
| --- | --- | --- |
| ``""``, ``default`` (in any case) | the configured default | the configured |
| ``provider/model``, the provider known | exactly that; it may hold further slashes and need not be listed | none |
| an alias (in any case) of the default model | its model | the configured |
| any other alias; after full names, so that none can be redirected | its model | none |
| anything else: agents, unknown providers, models without provider | `ModelNotFound`, with the next step | |
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from clawgate.errors import ModelNotFound
from clawgate.policy.typos import typo_of

DEFAULT_NAMES = frozenset({"", "default"})
"""Names of the configured default, in lower case."""
DEFAULT_AGENT = "openclaw"
"""The name of the default agent, in lower case."""

_PROVIDER_ID = re.compile(r"[a-z0-9][a-z0-9._-]*\Z")
_AGENT_PREFIXES = (f"{DEFAULT_AGENT}/", f"{DEFAULT_AGENT}:", "agent:")
_LONGEST_SHOWN = 80
_MOST_SHOWN = 8


def is_provider_id(text: str) -> bool:
    """Whether ``text`` can be the id of a provider: a-z 0-9 . _ -, and a letter or digit first."""
    return _PROVIDER_ID.match(text) is not None


def names_agent(model: str) -> bool:
    """Whether ``model`` is the name of an agent, known or not. It is never the name of a model then."""
    folded = model.strip().lower()
    return folded == DEFAULT_AGENT or folded.startswith(_AGENT_PREFIXES)


@dataclass(frozen=True, slots=True)
class ModelRef:
    """A model in full: ``provider/model``."""

    provider: str
    model: str

    def __str__(self) -> str:
        return f"{self.provider}/{self.model}"

    @classmethod
    def parse(cls, text: str) -> ModelRef | None:
        """Split at the first slash; None where either part is empty."""
        provider, _, model = text.partition("/")
        return cls(provider, model) if provider and model else None


@dataclass(frozen=True, slots=True)
class ResolvedModel:
    """The model of a request. ``chain`` is ``ref`` and its fallbacks, in order; ``reason`` is for people."""

    ref: ModelRef
    chain: tuple[ModelRef, ...]
    reason: str


def resolve(
    name: str,
    *,
    providers: Collection[str],
    aliases: Mapping[str, ModelRef],
    primary: ModelRef | None,
    fallbacks: Sequence[ModelRef],
    listed: Mapping[str, Collection[str]] | None = None,
) -> ResolvedModel:
    """Return the model that ``name`` means. Raises `ModelNotFound`.

    ``listed`` maps providers to the ids of their models; it is used for suggestions only.
    """
    if name.lower() in DEFAULT_NAMES:
        if primary is None:
            raise ModelNotFound(
                "no default model is configured: name one as provider/model, "
                "or set it with: clawgate models set <provider/model>"
            )
        ref, reason = primary, "the configured default (agents.defaults.model.primary)"
    elif (named := ModelRef.parse(name)) is not None and named.provider in providers:
        return ResolvedModel(named, (named,), "named in full")
    elif (aliased := _alias(name, aliases)) is not None:
        ref, reason = aliased, f"alias '{shown_name(name)}'"
    else:
        raise ModelNotFound(_not_found(name, providers, aliases, listed or {}))
    if ref.provider not in providers:
        raise ModelNotFound(f"{reason} is '{shown_name(str(ref))}', and {_unknown(ref.provider, providers)}")
    if ref != primary:
        return ResolvedModel(ref, (ref,), reason)
    usable = (fallback for fallback in fallbacks if fallback.provider in providers)
    return ResolvedModel(ref, tuple(dict.fromkeys((ref, *usable))), reason)


def _alias(name: str, aliases: Mapping[str, ModelRef]) -> ModelRef | None:
    """Return the model of an alias, as it is written, or in another case if only one matches."""
    if name in aliases:
        return aliases[name]
    folded = name.casefold()
    matches = {ref for alias, ref in aliases.items() if alias.casefold() == folded}
    return matches.pop() if len(matches) == 1 else None


def alias_problem(alias: str, providers: Collection[str]) -> str | None:
    """Return why ``alias`` cannot be the alias of a model, None if it can."""
    if not alias or alias != alias.strip() or not alias.isprintable():
        return "an alias needs a printable name without spaces around it"
    if "/" in alias or ":" in alias:
        return f"'{alias}' is not an alias: it must not contain '/' or ':'"
    if names_agent(alias):
        return f"'{alias}' stands for the default agent; choose another alias"
    if alias.lower() in DEFAULT_NAMES:
        return f"'{alias}' stands for the default model; to set that: clawgate models set <provider/model>"
    if alias.casefold() in {name.casefold() for name in providers}:
        return f"'{alias}' is the name of a provider; choose another alias"
    return None


def _not_found(
    name: str,
    providers: Collection[str],
    aliases: Mapping[str, ModelRef],
    listed: Mapping[str, Collection[str]],
) -> str:
    shown = shown_name(name)
    if names_agent(name):
        return (
            f"'{shown}' names an agent, not a model; use 'default' for the default model, or a provider/model"
        )
    named = ModelRef.parse(name)
    if named is not None:
        return f"'{shown}': {_unknown(named.provider, providers, named.model)}"
    listing = [f"{provider}/{name}" for provider in sorted(providers) if name in listed.get(provider, ())]
    near = difflib.get_close_matches(name[:_LONGEST_SHOWN], list(aliases), n=1)
    if listing:
        hint = f"write {_some(listing, ' or ')}"
    elif near:
        hint = f"did you mean the alias '{near[0]}'? Otherwise write it in full, as provider/model"
    else:
        hint = f"write it in full, as provider/model; {_known(providers)}"
    return f"'{shown}' does not say which provider is meant: {hint}"


def _unknown(provider: str, providers: Collection[str], model: str | None = None) -> str:
    near = typo_of(provider, providers)
    hint = f"did you mean '{near}{f'/{shown_name(model)}' if model else ''}'? " if near else ""
    return f"there is no provider '{shown_name(provider)}'; {hint}{_known(providers)}"


def _known(providers: Collection[str]) -> str:
    return f"known providers: {_some(sorted(providers), ', ')}" if providers else "no provider is configured"


def _some(names: Sequence[str], joint: str) -> str:
    more = len(names) - _MOST_SHOWN
    return joint.join(names[:_MOST_SHOWN]) + (f" and {more} more" if more > 0 else "")


def shown_name(text: str) -> str:
    """A client's text within a message: short, and nothing that moves a terminal."""
    cut = text if len(text) <= _LONGEST_SHOWN else text[:_LONGEST_SHOWN] + "..."
    return "".join(letter if letter.isprintable() else "\N{REPLACEMENT CHARACTER}" for letter in cut)
