"""Composes the first request to a gateway that serves: a ``curl`` line to copy, with its real address and a real model.

Must not put a secret into the line: the shell that runs it gets the token by ``clawgate gateway token``.
"""

from __future__ import annotations

import asyncio
import json
import os
import re
import shlex
import time
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from clawgate.cli.completers import known_refs
from clawgate.cli.credential import THROUGH_PROXY
from clawgate.cli.paths import Paths, find_paths
from clawgate.cli.terminal.program import local_curl, program
from clawgate.policy.local_hosts import connectable
from clawgate.policy.model_routing import DEFAULT_AGENT
from clawgate.policy.path_routing import RESPONSES_PATH
from clawgate.processes.instance.instance_lock import RunningInstance
from clawgate.relay.upstream.dial import Dialer
from clawgate.settings.problems import SettingsInvalid

if TYPE_CHECKING:
    from clawgate.providers.catalog import Catalog
    from clawgate.providers.provider import Provider
    from clawgate.settings.openclaw.config_file import ConfigFile
    from clawgate.settings.openclaw.gateway import GatewayFlags, GatewaySettings

CHAT_DOOR = "/v1/chat/completions"
_PROMPT = "Say hello in five words."
_NOT_FOR_CHAT = re.compile(
    r"embed|whisper|tts|audio|realtime|image|dall-e|moderation|transcribe|speech|sora|video|rerank|guard|ocr"
    r"|davinci|babbage|turbo-instruct|codex|search|research",
    re.IGNORECASE,
)
_SMALL = re.compile(r"mini|nano|haiku|flash|small|lite|turbo|8b|7b", re.IGNORECASE)

ModelsOf = Callable[["Provider"], Awaitable[Sequence[str]]]


@dataclass(frozen=True, slots=True)
class FirstRequest:
    """``curl`` is the line to copy; None if there is no model to request, and ``advice`` says what to do."""

    curl: str | None
    model: str | None
    advice: tuple[str, ...] = ()

    def lines(self) -> list[str]:
        if self.model is None:
            return [*self.advice]
        return ["", "First request, from any terminal of this machine:", "", str(self.curl), ""]

    def to_json(self) -> dict[str, object] | None:
        return None if self.curl is None else {"model": self.model, "curl": self.curl}


def first_request(
    url: str, model: str | None, credential: str | None, advice: Sequence[str] = (), door: str = CHAT_DOOR
) -> FirstRequest:
    """Return the request; ``credential`` is what follows ``Bearer`` within double quotes, None if none is needed."""
    if model is None:
        return FirstRequest(None, None, tuple(advice))
    scheme, _, rest = url.partition("://")
    host, _, port = rest.rpartition(":")
    reachable = connectable(host.strip("[]"))
    address = f"{scheme}://{f'[{reachable}]' if ':' in reachable else reachable}:{port}"
    prompt = {"messages": [{"role": "user", "content": _PROMPT}]} if door == CHAT_DOOR else {"input": _PROMPT}
    body = {"model": model, "stream": True, **prompt}
    parts = [
        f"{local_curl()} -N {address}{door}",
        *([f'-H "Authorization: Bearer {credential}"'] if credential else []),
        "-H 'Content-Type: application/json'",
        f"-d {shlex.quote(json.dumps(body))}",
    ]
    return FirstRequest(" ".join(parts), model)


def credential_expression(
    file: ConfigFile, flags: GatewayFlags, paths: Paths, env_file: str | None = None
) -> str | None:
    """Return what a shell expands to the token: a command, or the variable that has it; None if none is needed."""
    from clawgate.settings.openclaw.gateway import caller_secret

    secret = caller_secret(file, flags)
    if secret is None:
        return None
    if secret.origin.startswith("--"):
        return f"<the value of {secret.origin}>"
    variable = secret.origin.removeprefix("environment variable ")
    if variable != secret.origin:
        return f"${variable}"
    return f"$({' '.join([program(), 'gateway', 'token', *location_flags(paths, env_file)])})"


def next_command(words: str, paths: Paths) -> str:
    """Return a command of clawgate's to run next, in the same shell and with the same files."""
    return " ".join([program(in_this_shell=True), words, *location_flags(paths)])


def advice_without_model(catalog: Catalog, paths: Paths) -> tuple[str, ...]:
    """Return why there is no model to request, and the next command."""
    from clawgate.providers.availability import provider_error

    ready = [one.id for one in catalog.providers.values() if provider_error(one) is None]
    if not ready:
        is_blocked = any(one.problem is None for one in catalog.providers.values())  # at a private address
        command = "doctor" if is_blocked else "models auth login"
        return "No provider is ready, so every request fails.", f"Next: {next_command(command, paths)}"
    text = f"No model that chats is known yet: the config and the list of {' and '.join(ready)} have none."
    return text, f"Next: {next_command('models status --probe', paths)}"


