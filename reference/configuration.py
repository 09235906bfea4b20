"""Describes every key of the config file and every environment variable, from the models that read them."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel

from clawgate.bundled.anthropic_claude_proxy.config import ID as CLAUDE_PROXY
from clawgate.bundled.anthropic_claude_proxy.config import ProxyConfig
from clawgate.bundled.owl.config import ID as OWL
from clawgate.bundled.owl.config import OwlSettings
from clawgate.providers.built_in import BUILT_IN
from clawgate.settings.key_path import KeyPath, format_key_path
from clawgate.settings.openclaw.key_catalog import applied_live
from clawgate.settings.openclaw.own_settings import SECTION, OwnSettings
from clawgate.settings.paths import VARIABLES
from clawgate.settings.roles.bridge import BridgeSettings
from clawgate.settings.roles.relay import RelaySettings, flag_of
from clawgate.settings.roles.server import ServerSettings
from clawgate.settings.schema.openclaw import OpenClawConfig
from clawgate.settings.schema.upstream_keys import VERSION
from reference.markdown import GENERATED, code, prose, table

Schema = Mapping[str, Any]

_INTRODUCTION = f"""\
# Configuration

The config file is OpenClaw's own, `~/.openclaw/openclaw.json` (JSON5). The keys of the first sections are
keys of OpenClaw {VERSION} with OpenClaw's meaning; its other keys are kept and have no effect here. `clawgate
config explain KEY` shows the value that counts and where it comes from, `clawgate config validate` checks the
file, and `clawgate config schema` prints its JSON schema for editors.

A flag wins over its environment variable, that over the file, that over the default. In place of a secret
write a reference such as `${{NAME}}`. It is read from the environment of the process, the file of
`--env-file`, `.env` in the state folder, or `env.vars` of the config file; the first that has it counts.

The column **change** says what a running gateway does with a new value: *live* is within a second, *restart*
with its next start.
"""
_SECTIONS: tuple[tuple[type[BaseModel], KeyPath, str], ...] = (
    (OwnSettings, SECTION, "What OpenClaw has no key for."),
    (
        BridgeSettings,
        ("plugins", "entries", BridgeSettings.ENTRY, "config"),
        "The bridge, as a plugin of the gateway, and as `clawgate bridge run`, which reads them once.",
    ),
    (
        ServerSettings,
        ("plugins", "entries", ServerSettings.ENTRY, "config"),
        "`clawgate server run`, which reads them once.",
    ),
    (
        ProxyConfig,
        ("plugins", "entries", CLAUDE_PROXY, "config"),
        "A Claude proxy that the gateway starts: [its page](../anthropic-claude-proxy.md).",
    ),
    (
        OwlSettings,
        ("plugins", "entries", OWL, "config"),
        "An inference server of your own: [its page](../custom-inference-api.md).",
    ),
)
_WORDS = {"string": "text", "integer": "whole number", "number": "number", "boolean": "true or false"}


@dataclass(frozen=True, slots=True)
class Key:
    """A key with what its model says of it; ``<id>`` and ``[]`` are in the place of any id and any index."""

    path: KeyPath
    type: str
    default: str
    meaning: str
    variables: tuple[str, ...]


def configuration_page() -> str:
    parts, found = [GENERATED, "", _INTRODUCTION], []
    of_file = list(_keys(OpenClawConfig, ()))
    for block in dict.fromkeys(str(key.path[0]) for key in of_file):
        keys = [key for key in of_file if key.path[0] == block]
        parts += [f"## {block}\n", _table(keys, 0)]
        found += keys
    for model, base, note in _SECTIONS:
        keys = list(_keys(model, base))
        parts += [f"## {_written(base)}\n", f"{note}\n", _table(keys, len(base), model)]
        found += keys
    return "\n".join([*parts, "## Environment variables\n", _variables(found)])


def _keys(model: type[BaseModel], base: KeyPath) -> Iterator[Key]:
    document = model.model_json_schema(by_alias=True, mode="validation")
    yield from _keys_of(document, document.get("$defs", {}), base)


def _keys_of(schema: Schema, definitions: Schema, path: KeyPath) -> Iterator[Key]:
    required = schema.get("required", ())
    for name, field in schema["properties"].items():
        own = (*path, name)
        forms = list(_forms(field, definitions))
        if any("properties" not in form for form in forms) and not _inside(forms, definitions):
            yield _key(own, field, forms, is_required=name in required)
        for steps, inner in _objects(forms, definitions):
            yield from _keys_of(inner, definitions, (*own, *steps))


def _inside(forms: list[Schema], definitions: Schema) -> bool:
    """Return whether all that a key may hold is described by the keys in it."""
    return len(forms) == len(list(_objects(forms, definitions)))


def _forms(schema: Schema, definitions: Schema) -> Iterator[Schema]:
    """Yield what a value may be, but for null."""
    if "$ref" in schema:
        yield from _forms(definitions[schema["$ref"].rpartition("/")[2]], definitions)
    elif "anyOf" in schema:
        for one in schema["anyOf"]:
            yield from _forms(one, definitions)
    elif schema.get("type") != "null":
        yield schema


def _objects(forms: list[Schema], definitions: Schema) -> Iterator[tuple[tuple[str, ...], Schema]]:
    """Yield the objects with keys of their own among ``forms``, with the id or index on the way."""
    for form in forms:
        if "properties" in form:
            yield (), form
        for step, key in (("<id>", "additionalProperties"), ("[]", "items")):
            if isinstance(form.get(key), dict):
                yield from (
                    ((step, *steps), inner)
                    for steps, inner in _objects(list(_forms(form[key], definitions)), definitions)
                )


def _key(path: KeyPath, field: Schema, forms: list[Schema], *, is_required: bool) -> Key:
    default = field.get("default")
    shown = "" if default in (None, [], {}) else code(json.dumps(default, ensure_ascii=False))
    return Key(
        path,
        " or ".join(dict.fromkeys(map(_type, forms))),
        "required" if is_required else shown,
        field.get("description", ""),
        tuple(field.get("env", ())),
    )


def _type(form: Schema) -> str:
    if "enum" in form or "const" in form:
        return ", ".join(code(str(one)) for one in form.get("enum", [form.get("const")]))
    if form.get("format") == "password":
        return "secret"
    kind = form.get("type")
    if kind == "array":
        inner = _type(form["items"]) if isinstance(form.get("items"), dict) else ""
        return f"list of {inner}" if inner not in ("", "text") else "list"
    low = max((form[one] for one in ("minimum", "ge") if one in form), default=None)
    high = min((form[one] for one in ("maximum", "le") if one in form), default=None)
    word = _WORDS.get(str(kind), "object" if kind == "object" else "any")
    if low is not None and high is not None:
        return f"{word}, {low} to {high}"
    if low is not None:
        return f"{word} from {low}"
    return word if high is None else f"{word} up to {high}"


def _table(keys: list[Key], depth: int, model: type[BaseModel] | None = None) -> str:
    """Return the rows of ``keys``; ``depth``: how much of their paths the heading has."""
    flags = model is not None and issubclass(model, RelaySettings)
    fields = model.model_fields.items() if flags and model else ()
    by_alias = {field.alias: name for name, field in fields if not field.exclude}
    rows = []
    for key in keys:
        notes = [f"Variable: {', '.join(map(code, key.variables))}."] if key.variables else []
        if (name := by_alias.get(str(key.path[depth]))) is not None:
            notes.append(f"Flag: {code(flag_of(name))}.")
        change = "live" if applied_live(key.path) else "restart"
        meaning = " ".join([prose(key.meaning), *notes])
        rows.append([code(_written(key.path[depth:])), key.type, key.default, meaning, change])
    return table(["key", "type", "default", "meaning", "change"], rows)


def _written(path: KeyPath) -> str:
    """Return a path as a person would write it: ``models.providers.<id>.models[].id``."""
    text = ""
    for step in path:
        word = step if step in ("[]", "<id>") else format_key_path((step,))
        text += word if step == "[]" or not text or word.startswith("[") else f".{word}"
    return text


def _variables(keys: list[Key]) -> str:
    rows = [[code(name), prose(meaning.rstrip("."))] for name, meaning in VARIABLES.items()]
    rows += [
        [code(one.variable), f"the key of the built-in provider {code(name)}"]
        for name, one in BUILT_IN.items()
    ]
    rows += [[code(name), code(_written(key.path))] for key in keys for name in key.variables]
    together: dict[str, list[str]] = {}
    for name, meaning in rows:
        together.setdefault(name, []).append(meaning)
    return table(["variable", "sets"], [[name, "; ".join(all_)] for name, all_ in sorted(together.items())])
