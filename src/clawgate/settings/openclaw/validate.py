"""Does what stands in OpenClaw's file make sense together? Each value is of the right type already.

Judges names, references between parts, and parts that are only of use together. It knows no file and no environment.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping
from typing import NamedTuple

from pydantic import SecretStr

from clawgate.policy.model_routing import ModelRef
from clawgate.settings.key_path import KeyPath
from clawgate.settings.openclaw.schema import ModelChoice, OpenClawConfig, ProviderBlock, RequestAuth
from clawgate.settings.redaction import is_secret
from clawgate.settings.secrets import secret_problem
from clawgate.wire.http.url import parse_url

_PROVIDER_ID = re.compile(r"[a-z0-9][a-z0-9._-]*\Z")
_HEADER_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+\Z")  # RFC 9110 section 5.6.2
_CREDENTIAL = re.compile(r"authorization|token(?!s)|api-?key|secret|(?:^|-)key\Z", re.IGNORECASE)
_SHOWN = 60


class Finding(NamedTuple):
    """What is wrong, and at which key path."""

    path: KeyPath
    message: str


def findings(config: OpenClawConfig, unset: Collection[KeyPath]) -> Iterator[Finding]:
    """``unset``: the paths of references that lead nowhere; what is missing there is not missing by mistake."""
    aliases = list(_aliases(config))
    for name, block in config.models.providers.items():
        yield from _provider(name, block, unset)
    yield from _judged_aliases(aliases, config.models.providers)
    known = {alias for _, alias in aliases}
    yield from _choice(config.agents.defaults.model, ("agents", "defaults", "model"), known)
    for agent, entry in config.agents.entries.items():
        yield from _agent(entry, ("agents", "entries", agent, "model"), known)
    for at, entry in enumerate(config.agents.list):
        yield from _agent(entry, ("agents", "list", at, "model"), known)


def _provider(name: str, block: ProviderBlock, unset: Collection[KeyPath]) -> Iterator[Finding]:
    path: KeyPath = ("models", "providers", name)
    if not _PROVIDER_ID.match(name):
        yield Finding(path, "a provider's id is made of a-z 0-9 . _ -, and begins with a letter or digit")
    yield from _headers(block.headers, (*path, "headers"))
    yield from _headers(block.request.headers, (*path, "request", "headers"))
    if block.request.auth is not None:
        yield from _auth(block.request.auth, (*path, "request", "auth"), unset)
    first: dict[str, int] = {}
    for at, model in enumerate(block.models):
        place = (*path, "models", at)
        if model.id in first:
            yield Finding(
                (*place, "id"), f"the model stands in this list already, as number {first[model.id]}"
            )
        first.setdefault(model.id, at)
        if not model.id.isprintable() or model.id != model.id.strip():
            yield Finding((*place, "id"), "holds a blank at an end or a character that cannot be printed")
        yield from _headers(model.headers, (*place, "headers"))
        if model.base_url is not None and (*place, "baseUrl") not in unset:
            try:
                parse_url(model.base_url)
            except ValueError as error:
                yield Finding((*place, "baseUrl"), str(error))


def _headers(headers: Mapping[str, SecretStr], path: KeyPath) -> Iterator[Finding]:
    seen: set[str] = set()
    for at, (name, value) in enumerate(headers.items()):
        place = (*path, name)
        if not _HEADER_NAME.match(name):
            yield Finding(place, f"the name of header {at + 1} holds a character that cannot stand in one")
        elif name.lower() in seen:
            yield Finding(place, f"header {at + 1} is there twice; upper and lower case are the same")
        seen.add(name.lower())
        if _CREDENTIAL.search(name) and (reason := _no_credential(value)):
            yield Finding(place, reason)


def _no_credential(value: SecretStr) -> str | None:
    """A scheme such as Basic may stand before the credential."""
    return secret_problem(value.get_secret_value().rpartition(" ")[2])


def _auth(auth: RequestAuth, path: KeyPath, unset: Collection[KeyPath]) -> Iterator[Finding]:
    parts = {
        "header": (("headerName", auth.header_name), ("value", auth.value)),
        "authorization-bearer": (("token", auth.token),),
        "provider-default": (),
    }
    for key, part in parts[auth.mode]:
        if not part and (*path, key) not in unset:
            yield Finding((*path, key), f"is missing; mode '{auth.mode}' needs it")
    if auth.header_name and not _HEADER_NAME.match(auth.header_name):
        yield Finding((*path, "headerName"), "holds a character that cannot stand in the name of a header")
    if auth.value is not None and (reason := _no_credential(auth.value)):
        yield Finding((*path, "value"), reason)
    if auth.prefix is not None and not (auth.prefix.isascii() and auth.prefix.isprintable()):
        yield Finding((*path, "prefix"), "holds a character that cannot stand in a header")


def _aliases(config: OpenClawConfig) -> Iterator[tuple[KeyPath, str]]:
    for name, settings in config.agents.defaults.models.items():
        if settings.alias:
            yield ("agents", "defaults", "models", name, "alias"), settings.alias


def _judged_aliases(aliases: list[tuple[KeyPath, str]], providers: Collection[str]) -> Iterator[Finding]:
    seen: dict[str, str] = {}
    for path, alias in aliases:
        plain = alias.strip().casefold()
        if "/" in alias:
            yield Finding(path, "an alias may not hold a slash: it would look like provider/model")
        elif plain in providers:
            yield Finding(path, "the alias is the id of a provider; choose another")
        elif plain in seen:
            yield Finding(path, f"the alias is taken already, by '{seen[plain]}'")
        elif not alias.isprintable() or alias != alias.strip():
            yield Finding(path, "holds a blank at an end or a character that cannot be printed")
        seen.setdefault(plain, str(path[3]))


def _agent(entry: Mapping[str, object], path: KeyPath, aliases: Collection[str]) -> Iterator[Finding]:
    """An agent's own ``model``: a text, or an object as that of the defaults. Its other keys are OpenClaw's."""
    model = entry.get("model")
    if isinstance(model, str):
        yield from _choice(ModelChoice(primary=model), path, aliases)
    elif isinstance(model, dict):
        primary, fallbacks = model.get("primary"), model.get("fallbacks", ())
        if not isinstance(primary, str | None):
            yield Finding((*path, "primary"), "must be text")
            primary = None
        if not isinstance(fallbacks, list | tuple) or not all(isinstance(one, str) for one in fallbacks):
            yield Finding((*path, "fallbacks"), "must be a list of texts")
            fallbacks = ()
        yield from _choice(ModelChoice(primary=primary, fallbacks=tuple(fallbacks)), path, aliases)
    elif model is not None:
        yield Finding(path, "must be text or an object")


def _choice(choice: ModelChoice, path: KeyPath, aliases: Collection[str]) -> Iterator[Finding]:
    if choice.primary is not None and choice.primary not in aliases and not _in_full(choice.primary):
        shown = _shown((*path, "primary"), choice.primary)
        yield Finding(
            (*path, "primary"), f"{shown} is neither provider/model nor an alias of agents.defaults.models"
        )
    for at, text in enumerate(choice.fallbacks):
        if not _in_full(text):
            shown = _shown((*path, "fallbacks", at), text)
            yield Finding((*path, "fallbacks", at), f"{shown}: write it in full, e.g. openai/gpt-4o")


def _in_full(text: str) -> bool:
    found = ModelRef.parse(text)
    return found is not None and text.isprintable() and text == text.strip()


def _shown(path: KeyPath, text: str) -> str:
    if is_secret(path, text):
        return "the entry"
    return repr(text if len(text) <= _SHOWN else f"{text[:_SHOWN]}…")