def without_models(settings: GatewaySettings, file: ConfigFile) -> tuple[str | None, tuple[str, ...]] | None:
    """Return what to request where models are off, an agent, or none and why that is so; None where models are on."""
    from clawgate.settings.openclaw.gateway import serving_note

    if settings.identity is not None and not settings.tokens:
        return None, (f"{THROUGH_PROXY}; a request of this machine needs gateway.auth.password.",)
    if settings.serves_models:
        return None
    note = serving_note(settings, file)
    return (DEFAULT_AGENT, ()) if note is None else (None, (str(note),))


def requested(model: str | None, settings: GatewaySettings, catalog: Catalog) -> str | None:
    """Return what the first request names: an agent where there is one that can use its model, else ``model``."""
    serves = CHAT_DOOR.encode() in settings.agent_paths and catalog.primary is not None
    return DEFAULT_AGENT if model is not None and serves else model


def door_of(model: str | None, settings: GatewaySettings) -> str:
    """Return the path of a request for ``model``: an agent may be on at `/v1/responses` alone."""
    agents_alone = model == DEFAULT_AGENT and CHAT_DOOR.encode() not in settings.agent_paths
    return RESPONSES_PATH.decode("ascii") if agents_alone else CHAT_DOOR


def location_flags(paths: Paths, env_file: str | None = None) -> list[str]:
    """Return the flags by which a command in another shell, without our variables, uses the same files."""
    flags: list[str] = []
    plain = {"HOME": os.environ["HOME"]} if "HOME" in os.environ else {}
    default = find_paths(environment=plain)
    if paths.state.absolute() != default.state.absolute():
        flags += ["--state-dir", shlex.quote(str(paths.state.absolute()))]
        default = find_paths(environment=plain | {"OPENCLAW_STATE_DIR": str(paths.state)})
    if paths.config.absolute() != default.config.absolute():
        flags += ["--config", shlex.quote(str(paths.config.absolute()))]
    return flags + (["--env-file", shlex.quote(str(env_file))] if env_file else [])


async def choose_model(catalog: Catalog, models_of: ModelsOf) -> str | None:
    """Return a model that can be requested: a configured one, else one that a provider lists; None if there is none."""
    from clawgate.providers.availability import Availability, provider_error

    for ref in known_refs(catalog):
        if Availability(catalog, provider_error).model_error(ref) is not None:
            continue
        if ref == catalog.primary or not _NOT_FOR_CHAT.search(ref.model):
            return str(ref)
    ready = [provider for provider in catalog.providers.values() if provider_error(provider) is None]
    lists = await asyncio.gather(*(models_of(provider) for provider in ready))
    for provider, ids in zip(ready, lists, strict=True):
        if (model := chat_model(ids)) is not None:
            return f"{provider.id}/{model}"
    return None


def chat_model(ids: Iterable[str]) -> str | None:
    """Return the id of a model that probably chats, a small one if there is one; None if there is none."""
    candidates = [one for one in ids if not _NOT_FOR_CHAT.search(one)]
    return next((one for one in candidates if _SMALL.search(one)), candidates[0] if candidates else None)


def choose_model_here(catalog: Catalog) -> str | None:
    """Choose a model as `choose_model` does, in a process that does not serve: it contacts providers itself."""
    from clawgate.app.model_discovery import ModelDiscovery
    from clawgate.app.upstreams import provider_upstream

    dialer = Dialer()
    discovery = ModelDiscovery(
        connect=lambda provider: provider_upstream(
            provider, dialer, via=b"clawgate-start", listening=("", 0)
        ),
        is_available=lambda provider: True,
        clock=time.monotonic,
    )
    return asyncio.run(choose_model(catalog, discovery.models_of))


def read_config_with(paths: Paths, flags: Mapping[str, Any]) -> tuple[ConfigFile, GatewayFlags] | None:
    """Return the config as the gateway reads it; None if it cannot, which its own output explains."""
    from clawgate.settings.openclaw.gateway import GatewayFlags

    try:
        file = paths.read_config(flags.get("env_file"))
    except SettingsInvalid:
        return None
    return file, GatewayFlags.of(flags)


def print_request_to(
    paths: Paths, flags: Mapping[str, Any], running: RunningInstance, show: Callable[[str], object]
) -> FirstRequest | None:
    """Print the first request, or what is missing for one; None where the config is unusable."""
    from clawgate.providers.catalog import build_catalog
    from clawgate.settings.openclaw.gateway import gateway_settings

    found = read_config_with(paths, flags)
    if found is None or running.url is None:
        return None
    file, gateway_flags = found
    try:
        settings = gateway_settings(file, gateway_flags)
        credential = credential_expression(file, gateway_flags, paths, flags.get("env_file"))
    except SettingsInvalid:
        return None
    catalog = build_catalog(file.config, file.unset, file.environment)
    model, advice = without_models(settings, file) or (
        choose_model_here(catalog),
        advice_without_model(catalog, paths),
    )
    named = requested(model, settings, catalog)
    request = first_request(running.url, named, credential, advice, door_of(named, settings))
    for line in request.lines():
        show(line)
    return request
