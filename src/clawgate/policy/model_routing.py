"""Resolves the ``model`` of a request to a provider and model, and to the fallbacks that may follow.

Law: a model that is named in full is served by its provider or not at all. Fail closed: what is not resolved is
`ModelNotFound`. Knows ids and names alone: no addresses, no credentials.

The first row that matches decides:

| name | resolves to | fallbacks |
| --- | --- | --- |
| ``""``, ``default``, ``openclaw``, ``openclaw/default`` (in any case) | the configured default | the configured |
| ``provider/model``, the provider known | exactly that; it may hold further slashes and need not be listed | none |
| an alias (in any case) of the default model | its model | the configured |
| any other alias; after full names, so that none can be redirected | its model | none |
| anything else: agents, unknown providers, models without provider | `ModelNotFound`, with the next step | |
"""

from __future__ import annotations

import difflib
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from clawgate.errors import ModelNotFound

DEFAULT_NAMES = frozenset({"", "default", "openclaw", "openclaw/default", "openclaw:default"})
"""What asks for the configured default, in lower case."""

_AGENT_PREFIXES = ("openclaw/", "openclaw:", "agent:")
_LONGEST_SHOWN = 80
_MOST_SHOWN = 8
NEAR = 0.7
"""How alike an unknown provider and a suggestion are: who follows it sends prompts there."""


@dataclass(frozen=True, slots=True)
class ModelRef:
    """A model in full: ``provider/model``."""

    provider: str
    model: str

    def __str__(self) -> str:
        return f"{self.provider}/{self.model}"

    @classmethod
    def parse(cls, text: str) -> ModelRef | None:
        """The part before the first slash is the provider; None where either part is empty."""
        provider, _, model = text.partition("/")
        return cls(provider, model) if provider and model else None


@dataclass(frozen=True, slots=True)
class ResolvedModel:
    """Who is to answer. ``chain`` begins with ``ref``; what follows may be tried after it, in this order."""

    ref: ModelRef
    chain: tuple[ModelRef, ...]
    why: str


def resolve(
    asked: str,
    *,
    providers: Collection[str],
    aliases: Mapping[str, ModelRef],
    primary: ModelRef | None,
    fallbacks: Sequence[ModelRef],
    listed: Mapping[str, Collection[str]] | None = None,
) -> ResolvedModel:
    """Who answers ``asked``; raises `ModelNotFound`. ``listed`` (provider to model ids) serves suggestions alone."""
    if asked.lower() in DEFAULT_NAMES:
        if primary is None:
            raise ModelNotFound(
                "no default model is configured: name one as provider/model, "
                "or set it with: clawgate models set <provider/model>"
            )
        ref, why = primary, "the configured default (agents.defaults.model.primary)"
    elif (named := ModelRef.parse(asked)) is not None and named.provider in providers:
        return ResolvedModel(named, (named,), "named in full")
    elif (meant := _alias(asked, aliases)) is not None:
        ref, why = meant, f"alias '{_shown(asked)}'"
    else:
        raise ModelNotFound(_not_found(asked, providers, aliases, listed or {}))
    if ref.provider not in providers:
        raise ModelNotFound(f"{why} is '{_shown(str(ref))}', and {_unknown(ref.provider, providers)}")
    if ref != primary:
        return ResolvedModel(ref, (ref,), why)
    behind = (fallback for fallback in fallbacks if fallback.provider in providers)
    return ResolvedModel(ref, tuple(dict.fromkeys((ref, *behind))), why)


def _alias(asked: str, aliases: Mapping[str, ModelRef]) -> ModelRef | None:
    """As it is written, or in another case if that leaves no doubt."""
    if asked in aliases:
        return aliases[asked]
    folded = asked.casefold()
    found = {ref for name, ref in aliases.items() if name.casefold() == folded}
    return found.pop() if len(found) == 1 else None


def _not_found(
    asked: str,
    providers: Collection[str],
    aliases: Mapping[str, ModelRef],
    listed: Mapping[str, Collection[str]],
) -> str:
    shown = _shown(asked)
    if asked.lower().startswith(_AGENT_PREFIXES):
        return f"'{shown}' names an agent, and agents are not served yet; ask for 'openclaw', or for a provider/model"
    named = ModelRef.parse(asked)
    if named is not None:
        return f"'{shown}': {_unknown(named.provider, providers, named.model)}"
    having = [f"{provider}/{asked}" for provider in sorted(providers) if asked in listed.get(provider, ())]
    near = difflib.get_close_matches(asked[:_LONGEST_SHOWN], list(aliases), n=1)
    if having:
        hint = f"write {_some(having, ' or ')}"
    elif near:
        hint = f"did you mean the alias '{near[0]}'? Otherwise write it in full, as provider/model"
    else:
        hint = f"write it in full, as provider/model; {_known(providers)}"
    return f"'{shown}' does not say which provider is meant: {hint}"


def _unknown(provider: str, providers: Collection[str], model: str | None = None) -> str:
    folded = {name.casefold(): name for name in providers}
    near = difflib.get_close_matches(provider[:_LONGEST_SHOWN].casefold(), list(folded), n=1, cutoff=NEAR)
    mean = folded[near[0]] + (f"/{_shown(model)}" if model else "") if near else ""
    hint = f"did you mean '{mean}'? " if near else ""
    return f"there is no provider '{_shown(provider)}'; {hint}{_known(providers)}"


def _known(providers: Collection[str]) -> str:
    return f"known providers: {_some(sorted(providers), ', ')}" if providers else "no provider is configured"


def _some(names: Sequence[str], joint: str) -> str:
    more = len(names) - _MOST_SHOWN
    return joint.join(names[:_MOST_SHOWN]) + (f" and {more} more" if more > 0 else "")


def _shown(text: str) -> str:
    """A client's text within a message: short, and nothing that moves a terminal."""
    cut = text if len(text) <= _LONGEST_SHOWN else text[:_LONGEST_SHOWN] + "..."
    return "".join(letter if letter.isprintable() else "\N{REPLACEMENT CHARACTER}" for letter in cut)
