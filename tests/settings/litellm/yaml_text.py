"""Configs of LiteLLM as tests write them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from clawgate.policy.model_routing import ModelRef
from clawgate.settings.litellm.import_plan import ImportPlan, plan_import
from clawgate.settings.litellm.yaml_file import YamlMapping, parse_yaml

SECRET = "sk-live-8Vn3QwZr5TkXb2LmYd9P"


def mapping(text: str) -> YamlMapping:
    value = parse_yaml(text, "config.yaml")
    assert isinstance(value, YamlMapping)
    return value


def plan(
    text: str,
    *,
    present: Mapping[str, Any] | None = None,
    aliases: Mapping[str, ModelRef] | None = None,
    default: str = "",
    allow_private: bool = False,
) -> ImportPlan:
    return plan_import(
        mapping(text), present or {}, aliases or {}, default=default, allow_private=allow_private
    )


def entry(name: str, params: str, info: str = "") -> str:
    """An entry of model_list; ``params`` and ``info`` are the inside of a flow mapping."""
    more = f"\n    model_info: {{{info}}}" if info else ""
    return f'  - model_name: "{name}"\n    litellm_params: {{{params}}}{more}\n'


def models(*entries: str) -> str:
    return "model_list:\n" + "".join(entries)


def notes(found: ImportPlan) -> dict[str, str]:
    """The texts of what is not taken over, by key path."""
    return {note.key: note.text for note in found.notes}
