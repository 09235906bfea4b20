"""Does a provider of a plugin keep its part of the interface? Asked without a network: nothing that it fetches answers.

Part of `clawgate.testing.plugins.conformance`.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from clawgate.plugins.api import (
    Answers,
    CheckResult,
    ChecksConfig,
    ConfigChange,
    Diagnostic,
    KeyPath,
    MappedError,
    MapsErrors,
    Plugin,
    ProviderPlugin,
    Question,
    TransformsRequests,
    UpstreamRequest,
)
from clawgate.settings.key_path import format_key_path
from clawgate.settings.openclaw.schema import OpenClawConfig
from clawgate.settings.redaction import is_secret
from clawgate.testing.plugins.fake_host import FakeHost, FakeSetup

SECRET = "conformance-secret-0a1b2c3d4e5f"
"""The answer to every question for a secret: it must turn up nowhere else."""

_PROVIDERS = ("models", "providers")
"""What is a secret in there, such as ``apiKey``, everybody knows without being told."""

_NAME = re.compile(r"[a-z][a-z0-9_]*\Z")
_REFERENCE = re.compile(r"\$\{\w+\}")
_SAMPLES = {
    "url": "http://127.0.0.1:9/v1",
    "secret": SECRET,
    "port": "18999",
    "number": "3",
    "list": "model-a, model-b",
    "confirm": "yes",
    "text": "text",
    "choice": "choice",
}
_CREDENTIALS = frozenset({"authorization", "x-api-key", "cookie", "proxy-authorization", "x-proxy-token"})
_ODD_CONFIGS: tuple[Mapping[str, Any], ...] = (
    {},
    {"plugins": None, "models": []},
    {"plugins": {"entries": None}, "models": {"providers": None}, "agents": {"defaults": None}},
)


def sample_answers(questions: list[Question]) -> Answers:
    """An answer to each question: its default if that will do, else one of its kind."""
    found: dict[str, str] = {}
    for question in questions:
        if question.when is not None and not question.when(Answers(found)):
            continue
        usual = question.options[0].value if question.options else _SAMPLES[question.kind]
        found[question.name] = question.default if question.default and question.kind != "secret" else usual
    return Answers(found)


def document_with(plugin: Plugin, provider: ProviderPlugin, change: ConfigChange) -> dict[str, Any]:
    """A config file in which nothing stands but what ``change`` writes."""
    models: dict[str, Any] = {model: {"alias": alias} for alias, model in change.aliases.items()}
    defaults: dict[str, Any] = {"models": models} if models else {}
    if change.default_model is not None:
        defaults["model"] = {"primary": change.default_model, "fallbacks": list(change.fallbacks)}
    return {
        "plugins": {"entries": {plugin.id: {"enabled": True, "config": dict(change.plugin_config)}}},
        "models": {"providers": {provider.id: dict(change.provider)}},
        **({"agents": {"defaults": defaults}} if defaults else {}),
    }


def questions_of(provider: ProviderPlugin) -> Iterator[str]:
    """What is wrong with the questions."""
    questions = list(provider.questions(Answers(), {}))
    names = [question.name for question in questions]
    flags = [question.flag_name for question in questions]
    if len(set(names)) < len(names) or len(set(flags)) < len(flags):
        yield "two questions have one name or one flag"
    for question in questions:
        if not _NAME.match(question.name):
            yield f"the question '{question.name}' is to be named in small letters, digits and underscores"
        if question.kind == "secret" and question.default:
            yield f"the question '{question.name}' has a default, which would be a secret that everybody knows"
        if question.kind != "secret" and question.default and (reason := question.why_not(question.default)):
            yield f"the default of '{question.name}' is refused by its own check: {reason}"
        if re.search(r"token|password|secret|api_key", question.name) and question.kind != "secret":
            yield f"the question '{question.name}' sounds like a secret and is not of that kind"
    again = [question.name for question in provider.questions(Answers(), {})]
    if again != names:
        yield "the questions are others when they are asked for a second time"
    for config in _ODD_CONFIGS:
        if provider.previous(config):
            yield "previous() finds answers in a config file that has none"
        if list(provider.owned(config)):
            yield "owned() names paths in a config file that has none of them"


def change_of(plugin: Plugin, provider: ProviderPlugin) -> Iterator[str]:
    """What is wrong with what it writes."""
    questions = list(provider.questions(Answers(), {}))
    answers = sample_answers(questions)
    change = provider.config_change(answers)
    if provider.config_change(answers) != change:
        yield "config_change() gives something else for the same answers"
    if change.provider.get("api") != provider.dialect:
        yield f"it writes api {change.provider.get('api')!r}, and its dialect is {provider.dialect!r}"
    if not change.provider.get("baseUrl"):
        yield f"it writes no baseUrl for models.providers.{provider.id}"
    own = f"{provider.id}/"
    for model in (*change.aliases.values(), *((change.default_model,) if change.default_model else ())):
        if not model.startswith(own):
            yield f"'{model}' is no model of its own ({own}...)"
    if any(not name.startswith(own) for name in change.fallbacks):
        yield "it writes fallbacks to other providers, which is for the user to decide"
    document = document_with(plugin, provider, change)
    try:
        OpenClawConfig.model_validate(_followed(document))
        plugin.config.model_validate(_followed(dict(change.plugin_config)))
    except ValueError as error:
        yield f"what it writes cannot be read: {' '.join(str(error).split())[:300]}"
    hidden = {("plugins", "entries", plugin.id, "config", *path) for path in change.secrets}
    for path in _places_of(document, SECRET):
        if path not in hidden and not (path[:2] == _PROVIDERS and is_secret(path, SECRET)):
            yield f"a secret stands at {format_key_path(path)}, which `secrets` does not name"
    yield from _read_again(provider, questions, answers, document)
    if isinstance(provider, ChecksConfig):
        settings = plugin.config.model_validate(_followed(dict(change.plugin_config)))
        yield from _notes(provider.config_notes(document, settings))


def _notes(notes: object) -> Iterator[str]:
    """What is wrong with what it says of its own config."""
    if not isinstance(notes, Sequence) or not all(isinstance(note, Diagnostic) for note in notes):
        yield f"config_notes() returned {type(notes).__name__}, which is no list of ConfigNote"
        return
    for note in notes:
        if SECRET in f"{note.message}{note.next_step}":
            yield "config_notes() shows the secret"
        else:
            yield f"config_notes() is not content with what config_change() writes: {note.message}"


def _followed(value: object) -> Any:
    """``value`` with something real in the place of each reference, as a gateway would read it."""
    if isinstance(value, Mapping):
        return {key: _followed(part) for key, part in value.items()}
    if isinstance(value, list | tuple):
        return [_followed(part) for part in value]
    return _REFERENCE.sub("referenced-4c3b2a1f", value) if isinstance(value, str) else value


def _read_again(
    provider: ProviderPlugin, questions: list[Question], answers: Answers, document: Mapping[str, Any]
) -> Iterator[str]:
    previous = provider.previous(document)
    for question in questions:
        asked, kept = answers.words(question.name), previous.words(question.name)
        if question.kind not in ("secret", "confirm") and question.name in answers and asked != kept:
            yield f"previous() does not find the answer to '{question.name}' in what config_change() wrote"
    owned = [tuple(path) for path in provider.owned(document)]
    if not any(path[:3] == ("models", "providers", provider.id) for path in owned):
        yield f"owned() does not name models.providers.{provider.id}, which config_change() writes"
    for path in owned:
        if not path or path[0] not in ("plugins", "models", "agents") or len(path) < 3:
            yield f"owned() names {format_key_path(path) or 'the whole file'}, which is not its own"


def _places_of(value: object, text: str, path: KeyPath = ()) -> Iterator[KeyPath]:
    if isinstance(value, Mapping):
        for key, part in value.items():
            yield from _places_of(part, text, (*path, str(key)))
    elif isinstance(value, list | tuple):
        for index, part in enumerate(value):
            yield from _places_of(part, text, (*path, index))
    elif isinstance(value, str) and text in value:
        yield path


async def connection_of(provider: ProviderPlugin, folder: Path) -> list[str]:
    """What is wrong with its check of a server that cannot be reached."""
    answers = sample_answers(list(provider.questions(Answers(), {})))
    host = FakeHost(state_dir=folder)
    result: object = await provider.check(answers, FakeSetup(host))
    if not isinstance(result, CheckResult):
        return [f"check() returned {type(result).__name__}, which is no CheckResult"]
    found = []
    if host.fetched and result.ok:
        found.append("check() says that all is well, and nothing could be reached")
    if not result.message:
        found.append("check() says nothing: `message` is empty")
    if SECRET in f"{result.message}{result.next_step}":
        found.append("check() shows the secret")
    if any(SECRET in plan.url or SECRET in str(dict(plan.headers)) for plan in host.fetched):
        found.append("check() puts the secret into a URL or a plain header; it belongs into FetchPlan.secret")
    return found


def requests_of(provider: ProviderPlugin) -> Iterator[str]:
    """What is wrong with how it shapes requests and judges answers."""
    if isinstance(provider, TransformsRequests):
        if inspect.iscoroutinefunction(provider.shape):
            yield "shape must be a plain 'def'"
            return
        fields: dict[str, object] = {"stream": True, "max_tokens": 64}
        request = UpstreamRequest(model="model-a", fields=fields, conversation="abc")
        shaped: object = provider.shape(request)
        if not isinstance(shaped, UpstreamRequest):
            yield f"shape() returned {type(shaped).__name__}, which is no UpstreamRequest"
            return
        if fields != {"stream": True, "max_tokens": 64}:
            yield "shape() changes the fields that it was given; give back others (dataclasses.replace)"
        if named := sorted(_CREDENTIALS & {name.lower() for name in shaped.headers}):
            yield f"shape() sets {', '.join(named)}; the credential is the gateway's to set"
        if {"messages", "system", "tools", "model"} & shaped.fields.keys():
            yield "shape() sets messages, system, tools or model among the fields"
    if isinstance(provider, MapsErrors):
        yield from _verdicts(provider.judge)


def _verdicts(judge: Callable[[int, bytes], object]) -> Iterator[str]:
    for status in (200, 400, 401, 429, 500, 529):
        for body in (
            b"",
            b"{",
            b"[]",
            b"null",
            b"<html>",
            b"\xff",
            b'{"error":null}',
            b'{"error":{"message":7}}',
        ):
            verdict = judge(status, body)
            if verdict is None:
                continue
            if not isinstance(verdict, MappedError) or not 400 <= verdict.status <= 599:
                yield f"judge({status}, {body!r}) returned no Verdict of a failure"
                return
