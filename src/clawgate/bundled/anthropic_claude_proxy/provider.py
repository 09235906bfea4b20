"""What is asked when the proxy is set up, what is written, and how do requests to it differ from its dialect?

Never about the conversation, and never about the built-in provider ``anthropic``.
"""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import BaseModel, SecretStr

from clawgate.bundled.anthropic_claude_proxy import judgement
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
from clawgate.bundled.anthropic_claude_proxy.fitting import at, notes
from clawgate.bundled.anthropic_claude_proxy.health import look
from clawgate.bundled.anthropic_claude_proxy.model_ids import THINKING, family_of, sent_as, with_thinking
from clawgate.plugins.api import (
    Answers,
    CheckResult,
    Choice,
    ConfigChange,
    Diagnostic,
    Dialect,
    FetchFailed,
    FetchRequest,
    KeyPath,
    MappedError,
    Question,
    SetupContext,
    UpstreamRequest,
)

_KEY = "MERIDIAN_API_KEY"
_CONFIG: KeyPath = ("plugins", "entries", ID, "config")
_PROVIDER: KeyPath = ("models", "providers", ID)
_MODELS: KeyPath = ("agents", "defaults", "models")
_OURS = ("host", "port", "models")
_TERMS = (
    "The proxy uses the login of a Claude subscription. Whether its terms allow this use is between you and "
    "Anthropic; docs/anthropic-claude-proxy.md says more."
)


class ProxyProvider:
    """The provider ``anthropic-claude-proxy``."""

    id = ID
    label = "A local Claude proxy, with the login of a Claude subscription"
    dialect: Dialect = "anthropic-messages"

    def previous_answers(self, config: Mapping[str, Any]) -> Answers:
        block, provider = at(config, _CONFIG), at(config, _PROVIDER)
        found = {name: str(block[name]) for name in ("host", "port") if _is_plain(block.get(name))}
        ids = [one for one in _list(block.get("models")) if isinstance(one, str)]
        ids = ids or [
            str(one["id"]) for one in _list(provider.get("models")) if isinstance(one, dict) and "id" in one
        ]
        if ids:
            found["models"] = ", ".join(ids)
        if isinstance(provider.get("apiKey"), str):
            found["api_key"] = provider["apiKey"]
        return Answers(found)

    def questions(self, previous: Answers, environment: Mapping[str, str]) -> Sequence[Question]:
        asked = [
            Question(
                name="host",
                text="Host of the proxy",
                default=previous.text("host") or DEFAULT_HOST,
                variables=("MERIDIAN_HOST", "CLAUDE_PROXY_HOST"),
                help="Where the proxy listens. Stay with 127.0.0.1 if the gateway is to start it.",
                check=host_problem,
            ),
            Question(
                name="port",
                text="Port of the proxy",
                kind="port",
                default=previous.text("port") or str(DEFAULT_PORT),
                variables=("MERIDIAN_PORT", "CLAUDE_PROXY_PORT"),
            ),
            Question(
                name="models",
                text="Models",
                kind="list",
                default=previous.text("models") or ", ".join(DEFAULT_MODELS),
                help="Ids with commas between them; the first one gets the alias claude-max-proxy.",
                check=models_problem,
                choices=self._choices,
            ),
        ]
        if environment.get(_KEY, "").strip() or previous.text("api_key"):
            asked.append(
                Question(
                    name="api_key",
                    text="Key of the proxy",
                    kind="secret",
                    variables=(_KEY,),
                    required=False,
                    help="What the proxy has as MERIDIAN_API_KEY. Leave it empty if it has none.",
                )
            )
        return asked

    async def _choices(self, answers: Answers, context: SetupContext) -> Sequence[Choice]:
        found = [*DEFAULT_MODELS]
        if answers.text("port").isdigit():
            listed, _ = await _listed(answers, context)
            found += [one for one in listed if one not in found]
        return [Choice(one) for one in found]

    async def check_connection(self, answers: Answers, context: SetupContext) -> CheckResult:
        """Ask the proxy, if it runs; if not, whether the gateway could start it."""
        where = origin(answers.text("host"), answers.number("port"))
        seen = await look(context.fetch, where)
        finding = seen.finding
        match finding.health:
            case "silent":
                return _why_not_started(answers, context, where, finding.reason)
            case "stranger":
                step = "end it, or choose another port"
                return CheckResult(ok=False, message=finding.reason, next_step=step)
            case "unhealthy":
                message = f"the proxy at {where} cannot work: {finding.reason}"
                return CheckResult(ok=False, message=message, next_step=seen.next_step)
        if not seen.speaks_messages:
            message = f"the proxy at {where} has no Messages API: {finding.reason}"
            return CheckResult(ok=False, message=message, next_step=seen.next_step)
        listed, refused = await _listed(answers, context)
        if refused:
            message = f"the proxy at {where} does not take this key"
            return CheckResult(
                ok=False, message=message, next_step=f"set {_KEY} to the key that it was started with"
            )
        version = f" (version {finding.version})" if finding.version else ""
        if finding.health == "degraded":
            message = f"the proxy at {where} is up{version}, but: {finding.reason}"
            return CheckResult(ok=True, message=message, next_step=seen.next_step, models=listed)
        return CheckResult(ok=True, message=f"the proxy at {where} is ready{version}", models=listed)

    def config_change(self, answers: Answers) -> ConfigChange:
        models = answers.words("models") or DEFAULT_MODELS
        host, port = answers.text("host") or DEFAULT_HOST, answers.number("port")
        provider: dict[str, object] = {
            "baseUrl": origin(host, port),
            "api": self.dialect,
            "request": {"allowPrivateNetwork": True},
            "models": [_entry(model) for model in models],
        }
        if key := answers.text("api_key"):
            provider["apiKey"] = key
        plugin: dict[str, object] = {"host": host, "port": port, "models": list(models)}
        if not is_loopback(host):
            plugin["autoStart"] = False
        return ConfigChange(
            plugin_config=plugin,
            provider=provider,
            aliases={ALIAS: f"{ID}/{models[0]}"},
            default_model=f"{ID}/{models[0]}",
            notes=(_TERMS,),
        )

    def check_config(self, config: Mapping[str, Any], settings: BaseModel) -> Sequence[Diagnostic]:
        return notes(config, settings) if isinstance(settings, ProxyConfig) else ()

    def owned_paths(self, config: Mapping[str, Any]) -> Sequence[KeyPath]:
        block = at(config, _CONFIG)
        found: list[KeyPath] = []
        if set(block) <= set(_OURS):
            if at(config, _CONFIG[:-1]):
                found.append(_CONFIG[:-1])
        else:  # settings of the operator's own stay, but nothing is started by them
            found += [(*_CONFIG, name) for name in _OURS if name in block]
            if at(config, _CONFIG[:-1]).get("enabled") is True:
                found.append((*_CONFIG[:-1], "enabled"))
        if at(config, _PROVIDER):
            found.append(_PROVIDER)
        for name, entry in at(config, _MODELS).items():
            if isinstance(entry, dict) and name.startswith(f"{ID}/") and entry.get("alias") == ALIAS:
                found.append((*_MODELS, name) if len(entry) == 1 else (*_MODELS, name, "alias"))
        return found

    def transform_request(self, request: UpstreamRequest) -> UpstreamRequest:
        """``stream`` is said always, since older proxies take silence for a yes; the rest is in `model_ids`.

        The session keeps conversations apart that begin with the same words: by these alone the proxy would resume one
        with what was said in another (read). ``user``, of OpenAI's dialect, is dropped:
        claude-max-api-proxy takes it for the id of a session, and fails where it is none (measured).
        """
        model, thinks = sent_as(request.model)
        if request.dialect not in ("", self.dialect):
            model, thinks = family_of(model), False
        fields = with_thinking(request.fields) if thinks else dict(request.fields)
        fields.pop("user", None)
        fields["stream"] = request.fields.get("stream") is True
        headers = dict(request.headers)
        if request.session_id:
            headers["x-opencode-session"] = request.session_id
        return UpstreamRequest(model=model, fields=fields, session_id=request.session_id, headers=headers)

    def map_error(self, status: int, body: bytes) -> MappedError | None:
        return judgement.judge(status, body)


