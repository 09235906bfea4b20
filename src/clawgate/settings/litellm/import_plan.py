"""Makes of LiteLLM's config what ours would get: providers with their models, aliases, the default and its fallbacks.

Pure. Nothing of the file is skipped in silence: what has no counterpart is a note. What our file has already is kept: a
provider or an alias of the same name with other content is never replaced.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from clawgate.policy.model_routing import ModelRef, alias_problem
from clawgate.settings.diagnostic import Diagnostic
from clawgate.settings.json5.edit import set_value
from clawgate.settings.litellm.counterparts import WHY_NOT
from clawgate.settings.litellm.deployment import Deployment, DeploymentReader, seconds_of, text_of
from clawgate.settings.litellm.notes import Notes
from clawgate.settings.litellm.upstreams import UPSTREAMS
from clawgate.settings.litellm.yaml_file import YamlMapping
from clawgate.settings.openclaw.model_edits import with_alias, with_default, with_fallback

_READ = {
    "general_settings": set[str](),
    "router_settings": {"model_group_alias", "fallbacks", "default_fallbacks", "timeout"},
    "litellm_settings": {"fallbacks", "default_fallbacks", "request_timeout"},
    "": {"model_list", "general_settings", "router_settings", "litellm_settings"},
}


class UnknownModelName(LookupError):
    """The name that is to be the default is none of a model that is taken over."""


@dataclass(frozen=True, slots=True)
class ImportPlan:
    """``providers`` are blocks by their id, ``aliases`` models by their alias."""

    providers: dict[str, dict[str, Any]] = field(repr=False)
    aliases: dict[str, ModelRef]
    chain: tuple[ModelRef, ...]
    notes: list[Diagnostic]
    is_empty: bool
    """Whether no model could be taken over."""

    def apply(self, text: str) -> str:
        """Return the text of our config file with all of it."""
        for name, block in self.providers.items():
            text = set_value(text, ("models", "providers", name), block)
        for alias, ref in self.aliases.items():
            text = with_alias(text, alias, ref)
        for index, ref in enumerate(self.chain):
            text = with_fallback(text, ref) if index else with_default(text, ref)
        return text


def plan_import(
    source: YamlMapping,
    present: Mapping[str, Any],
    aliases: Mapping[str, ModelRef],
    *,
    default: str,
    allow_private: bool,
) -> ImportPlan:
    """``present`` are the blocks of ``models.providers`` of our file, ``aliases`` its aliases.

    ``default`` is the ``model_name`` that becomes the default model, with its fallbacks; "" for none. Raises
    `UnknownModelName` if no model that is taken over has it.
    """
    return _Planner(source, present, aliases, allow_private=allow_private).plan(default)


class _Planner:
    def __init__(
        self,
        source: YamlMapping,
        present: Mapping[str, Any],
        aliases: Mapping[str, ModelRef],
        *,
        allow_private: bool,
    ) -> None:
        self._source = source
        self._present = present
        self._aliases = dict(aliases)
        self._notes = Notes()
        self._allow_private = allow_private
        self._providers: dict[str, dict[str, Any]] = {}
        self._by_name: dict[str, list[ModelRef]] = {}
        self._further: list[tuple[ModelRef, YamlMapping, int]] = []
        """Deployments of a name that another one has already."""
        self._new: dict[str, ModelRef] = {}

    def plan(self, default: str) -> ImportPlan:
        self._notes.unread(self._source, (), _READ[""], WHY_NOT[""])
        for section in ("general_settings", "router_settings", "litellm_settings"):
            found = self._section(section)
            self._notes.unread(found, (section,), _READ[section], WHY_NOT[section])
        self._read_models()
        self._alias_groups()
        chain = self._chain(default)
        self._note_further(chain)
        providers = {
            name: block for name, block in self._providers.items() if self._present.get(name) != block
        }
        return ImportPlan(providers, self._new, chain, self._notes.all(), not self._providers)

    def _section(self, name: str) -> YamlMapping:
        found = self._source.get(name)
        if found is not None and not isinstance(found, YamlMapping):
            self._notes.add(self._source, (name,), "it is not a mapping")
        return found if isinstance(found, YamlMapping) else YamlMapping("")

    def _read_models(self) -> None:
        entries = self._source.get("model_list")
        if not isinstance(entries, list):
            self._notes.add(self._source, ("model_list",), "there is no list of models")
            return
        seconds = seconds_of(self._section("router_settings").get("timeout"))
        seconds = seconds or seconds_of(self._section("litellm_settings").get("request_timeout"))
        reader = DeploymentReader(self._notes, allow_private=self._allow_private, timeout=seconds)
        found: list[tuple[Deployment, YamlMapping, int]] = []
        for index, entry in enumerate(entries):
            if not isinstance(entry, YamlMapping):
                self._notes.add(self._source, ("model_list",), "an entry is not a mapping")
            elif (deployment := reader.read(entry, ("model_list", index))) is not None:
                found.append((deployment, entry, index))
        grouped = self._grouped(deployment for deployment, _, _ in found)
        for (deployment, entry, index), provider in zip(found, grouped, strict=True):
            self._name_model(deployment, provider, entry, index)

    def _grouped(self, deployments: Iterator[Deployment]) -> list[str]:
        """Put deployments of one address with one credential into one block; return the id of each."""
        blocks: list[tuple[dict[str, Any], Deployment]] = []
        at: list[int] = []
        for one in deployments:
            index = next(
                (i for i, (block, _) in enumerate(blocks) if _head(block) == one.provider), len(blocks)
            )
            if index == len(blocks):
                blocks.append(({**one.provider, "models": []}, one))
            models = blocks[index][0]["models"]
            if one.model is not None and one.model["id"] not in [model["id"] for model in models]:
                models.append(one.model)
            at.append(index)
        names = []
        for block, first in blocks:
            names.append(name := self._free_name(first, block))
            self._providers[name] = block
        return [names[index] for index in at]

    def _free_name(self, deployment: Deployment, block: dict[str, Any]) -> str:
        """Return an id that is free, or that has this very block."""
        home = UPSTREAMS[deployment.prefix].base_url
        is_home = not deployment.server or home is None or block["baseUrl"].startswith(home)
        name = deployment.prefix if is_home else re.sub(r"[^a-z0-9.]+", "-", deployment.server).strip("-.")
        number = 1
        while True:
            candidate = name if number == 1 else f"{name}-{number}"
            if candidate not in self._providers and self._present.get(candidate, block) == block:
                return candidate
            number += 1

    def _name_model(self, one: Deployment, provider: str, entry: YamlMapping, index: int) -> None:
        path = ("model_list", index, "model_name")
        if one.model is None:
            if one.name != f"{provider}/*":
                fix = f"clients name a model as {provider}/<model>"
                self._notes.add(entry, path, "a wildcard is not taken over as a name", fix)
            return
        ref = ModelRef(provider, one.model["id"])
        named = self._by_name.setdefault(one.name, [])
        if ref in named:
            return
        named.append(ref)
        if len(named) > 1:
            self._further.append((ref, entry, index))
        else:
            self._add_alias(one.name, ref, entry, path)

    def _note_further(self, chain: Sequence[ModelRef]) -> None:
        for ref, entry, index in self._further:
            first = next(refs[0] for refs in self._by_name.values() if ref in refs[1:])
            message = "clawgate does not spread requests over deployments of one name"
            fix = f"the name stands for {first}, and clients reach this one as {ref}"
            if ref in chain:
                message += ", so this one becomes a fallback"
            self._notes.add(entry, ("model_list", index, "model_name"), message, fix)

    def _add_alias(
        self, alias: str, ref: ModelRef, mapping: YamlMapping, path: tuple[str | int, ...]
    ) -> None:
        if alias == str(ref):
            return
        present = next((other for other in self._aliases if other.casefold() == alias.casefold()), None)
        own = next((other for other, one in self._aliases.items() if one == ref), None)
        if present is not None and self._aliases[present] == ref:
            return
        problem = alias_problem(alias, [*self._providers, *self._present, "openai", "anthropic"])
        if problem is None and present is not None:
            problem = f"the alias stands for {self._aliases[present]}"
        if problem is None and own is not None:
            problem = f"{ref} has the alias '{own}', and a model has one"
        if problem is not None:
            self._notes.add(
                mapping, path, f"the name is not taken over: {problem}", f"clients name the model as {ref}"
            )
            return
        self._aliases[alias] = self._new[alias] = ref

    def _alias_groups(self) -> None:
        groups = self._section("router_settings").get("model_group_alias")
        if not isinstance(groups, YamlMapping):
            return
        for alias, value in groups.items():
            path = ("router_settings", "model_group_alias", alias)
            target = text_of(value.get("model")) if isinstance(value, YamlMapping) else text_of(value)
            refs = self._by_name.get(target or "")
            if refs is None:
                self._notes.add(groups, path, "the model that it names is not taken over")
            else:
                self._by_name.setdefault(alias, refs)
                self._add_alias(alias, refs[0], groups, path)

    def _chain(self, default: str) -> tuple[ModelRef, ...]:
        """Return the deployments of the default model and of its fallbacks; note every other list of fallbacks."""
        if default and default not in self._by_name:
            raise UnknownModelName
        chain = list(self._by_name[default]) if default else []
        for section in ("router_settings", "litellm_settings"):
            settings = self._section(section)
            for key in ("fallbacks", "default_fallbacks"):
                if settings.get(key) is None:
                    continue
                for name, others in _fallbacks(settings[key], key):
                    if default and name in (default, "*"):
                        chain += self._refs(others, settings, (section, key))
                    else:
                        message = f"the fallbacks of '{name}' are left out: those of the default model alone are read"
                        fix = (
                            "make one the default with --default MODEL_NAME, and its fallbacks are taken over"
                        )
                        self._notes.add(settings, (section, key), message, fix)
        return tuple(dict.fromkeys(chain))

    def _refs(
        self, names: Sequence[object], mapping: YamlMapping, path: tuple[str, ...]
    ) -> Iterator[ModelRef]:
        for one in names:
            name = text_of(one) or ""
            if name not in self._by_name:
                message = f"the fallback '{name}' is left out: its model is not taken over"
                self._notes.add(mapping, path, message)
            yield from self._by_name.get(name, ())


def _fallbacks(value: object, key: str) -> Iterator[tuple[str, Sequence[object]]]:
    """Yield the models of a list of fallbacks with what follows them; "*" is every model."""
    if key == "default_fallbacks":
        yield "*", value if isinstance(value, list) else [value]
        return
    for one in value if isinstance(value, list) else [value]:
        for name, others in one.items() if isinstance(one, dict) else [("", [])]:
            yield str(name), others if isinstance(others, list) else [others]


def _head(block: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in block.items() if key != "models"}
