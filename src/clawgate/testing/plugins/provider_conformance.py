"""Checks that a provider of a plugin keeps the interface. Uses no network: every fetch fails.

Part of `clawgate.testing.plugins.conformance`.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, get_args

from clawgate.plugins import api
from clawgate.settings.key_path import format_key_path
from clawgate.settings.redaction import is_secret
from clawgate.settings.schema.openclaw import OpenClawConfig
from clawgate.testing.plugins.fake_host import FakeHost, FakeSetup

SECRET = "conformance-secret-0a1b2c3d4e5f"
"""The value for every question of the kind ``secret``. It must appear nowhere else."""

_PROVIDERS = ("models", "providers")
"""Below this path `is_secret` knows the secrets, such as ``apiKey``; `ConfigChange.secrets` need not name them."""

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
_ODD_BODIES = (b"", b"{", b"[]", b"null", b"<html>", b"\xff", b'{"error":null}', b'{"error":{"message":7}}')


def sample_values(questions: list[api.Question]) -> api.Answers:
    """Return a value for each question: its default if it has one, else a sample of its kind."""
    values: dict[str, str] = {}
    for question in questions:
        if question.when is not None and not question.when(api.Answers(values)):
            continue
        usual = question.options[0].value if question.options else _SAMPLES[question.kind]
        has_default = bool(question.default) and question.kind != "secret"
        values[question.name] = question.default if has_default else usual
    return api.Answers(values)


def document_with(
    plugin: api.Plugin, provider: api.ProviderPlugin, change: api.ConfigChange
) -> dict[str, Any]:
    """Return a config file that holds nothing but ``change``."""
    models: dict[str, Any] = {model: {"alias": alias} for alias, model in change.aliases.items()}
    defaults: dict[str, Any] = {"models": models} if models else {}
    if change.default_model is not None:
        defaults["model"] = {"primary": change.default_model, "fallbacks": list(change.fallbacks)}
    return {
        "plugins": {"entries": {plugin.id: {"enabled": True, "config": dict(change.plugin_config)}}},
        "models": {"providers": {provider.id: dict(change.provider)}},
        **({"agents": {"defaults": defaults}} if defaults else {}),
    }


def question_problems(provider: api.ProviderPlugin) -> Iterator[str]:
    """Yield what is wrong with `questions`, and with `previous_answers` and `owned_paths` of an empty config."""
    questions = list(provider.questions(api.Answers(), {}))
    names = [question.name for question in questions]
    flags = [question.flag_name for question in questions]
    if len(set(names)) < len(names) or len(set(flags)) < len(flags):
        yield "two questions have the same name or flag"
    for question in questions:
        if not _NAME.match(question.name):
            yield f"the name of the question '{question.name}' must be lower-case letters, digits and underscores"
        if question.kind == "secret" and question.default:
            yield f"the question '{question.name}' has a default, which would be a secret in the source code"
        if question.kind != "secret" and question.default and (reason := question.problem(question.default)):
            yield f"the default of '{question.name}' is rejected by its own check: {reason}"
        if re.search(r"token|password|secret|api_key", question.name) and question.kind != "secret":
            yield f"the question '{question.name}' has the name of a secret and another kind"
    again = [question.name for question in provider.questions(api.Answers(), {})]
    if again != names:
        yield "questions() returns other questions on the second call"
    for config in _ODD_CONFIGS:
        if provider.previous_answers(config):
            yield "previous_answers() returns values for a config file that has none"
        if list(provider.owned_paths(config)):
            yield "owned_paths() returns paths that the config file does not have"


def config_change_problems(plugin: api.Plugin, provider: api.ProviderPlugin) -> Iterator[str]:
    """Yield what is wrong with `config_change`, and with the methods that read the file that it makes."""
    questions = list(provider.questions(api.Answers(), {}))
    values = sample_values(questions)
    change = provider.config_change(values)
    if provider.config_change(values) != change:
        yield "config_change() returns something else on the second call"
    if change.provider.get("api") != provider.dialect:
        yield f"config_change() writes api {change.provider.get('api')!r}, but the dialect is {provider.dialect!r}"
    further = getattr(provider, "further_dialects", ())
    if not isinstance(further, tuple) or not set(further) <= set(get_args(api.Dialect)):
        yield f"further_dialects is {further!r}; it must be a tuple of {', '.join(get_args(api.Dialect))}"
    if not change.provider.get("baseUrl"):
        yield f"config_change() writes no baseUrl for models.providers.{provider.id}"
    own = f"{provider.id}/"
    for model in (*change.aliases.values(), *((change.default_model,) if change.default_model else ())):
        if not model.startswith(own):
            yield f"'{model}' is not a model of this provider ({own}...)"
    if any(not name.startswith(own) for name in change.fallbacks):
        yield "config_change() writes fallbacks to other providers; only the operator may do that"
    document = document_with(plugin, provider, change)
    try:
        OpenClawConfig.model_validate(_resolved(document))
        plugin.config_class.model_validate(_resolved(dict(change.plugin_config)))
    except ValueError as error:
        yield f"what config_change() writes is invalid: {' '.join(str(error).split())[:300]}"
    hidden = {("plugins", "entries", plugin.id, "config", *path) for path in change.secrets}
    for path in _paths_holding(document, SECRET):
        if path not in hidden and not (path[:2] == _PROVIDERS and is_secret(path, SECRET)):
            yield f"a secret is written to {format_key_path(path)}, which `secrets` does not list"
    yield from _round_trip_problems(provider, questions, values, document)
    if isinstance(provider, api.ChecksConfig):
        settings = plugin.config_class.model_validate(_resolved(dict(change.plugin_config)))
        yield from _diagnostic_problems(provider.check_config(document, settings))


def _diagnostic_problems(diagnostics: object) -> Iterator[str]:
    """Yield what is wrong with the result of `check_config` for the provider's own config."""
    if not isinstance(diagnostics, Sequence) or not all(
        isinstance(one, api.Diagnostic) for one in diagnostics
    ):
        yield f"check_config() returned {type(diagnostics).__name__}; it must return a list of Diagnostic"
        return
    for one in diagnostics:
        if SECRET in f"{one.message}{one.fix}":
            yield "check_config() shows the secret"
        else:
            yield f"check_config() rejects what config_change() writes: {one.message}"