def _entry(model: str) -> dict[str, object]:
    return {
        "id": model,
        "name": f"{model} (Claude proxy)",
        "reasoning": model.endswith(THINKING),
        "input": ["text"],
        "contextWindow": 200_000,
        "maxTokens": 32_000,
    }


def _why_not_started(answers: Answers, context: SetupContext, where: str, reason: str) -> CheckResult:
    """Nobody answers: fine, if the gateway will start it and can."""
    block = at(context.config, _CONFIG)
    command = block.get("command") or list(DEFAULT_COMMAND)
    if block.get("autoStart") is False or not is_loopback(answers.text("host")):
        step = "start the proxy, or let the gateway start it (autoStart true, host 127.0.0.1)"
        return CheckResult(ok=False, message=f"no proxy answers at {where}: {reason}", next_step=step)
    program = command[0] if isinstance(command, list) and command and isinstance(command[0], str) else ""
    if not program or shutil.which(program, path=context.environment.get("PATH", "")) is None:
        shown = program if program.isprintable() else ascii(program)[1:-1]
        message = f"no proxy answers at {where}, and its program '{shown}' is not installed"
        example = """'["PROGRAM", "ARGUMENT"]'"""
        step = f"install {shown}, or name another: clawgate config set plugins.entries.{ID}.config.command {example}"
        return CheckResult(ok=False, message=message, next_step=step)
    return CheckResult(ok=True, message=f"no proxy answers at {where} yet; the gateway will start it")


async def _listed(answers: Answers, context: SetupContext) -> tuple[tuple[str, ...], bool]:
    """The models that the proxy lists, where it does; and whether it wants another key."""
    key = answers.text("api_key")
    plan = FetchRequest(
        url=f"{origin(answers.text('host'), answers.number('port'))}/v1/models",
        header="x-api-key" if key else "",
        secret=SecretStr(key) if key else None,
        allow_private=True,
        connect_seconds=2.0,
        response_seconds=5.0,
    )
    try:
        answer = await context.fetch(plan)
    except FetchFailed:
        return (), False
    if answer.status != 200:
        return (), answer.status == 401
    said = answer.json()
    entries = _list(said.get("data")) if isinstance(said, dict) else []
    ids = [one["id"] for one in entries if isinstance(one, dict) and isinstance(one.get("id"), str)]
    return tuple(one for one in ids if models_problem(one) is None), False


def _list(value: object) -> list[Any]:
    return value if isinstance(value, list) else []


def _is_plain(value: object) -> bool:
    return isinstance(value, str | int) and not isinstance(value, bool)
