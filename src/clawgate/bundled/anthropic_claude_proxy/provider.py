"""Defines the provider: its setup questions, its config, and how requests to the proxy differ from its dialect.

Must not touch the built-in provider ``anthropic``.
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from pydantic import BaseModel, SecretStr, ValidationError

from clawgate.bundled.anthropic_claude_proxy import error_mapping
from clawgate.bundled.anthropic_claude_proxy.config import (
    ALIAS,
    DEFAULT_COMMAND,
    DEFAULT_HOST,
    DEFAULT_MODELS,
    DEFAULT_PORT,
    ID,
    ProxyConfig,
    host_problem,
    is_loopback,
    models_problem,
    origin,
)
from clawgate.bundled.anthropic_claude_proxy.config_check import diagnostics, pin_note
from clawgate.bundled.anthropic_claude_proxy.health import check_health
from clawgate.bundled.anthropic_claude_proxy.model_ids import THINKING, family_of, sent_as, with_thinking
from clawgate.bundled.anthropic_claude_proxy.package_pin import unpinned_package
from clawgate.bundled.anthropic_claude_proxy.service import trusted_user
from clawgate.plugins import api

PROFILE_HEADER = "x-meridian-profile"
IGNORED = ("max_tokens", "temperature", "top_p", "top_k", "stop_sequences", "tool_choice")
"""Fields of a Messages request without effect (read: opencode-claude-max-proxy 1.21.1, @rynfar/meridian 1.43.0)."""
_KEY = "MERIDIAN_API_KEY"
_PRIVATE: dict[str, object] = {"request": {"allowPrivateNetwork": True}}
_PACKAGE = DEFAULT_COMMAND[-1]
_RELEASE = re.compile(r"\d+\.\d+\.\d+(?:-[\w.-]+)?\Z", re.ASCII)
_CONFIG: api.KeyPath = ("plugins", "entries", ID, "config")
_PROVIDER: api.KeyPath = ("models", "providers", ID)
_MODELS: api.KeyPath = ("agents", "defaults", "models")
_WRITTEN_KEYS = ("host", "port", "models")
_TERMS = (
    "The proxy uses the login of a Claude subscription. Check whether Anthropic's terms allow your use; "
    "docs/anthropic-claude-proxy.md explains."
)


class ProxyProvider:
    """The provider ``anthropic-claude-proxy``."""

    id = ID
    label = "A local Claude proxy, with the login of a Claude subscription"
    dialect: api.Dialect = "anthropic-messages"

    def __init__(self, profiles: Callable[[], Sequence[str]] = tuple) -> None:
        self._profiles = profiles

    def previous_answers(self, config: Mapping[str, Any]) -> api.Answers:
        block, provider = api.object_at(config, _CONFIG), api.object_at(config, _PROVIDER)
        values = {name: str(block[name]) for name in ("host", "port") if _is_plain(block.get(name))}
        ids = [one["id"] for one in _list(provider.get("models")) if isinstance(one, dict) and "id" in one]
        ids = [
            one
            for one in ids or _list(block.get("models"))
            if isinstance(one, str) and not models_problem(one)
        ]
        if ids:
            values["models"] = ", ".join(ids)
        command = block.get("command")
        if isinstance(command, list) and tuple(command) != DEFAULT_COMMAND:
            is_release = len(command) == 2 and str(command[1]).startswith(f"{_PACKAGE}@")
            values["release" if is_release else "command"] = str(command[-1]).removeprefix(f"{_PACKAGE}@")
        if isinstance(provider.get("apiKey"), str):
            values["api_key"] = provider["apiKey"]
        return api.Answers(values)

    def questions(self, previous: api.Answers, environment: Mapping[str, str]) -> Sequence[api.Question]:
        questions = [
            api.Question(
                name="host",
                text="Host of the proxy",
                default=previous.text("host") or DEFAULT_HOST,
                variables=("MERIDIAN_HOST", "CLAUDE_PROXY_HOST"),
                help="Where the proxy listens. Keep 127.0.0.1 if the gateway starts it.",
                check=host_problem,
            ),
            api.Question(
                name="port",
                text="Port of the proxy",
                kind="port",
                default=previous.text("port") or str(DEFAULT_PORT),
                variables=("MERIDIAN_PORT", "CLAUDE_PROXY_PORT"),
                may_listen=True,
            ),
            api.Question(
                name="models",
                text="Models",
                kind="list",
                default=previous.text("models") or ", ".join(DEFAULT_MODELS),
                help="Comma-separated ids; the first one gets the alias claude-max-proxy.",
                check=models_problem,
                choices=self._choices,
            ),
        ]
        if not previous.text("command"):
            questions.append(
                api.Question(
                    name="release",
                    text=f"Release of {_PACKAGE}",
                    default=previous.text("release"),
                    required=False,
                    help=f"Such as 1.21.1. Without one {DEFAULT_COMMAND[0]} fetches the newest release at every start.",
                    check=lambda text: (
                        None if _RELEASE.match(text) else "must be an exact version, such as 1.21.1"
                    ),
                    when=lambda answers: is_loopback(answers.text("host")),
                )
            )
        if environment.get(_KEY, "").strip() or previous.text("api_key"):
            questions.append(
                api.Question(
                    name="api_key",
                    text="Key of the proxy",
                    kind="secret",
                    variables=(_KEY,),
                    required=False,
                    help="The MERIDIAN_API_KEY of the proxy. Leave it empty if it has none.",
                )
            )
        return questions

    async def _choices(self, answers: api.Answers, context: api.SetupContext) -> Sequence[api.Choice]:
        models = [*DEFAULT_MODELS]
        if answers.text("port").isdigit():
            listed, _ = await _fetch_models(answers, context)
            models += [one for one in listed if one not in models]
        return [api.Choice(one) for one in models]

    async def check_connection(self, answers: api.Answers, context: api.SetupContext) -> api.CheckResult:
        """Check the running proxy; if none is running, whether the gateway could start it."""
        try:
            user = trusted_user(_settings_of_user(context))
        except api.PluginError as error:
            return api.CheckResult(ok=False, message=error.message, next_step=error.next_step)
        url = origin(answers.text("host"), answers.number("port"))
        health = await check_health(context.fetch, url, user)
        result, next_step = health.result, health.result.next_step
        match result.health:
            case "silent" if not next_step:
                return _startable(answers, context, url, result.reason)
            case "stranger":
                return api.CheckResult(ok=False, message=result.reason, next_step=next_step)
            case "unhealthy" | "silent":
                message = f"the proxy at {url} cannot work: {result.reason}"
                return api.CheckResult(ok=False, message=message, next_step=next_step)
        if not health.speaks_messages:
            message = f"the proxy at {url} has no Messages API: {result.reason}"
            return api.CheckResult(ok=False, message=message, next_step=next_step)
        models, rejected = await _fetch_models(answers, context)
        if rejected:
            message = f"the proxy at {url} rejects this key"
            return api.CheckResult(
                ok=False, message=message, next_step=f"set {_KEY} to the key that the proxy was started with"
            )
        version = f" (version {result.version})" if result.version else ""
        if result.health == "degraded":
            message = f"the proxy at {url} is running{version}, but: {result.reason}"
            return api.CheckResult(ok=True, message=message, next_step=next_step, models=models)
        return api.CheckResult(ok=True, message=f"the proxy at {url} is ready{version}", models=models)

    def config_change(self, answers: api.Answers) -> api.ConfigChange:
        models = answers.words("models") or DEFAULT_MODELS
        host, port = answers.text("host") or DEFAULT_HOST, answers.number("port")
        provider = self._block(host, port, models, answers.text("api_key")) | _PRIVATE
        plugin: dict[str, object] = {"host": host, "port": port, "models": list(models)}
        if not is_loopback(host):
            plugin["autoStart"] = False
        elif release := answers.text("release"):
            plugin["command"] = [DEFAULT_COMMAND[0], f"{_PACKAGE}@{release}"]
        return api.ConfigChange(
            plugin_config=plugin,
            provider=provider,
            aliases={ALIAS: f"{ID}/{models[0]}"},
            default_model=f"{ID}/{models[0]}",
            notes=(_TERMS,),
        )

    def implied_block(self, settings: BaseModel, environment: Mapping[str, str]) -> Mapping[str, object]:
        assert isinstance(settings, ProxyConfig)
        key = settings.env.get(_KEY) or environment.get(_KEY, "")
        block = self._block(settings.host, settings.port, settings.models, key.strip())
        return (
            block if is_loopback(settings.host) else block | _PRIVATE
        )  # its own loopback address is trusted

    def _block(self, host: str, port: int, models: Sequence[str], key: str) -> dict[str, object]:
        """Return the block of ``models.providers``."""
        block: dict[str, object] = {
            "baseUrl": origin(host, port),
            "api": self.dialect,
            "models": [_entry(model) for model in models],
        }
        return block | ({"apiKey": key} if key else {})

    def check_config(self, config: Mapping[str, Any], settings: BaseModel) -> Sequence[api.Diagnostic]:
        if not isinstance(settings, ProxyConfig):
            return ()
        note = pin_note(settings)
        return [*diagnostics(config, settings), *([note] if note is not None else [])]

    def owned_paths(self, config: Mapping[str, Any]) -> Sequence[api.KeyPath]:
        paths = api.entry_paths(config, ID, _WRITTEN_KEYS)
        if api.object_at(config, _PROVIDER):
            paths.append(_PROVIDER)
        for name, entry in api.object_at(config, _MODELS).items():
            if isinstance(entry, dict) and name.startswith(f"{ID}/") and entry.get("alias") == ALIAS:
                paths.append((*_MODELS, name) if len(entry) == 1 else (*_MODELS, name, "alias"))
        return paths

    def transform_request(self, request: api.UpstreamRequest) -> api.UpstreamRequest:
        """Set ``stream``, which older proxies assume if it is missing, the model's real id, and a session.

        Without a session id the proxy resumes a conversation that begins with the same words (read), so that one could
        continue another. ``user``, of OpenAI's dialect, is removed: claude-max-api-proxy uses it as the id of a
        session, and fails if it is none (measured); it is always requested to stream, since a request that fails
        otherwise ends it (measured), and reads nothing but model and messages (read in its source).
        """
        model, thinks = sent_as(request.model)
        is_chat = request.dialect not in ("", self.dialect)
        if is_chat:
            model, thinks = family_of(model), False
        fields = with_thinking(request.fields) if thinks else dict(request.fields)
        fields.pop("user", None)
        fields["stream"] = is_chat or request.fields.get("stream") is True
        headers = dict(request.headers)
        if request.session_id:
            headers["x-opencode-session"] = request.session_id
        if (profile := request.client_headers.get(PROFILE_HEADER)) is not None:
            if profile not in self._profiles():
                raise api.RequestRefused(
                    f"{PROFILE_HEADER}: this profile is not allowed; list it in plugins.entries.{ID}.config.profiles"
                )
            headers[PROFILE_HEADER] = profile
        ignored = (*request.fields, "tools", "user") if is_chat else IGNORED
        return replace(
            request,
            model=model,
            fields=fields,
            headers=headers,
            ignored=tuple(name for name in ignored if name != "stream"),
        )

    def map_error(self, status: int, body: bytes) -> api.MappedError | None:
        return error_mapping.map_error(status, body)


def _entry(model: str) -> dict[str, object]:
    return {
        "id": model,
        "name": f"{model} (Claude proxy)",
        "reasoning": model.endswith(THINKING),
        "input": ["text", "image"],
        "contextWindow": 200_000,
        "maxTokens": 32_000,
    }


def _settings_of_user(context: api.SetupContext) -> ProxyConfig:
    """Return the settings that say whom to trust, as far as the config file has valid ones."""
    block = api.object_at(context.config, _CONFIG)
    try:
        return ProxyConfig.model_validate({"proxyUser": block.get("proxyUser")})
    except ValidationError:
        return ProxyConfig()


def _startable(answers: api.Answers, context: api.SetupContext, url: str, reason: str) -> api.CheckResult:
    """Return whether the gateway could start the proxy, which is not running."""
    block = api.object_at(context.config, _CONFIG)
    command = block.get("command") or list(DEFAULT_COMMAND)
    if block.get("autoStart") is False or not is_loopback(answers.text("host")):
        step = "start the proxy, or let the gateway start it (autoStart true, host 127.0.0.1)"
        return api.CheckResult(ok=False, message=f"no proxy responds at {url}: {reason}", next_step=step)
    program = command[0] if isinstance(command, list) and command and isinstance(command[0], str) else ""
    if not program or shutil.which(program, path=context.environment.get("PATH", "")) is None:
        shown = program if program.isprintable() else ascii(program)[1:-1]
        message = f"no proxy responds at {url}, and its program '{shown}' is not installed"
        example = """'["PROGRAM", "ARGUMENT"]'"""
        step = f"install {shown}, or set another: clawgate config set plugins.entries.{ID}.config.command {example}"
        return api.CheckResult(ok=False, message=message, next_step=step)
    message = f"no proxy responds at {url} yet; the gateway will start it"
    package = None if answers.text("release") else unpinned_package(command)
    if package is not None:
        message += f"; {program} fetches the newest release of {package} at every start, unless it is pinned: --release"
    return api.CheckResult(ok=True, message=message)


async def _fetch_models(answers: api.Answers, context: api.SetupContext) -> tuple[tuple[str, ...], bool]:
    """Return the models that the proxy lists, if it does, and whether it rejects the key.

    The key is sent to no process of another user.
    """
    key = answers.text("api_key")
    try:
        user = trusted_user(_settings_of_user(context))
        response = await context.fetch(
            api.FetchRequest(
                url=f"{origin(answers.text('host'), answers.number('port'))}/v1/models",
                header="x-api-key" if key else "",
                secret=SecretStr(key) if key else None,
                allow_private=True,
                trusted_user=user,
                connect_seconds=2.0,
                response_seconds=5.0,
            )
        )
    except (api.FetchFailed, api.PluginError):
        return (), False
    if response.status != 200:
        return (), response.status == 401
    body = response.json()
    entries = _list(body.get("data")) if isinstance(body, dict) else []
    ids = [one["id"] for one in entries if isinstance(one, dict) and isinstance(one.get("id"), str)]
    return tuple(one for one in ids if models_problem(one) is None), False


def _list(value: object) -> list[Any]:
    return value if isinstance(value, list) else []


def _is_plain(value: object) -> bool:
    return isinstance(value, str | int) and not isinstance(value, bool)