def _resolved(value: object) -> Any:
    """Replace each reference in ``value`` by a real value, as a gateway does."""
    if isinstance(value, Mapping):
        return {key: _resolved(part) for key, part in value.items()}
    if isinstance(value, list | tuple):
        return [_resolved(part) for part in value]
    return _REFERENCE.sub("referenced-4c3b2a1f", value) if isinstance(value, str) else value


def _round_trip_problems(
    provider: api.ProviderPlugin,
    questions: list[api.Question],
    values: api.Answers,
    document: Mapping[str, Any],
) -> Iterator[str]:
    previous = provider.previous_answers(document)
    for question in questions:
        if question.kind in ("secret", "confirm") or question.name not in values:
            continue
        if values.words(question.name) != previous.words(question.name):
            yield f"previous_answers() does not return the value of '{question.name}' that config_change() wrote"
    owned = [tuple(path) for path in provider.owned_paths(document)]
    if not any(path[:3] == ("models", "providers", provider.id) for path in owned):
        yield f"owned_paths() does not list models.providers.{provider.id}, which config_change() writes"
    for path in owned:
        if not path or path[0] not in ("plugins", "models", "agents") or len(path) < 3:
            yield f"owned_paths() lists {format_key_path(path) or 'the whole file'}, which it does not own"


def _paths_holding(value: object, text: str, path: api.KeyPath = ()) -> Iterator[api.KeyPath]:
    if isinstance(value, Mapping):
        for key, part in value.items():
            yield from _paths_holding(part, text, (*path, str(key)))
    elif isinstance(value, list | tuple):
        for index, part in enumerate(value):
            yield from _paths_holding(part, text, (*path, index))
    elif isinstance(value, str) and text in value:
        yield path


async def connection_check_problems(provider: api.ProviderPlugin, folder: Path) -> list[str]:
    """Return what is wrong with `check_connection` for a server that cannot be reached."""
    values = sample_values(list(provider.questions(api.Answers(), {})))
    host = FakeHost(state_dir=folder)
    result: object = await provider.check_connection(values, FakeSetup(host))
    if not isinstance(result, api.CheckResult):
        return [f"check_connection() returned {type(result).__name__}; it must return a CheckResult"]
    problems = []
    if host.requests and result.ok:
        problems.append("check_connection() reports success although nothing could be reached")
    if not result.message:
        problems.append("check_connection() returned an empty message")
    if SECRET in f"{result.message}{result.next_step}":
        problems.append("check_connection() shows the secret")
    if any(SECRET in request.url or SECRET in str(dict(request.headers)) for request in host.requests):
        problems.append("check_connection() puts the secret into a URL or a header; use FetchRequest.secret")
    return problems


def hook_problems(provider: api.DeclaredProvider) -> Iterator[str]:
    """Yield what is wrong with `transform_request` and `map_error`."""
    if isinstance(provider, api.TransformsRequests):
        if inspect.iscoroutinefunction(provider.transform_request):
            yield "transform_request must be a plain 'def'"
            return
        fields: dict[str, object] = {"stream": True, "max_tokens": 64}
        request = api.UpstreamRequest(model="model-a", fields=fields, session_id="abc")
        result: object = provider.transform_request(request)
        if not isinstance(result, api.UpstreamRequest):
            yield f"transform_request() returned {type(result).__name__}; it must return an UpstreamRequest"
            return
        if fields != {"stream": True, "max_tokens": 64}:
            yield "transform_request() changes the fields in place; return a new request (dataclasses.replace)"
        if named := sorted(_CREDENTIALS & {name.lower() for name in result.headers}):
            yield f"transform_request() sets {', '.join(named)}; only the gateway sets credentials"
        if {"messages", "system", "tools", "model"} & result.fields.keys():
            yield "transform_request() sets messages, system, tools or model among the fields"
    if isinstance(provider, api.MapsErrors):
        yield from _map_error_problems(provider.map_error)


def _map_error_problems(map_error: Callable[[int, bytes], object]) -> Iterator[str]:
    for status in (200, 400, 401, 429, 500, 529):
        for body in _ODD_BODIES:
            result = map_error(status, body)
            if result is None:
                continue
            if not isinstance(result, api.MappedError) or not 400 <= result.status <= 599:
                yield f"map_error({status}, {body!r}) must return None or a MappedError with a status of 400 to 599"
                return
