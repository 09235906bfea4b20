"""Checks that the settings of OpenClaw's file agree: names, references between parts, parts that need each other.

Pure: each value is of the right type already; no file and no environment is read.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping

from pydantic import SecretStr

from clawgate.policy.model_routing import DEFAULT_AGENT, ModelRef, is_provider_id
from clawgate.policy.secret_names import is_credential_header
from clawgate.policy.typos import typo_of
from clawgate.settings.diagnostic import Diagnostic
from clawgate.settings.key_path import KeyPath, format_key_path
from clawgate.settings.openclaw import mcp_servers, own_settings
from clawgate.settings.openclaw.agent_ids import agent_entries, agent_ids
from clawgate.settings.redaction import is_secret, redact_name
from clawgate.settings.schema.agents import ModelChoice
from clawgate.settings.schema.openclaw import OpenClawConfig, ProviderBlock, RequestAuth
from clawgate.settings.secrets import credential_problem
from clawgate.wire.http.header import is_header_name
from clawgate.wire.http.url import parse_url

_SHOWN_CHARACTERS = 60
_IN_FULL = "write it in full, as openai/gpt-4o"
_AGENT_ID = re.compile(r"[a-z0-9_][a-z0-9_-]{0,63}\Z")
_AGENT_ID_FIX = "use a-z 0-9 _ - alone, 64 characters at most, and begin with no -"
_UNPRINTABLE = "begins or ends with a blank, or contains a character that cannot be printed"


def problems(config: OpenClawConfig, unset: Collection[KeyPath]) -> Iterator[Diagnostic]:
    """Yield everything that does not agree.

    ``unset``: the paths of references that lead nowhere; what is missing there is not missing by mistake.
    """
    own_problems = list(own_settings.problems(config))
    yield from own_problems or mcp_servers.problems(config)
    auth = config.gateway.auth
    if auth.mode is None and auth.token is not None and auth.password is not None:
        message = "is not set, but both token and password are: which of them admits callers is open"
        fix = "set it to 'token' or 'password', as OpenClaw wants it, or remove one of the two"
        yield Diagnostic(("gateway", "auth", "mode"), message, fix=fix)
    aliases = list(_aliases(config))
    for name, block in config.models.providers.items():
        yield from _provider(name, block, unset)
    yield from _alias_problems(aliases, config.models.providers)
    for name, server in config.mcp.servers.items():
        yield from _headers(server.headers, (*mcp_servers.SECTION, name, "headers"), unset)
    known = {alias for _, alias in aliases}
    yield from _choice(config.agents.defaults.model, ("agents", "defaults", "model"), known)
    yield from _agents(config, known)


def _provider(name: str, block: ProviderBlock, unset: Collection[KeyPath]) -> Iterator[Diagnostic]:
    path: KeyPath = ("models", "providers", name)
    if not is_provider_id(name):
        fix = "use a-z 0-9 . _ -, and begin with a letter or digit"
        yield Diagnostic(path, "the id of the provider has a character that is not allowed", fix=fix)
    if name == DEFAULT_AGENT:
        message = f"'{DEFAULT_AGENT}/...' names agents, so no request could name a model of this provider"
        yield Diagnostic(path, message, fix="choose another id")
    yield from _headers(block.headers, (*path, "headers"), unset)
    yield from _headers(block.request.headers, (*path, "request", "headers"), unset)
    if block.request.auth is not None:
        yield from _auth(block.request.auth, (*path, "request", "auth"), unset)
    first: dict[str, int] = {}
    for index, model in enumerate(block.models):
        own = (*path, "models", index)
        if model.id in first:
            yield Diagnostic(
                (*own, "id"), f"duplicate model, the same as models[{first[model.id]}]", fix="remove one"
            )
        first.setdefault(model.id, index)
        if not _is_clean(model.id):
            yield Diagnostic((*own, "id"), _UNPRINTABLE)
        yield from _headers(model.headers, (*own, "headers"), unset)
        if model.base_url is not None and (*own, "baseUrl") not in unset:
            try:
                parse_url(model.base_url)
            except ValueError as error:
                yield Diagnostic((*own, "baseUrl"), str(error))


def _headers(
    headers: Mapping[str, SecretStr], path: KeyPath, unset: Collection[KeyPath]
) -> Iterator[Diagnostic]:
    """Headers are counted: a name may be the secret, given the wrong way round."""
    seen: set[str] = set()
    for number, (name, value) in enumerate(headers.items(), 1):
        own = (*path, name)
        if not is_header_name(name):
            yield Diagnostic(
                own, f"the name of header {number} contains a character that is not allowed there"
            )
        elif name.lower() in seen:
            message = f"header {number} is a duplicate: upper and lower case are the same"
            yield Diagnostic(own, message, fix="remove one")
        seen.add(name.lower())
        if own in unset or not is_credential_header(name):
            continue
        if reason := credential_problem(value.get_secret_value()):
            yield Diagnostic(own, reason, fix="enter the real value")


def _auth(auth: RequestAuth, path: KeyPath, unset: Collection[KeyPath]) -> Iterator[Diagnostic]:
    needed = {
        "header": (("headerName", auth.header_name), ("value", auth.value)),
        "authorization-bearer": (("token", auth.token),),
        "provider-default": (),
    }
    for key, part in needed[auth.mode]:
        if not part and (*path, key) not in unset:
            yield Diagnostic((*path, key), f"is missing; mode '{auth.mode}' needs it")
    if auth.header_name and not is_header_name(auth.header_name):
        yield Diagnostic((*path, "headerName"), "contains a character that is not allowed in a header name")
    if auth.value is not None and (reason := credential_problem(auth.value.get_secret_value())):
        yield Diagnostic((*path, "value"), reason, fix="enter the real value")
    if auth.prefix is not None and not (auth.prefix.isascii() and auth.prefix.isprintable()):
        yield Diagnostic((*path, "prefix"), "contains a character that is not allowed in a header")


def _aliases(config: OpenClawConfig) -> Iterator[tuple[KeyPath, str]]:
    for name, settings in config.agents.defaults.models.items():
        if settings.alias:
            yield ("agents", "defaults", "models", name, "alias"), settings.alias


def _alias_problems(aliases: list[tuple[KeyPath, str]], providers: Collection[str]) -> Iterator[Diagnostic]:
    models: dict[str, str] = {}
    for path, alias in aliases:
        plain = alias.strip().casefold()
        if "/" in alias:
            fix = "remove the slash: it looks like provider/model"
            yield Diagnostic(path, "an alias must not contain a slash", fix=fix)
        elif plain in providers:
            yield Diagnostic(path, "the alias is the id of a provider", fix="choose another")
        elif plain in models:
            yield Diagnostic(
                path, f"the alias is that of '{redact_name(models[plain])}'", fix="choose another"
            )
        elif not _is_clean(alias):
            yield Diagnostic(path, _UNPRINTABLE)
        models.setdefault(plain, str(path[3]))


def _agents(config: OpenClawConfig, aliases: Collection[str]) -> Iterator[Diagnostic]:
    """Ids have to differ, also in upper and lower case, and one agent at most is the default."""
    ids: dict[str, KeyPath] = {}
    default: KeyPath | None = None
    for path, written, entry in agent_entries(config):
        name = written.lower() if path[1] == "list" else written
        if not _AGENT_ID.match(name):
            yield Diagnostic(
                path, "the id of the agent has a character that is not allowed", fix=_AGENT_ID_FIX
            )
        elif name in ids:
            message = f"the id of the agent is that of {format_key_path(ids[name])}"
            yield Diagnostic(path, message, fix="remove one, or give it another id")
        if entry.default and default is not None:
            message = f"{format_key_path(default)} is the default already"
            yield Diagnostic((*path, "default"), message, fix="remove one of the two")
        default = path if entry.default and default is None else default
        ids.setdefault(name, path)
        if entry.model is not None:
            yield from _choice(entry.model, (*path, "model"), aliases)
    known = agent_ids(config)
    for name in own_settings.agents_with_settings(config):
        if name not in known:
            near = typo_of(name, known)
            fix = f"did you mean '{near}'?" if near else f"use one of {', '.join(sorted(known))}"
            yield Diagnostic(
                (*own_settings.SECTION, "agents", name), "there is no agent with this id", fix=fix
            )


def _choice(choice: ModelChoice, path: KeyPath, aliases: Collection[str]) -> Iterator[Diagnostic]:
    if choice.primary is not None and choice.primary not in aliases and not _is_full_name(choice.primary):
        own = (*path, "primary")
        message = (
            f"{_shown(own, choice.primary)} is neither provider/model nor an alias of agents.defaults.models"
        )
        yield Diagnostic(own, message, fix=_IN_FULL)
    for index, text in enumerate(choice.fallbacks):
        if not _is_full_name(text):
            own = (*path, "fallbacks", index)
            yield Diagnostic(own, f"{_shown(own, text)} is not provider/model", fix=_IN_FULL)


def _is_full_name(text: str) -> bool:
    return ModelRef.parse(text) is not None and _is_clean(text)


def _is_clean(text: str) -> bool:
    return text.isprintable() and text == text.strip()


def _shown(path: KeyPath, text: str) -> str:
    if is_secret(path, text) or redact_name(text) != text:
        return "the entry"
    return repr(text if len(text) <= _SHOWN_CHARACTERS else f"{text[:_SHOWN_CHARACTERS]}…")
